//! Whether what is appended reaches the disk.

use crate::error::Error;
use std::time::Instant;

/// Whether what is appended reaches the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// It does.
    #[default]
    Healthy,
    /// It does not. What was appended is kept in memory, nothing of it is acknowledged, and writing
    /// is tried again.
    Failing {
        /// Why not, as of the last attempt.
        error: Error,
        /// When the first attempt failed.
        since: Instant,
        /// How many attempts have failed since.
        attempts: u32,
    },
}

impl Health {
    /// Whether what is appended reaches the disk.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        *self == Self::Healthy
    }
}
