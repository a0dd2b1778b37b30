//! An artifact that stays as long as somebody uses it.

use crate::folder::Folder;
use crate::{Digest, Error, Reference};
use std::fs::File;
use std::io::{Seek as _, SeekFrom};
use std::path::PathBuf;

/// An artifact that is not removed to make room, by any process, until this is dropped or the
/// process ends.
#[derive(Debug)]
pub struct Pin {
    pub(crate) folder: Folder,
    pub(crate) digest: Digest,
    pub(crate) size_bytes: u64,
    /// Locked for sharing: removal asks for the file alone.
    pub(crate) file: File,
}

impl Pin {
    /// Which artifact.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Its bytes.
    #[must_use]
    pub const fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Its file. To be read only.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.content(self.digest)
    }

    /// A path to it that ends in a name, for readers that tell formats by it.
    ///
    /// # Errors
    /// [`Error::Folder`]; [`Error::Unknown`] when the reference is to another artifact.
    pub fn named(&self, reference: &Reference) -> Result<PathBuf, Error> {
        if reference.digest() != self.digest {
            return Err(Error::Unknown {
                digest: reference.digest(),
            });
        }
        let guard = self.folder.guard()?;
        self.folder.name(&guard, self.digest, reference.name())
    }

    /// Reads it from an offset on, in bytes, while it stays pinned.
    ///
    /// # Errors
    /// [`Error::Offset`] when it has fewer bytes, [`Error::Folder`].
    pub fn read_from(
        mut self,
        offset_bytes: u64,
    ) -> Result<impl std::io::Read + Send + use<>, Error> {
        if offset_bytes > self.size_bytes {
            return Err(Error::Offset {
                digest: self.digest,
                offset_bytes,
                received_bytes: self.size_bytes,
            });
        }
        let path = self.path();
        self.file
            .seek(SeekFrom::Start(offset_bytes))
            .map_err(Error::io(&path))?;
        Ok(Reading(self))
    }
}

struct Reading(Pin);

impl std::io::Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.file.read(buffer)
    }
}
