//! The formats of files, one each. All read from bytes that are there already, check every size
//! that a file claims against them before memory is asked for, and answer what does not fit with
//! an error.

pub(crate) mod csv;
pub(crate) mod idx;
mod inflate;
pub(crate) mod npy;
pub(crate) mod npz;
pub(crate) mod safetensors;
pub(crate) mod tokens;

use std::path::Path;

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Npz,
    Safetensors,
    Npy,
    Idx,
    Tokens,
    Csv,
}

impl Format {
    /// The format that a file's name tells, whatever the case of its letters.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let name = Path::new(path).file_name()?.to_str()?.to_lowercase();
        let ending = |name: &str| Some(name.rsplit_once('.')?.1.to_owned());
        match ending(&name).as_deref() {
            Some("npz") => Some(Self::Npz),
            Some("safetensors") => Some(Self::Safetensors),
            Some("npy") => Some(Self::Npy),
            Some("bin") => Some(Self::Tokens),
            Some("csv") => Some(Self::Csv),
            _ => {
                let name = name.strip_suffix(".gz").unwrap_or(&name);
                (name.ends_with("-ubyte") || ending(name).as_deref() == Some("idx"))
                    .then_some(Self::Idx)
            }
        }
    }

    /// What people call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Npz => ".npz",
            Self::Safetensors => ".safetensors",
            Self::Npy => ".npy",
            Self::Idx => "IDX",
            Self::Tokens => "token",
            Self::Csv => ".csv",
        }
    }
}
