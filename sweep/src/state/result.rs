//! What is known of a sweep, as it is kept and shown.

use crate::curve::StopReason;
use crate::event::{AttemptOutcome, Described, Observation, Outcome};
use crate::ids::{LeaseToken, WorkerId};
use crate::plan::{Plan, Probe, Task, Warning};
use serde::{Deserialize, Serialize};

/// One run of a task under one lease.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Who ran it.
    pub worker: WorkerId,
    /// Under which lease.
    pub token: LeaseToken,
    /// When it was granted, in milliseconds on the coordinator's clock.
    pub started_ms: u64,
    /// When it ended; `None` while it runs.
    pub ended_ms: Option<u64>,
    /// How it ended; `None` while it runs.
    pub outcome: Option<AttemptOutcome>,
    /// Its observations, warm-up included: kept only of the attempt that counts,
    /// and up to the stop.
    pub observations: Vec<Observation>,
}

/// A task and all that was done about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskResult {
    /// The task.
    pub task: Task,
    /// Its attempts, oldest first.
    pub attempts: Vec<Attempt>,
}

/// How far two neighbouring tasks agree on the steps that both computed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OverlapCheck {
    /// The later segment.
    pub segment: u32,
    /// First step that was compared.
    pub from: u32,
    /// Step after the last that was compared: the boundary.
    pub to: u32,
    /// Root mean square difference of the log losses (of the losses, relative to the drop, where
    /// losses are not positive).
    #[serde(with = "crate::number")]
    pub delta: f64,
    /// Whether it lies past the minimum, where deltas mean nothing.
    pub past_minimum: bool,
}

/// A replica's curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplicaResult {
    /// Its tasks.
    pub tasks: Vec<TaskResult>,
    /// The merged observations in step order from step 0, without gaps, up to the stop.
    pub curve: Vec<Observation>,
    /// Why it ends there; while the sweep runs, `Cancelled`, as if it were cancelled now.
    pub stop: StopReason,
    /// The self-checks of its overlaps.
    pub overlaps: Vec<OverlapCheck>,
}

/// All that is known of a sweep, ended or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepResult {
    /// How it ended; `None` while it runs.
    pub outcome: Option<Outcome>,
    /// What the worker said of model and data.
    pub described: Option<Described>,
    /// What the probe found, where one was run.
    pub probe: Option<Probe>,
    /// The plan, once it stands.
    pub plan: Option<Plan>,
    /// The replicas.
    pub replicas: Vec<ReplicaResult>,
    /// Notices and warnings of plan and overlaps.
    pub warnings: Vec<Warning>,
}
