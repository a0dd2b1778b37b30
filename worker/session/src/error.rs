//! How a session ends.

use rangefinder_errors::{Code, Coded};
use std::io;
use std::time::Duration;

/// How a session ends without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The coordinator told the worker to leave.
    Drained,
    /// The process was told to end.
    ShutDown,
    /// Standard input reached its end: the coordinator is gone.
    CoordinatorGone,
}

/// Why a session cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The credential is not the coordinator's.
    #[error(
        "the coordinator at {coordinator} rejected this worker's credential ({message}): give the \
         worker the token of this coordinator, in RANGEFINDER_TOKEN or RANGEFINDER_TOKEN_FILE"
    )]
    Credential {
        /// Address of the coordinator.
        coordinator: String,
        /// Its words.
        message: String,
    },
    /// The coordinator does not speak this worker's protocol, or does not want this worker.
    #[error(
        "the coordinator at {coordinator} refused this worker, which speaks protocol version \
         {version} ({message}): run coordinator and workers of the same release"
    )]
    Refused {
        /// Address of the coordinator.
        coordinator: String,
        /// Version that the worker speaks.
        version: u32,
        /// The coordinator's words.
        message: String,
    },
    /// Another process joined under this worker's name.
    #[error(
        "another process joined the coordinator at {coordinator} under this worker's name, \
         {worker_id:?}: give each worker a RANGEFINDER_WORKER_ID of its own"
    )]
    Replaced {
        /// Address of the coordinator.
        coordinator: String,
        /// The name.
        worker_id: String,
    },
    /// No coordinator answered.
    #[error(
        "no coordinator answered at {coordinator} for {} s ({cause}): check that it is running \
         and that RANGEFINDER_COORDINATOR names its address", silence.as_secs_f64().round()
    )]
    Unreachable {
        /// Address of the coordinator.
        coordinator: String,
        /// How long there was no word from it.
        silence: Duration,
        /// What happened to the last attempt.
        cause: String,
    },
    /// The trainer does not come back from a step that it was told to stop.
    #[error(
        "the trainer did not come back for {} s from a step that it was told to stop: the process \
         has to be started again", .0.as_secs_f64().round()
    )]
    Stuck(Duration),
    /// The trainer's thread could not be started.
    #[error("failed to start the trainer's thread ({0}): raise the limit of threads and memory")]
    Thread(#[from] io::Error),
    /// The trainer's thread is gone.
    #[error("the trainer's thread ended unexpectedly: this is a defect of the worker; restart it")]
    TrainerGone,
}

impl Coded for Error {
    fn code(&self) -> Code {
        match self {
            Self::Credential { .. } => Code::CredentialRejected,
            Self::Refused { .. } => Code::Refused,
            Self::Replaced { .. } => Code::Replaced,
            Self::Unreachable { .. } => Code::Unreachable,
            Self::Stuck(_) => Code::Stuck,
            Self::Thread(_) => Code::System,
            Self::TrainerGone => Code::Defect,
        }
    }
}

/// What is wrong with the environment.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// A variable is needed.
    #[error("{variable} is not set: {remedy}")]
    Missing {
        /// Its name.
        variable: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// A variable makes no sense.
    #[error("{variable} is {value:?}: {expected}")]
    Invalid {
        /// Its name.
        variable: &'static str,
        /// Its value.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// The credential makes no sense.
    #[error(
        "the credential of {origin} cannot be used: {problem}; give the token as the coordinator \
         wrote it"
    )]
    Credential {
        /// Where it came from.
        origin: String,
        /// What is wrong.
        problem: String,
    },
    /// The file of the credential cannot be read.
    #[error(
        "failed to read RANGEFINDER_TOKEN_FILE={path} ({source}): give the path of a file that \
         this user may read"
    )]
    TokenFile {
        /// Its path.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Certificates, or the folders that confine, make no sense.
    #[error(transparent)]
    Access(rangefinder_access::Error),
    /// There are two credentials.
    #[error("both RANGEFINDER_TOKEN and RANGEFINDER_TOKEN_FILE are set: unset one of them")]
    TwoCredentials,
}

impl Coded for OptionsError {
    fn code(&self) -> Code {
        match self {
            Self::Missing { .. } => Code::VariableMissing,
            Self::Invalid { .. } => Code::VariableInvalid,
            Self::Credential { .. } | Self::TwoCredentials => Code::CredentialMalformed,
            Self::TokenFile { .. } => Code::TokenFile,
            Self::Access(error) => error.code(),
        }
    }
}
