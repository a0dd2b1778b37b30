//! A replica: its tasks, and the curve that grows from their observations.

use super::result::{OverlapCheck, ReplicaResult, TaskResult};
use super::work::Work;
use crate::curve::{StopDetector, StopReason, StopRule, overlap};
use crate::event::{AttemptOutcome, Observation, WorkKind};
use crate::plan::Task;

/// A task and its attempts.
#[derive(Clone, Debug)]
pub(super) struct TaskWork {
    pub task: Task,
    pub work: Work,
    /// Why the attempt that brought the result ended.
    pub ended: Option<StopReason>,
}

impl TaskWork {
    pub(super) fn new(task: Task) -> Self {
        Self {
            task,
            work: Work::new(WorkKind::Task(task.id)),
            ended: None,
        }
    }

    /// The attempt that runs has come to an end of its own, as the worker said.
    pub(super) fn finish(&mut self, outcome: &AttemptOutcome) {
        self.ended = match outcome {
            AttemptOutcome::Completed => Some(StopReason::Completed),
            AttemptOutcome::Diverged => Some(StopReason::NonFinite),
            AttemptOutcome::DataExhausted => Some(StopReason::DataExhausted),
            _ => None,
        };
    }

    /// First step that has not been accepted.
    pub(super) fn next_step(&self) -> u32 {
        let accepted = u32::try_from(self.work.observations().len()).unwrap_or(u32::MAX);
        self.task.warm_up_start.saturating_add(accepted)
    }

    /// Whether every step has been accepted.
    pub(super) fn all_observed(&self) -> bool {
        self.next_step() == self.task.end
    }

    /// The observation of an own step.
    fn at(&self, step: u32) -> Option<&Observation> {
        let index = step.checked_sub(self.task.warm_up_start)?;
        self.work.observations().get(index as usize)
    }
}

/// A replica of a sweep.
#[derive(Clone, Debug)]
pub(super) struct Replica {
    /// By segment.
    pub tasks: Vec<TaskWork>,
    /// The merged observations in step order, up to the first that is missing or to the stop.
    pub curve: Vec<Observation>,
    pub stop: Option<StopReason>,
    pub overlaps: Vec<OverlapCheck>,
    detector: StopDetector,
    rule: StopRule,
}

impl Replica {
    pub(super) fn new(tasks: Vec<Task>, rule: StopRule) -> Self {
        Self {
            tasks: tasks.into_iter().map(TaskWork::new).collect(),
            curve: Vec::new(),
            stop: None,
            overlaps: Vec::new(),
            detector: StopDetector::new(rule),
            rule,
        }
    }

    /// Merges what has become complete, each step from the segment that owns it; `Some` when that
    /// decides the stop, which is then final.
    pub(super) fn advance(&mut self, learning_rates: &[f64]) -> Option<StopReason> {
        while self.stop.is_none() {
            let reason = self.merge_next(learning_rates)?;
            if let Some(reason) = reason {
                self.freeze(reason);
                return Some(reason);
            }
        }
        None
    }

    /// Merges the next step: `None` when it is missing, else whether the curve ends there.
    fn merge_next(&mut self, learning_rates: &[f64]) -> Option<Option<StopReason>> {
        let next = self.curve.len();
        let Some(lr) = learning_rates.get(next) else {
            return Some(Some(StopReason::Completed));
        };
        let step = u32::try_from(next).unwrap_or(u32::MAX);
        let owner = self.tasks.partition_point(|task| task.task.end <= step);
        let owner = self.tasks.get(owner)?;
        if let Some(observation) = owner.at(step) {
            let observation = *observation;
            self.curve.push(observation);
            return Some(self.detector.push(observation.loss));
        }
        match owner.ended? {
            StopReason::DataExhausted => Some(Some(StopReason::DataExhausted)),
            StopReason::NonFinite => {
                // It ended within the warm-up, so that the weights of its first own step are spoilt.
                self.curve.push(Observation {
                    step,
                    lr: *lr,
                    loss: f64::NAN,
                    samples: 0,
                });
                Some(Some(StopReason::NonFinite))
            }
            _ => None,
        }
    }

    /// Once the stop is decided: tasks that nobody runs are not begun any more.
    pub(super) fn close_idle(&mut self) {
        for task in &mut self.tasks {
            if task.work.lease.is_none() {
                task.work.done = true;
            }
        }
    }

    /// The observations of a task's attempt are gone: takes them out of the curve.
    pub(super) fn forget(&mut self, segment: u32) {
        let Some(task) = self.tasks.get(segment as usize) else {
            return;
        };
        if self.stop.is_none() && self.curve.len() > task.task.start as usize {
            self.curve.truncate(task.task.start as usize);
            self.detector = StopDetector::new(self.rule);
            for observation in &self.curve {
                // No stop was decided here before, and the detector is deterministic.
                self.detector.push(observation.loss);
            }
        }
    }

    /// Ends the curve where it is, checks its overlaps, and drops what lies past its end.
    pub(super) fn freeze(&mut self, reason: StopReason) {
        self.stop = Some(reason);
        let end = u32::try_from(self.curve.len()).unwrap_or(u32::MAX);
        for task in &mut self.tasks {
            let keep = if task.task.start < end {
                end.saturating_sub(task.task.warm_up_start) as usize
            } else {
                0
            };
            if let Some(attempt) = task.work.attempts.last_mut() {
                attempt.observations.truncate(keep);
            }
        }
        let warm_ups: Vec<overlap::WarmUp<'_>> = self
            .tasks
            .iter()
            .filter(|task| task.task.segment > 0 && task.task.start < end)
            .filter_map(|task| {
                Some(overlap::WarmUp {
                    task: &task.task,
                    observations: &task.work.attempts.last()?.observations,
                })
            })
            .collect();
        self.overlaps = overlap::check(&self.curve, &warm_ups);
    }

    /// What is known of it; `running`: why its curve ends while nothing has been decided.
    pub(super) fn result(&self, undecided: StopReason) -> ReplicaResult {
        ReplicaResult {
            tasks: self
                .tasks
                .iter()
                .map(|task| TaskResult {
                    task: task.task,
                    attempts: task.work.attempts.clone(),
                })
                .collect(),
            curve: self.curve.clone(),
            stop: self.stop.unwrap_or(undecided),
            overlaps: self.overlaps.clone(),
        }
    }
}
