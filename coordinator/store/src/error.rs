//! What can go wrong with a store, and what is refused.

use crate::lock::Holder;
use rangefinder_errors::{Code, Coded};
use rusqlite::ErrorCode;
use std::io;
use std::path::{Path, PathBuf};

/// A store that cannot be opened, read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Another coordinator has the folder open.
    #[error(
        "the store in {} is in use by {holder}; stop it, or take another folder with --data-dir",
        folder.display()
    )]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// Who has it.
        holder: Holder,
    },
    /// A newer release has written the database.
    #[error(
        "{} is of version {found}, and this release knows versions up to {known}; use the release \
         that wrote it, or a newer one",
        path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version that this release knows.
        known: i64,
    },
    /// The database is not ours, or its beginning is damaged.
    #[error(
        "{} is no store of Rangefinder, or its beginning is damaged ({reason}); give another folder, \
         or see what is left with `coordinator store export`",
        path.display()
    )]
    Foreign {
        /// The database.
        path: PathBuf,
        /// How that shows.
        reason: String,
    },
    /// There is no store in the folder.
    #[error(
        "there is no store in {}; give the folder that was the coordinator's --data-dir",
        folder.display()
    )]
    Missing {
        /// The folder.
        folder: PathBuf,
    },
    /// Something is not as it was written.
    #[error(
        "{} is damaged: {what}; list all damage with `coordinator store check`, save what can be \
         read with `coordinator store export`",
        path.display()
    )]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What, with sweep and number where it is one row.
        what: String,
    },
    /// No room on the disk, in the quota, or below the limit of a file's size.
    #[error(
        "no room for {}: {reason}; make room, and it goes on by itself: nothing is lost meanwhile",
        path.display()
    )]
    Full {
        /// The database.
        path: PathBuf,
        /// The operating system's words.
        reason: String,
    },
    /// The folder or a file in it cannot be read or written.
    #[error("cannot use {}: {reason}; check the rights of the folder and the disk", path.display())]
    Failing {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's or SQLite's words.
        reason: String,
    },
    /// What is exported cannot be written where it should go.
    #[error("cannot write the export: {reason}; make room where it goes")]
    Output {
        /// The operating system's words.
        reason: String,
    },
    /// What should not happen.
    #[error("a defect in the store {}: {what}; please report it", path.display())]
    Defect {
        /// The database.
        path: PathBuf,
        /// What happened.
        what: String,
    },
}

impl Coded for Error {
    fn code(&self) -> Code {
        match self {
            Self::InUse { .. } => Code::StoreInUse,
            Self::Newer { .. } => Code::StoreNewer,
            Self::Foreign { .. } => Code::StoreForeign,
            Self::Missing { .. } => Code::StoreMissing,
            Self::Damaged { .. } => Code::StoreDamaged,
            Self::Full { .. } => Code::StoreFull,
            Self::Failing { .. } => Code::StoreFailing,
            Self::Output { .. } => Code::Unwritable,
            Self::Defect { .. } => Code::Defect,
        }
    }
}

impl Error {
    /// Of a file or folder that the operating system refuses.
    pub(crate) fn of_file(path: &Path, error: &io::Error) -> Self {
        let (path, reason) = (path.to_owned(), error.to_string());
        if is_full(error.kind()) {
            Self::Full { path, reason }
        } else {
            Self::Failing { path, reason }
        }
    }

    /// Of a statement that SQLite refuses.
    pub(crate) fn of_database(path: &Path, error: &rusqlite::Error) -> Self {
        let (path, reason) = (path.to_owned(), error.to_string());
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full { path, reason },
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged { path, what: reason },
            Some(ErrorCode::NotADatabase) => Self::Foreign { path, reason },
            Some(
                ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::NoLargeFileSupport
                | ErrorCode::OutOfMemory,
            ) => Self::Failing { path, reason },
            // A value of another type or length than its column has.
            None => Self::Damaged { path, what: reason },
            Some(_) => Self::Defect { path, what: reason },
        }
    }
}

/// Whether the operating system's reason is that there is no room: on the disk, in the quota, or
/// below the limit of a file's size.
pub(crate) fn is_full(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

/// A batch that is not queued, for it does not fit to what was appended before: nothing of it is
/// written. All but [`Refused::Closed`] and [`Refused::RequestTaken`] are defects of the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The store is closed, or its writer has ended.
    #[error("the store is closed")]
    Closed,
    /// The owner has a sweep of that request already.
    #[error("request {request_id:?} has made sweep {sweep} already")]
    RequestTaken {
        /// The request.
        request_id: String,
        /// Its sweep.
        sweep: String,
    },
    /// There is a sweep of that id already.
    #[error("there is a sweep {sweep} already")]
    SweepTaken {
        /// Its id.
        sweep: String,
    },
    /// There is no such sweep, or it is deleted.
    #[error("there is no sweep {sweep}")]
    UnknownSweep {
        /// The id.
        sweep: String,
    },
    /// The sweep has ended before.
    #[error("sweep {sweep} has ended already")]
    AlreadyEnded {
        /// Its id.
        sweep: String,
    },
    /// The number is not the next one of the sweep.
    #[error("event {given} of sweep {sweep} should have number {expected}")]
    WrongNumber {
        /// The sweep.
        sweep: String,
        /// The number that is next.
        expected: u64,
        /// The number that was given.
        given: u64,
    },
    /// A value is larger than the store takes.
    #[error("{what} is too large for the store")]
    TooLarge {
        /// Which value.
        what: String,
    },
}

impl Coded for Refused {
    fn code(&self) -> Code {
        Code::Defect
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_room_is_one_code_whatever_the_operating_system_calls_it() {
        let path = Path::new("store.db");
        for errno in [
            rustix::io::Errno::NOSPC,
            rustix::io::Errno::DQUOT,
            rustix::io::Errno::FBIG,
        ] {
            let error = Error::of_file(path, &errno.into());
            assert_eq!(error.code(), Code::StoreFull, "{error}");
        }
        let error = Error::of_file(path, &rustix::io::Errno::IO.into());
        assert_eq!(error.code(), Code::StoreFailing);
    }
}
