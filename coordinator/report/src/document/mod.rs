//! [`SweepDocument`]: everything that is known of a sweep that has ended.
//!
//! It is what `sweep.json` holds, and what files, pictures and the terminal are made from; see
//! `docs/files.md` for the meaning of every field. It is replica-first: the sweep's own curve is
//! made from those of its replicas, theirs from the attempts at their tasks.
//!
//! - `build`: from what the state machine and the rule know.
//! - `read`: from a file, of this or an older version.

mod build;
mod read;

pub use build::Parts;
pub use read::{ReadError, parse, read};

use rangefinder_proto::v1::SweepSpec;
use rangefinder_sweep::curve::StopReason;
use rangefinder_sweep::event::{AttemptOutcome, Described, Failure};
use rangefinder_sweep::ids::{LeaseToken, TaskId, WorkerId};
use rangefinder_sweep::number;
use rangefinder_sweep::plan::{Plan, Probe, Warning};
use rangefinder_sweep::state::OverlapCheck;
use rangefinder_sweep::suggest::{MethodValue, Suggestion, Value, Verdict};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of `sweep.json` that is written; every older one can be read.
pub const FORMAT: u32 = 1;

/// How a sweep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Every replica has its curve.
    Completed,
    /// Someone stopped it: the curve goes as far as it was complete.
    Cancelled,
    /// It could not be completed.
    Failed,
}

/// How long it took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timings {
    /// Seconds from the start of the command to its answer.
    pub wall_seconds: f64,
    /// Seconds from the first grant of a task to the end of the last one.
    pub training_seconds: f64,
    /// Steps that all workers ran, warm-ups and lost attempts included.
    pub steps_run: u64,
    /// `steps_run` over `training_seconds`; 0 when nothing was run.
    pub steps_per_second: f64,
}

impl Timings {
    /// Times that are not finite numbers count as 0: JSON has no others.
    fn finite(self) -> Self {
        let finite = |value: f64| if value.is_finite() { value } else { 0.0 };
        Self {
            wall_seconds: finite(self.wall_seconds),
            training_seconds: finite(self.training_seconds),
            steps_per_second: finite(self.steps_per_second),
            ..self
        }
    }
}

/// What the losses of a curve are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObservedLoss {
    /// That of each step's batches, before its update.
    Training,
    /// That of the evaluation data which the specification names, before each step's first update.
    Evaluation,
}

/// Samples that one update of the weights sees, as far as a specification says it: a batch, times
/// the batches that are accumulated; `None` where a worker's own batch size holds.
#[must_use]
pub fn effective_batch_size(spec: &SweepSpec) -> Option<u64> {
    let batches = u64::from(spec.accumulate.unwrap_or(1));
    let size = u64::from(spec.batch_size?) * batches;
    (size > 0).then_some(size)
}

/// Where a curve ends, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// Why.
    pub reason: StopReason,
    /// Last step of the curve; `None` when it is empty.
    pub step: Option<u32>,
}

/// Losses in step order, one list a column.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Losses {
    /// Global steps.
    pub step: Vec<u32>,
    /// Learning rate of each step.
    #[serde(with = "number::list")]
    pub lr: Vec<f64>,
    /// Raw loss before each step's update; may be NaN or infinite.
    #[serde(with = "number::list")]
    pub loss: Vec<f64>,
}

/// A curve, one list a column.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Global steps, from 0 without gaps.
    pub step: Vec<u32>,
    /// Learning rate of each step.
    #[serde(with = "number::list")]
    pub lr: Vec<f64>,
    /// Raw loss before each step's update; may be NaN or infinite.
    #[serde(with = "number::list")]
    pub loss: Vec<f64>,
    /// Smoothed loss as the method read it; shorter than the others where the method reads only
    /// the beginning of the curve.
    #[serde(with = "number::list")]
    pub smoothed: Vec<f64>,
}

/// One run of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptDocument {
    /// Who ran it.
    pub worker: WorkerId,
    /// Under which lease.
    pub token: LeaseToken,
    /// When it was granted, in milliseconds on the coordinator's clock.
    pub started_ms: u64,
    /// When it ended; `None` if it never did.
    pub ended_ms: Option<u64>,
    /// How it ended; `None` if it never did.
    pub outcome: Option<AttemptOutcome>,
    /// Its losses, warm-up included: kept only of the attempt that counts.
    pub losses: Losses,
}

/// A task and its attempts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskDocument {
    /// Its index in the plan.
    pub id: TaskId,
    /// The segment within the replica.
    pub segment: u32,
    /// Global step at which it starts from the initial weights.
    pub warm_up_start: u32,
    /// First global step that it owns.
    pub start: u32,
    /// Global step before which it ends.
    pub end: u32,
    /// Its attempts, oldest first.
    pub attempts: Vec<AttemptDocument>,
}

/// A replica.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplicaDocument {
    /// Its tasks, by segment.
    pub tasks: Vec<TaskDocument>,
    /// Its merged curve.
    pub curve: Curve,
    /// Where and why it ends.
    pub stop: Stop,
    /// How far neighbouring tasks agree on the steps that both computed.
    pub overlaps: Vec<OverlapCheck>,
    /// What the method gives on this replica alone; `None` where the sweep has no suggestion.
    pub suggestion: Option<Value>,
    /// The same, whatever the verdict.
    pub rule_value: Option<Value>,
}

/// Everything that is known of a sweep that has ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepDocument {
    /// Version of this format: [`FORMAT`].
    pub format: u32,
    /// How the sweep ended.
    pub status: Status,
    /// What went wrong, for a failed sweep.
    pub failure: Option<Failure>,
    /// The specification with every field that applies set.
    pub spec: SweepSpec,
    /// What the worker said of model and data.
    pub described: Option<Described>,
    /// What a few batches at the initial weights showed, where they were run.
    pub probe: Option<Probe>,
    /// How the work was split.
    pub plan: Option<Plan>,
    /// Planned steps of one replica: a longer sweep suggests a lower learning rate, so this
    /// number belongs beside the suggestion.
    pub steps: u32,
    /// Samples that one optimizer step sees; belongs beside the suggestion too.
    pub effective_batch_size: Option<u64>,
    /// What the losses are; `None` in documents that were written before there was a choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_loss: Option<ObservedLoss>,
    /// Learning rate of every planned step, also of those that were not reached.
    #[serde(with = "number::list")]
    pub learning_rates: Vec<f64>,
    /// The suggestion; `None` without a usable verdict (a profile's is that tool's own).
    pub suggestion: Option<Suggestion>,
    /// What the method gives, whatever the verdict.
    pub rule_value: Option<Value>,
    /// Whether a learning rate may be read off the curve; `None` when no curve was read.
    pub verdict: Option<Verdict>,
    /// What every other method and profile gives.
    pub methods: Vec<MethodValue>,
    /// Notices and warnings, each once.
    pub warnings: Vec<Warning>,
    /// Where and why the sweep's curve ends: that of the replica whose curve is shortest.
    pub stop: Stop,
    /// The sweep's curve: that of its only replica, or the mean over its replicas as far as all go.
    pub curve: Curve,
    /// The replicas.
    pub replicas: Vec<ReplicaDocument>,
    /// Versions of the parts that took part, such as `rangefinder` and `libtorch`.
    pub versions: BTreeMap<String, String>,
    /// How long it took.
    pub timings: Timings,
}

impl SweepDocument {
    /// The text of `sweep.json`: JSON, indented, with lists of numbers on one line.
    ///
    /// # Errors
    /// Never for a document made by this crate; the serializer's own otherwise.
    pub fn to_json(&self) -> serde_json::Result<String> {
        read::write(self)
    }
}
