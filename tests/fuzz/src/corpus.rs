//! The kept inputs: a folder a target, a file an input.

use std::io;
use std::path::{Path, PathBuf};

/// The folder of a target.
#[must_use]
pub fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target)
}

/// The inputs of a target by their names, in the order of these.
///
/// # Errors
/// When the folder or a file of it cannot be read.
pub fn read(target: &str) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut inputs = Vec::new();
    for entry in std::fs::read_dir(folder(target))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        inputs.push((name.into_owned(), std::fs::read(&path)?));
    }
    inputs.sort();
    Ok(inputs)
}
