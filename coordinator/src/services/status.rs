//! How errors become gRPC statuses: code, message, and `google.rpc.ErrorInfo` for programs.

use super::artifacts::ArtifactRefusal;
use super::sweeps::Field;
use crate::engine::{self, Closed};
use crate::record::Unreadable;
use crate::wire;
use crate::wire::fields::violation;
use rangefinder_access::{Denied, DeniedKind};
use rangefinder_errors::Coded as _;
use rangefinder_proto::PROTOCOL_VERSION;
use rangefinder_sweep::event::FieldError;
use rangefinder_sweep::ids::SweepId;
use std::collections::HashMap;
use std::time::Duration;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

/// `ErrorInfo.domain` of all statuses.
const DOMAIN: &str = "rangefinder";

/// Most bytes of a message: it travels in a header, and clients refuse headers of more than 8
/// or 16 KiB, also where what they sent is repeated in it.
const MAX_MESSAGE: usize = 400;
/// Most mistakes that are listed; a specification has fewer fields.
const MAX_MISTAKES: usize = 100;
/// Most bytes of what is said to be wrong with one field, of its remedy, and of all of both together.
const MAX_WHAT: usize = 300;
const MAX_REMEDY: usize = 500;
const MAX_DESCRIPTIONS: usize = 2500;

/// Why a call is refused or a stream is ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("{} mistakes in the request; the first: {}", .0.len(), first(.0))]
    Fields(Vec<Field>),
    #[error("sweep {0} has no curve to read: it has not completed")]
    NotCompleted(SweepId),
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
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
    Engine(#[from] engine::Error),
    #[error(transparent)]
    Artifact(ArtifactRefusal),
}

/// The one mapping.
pub(super) fn refusal(refusal: &Refusal) -> Status {
    let (code, reason) = match refusal {
        Refusal::Denied(denied) => match denied.kind() {
            DeniedKind::Unauthenticated => (Code::Unauthenticated, "CREDENTIAL"),
            DeniedKind::Forbidden => (Code::PermissionDenied, "ROLE"),
            DeniedKind::NotFound => (Code::NotFound, "NOT_YOURS"),
        },
        Refusal::Fields(_) => (Code::InvalidArgument, "FIELDS"),
        Refusal::NotCompleted(_) => (Code::FailedPrecondition, "NOT_COMPLETED"),
        Refusal::Unreadable(_) => (Code::DataLoss, "STORE_UNREADABLE"),
        Refusal::NoHello(_) => (Code::DeadlineExceeded, "NO_HELLO"),
        Refusal::EndedBeforeHello => (Code::InvalidArgument, "NO_HELLO"),
        Refusal::ProtocolVersion { .. } => (Code::FailedPrecondition, "PROTOCOL_VERSION"),
        Refusal::Meaningless(_) => (Code::InvalidArgument, "MEANINGLESS_MESSAGE"),
        Refusal::Closed(Closed::Reconnected) => (Code::Aborted, "RECONNECTED"),
        Refusal::Closed(Closed::Replaced) => (Code::Aborted, "REPLACED"),
        Refusal::Closed(Closed::Gone) => (Code::Aborted, "GONE"),
        Refusal::Closed(Closed::Parked) => (Code::Unavailable, "PARKED"),
        Refusal::Engine(engine::Error::Stopped) => (Code::Unavailable, "STOPPED"),
        Refusal::Engine(engine::Error::SweepExists(_)) => (Code::AlreadyExists, "SWEEP_EXISTS"),
        Refusal::Engine(engine::Error::UnknownSweep(_)) => (Code::NotFound, "UNKNOWN_SWEEP"),
        Refusal::Engine(engine::Error::UnknownWorker(_)) => (Code::NotFound, "UNKNOWN_WORKER"),
        Refusal::Engine(engine::Error::NotEnded(_)) => (Code::FailedPrecondition, "NOT_ENDED"),
        Refusal::Engine(engine::Error::TooManySweeps(_) | engine::Error::TooManyOfOwner(_)) => {
            (Code::ResourceExhausted, "TOO_MANY_SWEEPS")
        }
        Refusal::Engine(engine::Error::StoreFailing(_)) => (Code::Unavailable, "STORE_FAILING"),
        Refusal::Engine(engine::Error::Defect(_)) => (Code::Internal, "DEFECT"),
        Refusal::Artifact(refusal) => refusal.classify(),
    };
    let metadata = code_of(refusal)
        .map(|code| HashMap::from([("code".to_owned(), code.to_string())]))
        .unwrap_or_default();
    let mut details = ErrorDetails::with_error_info(reason, DOMAIN, metadata);
    if let Refusal::Fields(fields) = refusal {
        details.set_bad_request(violations(fields));
    }
    Status::with_error_details(code, clipped(&refusal.to_string(), MAX_MESSAGE), details)
}

/// The mistakes as they travel. All fields and codes are there; where there are many mistakes, less
/// is said of each.
fn violations(fields: &[Field]) -> Vec<FieldViolation> {
    let fields = &fields[..fields.len().min(MAX_MISTAKES)];
    let saying = |what: usize, remedy: usize| -> Vec<_> {
        let said = fields.iter().map(|field| {
            let error = FieldError {
                message: clipped(&field.error.message, what),
                remedy: clipped(&field.error.remedy, remedy),
                ..field.error.clone()
            };
            violation(&field.path, &error)
        });
        said.collect()
    };
    let violations = saying(MAX_WHAT, MAX_REMEDY);
    let all: usize = violations.iter().map(|one| one.description.len()).sum();
    if all <= MAX_DESCRIPTIONS {
        return violations;
    }
    let share = MAX_DESCRIPTIONS / fields.len() / 2;
    saying(share, share)
}

/// A text that is cut where it is too long.
fn clipped(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    format!("{}...", &text[..text.floor_char_boundary(bytes)])
}

/// The code of docs/errors.md, where the refusal has one of its own.
fn code_of(refusal: &Refusal) -> Option<rangefinder_errors::Code> {
    match refusal {
        Refusal::Denied(denied) => Some(denied.code()),
        Refusal::Fields(fields) => fields.first().map(|field| field.error.code),
        Refusal::Unreadable(error) => Some(error.code()),
        Refusal::Artifact(refusal) => Some(refusal.code()),
        Refusal::Engine(engine::Error::StoreFailing(_)) => {
            Some(rangefinder_errors::Code::StoreFailing)
        }
        _ => None,
    }
}

fn first(fields: &[Field]) -> String {
    fields
        .first()
        .map(|field| format!("{}: {}", field.path, field.error.message))
        .unwrap_or_default()
}
