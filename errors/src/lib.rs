//! The codes of all mistakes and failures that people may meet: an error message stands behind
//! `error[RF203]`, and `docs/errors.md` explains `RF203`.
//!
//! A code stands for one kind of mistake with one way out, wherever it is noticed. Codes are an
//! interface: scripts may look for them, so that a number keeps its meaning for ever, and that of a
//! code which is gone is never given to another (`tests/frozen.txt`).
//!
//! - [`Code`]: all of them, in `catalogue`.
//! - [`Coded`]: what has one.
//! - [`page`]: the text of `docs/errors.md`.

mod catalogue;
mod page;

pub use catalogue::{Code, Group};
pub use page::page;

use std::fmt;
use std::io;
use std::str::FromStr;

/// An error that people may read, which says what kind it is.
pub trait Coded: fmt::Display {
    /// Its code.
    fn code(&self) -> Code;
}

impl Code {
    /// The code of that printed form, such as `RF203`; none for anything else, such as a code of a
    /// newer release.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|code| code.to_string() == text)
    }

    /// The code of a file that cannot be read.
    #[must_use]
    pub fn of_reading(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::NoSuchFile,
            io::ErrorKind::IsADirectory => Self::NotAFile,
            _ => Self::Unreadable,
        }
    }
}

/// `RF203`.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("RF{:03}", self.number()))
    }
}

/// A text that is no code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownCode(pub String);

impl fmt::Display for UnknownCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no code of this release", self.0)
    }
}

impl std::error::Error for UnknownCode {}

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        Self::parse(text).ok_or_else(|| UnknownCode(text.to_owned()))
    }
}
