//! What the files of the folder are called, and what is written beside an artifact.

use crate::digest::Hasher;
use crate::{Digest, Error};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

/// What ends the name of an artifact that has not arrived in full.
const PART: &str = ".part";
/// What ends the name of what is written beside an artifact.
const NOTE: &str = ".json";

/// Name of the file of an artifact.
pub(crate) fn content(digest: Digest) -> String {
    digest.to_string()
}

/// Name of what is written beside an artifact.
pub(crate) fn note(digest: Digest) -> String {
    format!("{digest}{NOTE}")
}

/// Name of the file of what has arrived so far from an owner. Each has one of its own: an owner
/// must neither learn that others upload the same nor have them do a part of it.
pub(crate) fn part(digest: Digest, owner: Option<&str>) -> String {
    let Some(owner) = owner else {
        return format!("{digest}{PART}");
    };
    // An owner's name may hold anything; its digest fits a file name.
    let mut hasher = Hasher::default();
    hasher.update(owner.as_bytes());
    let owner = hasher.finish().to_string();
    format!("{digest}.{}{PART}", &owner["sha256-".len()..][..32])
}

/// What a file of the folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A whole artifact.
    Content(Digest),
    /// A part of one.
    Part(Digest),
}

impl Kind {
    /// What a file of that name is; nothing for those that take no part in the quota.
    pub(crate) fn of(name: &str) -> Option<Self> {
        if let Ok(digest) = name.parse() {
            return Some(Self::Content(digest));
        }
        let stem = name.strip_suffix(PART)?;
        let digest = stem.split_once('.').map_or(stem, |(digest, _)| digest);
        digest.parse().ok().map(Self::Part)
    }
}

/// What is written beside an artifact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Note {
    /// Its bytes: a file that has another length was damaged.
    pub(crate) size_bytes: u64,
    /// Who has uploaded all of it.
    pub(crate) owners: BTreeSet<String>,
}

impl Note {
    /// Reads it; nothing where there is none, or none that makes sense: the artifact then counts
    /// as absent and is uploaded again.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, Error> {
        match fs::read(path) {
            Ok(text) => Ok(serde_json::from_slice(&text).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io(path)(error)),
        }
    }

    /// Writes it, all or nothing, past a loss of power.
    pub(crate) fn write(&self, folder: &Path, path: &Path) -> Result<(), Error> {
        let write = || -> io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(&serde_json::to_vec(self)?)?;
            file.as_file().sync_all()?;
            file.persist(path)?;
            Ok(())
        };
        write().map_err(Error::io(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_files_are() {
        let digest = Digest::of(b"abc");
        assert_eq!(Kind::of(&content(digest)), Some(Kind::Content(digest)));
        for owner in [None, Some("lab"), Some("../../etc\n")] {
            let name = part(digest, owner);
            assert_eq!(Kind::of(&name), Some(Kind::Part(digest)), "{name}");
            assert!(
                name.bytes()
                    .all(|byte| byte.is_ascii_graphic() && byte != b'/')
            );
        }
        assert_ne!(part(digest, Some("a")), part(digest, Some("b")));
        for name in [note(digest).as_str(), "lock", "names", ".tmpX", "x.part"] {
            assert_eq!(Kind::of(name), None, "{name}");
        }
    }
}
