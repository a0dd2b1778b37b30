//! Bytes on their way into the folder.

use crate::digest::Hasher;
use crate::entry::Note;
use crate::folder::{open_private, remove_if_there};
use crate::{ArtifactStore, Digest, Error, Pin};
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An upload under way. Nobody else uploads the same artifact for the same owner meanwhile. When it
/// is dropped, what has arrived stays for the next one, except what a crash of the machine takes:
/// [`Upload::pause`] prevents that, and [`Upload::finish`] finds it.
#[derive(Debug)]
pub struct Upload {
    pub(crate) store: ArtifactStore,
    pub(crate) digest: Digest,
    pub(crate) owner: Option<String>,
    pub(crate) path: PathBuf,
    /// Ends before the lock on the file does: the next upload has its own.
    pub(crate) reservation: Option<Reservation>,
    /// Locked for this upload alone, and standing at its end.
    pub(crate) file: File,
    /// Of all bytes that have arrived, those of earlier uploads included.
    pub(crate) hasher: Hasher,
    pub(crate) size_bytes: u64,
    pub(crate) received_bytes: u64,
}

impl Upload {
    /// Opens the file of a part, which is made where there is none.
    pub(crate) fn open(path: &Path) -> Result<File, Error> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true);
        open_private(&mut options, path).map_err(Error::io(path))
    }

    /// Bytes that have arrived, those of earlier uploads included.
    #[must_use]
    pub const fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    /// Takes the bytes that follow.
    ///
    /// # Errors
    /// [`Error::Length`] when they are more than was announced, of which none is taken;
    /// [`Error::Folder`].
    pub fn write(&mut self, chunk: &[u8]) -> Result<(), Error> {
        let bytes = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        let received_bytes = self.received_bytes.saturating_add(bytes);
        if received_bytes > self.size_bytes {
            return Err(self.length(received_bytes));
        }
        if let Err(error) = self.file.write_all(chunk) {
            // Half a chunk would not be a part of what was digested.
            let _the_next_upload_notices = self.file.set_len(self.received_bytes);
            return Err(Error::io(&self.path)(error));
        }
        self.hasher.update(chunk);
        self.received_bytes = received_bytes;
        Ok(())
    }

    /// Ends the upload for now, and says how many bytes have arrived past a loss of power.
    ///
    /// # Errors
    /// [`Error::Folder`].
    pub fn pause(self) -> Result<u64, Error> {
        self.file.sync_all().map_err(Error::io(&self.path))?;
        Ok(self.received_bytes)
    }

    /// Ends the upload for good: the artifact is there when this returns, past a loss of power, and
    /// stays as long as the answer is kept.
    ///
    /// # Errors
    /// [`Error::Length`] when bytes are missing, which a later upload may bring;
    /// [`Error::WrongDigest`] when it is something else, which is dropped; [`Error::Folder`].
    pub fn finish(mut self) -> Result<Pin, Error> {
        self.file.sync_all().map_err(Error::io(&self.path))?;
        if self.received_bytes != self.size_bytes {
            return Err(self.length(self.received_bytes));
        }
        let folder = self.store.folder().clone();
        let actual = std::mem::take(&mut self.hasher).finish();
        let guard = folder.guard()?;
        drop(self.reservation.take());
        if actual != self.digest {
            remove_if_there(&self.path)?;
            return Err(Error::WrongDigest {
                expected: self.digest,
                actual,
            });
        }
        let (there, mut note) = folder.complete(self.digest)?.unzip();
        let note = note.get_or_insert_with(|| Note {
            size_bytes: self.size_bytes,
            ..Note::default()
        });
        note.owners.extend(self.owner.take());
        note.write(folder.path(), &folder.note(self.digest))?;
        let file = if let Some(there) = there {
            // Who uses the same goes on using that.
            remove_if_there(&self.path)?;
            there
        } else {
            fs::rename(&self.path, folder.content(self.digest)).map_err(Error::io(&self.path))?;
            self.file.try_clone().map_err(Error::io(&self.path))?
        };
        file.lock_shared().map_err(Error::io(&self.path))?;
        folder.sync()?;
        let pin = Pin {
            folder,
            digest: self.digest,
            size_bytes: self.size_bytes,
            file,
        };
        // Other processes that share the folder may have filled it meanwhile.
        match self
            .store
            .make_room(&guard, self.digest, self.size_bytes, 0)
        {
            Err(Error::NoRoom { .. }) | Ok(()) => Ok(pin),
            Err(error) => Err(error),
        }
    }

    fn length(&self, received_bytes: u64) -> Error {
        Error::Length {
            digest: self.digest,
            size_bytes: self.size_bytes,
            received_bytes,
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        drop(self.reservation.take());
        // A file of no bytes is of no use to a later upload. It is locked, so it is ours.
        if self.received_bytes == 0 && self.size_bytes > 0 {
            let _it_is_small = remove_if_there(&self.path);
        }
    }
}

/// Files that uploads of this process are writing, with the bytes that they will have: room that
/// nobody else gets.
#[derive(Debug, Default)]
pub(crate) struct Reserved(Mutex<HashMap<PathBuf, u64>>);

impl Reserved {
    /// Bytes that a file will have, if it is being written.
    pub(crate) fn bytes(&self, path: &Path) -> Option<u64> {
        self.lock().get(path).copied()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, u64>> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The room of one upload.
#[derive(Debug)]
pub(crate) struct Reservation {
    reserved: Arc<Reserved>,
    path: PathBuf,
}

impl Reservation {
    pub(crate) fn new(reserved: &Arc<Reserved>, path: &Path, bytes: u64) -> Self {
        reserved.lock().insert(path.to_owned(), bytes);
        Self {
            reserved: Arc::clone(reserved),
            path: path.to_owned(),
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.reserved.lock().remove(&self.path);
    }
}
