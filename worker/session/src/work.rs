//! What a worker is told to do, checked, and how it ends.

use crate::trainer::{Failure, TaskStart};
use rangefinder_errors::Code;
use rangefinder_proto::v1;

/// Something for the trainer to do under one lease.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Job {
    /// Load model and data.
    Describe(Box<v1::TrainerSpec>),
    /// Run a few steps.
    Probe(Box<v1::TrainerSpec>, u32),
    /// Train the steps of a task, one learning rate each.
    Task(Box<TaskStart>, Vec<f64>),
}

impl Job {
    /// What is to be trained.
    pub(crate) fn spec(&self) -> &v1::TrainerSpec {
        match self {
            Self::Describe(spec) | Self::Probe(spec, _) => spec,
            Self::Task(start, _) => &start.spec,
        }
    }

    /// The same, to be changed.
    pub(crate) fn spec_mut(&mut self) -> &mut v1::TrainerSpec {
        match self {
            Self::Describe(spec) | Self::Probe(spec, _) => spec,
            Self::Task(start, _) => &mut start.spec,
        }
    }

    /// The global steps whose losses are reported; none for work that is not a task.
    pub(crate) fn steps(&self) -> std::ops::Range<u64> {
        match self {
            Self::Task(start, _) => start.first_step..start.end,
            Self::Describe(_) | Self::Probe(..) => 0..0,
        }
    }
}

/// How work under a lease ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    Described(Box<v1::Described>),
    Probed(Box<v1::Probed>),
    Finished { reason: v1::FinishReason, end: u64 },
    Failed(Failure),
    HandBack(String),
}

impl Outcome {
    /// The message that reports it.
    pub(crate) fn into_message(self, lease_token: u64) -> v1::connect_request::Message {
        use v1::connect_request::Message;
        match self {
            Self::Described(described) => Message::Described(v1::Described {
                lease_token,
                ..*described
            }),
            Self::Probed(probed) => Message::Probed(v1::Probed {
                lease_token,
                ..*probed
            }),
            Self::Finished { reason, end } => Message::Finished(v1::Finished {
                lease_token,
                reason: reason.into(),
                end,
            }),
            Self::Failed(failure) => Message::Failed(v1::Failed {
                lease_token,
                kind: failure.kind.into(),
                message: failure.message,
                fields: failure.fields,
                code: Some(failure.code.to_string()),
            }),
            Self::HandBack(reason) => Message::HandBack(v1::HandBack {
                lease_token,
                reason,
            }),
        }
    }
}

/// A failure that is the worker's own.
pub(crate) fn worker_failure(message: impl Into<String>) -> Failure {
    Failure {
        kind: v1::FailureKind::Worker,
        code: Code::WorkerFailed,
        message: message.into(),
        fields: Vec::new(),
    }
}

/// The job of a Describe.
pub(crate) fn describe(message: v1::Describe) -> Result<Job, Failure> {
    Ok(Job::Describe(Box::new(need_trainer(message.trainer)?)))
}

/// The job of a Probe.
pub(crate) fn probe(message: v1::Probe) -> Result<Job, Failure> {
    if message.steps < 2 {
        return Err(malformed(format!(
            "Probe.steps is {}, expected 2 or more",
            message.steps
        )));
    }
    Ok(Job::Probe(
        Box::new(need_trainer(message.trainer)?),
        message.steps,
    ))
}

/// The job of an Assign.
pub(crate) fn assign(message: v1::Assign) -> Result<Job, Failure> {
    let (first, start, end) = (message.warm_up_start, message.start, message.end);
    if !(first <= start && start < end) {
        return Err(malformed(format!(
            "Assign has steps [{first}, {start}, {end}), expected warm_up_start <= start < end"
        )));
    }
    let rates = message.learning_rates;
    if u64::try_from(rates.len()) != Ok(end - first) {
        return Err(malformed(format!(
            "Assign has {} learning rates for the {} steps {first} to {end}, expected one each",
            rates.len(),
            end - first
        )));
    }
    if v1::Stage::try_from(message.stage) != Ok(v1::Stage::RangeTest) {
        return Err(malformed(format!(
            "Assign.stage is {}, which this worker does not know",
            message.stage
        )));
    }
    if let Some(group) = message.group.filter(|group| group.world_size > 1) {
        return Err(malformed(format!(
            "Assign.group has a world size of {}, but this worker runs tasks alone",
            group.world_size
        )));
    }
    let start = TaskStart {
        spec: need_trainer(message.trainer)?,
        replica: message.replica,
        first_step: first,
        end,
    };
    Ok(Job::Task(Box::new(start), rates))
}

fn need_trainer(spec: Option<v1::TrainerSpec>) -> Result<v1::TrainerSpec, Failure> {
    spec.ok_or_else(|| malformed("the trainer is missing".to_owned()))
}

fn malformed(problem: String) -> Failure {
    let message = format!(
        "the worker cannot do what the coordinator asked: {problem}; run coordinator and workers \
         of the same release"
    );
    Failure {
        code: Code::Protocol,
        ..worker_failure(message)
    }
}
