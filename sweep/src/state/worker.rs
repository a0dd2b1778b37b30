//! A worker that is there, or may come back.

use crate::ids::{Incarnation, LeaseToken};

/// What is known of the process that runs under a worker's name.
#[derive(Clone, Debug)]
pub(super) struct Worker {
    pub incarnation: Incarnation,
    pub device: String,
    pub connected: bool,
    /// It handed work back because it leaves.
    pub leaving: bool,
    /// It fails what others complete.
    pub set_aside: bool,
    /// The lease it holds; one at a time.
    pub lease: Option<LeaseToken>,
    /// Attempts that it failed.
    pub failed: u32,
    /// Tasks that it failed and another worker completed.
    pub blamed: u32,
    /// Tasks that it completed.
    pub completed: u32,
}

impl Worker {
    pub(super) fn new(incarnation: Incarnation, device: String) -> Self {
        Self {
            incarnation,
            device,
            connected: true,
            leaving: false,
            set_aside: false,
            lease: None,
            failed: 0,
            blamed: 0,
            completed: 0,
        }
    }

    /// Whether it may be given work, now or when it is done with what it has.
    pub(super) fn usable(&self) -> bool {
        self.connected && !self.leaving && !self.set_aside
    }

    /// Whether it may be given work now.
    pub(super) fn idle(&self) -> bool {
        self.usable() && self.lease.is_none()
    }
}
