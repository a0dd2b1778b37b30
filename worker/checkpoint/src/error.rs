//! What is wrong with a file, and what to do about it.

use rangefinder_errors::Code;
use std::fmt;

/// Characters of a name that are shown: a hostile file may hold names of megabytes.
const SHOWN: usize = 200;

/// A mistake in a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}; {remedy}")]
pub struct CheckpointError {
    /// What kind of mistake.
    pub code: Code,
    /// What is wrong, as a fragment that fits after the name of the file.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

impl CheckpointError {
    pub(crate) fn new(code: Code, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            remedy: remedy.into(),
        }
    }

    /// The file is not what it claims to be; `message` says where.
    pub(crate) fn damaged(message: impl Into<String>) -> Self {
        Self::new(
            Code::Damaged,
            message,
            "the file is damaged or incomplete: write or copy it again",
        )
    }
}

/// A name in backticks, control characters escaped, cut when very long.
pub(crate) struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cut: String = self.0.chars().take(SHOWN).collect();
        let dots = if cut.len() < self.0.len() { "..." } else { "" };
        write!(f, "`{}{dots}`", cut.escape_debug())
    }
}
