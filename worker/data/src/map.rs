//! Files as shared bytes, mapped into memory. The only `unsafe` of this crate.

use rangefinder_errors::Code;
use std::fs::File;
use std::io;
use std::path::Path;

use bytes::Bytes;

use crate::error::Defect;

/// Maps a regular file into memory.
///
/// # Errors
/// When it cannot be opened, is not a regular file, or is empty.
pub(crate) fn open(path: &Path) -> Result<Bytes, Defect> {
    // Asked before it is opened: opening a pipe would wait for its writer.
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(&error))?;
    if metadata.is_dir() {
        return Err(Defect::new(
            Code::NotAFile,
            "is a folder",
            "give the path of a file in it",
        ));
    }
    if !metadata.is_file() {
        return Err(Defect::new(
            Code::NotAFile,
            "is not a regular file",
            "copy its content to a file",
        ));
    }
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    let map = map(&file).map_err(|error| unreadable(&error))?;
    if map.is_empty() {
        return Err(Defect::damaged("is empty"));
    }
    Ok(Bytes::from_owner(map))
}

#[expect(
    unsafe_code,
    reason = "mapping is unsafe because someone may change the file under the map"
)]
fn map(file: &File) -> io::Result<memmap2::Mmap> {
    // SAFETY: the map is only read. A file that is changed meanwhile gives other numbers, and one
    // that is cut short ends the process with SIGBUS; `load` documents that files must not be
    // changed, as does every framework that maps its data.
    unsafe { memmap2::Mmap::map(file) }
}

fn unreadable(error: &io::Error) -> Defect {
    let remedy = match error.kind() {
        io::ErrorKind::NotFound => "check the path: it is the worker's machine that reads it",
        io::ErrorKind::PermissionDenied => "give the user who runs the worker the right to read it",
        _ => "check the disk and the path",
    };
    Defect::new(
        Code::of_reading(error),
        format!("cannot be read: {error}"),
        remedy,
    )
}
