//! A piece of leased work: its attempts, and when there were too many.

use super::fencing::Holder;
use super::message::{Options, Time};
use super::result::Attempt;
use crate::event::{AttemptOutcome, Failure, FailureKind, Observation, WorkKind};
use crate::ids::{Incarnation, LeaseToken, WorkerId};
use rangefinder_errors::Code;
use std::collections::BTreeMap;

/// Longest pause before work is granted again.
const LONGEST_BACKOFF_MS: u64 = 60_000;

/// What follows from an attempt that brought no result.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Judgement {
    /// It is granted again, after a pause.
    Again,
    /// The sweep cannot be completed.
    Fatal(Failure),
}

/// A piece of work of a sweep.
#[derive(Clone, Debug)]
pub(super) struct Work {
    pub kind: WorkKind,
    pub attempts: Vec<Attempt>,
    /// The lease under which it is being run.
    pub lease: Option<LeaseToken>,
    /// Whether it needs no further attempt.
    pub done: bool,
    /// When it may be granted.
    pub not_before: Time,
    failed: u32,
    failed_by: BTreeMap<WorkerId, Incarnation>,
    /// Processes that handed it back.
    handed_back_by: BTreeMap<WorkerId, Incarnation>,
    lost_in_a_row: u32,
    /// Most observations that any attempt had acknowledged.
    furthest: usize,
}

impl Work {
    pub(super) fn new(kind: WorkKind) -> Self {
        Self {
            kind,
            attempts: Vec::new(),
            lease: None,
            done: false,
            not_before: Time::default(),
            failed: 0,
            failed_by: BTreeMap::new(),
            handed_back_by: BTreeMap::new(),
            lost_in_a_row: 0,
            furthest: 0,
        }
    }

    /// Whether it waits to be granted, at once or after a pause.
    pub(super) fn waiting(&self) -> bool {
        !self.done && self.lease.is_none()
    }

    /// Processes that failed it.
    pub(super) fn failed_by(&self) -> &BTreeMap<WorkerId, Incarnation> {
        &self.failed_by
    }

    /// Observations of the attempt that runs or has brought the result.
    pub(super) fn observations(&self) -> &[Observation] {
        match self.attempts.last() {
            Some(attempt) if self.done || self.lease.is_some() => &attempt.observations,
            _ => &[],
        }
    }

    /// Starts an attempt and says its number, from 1.
    pub(super) fn start(&mut self, worker: WorkerId, token: LeaseToken, now: Time) -> u32 {
        self.lease = Some(token);
        self.attempts.push(Attempt {
            worker,
            token,
            started_ms: now.0,
            ended_ms: None,
            outcome: None,
            observations: Vec::new(),
        });
        u32::try_from(self.attempts.len()).unwrap_or(u32::MAX)
    }

    /// Adds observations of the attempt that runs.
    pub(super) fn observe(&mut self, observations: &[Observation]) {
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.observations.extend_from_slice(observations);
        }
    }

    /// Ends the attempt that runs. Only a result keeps its observations.
    pub(super) fn end(&mut self, outcome: AttemptOutcome, now: Time) {
        self.lease = None;
        let Some(attempt) = self.attempts.last_mut() else {
            return;
        };
        let acknowledged = attempt.observations.len();
        match &outcome {
            AttemptOutcome::Completed
            | AttemptOutcome::Diverged
            | AttemptOutcome::DataExhausted
            | AttemptOutcome::Cancelled => self.done = true,
            AttemptOutcome::Failed(_) => {
                self.failed += 1;
                attempt.observations = Vec::new();
            }
            AttemptOutcome::Lost(_) | AttemptOutcome::Preempted(_) => {
                if acknowledged > self.furthest {
                    self.lost_in_a_row = 0;
                } else if matches!(outcome, AttemptOutcome::Lost(_)) {
                    self.lost_in_a_row += 1;
                }
                attempt.observations = Vec::new();
            }
        }
        self.furthest = self.furthest.max(acknowledged);
        attempt.ended_ms = Some(now.0);
        attempt.outcome = Some(outcome);
    }

    /// What follows from a failure of the attempt that has just ended.
    pub(super) fn judge_failed(
        &mut self,
        holder: &Holder,
        failure: &Failure,
        options: &Options,
    ) -> Judgement {
        self.failed_by
            .insert(holder.worker.clone(), holder.incarnation);
        let what = name(self.kind);
        let reason = if failure.kind != FailureKind::Worker {
            return Judgement::Fatal(failure.clone());
        } else if self.failed_by.len() > 1 {
            format!("{what} failed on {} workers", self.failed_by.len())
        } else if self.failed >= options.max_failed {
            format!("{what} failed {} times", self.failed)
        } else {
            return Judgement::Again;
        };
        Judgement::Fatal(Failure {
            message: format!(
                "{} ({reason}, last on worker {})",
                failure.message, holder.worker
            ),
            ..failure.clone()
        })
    }

    /// Takes note of who handed back the attempt that has just ended. Any number of workers may
    /// leave; but a process that hands the same work back again and stays counts as losing it,
    /// since it would go on so for ever.
    pub(super) fn handed_back(&mut self, holder: &Holder) {
        let before = self
            .handed_back_by
            .insert(holder.worker.clone(), holder.incarnation);
        if before == Some(holder.incarnation) {
            self.lost_in_a_row += 1;
        }
    }

    /// What follows from the loss of the attempt that has just ended.
    pub(super) fn judge_lost(
        &mut self,
        worker: &WorkerId,
        cause: &str,
        now: Time,
        options: &Options,
    ) -> Judgement {
        if self.lost_in_a_row >= options.max_lost.max(1) {
            return Judgement::Fatal(Failure {
                kind: FailureKind::Worker,
                code: Code::WorkLost,
                message: format!(
                    "{} was lost or handed back {} times in a row without progress, last on worker {worker}: {cause}",
                    name(self.kind),
                    self.lost_in_a_row
                ),
                fields: Vec::new(),
            });
        }
        let doublings = self.lost_in_a_row.saturating_sub(1).min(32);
        let pause = options.backoff_ms.saturating_mul(1 << doublings);
        self.not_before = now.after(pause.min(LONGEST_BACKOFF_MS.max(options.backoff_ms)));
        Judgement::Again
    }
}

/// A kind of work, for people.
fn name(kind: WorkKind) -> String {
    match kind {
        WorkKind::Describe => "loading model and data".to_owned(),
        WorkKind::Probe => "the probe".to_owned(),
        WorkKind::Task(task) => format!("task {task}"),
    }
}
