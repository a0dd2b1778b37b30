//! Worker processes: how they are found, started, watched, replaced and stopped.
//!
//! - [`find_worker`]: where the worker program is.
//! - [`local`]: workers of this machine.

pub mod local;
mod process;
mod program;
mod tail;

pub use program::{WORKER_VARIABLE, find as find_worker};

use rangefinder_errors::{Code, Coded};
use std::io;
use std::path::PathBuf;

/// Why workers cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The program that was asked for is not there.
    #[error(
        "the worker program {} ({origin}) {problem}; give the path of the worker's executable",
        path.display()
    )]
    BadProgram {
        /// Its path.
        path: PathBuf,
        /// Who asked for it.
        origin: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// No program is where it should be.
    #[error(
        "the worker program was not found: looked for {}; install it there, or name it with \
         `--worker-program` or {WORKER_VARIABLE}",
        list(looked)
    )]
    NoProgram {
        /// Where it was looked for.
        looked: Vec<PathBuf>,
    },
    /// The operating system refuses.
    #[error(
        "the worker program {} does not start: {source}; check its path, and that it can be run",
        path.display()
    )]
    Spawn {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Coded for Error {
    fn code(&self) -> Code {
        match self {
            Self::BadProgram { .. } => Code::BadWorkerProgram,
            Self::NoProgram { .. } => Code::NoWorkerProgram,
            Self::Spawn { .. } => Code::WorkerStart,
        }
    }
}

fn list(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    paths.join(" and ")
}
