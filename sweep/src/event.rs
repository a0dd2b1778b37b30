//! What happens in a sweep: one schema for the terminal, the log and whoever else watches.

use crate::curve::StopReason;
use crate::ids::{Incarnation, LeaseToken, SweepId, TaskId, WorkerId};
use crate::plan::{Plan, Probe, Warning};
use rangefinder_errors::{Code, Coded};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One step as a worker saw it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Observation {
    /// Global step.
    pub step: u32,
    /// Learning rate of the step.
    #[serde(with = "crate::number")]
    pub lr: f64,
    /// Raw loss before the step's update; may be NaN or infinite.
    #[serde(with = "crate::number")]
    pub loss: f64,
    /// Samples in the batch.
    pub samples: u32,
}

/// Bitwise equality, so that NaN equals itself: "the same losses" means the same bits.
impl PartialEq for Observation {
    fn eq(&self, other: &Self) -> bool {
        (
            self.step,
            self.lr.to_bits(),
            self.loss.to_bits(),
            self.samples,
        ) == (
            other.step,
            other.lr.to_bits(),
            other.loss.to_bits(),
            other.samples,
        )
    }
}

/// A trainable parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// PyTorch's dotted name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<i64>,
}

/// What a worker says of model and data after loading them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Described {
    /// Trainable parameters.
    pub parameters: Vec<Parameter>,
    /// Number of trainable weights.
    pub parameter_count: u64,
    /// Loss of the first batch at the initial weights.
    #[serde(with = "crate::number")]
    pub initial_loss: f64,
    /// Optimizer family.
    pub optimizer: String,
    /// Momentum or beta1, 0 without memory; `None` when unknown.
    #[serde(default, with = "crate::number::option")]
    pub beta: Option<f64>,
    /// Whether the data can be sought by step.
    pub seekable: bool,
    /// Whether a step's randomness is a function of (seed, replica, global step).
    pub replayable: bool,
    /// Samples in the data, 0 when unknown.
    pub samples: u64,
    /// Steps in an epoch, 0 when unknown.
    pub steps_per_epoch: u64,
    /// Samples that one optimizer step sees.
    pub effective_batch_size: u64,
}

/// A mistake in one field of the specification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// What kind of mistake.
    #[serde(
        with = "crate::code::of_field",
        default = "crate::code::of_field::unknown"
    )]
    pub code: Code,
    /// Name of the field.
    pub field: String,
    /// What is wrong, naming the value.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

impl std::fmt::Display for FieldError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}; {}", self.field, self.message, self.remedy)
    }
}

impl std::error::Error for FieldError {}

impl Coded for FieldError {
    fn code(&self) -> Code {
        self.code
    }
}

/// What kind of failure it is; decides whether it is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The user's mistake: never tried again.
    User,
    /// Out of memory: never tried again.
    OutOfMemory,
    /// Anything else: tried again within limits.
    Worker,
}

/// Why something failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind of failure.
    pub kind: FailureKind,
    /// The same more closely: the code of its first field, where it has fields.
    #[serde(
        with = "crate::code::of_failure",
        default = "crate::code::of_failure::unknown"
    )]
    pub code: Code,
    /// What happened, for people.
    pub message: String,
    /// The fields at fault, for a user's mistake.
    pub fields: Vec<FieldError>,
}

/// What a lease is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkKind {
    /// Load model and data and say what they are.
    Describe,
    /// A few batches at the initial weights.
    Probe,
    /// A task of the plan.
    Task(TaskId),
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptOutcome {
    /// Every step was run.
    Completed,
    /// It ended at a loss that is not finite, or its steps lie past the stop: a result.
    Diverged,
    /// The data could not be read further.
    DataExhausted,
    /// The worker reported a failure; counted.
    Failed(Failure),
    /// The worker is gone or hangs, in the words that say how; not counted.
    Lost(String),
    /// The worker gave it back because it leaves; not counted.
    Preempted(String),
    /// The sweep was cancelled or has failed.
    Cancelled,
}

/// How a sweep ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every replica has its curve.
    Completed,
    /// Someone stopped it; the curve goes as far as it was complete.
    Cancelled,
    /// It could not be completed.
    Failed(Failure),
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Happening {
    /// The sweep was accepted.
    Created,
    /// A worker is there.
    WorkerJoined {
        /// Who.
        worker: WorkerId,
        /// The device it trains on.
        device: String,
        /// Versions of its parts, such as `libtorch`.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        versions: BTreeMap<String, String>,
    },
    /// A worker is gone.
    WorkerGone {
        /// Who.
        worker: WorkerId,
        /// How that is known.
        cause: String,
    },
    /// A worker gets no more work, because it fails what others complete.
    WorkerSetAside {
        /// Who.
        worker: WorkerId,
        /// Its process; 0 in what earlier releases wrote.
        #[serde(default)]
        incarnation: Incarnation,
        /// Why, with the counts.
        reason: String,
    },
    /// The sweep waits for something.
    Waiting {
        /// For what.
        reason: String,
    },
    /// Model and data are loaded.
    Described {
        /// What they are.
        described: Described,
    },
    /// The probe has run.
    Probed {
        /// What it found.
        probe: Probe,
    },
    /// The plan stands.
    Planned {
        /// The plan.
        plan: Plan,
    },
    /// A lease was granted.
    Granted {
        /// To whom.
        worker: WorkerId,
        /// Its process; 0 in what earlier releases wrote.
        #[serde(default)]
        incarnation: Incarnation,
        /// For what.
        work: WorkKind,
        /// Number of the attempt at this work, from 1.
        attempt: u32,
        /// The lease.
        token: LeaseToken,
    },
    /// Observations were accepted.
    Observed {
        /// Their task.
        task: TaskId,
        /// Its replica.
        replica: u32,
        /// The lease.
        token: LeaseToken,
        /// In step order, warm-up included.
        observations: Vec<Observation>,
    },
    /// An attempt ended.
    AttemptEnded {
        /// At what.
        work: WorkKind,
        /// By whom.
        worker: WorkerId,
        /// The lease.
        token: LeaseToken,
        /// How.
        outcome: AttemptOutcome,
    },
    /// A replica's curve is complete.
    Stopped {
        /// Which replica.
        replica: u32,
        /// Why.
        reason: StopReason,
        /// Last step of the curve, none when it is empty.
        step: Option<u32>,
    },
    /// Something people should know.
    Warned {
        /// What.
        warning: Warning,
    },
    /// The sweep has ended.
    Ended {
        /// How.
        outcome: Outcome,
    },
}

/// A numbered happening of a sweep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepEvent {
    /// The sweep.
    pub sweep: SweepId,
    /// Counts up from 1 within the sweep.
    pub number: u64,
    /// Milliseconds on the coordinator's clock.
    pub at_ms: u64,
    /// What happened.
    pub happening: Happening,
}
