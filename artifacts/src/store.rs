//! A folder of artifacts within limits.

use crate::digest::Hasher;
use crate::entry::Kind;
use crate::folder::{Entry, Folder, Guard, taken};
use crate::upload::{Reservation, Reserved, Upload};
use crate::{Digest, Error, Pin};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

/// How much a folder of artifacts may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of one artifact.
    pub max_artifact_bytes: u64,
    /// Most bytes of all together, those that are still arriving included.
    pub max_total_bytes: u64,
    /// Most files, so that many small ones do not fill the disk with names.
    pub max_files: usize,
}

/// How much of an artifact is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Its bytes; `None` until all of it is there.
    pub size_bytes: Option<u64>,
    /// Bytes that are there: an upload goes on from here.
    pub received_bytes: u64,
}

impl Status {
    /// Whether all of it is there, verified.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.size_bytes == Some(self.received_bytes)
    }
}

/// A folder of artifacts. Cheap to clone; several processes may share one folder.
///
/// Where an *owner* is asked for, `None` stands for who may see everything: the coordinator itself,
/// or a worker with its own cache.
#[derive(Clone, Debug)]
pub struct ArtifactStore {
    folder: Folder,
    limits: Limits,
    reserved: Arc<Reserved>,
}

impl ArtifactStore {
    /// Opens a folder, which is made where there is none.
    ///
    /// # Errors
    /// [`Error::Folder`] when it cannot be written, or has no locks.
    pub fn open(folder: &Path, limits: Limits) -> Result<Self, Error> {
        Ok(Self {
            folder: Folder::open(folder)?,
            limits,
            reserved: Arc::default(),
        })
    }

    /// Its limits.
    #[must_use]
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// Bytes of all that is there, uploads that have not ended included.
    ///
    /// # Errors
    /// [`Error::Folder`] when it cannot be read.
    pub fn stored_bytes(&self) -> Result<u64, Error> {
        let entries = self.folder.entries()?;
        Ok(entries.iter().map(|entry| entry.bytes).sum())
    }

    /// How much of an artifact is there, as far as an owner may know: what others have uploaded is
    /// as if it were not there.
    ///
    /// # Errors
    /// [`Error::Folder`].
    pub fn status(&self, digest: Digest, owner: Option<&str>) -> Result<Status, Error> {
        if let Some((_, note)) = self.folder.complete(digest)?
            && owner.is_none_or(|owner| note.owners.contains(owner))
        {
            return Ok(Status {
                size_bytes: Some(note.size_bytes),
                received_bytes: note.size_bytes,
            });
        }
        let part = self.folder.part(digest, owner);
        let received_bytes = match part.metadata() {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
            Err(error) => return Err(Error::io(&part)(error)),
        };
        Ok(Status {
            size_bytes: None,
            received_bytes,
        })
    }

    /// Begins an upload, or goes on with one that was cut off: `offset_bytes` is then what
    /// [`ArtifactStore::status`] says. An offset of 0 starts anew. Reads what is there already.
    ///
    /// An owner sends all of an artifact also where another has uploaded it: the digest alone must
    /// not do, for it tells everybody who has seen it in a message or a log what could be read
    /// then; only who has the content proves that with it.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::NoRoom`], [`Error::Offset`], [`Error::Busy`] before any byte is
    /// taken; [`Error::Folder`].
    pub fn begin(
        &self,
        digest: Digest,
        owner: Option<&str>,
        size_bytes: u64,
        offset_bytes: u64,
    ) -> Result<Upload, Error> {
        if size_bytes > self.limits.max_artifact_bytes {
            return Err(Error::TooLarge {
                digest,
                size_bytes,
                limit_bytes: self.limits.max_artifact_bytes,
            });
        }
        let path = self.folder.part(digest, owner);
        let guard = self.folder.guard()?;
        let file = Upload::open(&path)?;
        if !taken(file.try_lock(), &path)? {
            return Err(Error::Busy { digest });
        }
        if offset_bytes == 0 {
            file.set_len(0).map_err(Error::io(&path))?;
        }
        let received_bytes = file.metadata().map_err(Error::io(&path))?.len();
        let mut upload = Upload {
            store: self.clone(),
            digest,
            owner: owner.map(str::to_owned),
            path,
            file,
            hasher: Hasher::default(),
            size_bytes,
            received_bytes,
            reservation: None,
        };
        if offset_bytes != received_bytes || received_bytes > size_bytes {
            return Err(Error::Offset {
                digest,
                offset_bytes,
                received_bytes,
            });
        }
        let missing_bytes = size_bytes - received_bytes;
        self.make_room(&guard, digest, size_bytes, missing_bytes)?;
        let reservation = Reservation::new(&self.reserved, &upload.path, size_bytes);
        upload.reservation = Some(reservation);
        drop(guard);
        upload.hasher = hash(&mut upload.file, &upload.path)?;
        Ok(upload)
    }

    /// Pins an artifact of an owner, which counts as using it.
    ///
    /// # Errors
    /// [`Error::Unknown`] when it is not there in full, or not for this owner; [`Error::Folder`].
    pub fn pin(&self, digest: Digest, owner: Option<&str>) -> Result<Pin, Error> {
        let guard = self.folder.guard()?;
        let path = self.folder.content(digest);
        let (file, note) = self
            .folder
            .complete(digest)?
            .filter(|(_, note)| owner.is_none_or(|owner| note.owners.contains(owner)))
            .ok_or(Error::Unknown { digest })?;
        // Nobody holds it alone but who removes it, which the guard excludes.
        if !taken(file.try_lock_shared(), &path)? {
            return Err(Error::Busy { digest });
        }
        // The time of the last use decides what leaves first; without the right to set it, older
        // things leave first.
        if let Err(error) = file.set_modified(SystemTime::now()) {
            tracing::debug!(%digest, %error, "cannot note that an artifact is used");
        }
        drop(guard);
        Ok(Pin {
            folder: self.folder.clone(),
            digest,
            size_bytes: note.size_bytes,
            file,
        })
    }

    /// Reads all of an artifact and compares it with its name. One that was damaged is removed.
    ///
    /// # Errors
    /// [`Error::WrongDigest`] when it was damaged, [`Error::Unknown`], [`Error::Folder`].
    pub fn verify(&self, digest: Digest) -> Result<(), Error> {
        let mut pin = self.pin(digest, None)?;
        let path = pin.path();
        let actual = hash(&mut pin.file, &path)?.finish();
        if actual == digest {
            return Ok(());
        }
        let guard = self.folder.guard()?;
        for entry in self.folder.entries()? {
            if entry.kind == Kind::Content(digest) {
                self.folder.remove(&guard, &entry)?;
            }
        }
        Err(Error::WrongDigest {
            expected: digest,
            actual,
        })
    }

    pub(crate) const fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Removes what was not used for longest until so many more bytes fit, nothing where they
    /// cannot fit. What is pinned or arriving stays.
    pub(crate) fn make_room(
        &self,
        guard: &Guard,
        digest: Digest,
        size_bytes: u64,
        needed_bytes: u64,
    ) -> Result<(), Error> {
        let limit_bytes = self.limits.max_total_bytes;
        let mut entries = self.folder.entries()?;
        for entry in &mut entries {
            entry.bytes = self.reserved.bytes(&entry.path).unwrap_or(entry.bytes);
        }
        let total = |entries: &[Entry]| entries.iter().map(|entry| entry.bytes).sum::<u64>();
        let all = total(&entries);
        let fits = |bytes: u64, files: usize| {
            bytes.saturating_add(needed_bytes) <= limit_bytes && files <= self.limits.max_files
        };
        let mut files = entries.len();
        if fits(all, files) {
            return Ok(());
        }
        let (idle, _in_use): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|entry| entry.is_idle(guard));
        let in_use_bytes = all - total(&idle);
        if !fits(in_use_bytes, files - idle.len()) {
            return Err(Error::NoRoom {
                digest,
                size_bytes,
                limit_bytes,
                in_use_bytes,
            });
        }
        let mut left = all;
        for entry in &idle {
            if fits(left, files) {
                break;
            }
            tracing::info!(file = %entry.path.display(), bytes = entry.bytes, "removed to make room");
            self.folder.remove(guard, entry)?;
            left -= entry.bytes;
            files -= 1;
        }
        Ok(())
    }
}

/// Digests a file from where it stands to its end.
fn hash(file: &mut File, path: &Path) -> Result<Hasher, Error> {
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(Error::io(path))? {
            0 => return Ok(hasher),
            count => hasher.update(&buffer[..count]),
        }
    }
}
