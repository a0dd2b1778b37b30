//! What is refused, and what to do about it.

use crate::Digest;
use rangefinder_errors::{Code, Coded};
use std::io;
use std::path::{Path, PathBuf};

/// Why something cannot be done with an artifact.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A text that should be a digest.
    #[error(
        "{text:?} is no digest: write `sha256-` and the 64 lower-case hexadecimal digits of the content's SHA-256"
    )]
    Digest {
        /// The text, cut where it is long.
        text: String,
    },
    /// A text that should be a reference.
    #[error(
        "{text:?} is no reference to an artifact ({problem}): write it as `artifact:sha256-HEX/NAME.EXT`"
    )]
    Reference {
        /// The text, cut where it is long.
        text: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// There is no such artifact, or it belongs to others only; which of the two is not told.
    #[error("there is no artifact {digest}, or not all of it: upload it first")]
    Unknown {
        /// Which.
        digest: Digest,
    },
    /// It is larger than any artifact may be.
    #[error(
        "artifact {digest} has {size_bytes} bytes, more than the limit of {limit_bytes}: give a smaller file, or have the operator raise the limit"
    )]
    TooLarge {
        /// Which.
        digest: Digest,
        /// Its bytes.
        size_bytes: u64,
        /// Most bytes of one artifact.
        limit_bytes: u64,
    },
    /// It does not fit beside what is in use.
    #[error(
        "there is no room for the {size_bytes} bytes of artifact {digest}: of the {limit_bytes} bytes that all may take together, {in_use_bytes} are in use; wait until sweeps have ended, or have the operator raise the limit"
    )]
    NoRoom {
        /// Which.
        digest: Digest,
        /// Its bytes.
        size_bytes: u64,
        /// Most bytes of all together.
        limit_bytes: u64,
        /// Bytes of those that are pinned or being uploaded.
        in_use_bytes: u64,
    },
    /// What has arrived is not what its name says.
    #[error(
        "the content that has arrived is not artifact {expected}, it is {actual}, and has been dropped: upload it again from its start, and see that the file does not change meanwhile"
    )]
    WrongDigest {
        /// Its name.
        expected: Digest,
        /// What its name would have to be.
        actual: Digest,
    },
    /// An upload does not go on where the one before it ended.
    #[error(
        "an upload of artifact {digest} goes on at byte {received_bytes}, not at {offset_bytes}: ask how much of it is there, or start at 0"
    )]
    Offset {
        /// Which.
        digest: Digest,
        /// Where the upload would have begun.
        offset_bytes: u64,
        /// Bytes that are there.
        received_bytes: u64,
    },
    /// An upload brings more or fewer bytes than it said.
    #[error(
        "an upload of artifact {digest} said that it has {size_bytes} bytes and brought {received_bytes}: what fits is kept; go on from there, and say the right size"
    )]
    Length {
        /// Which.
        digest: Digest,
        /// Bytes that were announced.
        size_bytes: u64,
        /// Bytes that would have arrived.
        received_bytes: u64,
    },
    /// Another upload of the same artifact by the same owner is under way.
    #[error("artifact {digest} is being uploaded already: wait for that upload, or end it")]
    Busy {
        /// Which.
        digest: Digest,
    },
    /// The folder cannot be read or written.
    #[error("{}: {problem}: the folder of artifacts needs room on its disk, rights, and a file system with locks", .path.display())]
    Folder {
        /// What was being read or written.
        path: PathBuf,
        /// The system's words.
        problem: String,
    },
}

impl Error {
    /// A failed operation of the file system.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |error| Self::Folder {
            path,
            problem: error.to_string(),
        }
    }
}

impl Coded for Error {
    fn code(&self) -> Code {
        match self {
            Self::Digest { .. } | Self::Reference { .. } => Code::ArtifactReference,
            Self::Unknown { .. } => Code::NoSuchArtifact,
            Self::TooLarge { .. } => Code::ArtifactTooLarge,
            Self::NoRoom { .. } => Code::ArtifactRoom,
            Self::WrongDigest { .. } => Code::ArtifactContent,
            Self::Offset { .. } | Self::Length { .. } => Code::ArtifactOffset,
            Self::Busy { .. } => Code::ArtifactBusy,
            Self::Folder { .. } => Code::ArtifactFolder,
        }
    }
}
