//! The folder itself: its lock, its files, and which of them leave when room is needed.

use crate::entry::{self, Kind, Note};
use crate::{Digest, Error};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The file whose lock is held while the folder changes, by any process.
const LOCK: &str = "lock";
/// The folder in which artifacts have the names that specifications give them.
const NAMES: &str = "names";

#[derive(Clone, Debug)]
pub(crate) struct Folder {
    path: PathBuf,
}

/// Held while files come, go or are pinned: short, and never while content is read or written.
/// Released when dropped, also by the death of the process.
pub(crate) struct Guard {
    _lock: File,
}

/// A file that takes part in the quota.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) path: PathBuf,
    pub(crate) kind: Kind,
    pub(crate) bytes: u64,
    /// When it was last used.
    used: SystemTime,
}

impl Folder {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(Error::io(path))?;
        let folder = Self {
            path: path.to_owned(),
        };
        // Whatever is wrong with its rights or its locks is found now.
        folder.guard()?;
        Ok(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn content(&self, digest: Digest) -> PathBuf {
        self.path.join(entry::content(digest))
    }

    pub(crate) fn note(&self, digest: Digest) -> PathBuf {
        self.path.join(entry::note(digest))
    }

    pub(crate) fn part(&self, digest: Digest, owner: Option<&str>) -> PathBuf {
        self.path.join(entry::part(digest, owner))
    }

    /// Where an artifact has the names that specifications give it.
    pub(crate) fn names(&self, digest: Digest) -> PathBuf {
        self.path.join(NAMES).join(digest.to_string())
    }

    /// Waits until nobody else changes the folder.
    pub(crate) fn guard(&self) -> Result<Guard, Error> {
        let path = self.path.join(LOCK);
        let lock = || -> io::Result<File> {
            let file = open_private(
                OpenOptions::new().create(true).truncate(false).write(true),
                &path,
            )?;
            file.lock()?;
            Ok(file)
        };
        Ok(Guard {
            _lock: lock().map_err(Error::io(&path))?,
        })
    }

    /// An artifact that is there in full, as far as its length tells, and what is written beside it.
    pub(crate) fn complete(&self, digest: Digest) -> Result<Option<(File, Note)>, Error> {
        let Some(note) = Note::read(&self.note(digest))? else {
            return Ok(None);
        };
        let path = self.content(digest);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io(&path)(error)),
        };
        let bytes = file.metadata().map_err(Error::io(&path))?.len();
        Ok((bytes == note.size_bytes).then_some((file, note)))
    }

    /// All files that take part in the quota, the least recently used first.
    pub(crate) fn entries(&self) -> Result<Vec<Entry>, Error> {
        let mut entries = Vec::new();
        for found in fs::read_dir(&self.path).map_err(Error::io(&self.path))? {
            let found = found.map_err(Error::io(&self.path))?;
            let Some(kind) = found.file_name().to_str().and_then(Kind::of) else {
                continue;
            };
            let metadata = match found.metadata() {
                Ok(metadata) => metadata,
                // Its upload has ended meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(Error::io(&found.path())(error)),
            };
            entries.push(Entry {
                path: found.path(),
                kind,
                bytes: metadata.len(),
                used: metadata.modified().map_err(Error::io(&found.path()))?,
            });
        }
        entries.sort_by(|one, other| (one.used, &one.path).cmp(&(other.used, &other.path)));
        Ok(entries)
    }

    /// Removes an artifact, or a part of one. What is written beside it goes first: an artifact
    /// that was not removed to its end belongs to nobody.
    pub(crate) fn remove(&self, _guard: &Guard, entry: &Entry) -> Result<(), Error> {
        if let Kind::Content(digest) = entry.kind {
            remove_if_there(&self.note(digest))?;
            let names = self.names(digest);
            match fs::remove_dir_all(&names) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::io(&names)(error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        remove_if_there(&entry.path)
    }

    /// Gives an artifact one more name: a path that leads to it and ends so.
    pub(crate) fn name(
        &self,
        _guard: &Guard,
        digest: Digest,
        name: &str,
    ) -> Result<PathBuf, Error> {
        let folder = self.names(digest);
        fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        let path = folder.join(name);
        let target = Path::new("../..").join(entry::content(digest));
        match std::os::unix::fs::symlink(target, &path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(Error::io(&path)(error))
            }
            Ok(()) | Err(_) => Ok(path),
        }
    }

    /// Makes what was renamed outlive a loss of power.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        File::open(&self.path)
            .and_then(|folder| folder.sync_all())
            .map_err(Error::io(&self.path))
    }
}

impl Entry {
    /// Whether nobody has it pinned or uploads it. Stays so as long as the guard is held.
    pub(crate) fn is_idle(&self, _guard: &Guard) -> bool {
        File::open(&self.path).is_ok_and(|file| file.try_lock().is_ok())
    }
}

/// Opens a file that only this user may read.
pub(crate) fn open_private(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    options.mode(0o600).open(path)
}

/// Whether the lock was taken; `false` when another has it.
pub(crate) fn taken(result: Result<(), TryLockError>, path: &Path) -> Result<bool, Error> {
    match result {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(Error::io(path)(error)),
    }
}

pub(crate) fn remove_if_there(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io(path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}
