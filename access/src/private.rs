//! Files that only their owner may read or change.

use rangefinder_errors::Code;
use std::fs::{File, Metadata};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use zeroize::Zeroizing;

use crate::Error;

/// Rights by which a file of secrets is none: everyone may read or change it, or a group may change
/// it. That a group may read it is left to the operator: mounted secrets often come so.
const TOO_OPEN: u32 = 0o027;

/// Largest file of secrets that is read, in bytes.
const MAX_BYTES: u64 = 64 << 20;

/// Reads a file of secrets.
///
/// # Errors
/// When it cannot be read, or when others may read or change it.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    let reading = |error| Error::reading(path, &error);
    let file = File::open(path).map_err(reading)?;
    // The rights of the file that is open, not of one that came in its place.
    check(path, &file.metadata().map_err(reading)?)?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(MAX_BYTES)
        .read_to_end(&mut bytes)
        .map_err(reading)?;
    Ok(bytes)
}

fn check(path: &Path, metadata: &Metadata) -> Result<(), Error> {
    if !metadata.is_file() {
        return Err(Error::new(
            Code::NotAFile,
            format!("{}: is not a regular file", path.display()),
            "give the path of the file itself",
        ));
    }
    let rights = metadata.mode() & 0o777;
    if rights & TOO_OPEN == 0 {
        return Ok(());
    }
    let what = if rights & 0o022 != 0 {
        "others than its owner may change it"
    } else {
        "everyone may read it"
    };
    Err(Error::new(
        Code::NotPrivate,
        format!(
            "{}: holds secrets, and {what} (its rights are {rights:03o})",
            path.display()
        ),
        format!(
            "run `chmod 600 {}`, and make new secrets if others may have read it",
            path.display()
        ),
    ))
}
