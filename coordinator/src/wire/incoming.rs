//! What workers send.

use super::{
    Error, MAX_FIELDS, MAX_OBSERVATIONS, MAX_TEXT, MAX_VERSION, MAX_VERSIONS, MAX_WORKER_ID,
    Problem,
};
use rangefinder_errors::Code;
use rangefinder_proto::v1;
use rangefinder_proto::v1::connect_request::Message;
use rangefinder_sweep::curve::StopReason;
use rangefinder_sweep::event::{
    Described, Failure, FailureKind, FieldError, Observation, Parameter,
};
use rangefinder_sweep::ids::{Incarnation, LeaseToken, WorkerId};
use rangefinder_sweep::plan::Probe;
use rangefinder_sweep::state::{Held, Report};
use std::collections::{BTreeMap, HashMap};

/// Who a worker is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Its name.
    pub worker: WorkerId,
    /// Its process.
    pub incarnation: Incarnation,
    /// The protocol that it speaks.
    pub protocol_version: u32,
    /// The device that it trains on.
    pub device: String,
    /// Versions of its parts, such as `libtorch`; of bounded number and length.
    pub versions: BTreeMap<String, String>,
    /// Leases that it still holds.
    pub leases: Vec<Held>,
    /// Whether it takes no more work, and will leave.
    pub leaving: bool,
}

/// Reads the first message of a stream.
///
/// # Errors
/// For anything but a Hello with a usable name.
pub fn hello(request: v1::ConnectRequest) -> Result<Hello, Error> {
    let problem = |problem| Error {
        message: "first message",
        lease: None,
        problem,
    };
    let hello = match request.message {
        Some(Message::Hello(hello)) => hello,
        Some(_) => return Err(problem(Problem::NotHello)),
        None => return Err(problem(Problem::Empty)),
    };
    let name = hello.worker_id;
    let usable = (1..=MAX_WORKER_ID).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_graphic());
    if !usable {
        return Err(problem(Problem::BadWorkerId {
            name: name.chars().take(40).collect(),
        }));
    }
    Ok(Hello {
        worker: WorkerId(name),
        incarnation: Incarnation(hello.incarnation),
        protocol_version: hello.protocol_version,
        device: cut(hello.device),
        versions: versions(hello.versions),
        leases: hello.leases.iter().map(held).collect(),
        leaving: hello.leaving,
    })
}

/// Versions are shown and stored as they are, so there is a limit to what a worker can say.
fn versions(said: HashMap<String, String>) -> BTreeMap<String, String> {
    let short = |text: &str| text.len() <= MAX_VERSION;
    let said: BTreeMap<_, _> = said.into_iter().collect();
    said.into_iter()
        .filter(|(part, version)| short(part) && short(version))
        .take(MAX_VERSIONS)
        .collect()
}

/// Reads any later message of a stream.
///
/// # Errors
/// For a message that means nothing; with its lease, where it names one.
pub fn report(request: v1::ConnectRequest) -> Result<Report, Error> {
    match request.message {
        None => Err(fault("message", None)(Problem::Empty)),
        Some(Message::Hello(_)) => Err(fault("Hello", None)(Problem::NotFirst)),
        Some(Message::Described(message)) => described(message),
        Some(Message::Probed(message)) => Ok(Report::Probed(
            LeaseToken(message.lease_token),
            Probe {
                initial_loss: message.initial_loss,
                gradient_squared: message.gradient_squared,
                gradient_l1: message.gradient_l1,
                seconds_per_step: message.seconds_per_step,
                peak_memory_bytes: message.peak_memory_bytes,
            },
        )),
        Some(Message::Heartbeat(message)) => {
            Ok(Report::Heartbeat(message.leases.iter().map(held).collect()))
        }
        Some(Message::Observations(message)) => observations(&message),
        Some(Message::Finished(message)) => finished(&message),
        Some(Message::Failed(message)) => failed(message),
        Some(Message::HandBack(message)) => Ok(Report::HandBack(
            LeaseToken(message.lease_token),
            cut(message.reason),
        )),
    }
}

fn described(message: v1::Described) -> Result<Report, Error> {
    let token = LeaseToken(message.lease_token);
    if let Some(beta) = message.beta
        && !(0.0..1.0).contains(&beta)
    {
        return Err(fault("Described", Some(token))(Problem::OutOfRange {
            field: "beta",
            value: beta.to_string(),
            expected: "0 to below 1, or no value where it is unknown",
        }));
    }
    let described = Described {
        parameters: message
            .parameters
            .into_iter()
            .map(|parameter| Parameter {
                name: parameter.name,
                shape: parameter.shape,
            })
            .collect(),
        parameter_count: message.parameter_count,
        initial_loss: message.initial_loss,
        optimizer: cut(message.optimizer),
        beta: message.beta,
        seekable: message.seekable,
        replayable: message.replayable,
        samples: message.samples,
        steps_per_epoch: message.steps_per_epoch,
        effective_batch_size: message.effective_batch_size,
    };
    Ok(Report::Described(token, Box::new(described)))
}

fn observations(message: &v1::Observations) -> Result<Report, Error> {
    let token = LeaseToken(message.lease_token);
    let fault = fault("Observations", Some(token));
    let count = message.observations.len();
    if count > MAX_OBSERVATIONS {
        return Err(fault(Problem::TooMany { count }));
    }
    let mut observations: Vec<Observation> = Vec::with_capacity(count);
    for observation in &message.observations {
        let step = step("step", observation.step).map_err(&fault)?;
        if let Some(last) = observations.last()
            && last.step.checked_add(1) != Some(step)
        {
            return Err(fault(Problem::NotConsecutive {
                step,
                after: last.step,
            }));
        }
        // The learning rate came from here, so it is a number; only losses may be anything.
        if !observation.learning_rate.is_finite() {
            return Err(fault(Problem::OutOfRange {
                field: "learning_rate",
                value: observation.learning_rate.to_string(),
                expected: "the finite learning rate that was assigned to the step",
            }));
        }
        observations.push(Observation {
            step,
            lr: observation.learning_rate,
            loss: observation.loss,
            samples: observation.samples,
        });
    }
    Ok(Report::Observations(token, observations))
}

fn finished(message: &v1::Finished) -> Result<Report, Error> {
    let token = LeaseToken(message.lease_token);
    let fault = fault("Finished", Some(token));
    let reason = match v1::FinishReason::try_from(message.reason) {
        Ok(v1::FinishReason::Completed) => StopReason::Completed,
        Ok(v1::FinishReason::NonFinite) => StopReason::NonFinite,
        Ok(v1::FinishReason::DataExhausted) => StopReason::DataExhausted,
        Ok(v1::FinishReason::Unspecified) | Err(_) => {
            return Err(fault(Problem::UnknownValue {
                field: "reason",
                value: message.reason,
            }));
        }
    };
    Ok(Report::Finished {
        token,
        reason,
        end: step("end", message.end).map_err(&fault)?,
    })
}

fn failed(message: v1::Failed) -> Result<Report, Error> {
    let token = LeaseToken(message.lease_token);
    let kind = match v1::FailureKind::try_from(message.kind) {
        Ok(v1::FailureKind::User) => FailureKind::User,
        Ok(v1::FailureKind::OutOfMemory) => FailureKind::OutOfMemory,
        Ok(v1::FailureKind::Worker) => FailureKind::Worker,
        Ok(v1::FailureKind::Unspecified) | Err(_) => {
            return Err(fault("Failed", Some(token))(Problem::UnknownValue {
                field: "kind",
                value: message.kind,
            }));
        }
    };
    let fields: Vec<_> = message
        .fields
        .into_iter()
        .take(MAX_FIELDS)
        .map(|error| FieldError {
            code: known(error.code.as_deref()).unwrap_or(Code::FieldRefused),
            field: cut(error.field),
            message: cut(error.message),
            remedy: cut(error.remedy),
        })
        .collect();
    Ok(Report::Failed(
        token,
        Failure {
            kind,
            code: match fields.first() {
                Some(first) => first.code,
                None => known(message.code.as_deref()).unwrap_or(general(kind)),
            },
            message: cut(message.message),
            fields,
        },
    ))
}

/// What a worker says is shown and stored as often as it says it, so there is a limit to it.
fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_TEXT));
    text
}

/// The code that a worker names, unless it names none or one of another release.
fn known(code: Option<&str>) -> Option<Code> {
    code.and_then(Code::parse)
}

/// The code of a failure of which no more is said.
const fn general(kind: FailureKind) -> Code {
    match kind {
        FailureKind::User => Code::FieldRefused,
        FailureKind::OutOfMemory => Code::BatchMemory,
        FailureKind::Worker => Code::WorkerFailed,
    }
}

/// What a heartbeat says beside the leases that are held: whether the worker is leaving, and what
/// has arrived of the files that its work needs.
#[must_use]
pub fn beside(request: &v1::ConnectRequest) -> (bool, Vec<Report>) {
    let Some(Message::Heartbeat(heartbeat)) = &request.message else {
        return (false, Vec::new());
    };
    let arriving = heartbeat
        .leases
        .iter()
        .filter(|lease| lease.fetched_bytes > 0);
    let fetched =
        arriving.map(|lease| Report::Fetched(LeaseToken(lease.lease_token), lease.fetched_bytes));
    (heartbeat.leaving, fetched.collect())
}

fn held(lease: &v1::HeldLease) -> Held {
    Held {
        token: LeaseToken(lease.lease_token),
        progress: lease.progress,
    }
}

fn step(field: &'static str, value: u64) -> Result<u32, Problem> {
    u32::try_from(value).map_err(|_| Problem::StepTooLarge { field, value })
}

fn fault(message: &'static str, lease: Option<LeaseToken>) -> impl Fn(Problem) -> Error {
    move |problem| Error {
        message,
        lease,
        problem,
    }
}
