//! The folder of a sweep on one machine.

use super::{Error, Start};
use crate::engine;
use crate::record::{Creation, Unreadable};
use rangefinder_errors::{Code, Coded};
use rangefinder_report::SweepDocument;
use rangefinder_store::{Filter, Reader};
use rangefinder_sweep::ids::SweepId;
use std::io;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Why a folder does not hold what is wanted.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It holds a sweep already.
    #[error(
        "--data-dir: {} holds sweep {sweep} already; go on with it by `coordinator resume {}`, or \
         take another folder",
        folder.display(), folder.display()
    )]
    Taken {
        /// The folder.
        folder: PathBuf,
        /// Its sweep.
        sweep: String,
    },
    /// It holds no sweep that a command on one machine has run.
    #[error(
        "{} holds no sweep that can be resumed here; give the folder of `--data-dir`{}",
        folder.display(),
        if *of_service { ", and go on with a service's sweeps by `coordinator serve`" } else { "" }
    )]
    NothingToResume {
        /// The folder.
        folder: PathBuf,
        /// Whether it is that of a service.
        of_service: bool,
    },
    /// No temporary folder can be made.
    #[error("no temporary folder can be made: {0}; make room, or set TMPDIR to another place")]
    Temporary(#[source] io::Error),
}

impl Coded for FolderError {
    fn code(&self) -> Code {
        match self {
            Self::Taken { .. } => Code::DataDirTaken,
            Self::NothingToResume { .. } => Code::NothingToResume,
            Self::Temporary(_) => Code::System,
        }
    }
}

/// A sweep that a folder holds.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The sweep.
    pub id: SweepId,
    /// What it takes to run it.
    pub creation: Creation,
    reader: Reader,
    ended: bool,
}

impl Stored {
    /// Its result, where it has ended and the result is stored. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn document(&self) -> Result<Option<SweepDocument>, Error> {
        if !self.ended {
            return Ok(None);
        }
        document(Some(&self.reader), &self.id).map(Some)
    }
}

/// The sweep that a folder holds. Blocks.
///
/// # Errors
/// When it holds none that was run on one machine, or cannot be read.
pub fn stored(folder: &Path) -> Result<Stored, Error> {
    let reader = Reader::open(folder).map_err(Unreadable::Store)?;
    let sweeps = reader
        .list(&Filter::default(), None, 2)
        .map_err(Unreadable::Store)?;
    let nothing = |of_service| {
        Error::Folder(FolderError::NothingToResume {
            folder: folder.to_owned(),
            of_service,
        })
    };
    let [sweep] = sweeps.as_slice() else {
        return Err(nothing(!sweeps.is_empty()));
    };
    let creation = crate::record::creation(&reader, sweep)?;
    if creation.one_shot.is_none() {
        return Err(nothing(true));
    }
    Ok(Stored {
        id: SweepId(sweep.id.clone()),
        creation,
        reader,
        ended: sweep.documented,
    })
}

/// The result of a sweep. Blocks.
pub(super) fn document(reader: Option<&Reader>, sweep: &SweepId) -> Result<SweepDocument, Error> {
    let json = match reader {
        Some(reader) => reader.document(&sweep.0).map_err(Unreadable::Store)?,
        None => None,
    };
    let json = json.ok_or_else(|| engine::Error::UnknownSweep(sweep.clone()))?;
    Ok(crate::record::read_document(sweep, &json)?)
}

/// The folder in which a run keeps what happens.
#[derive(Debug)]
pub(super) enum Folder {
    Named(PathBuf),
    Temporary(TempDir),
}

impl Folder {
    /// The one that is named, checked, or a temporary one, which goes with this value.
    pub(super) fn of(named: Option<&Path>, start: &Start) -> Result<Self, Error> {
        let Some(folder) = named else {
            let temporary = tempfile::Builder::new()
                .prefix("rangefinder-")
                .tempdir()
                .map_err(FolderError::Temporary)?;
            return Ok(Self::Temporary(temporary));
        };
        if matches!(start, Start::New(_))
            && let Ok(reader) = Reader::open(folder)
        {
            let sweeps = reader
                .list(&Filter::default(), None, 1)
                .map_err(Unreadable::Store)?;
            if let Some(sweep) = sweeps.into_iter().next() {
                let folder = folder.to_owned();
                let sweep = sweep.id;
                return Err(FolderError::Taken { folder, sweep }.into());
            }
        }
        Ok(Self::Named(folder.to_owned()))
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Named(folder) => folder,
            Self::Temporary(folder) => folder.path(),
        }
    }
}
