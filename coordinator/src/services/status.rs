//! How errors become gRPC statuses: code, message, and `google.rpc.ErrorInfo` for programs.

use super::artifacts::ArtifactRefusal;
use crate::engine::{self, Closed};
use crate::wire;
use rangefinder_errors::Coded as _;
use rangefinder_proto::PROTOCOL_VERSION;
use std::collections::HashMap;
use std::time::Duration;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// `ErrorInfo.domain` of all statuses.
const DOMAIN: &str = "rangefinder";

/// Why a call is refused or a stream is ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("expected the worker's credential as `authorization: Bearer ...`")]
    Unauthenticated,
    #[error("no Hello within {} s", .0.as_secs_f64())]
    NoHello(Duration),
    #[error("the stream ended before Hello")]
    EndedBeforeHello,
    #[error(
        "worker {worker} speaks version {theirs} of the worker protocol, this coordinator speaks \
         version {ours}; install the same release of both",
        ours = PROTOCOL_VERSION
    )]
    ProtocolVersion { worker: String, theirs: u32 },
    #[error(transparent)]
    Meaningless(wire::Error),
    #[error(transparent)]
    Closed(Closed),
    #[error(transparent)]
    Engine(engine::Error),
    #[error(transparent)]
    Artifact(ArtifactRefusal),
}

/// The one mapping.
pub(super) fn refusal(refusal: &Refusal) -> Status {
    let (code, reason) = match refusal {
        Refusal::Unauthenticated => (Code::Unauthenticated, "CREDENTIAL"),
        Refusal::NoHello(_) => (Code::DeadlineExceeded, "NO_HELLO"),
        Refusal::EndedBeforeHello => (Code::InvalidArgument, "NO_HELLO"),
        Refusal::ProtocolVersion { .. } => (Code::FailedPrecondition, "PROTOCOL_VERSION"),
        Refusal::Meaningless(_) => (Code::InvalidArgument, "MEANINGLESS_MESSAGE"),
        Refusal::Closed(Closed::Reconnected) => (Code::Aborted, "RECONNECTED"),
        Refusal::Closed(Closed::Replaced) => (Code::Aborted, "REPLACED"),
        Refusal::Closed(Closed::Gone) => (Code::Aborted, "GONE"),
        Refusal::Engine(engine::Error::Stopped) => (Code::Unavailable, "STOPPED"),
        Refusal::Engine(engine::Error::SweepExists(_)) => (Code::AlreadyExists, "SWEEP_EXISTS"),
        Refusal::Engine(engine::Error::UnknownSweep(_)) => (Code::NotFound, "UNKNOWN_SWEEP"),
        Refusal::Artifact(refusal) => refusal.classify(),
    };
    let mut metadata = HashMap::new();
    if let Refusal::Artifact(refusal) = refusal {
        metadata.insert("code".to_owned(), refusal.code().to_string());
    }
    let details = ErrorDetails::with_error_info(reason, DOMAIN, metadata);
    Status::with_error_details(code, refusal.to_string(), details)
}
