//! The folder of a store: its files, and the file system that they lie on.

use crate::error::{Error, is_full};
use crate::lock::Holder;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Bytes that are written to see whether there is room.
const PROBE_BYTES: usize = 64 << 10;

/// What an operator should know about a store that opened all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The folder lies on a network file system.
    Network {
        /// The folder.
        folder: PathBuf,
        /// The file system, such as `NFS`.
        kind: &'static str,
    },
    /// The coordinator before did not close the store: it died, or its machine did.
    Unclean {
        /// Who had it.
        holder: Holder,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network { folder, kind } => write!(
                f,
                "{} lies on a network file system ({kind}), whose locks and writes SQLite cannot \
                 rely on: a crash may damage the store; use a local disk",
                folder.display()
            ),
            Self::Unclean { holder } => write!(
                f,
                "the store was not closed by {holder}; all that it acknowledged is there"
            ),
        }
    }
}

/// Path of the database.
pub(crate) fn database(folder: &Path) -> PathBuf {
    folder.join("store.db")
}

/// Path of the database, which is there.
pub(crate) fn existing(folder: &Path) -> Result<PathBuf, Error> {
    let path = database(folder);
    match fs::metadata(&path) {
        Ok(_) => Ok(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = folder.to_owned();
            Err(Error::Missing { folder })
        }
        Err(error) => Err(Error::of_file(&path, &error)),
    }
}

/// Makes the folder, for this user alone, when it is not there.
pub(crate) fn create(folder: &Path) -> Result<(), Error> {
    let failed = |error: io::Error| Error::of_file(folder, &error);
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        result => result.map_err(failed),
    }
}

/// Makes an empty file for the database, for this user alone (SQLite gives its other files the same
/// rights), and makes its name durable.
///
/// To be called with the lock held and before SQLite opens the file: closing any descriptor of it
/// drops the locks that SQLite has on it.
pub(crate) fn create_database(folder: &Path) -> Result<(), Error> {
    let path = database(folder);
    if path.exists() {
        return Ok(());
    }
    let create = || {
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?
            .sync_all()?;
        File::open(folder)?.sync_all()?;
        match folder.parent().filter(|parent| parent.is_dir()) {
            Some(parent) => File::open(parent)?.sync_all(),
            None => Ok(()),
        }
    };
    create().map_err(|error| Error::of_file(&path, &error))
}

/// A warning, when the folder lies on a network file system.
pub(crate) fn network(folder: &Path) -> Option<Notice> {
    let kind = network_kind(rustix::fs::statfs(folder).ok()?.f_type)?;
    let folder = folder.to_owned();
    Some(Notice::Network { folder, kind })
}

/// The name of a network file system by the number that `statfs` gives; `None` for all others.
/// The numbers are those of `statfs(2)` and of Linux's `magic.h`.
fn network_kind(magic: impl TryInto<i64>) -> Option<&'static str> {
    // Some of the numbers have their highest bit set and come negative where they are 32 bits wide.
    let magic = magic.try_into().ok()? & 0xFFFF_FFFF;
    Some(match magic {
        0x6969 => "NFS",
        0x517B | 0xFE53_4D42 => "SMB",
        0xFF53_4D42 => "CIFS",
        0x6573_5546 => "FUSE",
        0x0102_1997 => "9P",
        0x00C3_6400 => "Ceph",
        0x5346_414F => "AFS",
        0x7375_7245 => "Coda",
        0x4750_4653 => "GPFS",
        0x0BD0_0BD0 => "Lustre",
        0x1983_0326 => "BeeGFS",
        0x7461_636F => "OCFS2",
        0x0116_1970 => "GFS2",
        0x786F_4256 => "a virtual machine's shared folder",
        _ => return None,
    })
}

/// An error with its true reason.
///
/// SQLite keeps the operating system's reasons to itself and calls a reached quota an input/output
/// error like any other, so some bytes are written beside the database to see.
pub(crate) fn refine(folder: &Path, error: Error) -> Error {
    match error {
        Error::Failing { path, reason } => match no_room(folder) {
            Some(full) => Error::of_file(&path, &full),
            None => Error::Failing { path, reason },
        },
        error => error,
    }
}

/// The operating system's reason why the folder takes no more bytes, as far into a file as the
/// database's own go, if that is what it says.
fn no_room(folder: &Path) -> Option<io::Error> {
    let length = |name: &str| fs::metadata(folder.join(name)).map_or(0, |file| file.len());
    let end = length("store.db").max(length("store.db-wal"));
    let path = folder.join("probe");
    let probe = || {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)?;
        file.write_all_at(&[1; PROBE_BYTES], end)?;
        file.sync_all()
    };
    let result = probe();
    // It may not be there; one that stays is overwritten by the next.
    let _ = fs::remove_file(&path);
    result.err().filter(|error| is_full(error.kind()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn network_file_systems_are_known_and_local_ones_not() {
        assert_eq!(network_kind(0x6969_i64), Some("NFS"));
        assert_eq!(network_kind(0xFF53_4D42_i64), Some("CIFS"));
        assert_eq!(network_kind(-11_317_950_i32), Some("CIFS"));
        assert_eq!(network_kind(0x6573_5546_i64), Some("FUSE"));
        for local in [0xEF53_i64, 0x5846_5342, 0x9123_683E, 0x0102_1994] {
            assert_eq!(network_kind(local), None);
        }
        let folder = Path::new("/data").to_owned();
        let notice = Notice::Network {
            folder,
            kind: "NFS",
        };
        assert!(
            notice
                .to_string()
                .starts_with("/data lies on a network file system (NFS)")
        );
    }

    #[test]
    fn folder_and_database_are_for_their_user_alone() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("a/b");
        create(&folder).unwrap();
        create_database(&folder).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&database(&folder)), 0o600);
    }
}
