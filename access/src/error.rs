//! What is wrong with a file, a name or a connection, and what to do about it.

use rangefinder_errors::{Code, Coded};
use std::path::Path;

/// A mistake or failure. Display gives message and remedy on one line; neither ever holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}; {remedy}")]
pub struct Error {
    /// What kind it is.
    pub code: Code,
    /// What is wrong, naming the file and the value.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

impl Error {
    pub(crate) fn new(code: Code, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            remedy: remedy.into(),
        }
    }

    /// A file that cannot be read.
    pub(crate) fn reading(path: &Path, error: &std::io::Error) -> Self {
        let remedy = match Code::of_reading(error) {
            Code::NoSuchFile => "check the path; it is relative to the current folder",
            Code::NotAFile => "give the path of the file itself",
            _ => "check the rights of the file and of its folder",
        };
        Self::new(
            Code::of_reading(error),
            format!("{}: cannot be read: {error}", path.display()),
            remedy,
        )
    }
}

impl Coded for Error {
    fn code(&self) -> Code {
        self.code
    }
}
