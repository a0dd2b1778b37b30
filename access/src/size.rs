//! How large files from clients may be.

use rangefinder_errors::Code;
use std::path::Path;

use crate::Error;

/// Largest model or checkpoint that is taken unless the operator sets another limit: 16 GiB.
pub const DEFAULT_MAX_MODEL_BYTES: u64 = 16 << 30;

/// Largest file of data that is taken unless the operator sets another limit: 256 GiB.
pub const DEFAULT_MAX_DATA_BYTES: u64 = 256 << 30;

/// Checks that a file has at most `max_bytes` bytes, and gives its size in bytes.
///
/// # Errors
/// When it cannot be looked at, is no regular file, or is larger.
pub fn check_size(path: &Path, max_bytes: u64) -> Result<u64, Error> {
    let metadata = std::fs::metadata(path).map_err(|error| Error::reading(path, &error))?;
    if !metadata.is_file() {
        return Err(Error::new(
            Code::NotAFile,
            format!("{}: is not a regular file", path.display()),
            "give the path of the file itself",
        ));
    }
    if metadata.len() > max_bytes {
        return Err(Error::new(
            Code::FileTooLarge,
            format!(
                "{}: has {} bytes, more than the limit of {max_bytes}",
                path.display(),
                metadata.len()
            ),
            "give a smaller file, or have the operator raise the limit",
        ));
    }
    Ok(metadata.len())
}
