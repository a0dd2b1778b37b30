//! A file exchanged for a new one in one step: readers see the old or the new one, whole.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Whether [`with`] can be expected to succeed.
pub(super) fn check(path: &Path) -> io::Result<()> {
    let path = real(path)?;
    if fs::metadata(&path)?.permissions().readonly() {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "the file is read-only",
        ));
    }
    beside(&path).map(drop)
}

/// Replaces the content; a symbolic link is followed, permissions are kept.
pub(super) fn with(path: &Path, content: &[u8]) -> io::Result<()> {
    let path = real(path)?;
    let permissions = fs::metadata(&path)?.permissions();
    let mut file = beside(&path)?;
    file.write_all(content)?;
    file.as_file().set_permissions(permissions)?;
    file.as_file().sync_all()?;
    file.persist(&path)?;
    Ok(())
}

fn real(path: &Path) -> io::Result<PathBuf> {
    fs::canonicalize(path)
}

/// A temporary file in the same folder, so that the exchange is one rename.
fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    NamedTempFile::new_in(folder)
}
