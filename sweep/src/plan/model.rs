//! What the planner is asked, what it knows, and what it answers.

use crate::ids::TaskId;
use crate::schedule::Range;
use serde::{Deserialize, Serialize};

/// How the work is asked to be split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// As many segments as pay, the remaining workers as replicas.
    Auto,
    /// One task.
    None,
    /// Contiguous ranges of the steps.
    Segments,
    /// Full sweeps with data orders of their own.
    Replicas,
    /// Replicas that are each cut into segments.
    Hybrid,
}

/// What the planner is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanRequest {
    /// The range to sweep.
    pub range: Range,
    /// The mode asked for.
    pub split: Split,
    /// Segments a replica, where asked for.
    pub segments: Option<u32>,
    /// Replicas, where asked for.
    pub replicas: Option<u32>,
    /// Warm-up before a segment in decades of learning rate, 0 or more.
    #[serde(with = "crate::number")]
    pub overlap_decades: f64,
    /// Workers that will run the tasks, at least 1.
    pub workers: u32,
    /// Updates of the weights in one step of the range test, all at its learning rate; 0 counts
    /// as 1. Batches that are accumulated for one update are no updates of their own.
    pub updates_per_step: u32,
    /// Largest ratio of any parameter's learning rate to the swept one; below 1 counts as 1. What a
    /// probe says of the gradients is taken for parameters that all have it, which prunes less
    /// than could be.
    #[serde(with = "crate::number")]
    pub largest_lr_ratio: f64,
}

/// What the planner knows of the optimizer and its data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trainability {
    /// Momentum or Adam's beta1 from one update to the next, 0 to below 1; `None` when unknown.
    pub beta: Option<f64>,
    /// Whether the optimizer normalises its steps (Adam and kin), so that |gradient|_1 counts.
    pub adaptive: bool,
    /// Whether the data can be sought by step.
    pub seekable: bool,
    /// Whether batches and noise are replayed by global step.
    pub replayable: bool,
}

impl Trainability {
    /// What a worker's description says to the planner. Every family but plain `sgd` counts as
    /// one that normalises its steps.
    #[must_use]
    pub fn of(described: &crate::event::Described) -> Self {
        Self {
            beta: described.beta,
            adaptive: !described.optimizer.eq_ignore_ascii_case("sgd"),
            seekable: described.seekable,
            replayable: described.replayable,
        }
    }
}

/// What a probe at the initial weights found; lets warm-ups be pruned.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// Mean loss at the initial weights.
    #[serde(with = "crate::number")]
    pub initial_loss: f64,
    /// Unbiased |mean gradient|^2.
    #[serde(with = "crate::number")]
    pub gradient_squared: f64,
    /// |mean gradient|_1.
    #[serde(with = "crate::number")]
    pub gradient_l1: f64,
    /// Seconds a step.
    #[serde(with = "crate::number")]
    pub seconds_per_step: f64,
    /// Peak memory in bytes, 0 when unknown.
    pub peak_memory_bytes: u64,
}

/// A unit of work of one worker: steps [warm_up_start, end), of which [start, end) are its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its index in the plan.
    pub id: TaskId,
    /// The replica it belongs to.
    pub replica: u32,
    /// The segment within the replica.
    pub segment: u32,
    /// Global step at which it starts from the initial weights.
    pub warm_up_start: u32,
    /// First global step that it owns.
    pub start: u32,
    /// Global step before which it ends.
    pub end: u32,
}

impl Task {
    /// Steps to run, warm-up included.
    #[must_use]
    pub fn steps(&self) -> u32 {
        self.end - self.warm_up_start
    }
}

/// How a sweep is split, and what that costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The mode that was chosen, never `Auto`.
    pub split: Split,
    /// Segments a replica.
    pub segments: u32,
    /// Replicas.
    pub replicas: u32,
    /// Workers it was made for.
    pub workers: u32,
    /// The tasks, by replica, then by segment; `tasks[i].id == TaskId(i)`.
    pub tasks: Vec<Task>,
    /// Full warm-up of a segment in steps, before pruning; 0 if unsplit.
    pub warm_up_steps: u32,
    /// First step at which the learning rates before it matter, as the probe predicts; 0 without
    /// a probe.
    pub pruned_before: u32,
    /// Steps of the busiest worker, when the tasks are given out in [`Plan::grant_order`].
    pub critical_path_steps: u32,
    /// Steps of all tasks together.
    pub total_steps: u32,
    /// Steps that the same replicas take unsplit.
    pub unsplit_steps: u32,
    /// Unsplit steps on one worker over the critical path.
    #[serde(with = "crate::number")]
    pub speed_up: f64,
    /// What no number of segments exceeds with these warm-ups (without pruning about all decades
    /// over the overlap's, for each replica); infinite for unsplit plans.
    #[serde(with = "crate::number")]
    pub speed_up_bound: f64,
    /// Mean distance of the suggestion from the unsplit sweep's that was measured for such splits, in
    /// decades; 0 if unsplit.
    #[serde(with = "crate::number")]
    pub expected_error_decades: f64,
    /// The same with its sign: above 0 where such splits suggest the higher learning rate.
    #[serde(with = "crate::number")]
    pub expected_bias_decades: f64,
    /// What people should know before it runs.
    pub warnings: Vec<Warning>,
}

/// A notice or warning about a plan or a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// Stable code in snake case, such as `overlap_short`.
    pub code: String,
    /// One sentence with the numbers and the remedy.
    pub message: String,
}

impl Warning {
    pub(crate) fn new(code: &str, message: String) -> Self {
        Self {
            code: code.to_owned(),
            message,
        }
    }
}
