//! What must hold after every event, whatever happened.

use crate::sweeps::mark;
use rangefinder_sweep::event::{AttemptOutcome, Happening, SweepEvent, WorkKind};
use rangefinder_sweep::ids::{LeaseToken, SweepId, WorkerId};
use rangefinder_sweep::state::{Command, State, Time};
use std::collections::{BTreeMap, BTreeSet};

/// Says what does not hold.
pub(crate) type Checked = Result<(), String>;

/// What the happenings of all sweeps say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Story {
    numbers: BTreeMap<SweepId, u64>,
    /// Valid leases: what for, and whose.
    open: BTreeMap<LeaseToken, (SweepId, WorkKind, WorkerId)>,
    /// What was accepted under each lease: the next step.
    accepted: BTreeMap<LeaseToken, u32>,
    closed: BTreeSet<LeaseToken>,
    results: BTreeSet<(SweepId, String)>,
    ended: BTreeSet<SweepId>,
    last_token: LeaseToken,
}

/// What was let out: nobody may ever have been told what is lost afterwards.
#[derive(Clone, Debug, Default)]
pub(crate) struct Promises {
    /// First step of each task that was sent, and the step before which all were acknowledged.
    acknowledged: BTreeMap<LeaseToken, (u32, u32)>,
    finished: BTreeSet<LeaseToken>,
    last_token: LeaseToken,
}

macro_rules! ensure {
    ($holds:expr, $($otherwise:tt)+) => {
        if !$holds {
            return Err(format!($($otherwise)+));
        }
    };
}

impl Story {
    pub(crate) fn has_ended(&self, sweep: &SweepId) -> bool {
        self.ended.contains(sweep)
    }

    /// The valid lease on some work, and its holder.
    pub(crate) fn lease_on(
        &self,
        sweep: &SweepId,
        work: WorkKind,
    ) -> Option<(LeaseToken, WorkerId)> {
        let mut open = self.open.iter();
        open.find(|(_, (s, w, _))| (s, *w) == (sweep, work))
            .map(|(token, (_, _, worker))| (*token, worker.clone()))
    }

    /// Takes in what is published.
    pub(crate) fn publish(&mut self, event: &SweepEvent) -> Checked {
        let number = self.numbers.entry(event.sweep.clone()).or_insert(0);
        *number += 1;
        ensure!(event.number == *number, "a gap before {event:?}");
        ensure!(
            !self.ended.contains(&event.sweep),
            "it happens after the end: {event:?}"
        );
        let sweep = &event.sweep;
        match &event.happening {
            Happening::Granted {
                worker,
                work,
                token,
                ..
            } => {
                ensure!(
                    *token > self.last_token,
                    "lease {token} is no newer than {}",
                    self.last_token
                );
                self.last_token = *token;
                for (other_sweep, other_work, other_worker) in self.open.values() {
                    ensure!(
                        (other_sweep, other_work) != (sweep, work),
                        "two valid leases for {work:?} of {sweep}"
                    );
                    ensure!(other_worker != worker, "{worker} holds two leases");
                }
                let lease = (sweep.clone(), *work, worker.clone());
                self.open.insert(*token, lease);
            }
            Happening::Observed {
                task,
                token,
                observations,
                ..
            } => {
                let lease = self.open.get(token);
                ensure!(
                    lease.is_some_and(|(_, work, _)| *work == WorkKind::Task(*task)),
                    "losses of task {task} under lease {token}, which is not valid for it"
                );
                for observation in observations {
                    ensure!(
                        observation.samples == mark(*token),
                        "a loss of lease {} in the attempt of lease {token}",
                        observation.samples
                    );
                    let next = self.accepted.entry(*token).or_insert(observation.step);
                    ensure!(
                        observation.step == *next,
                        "step {} of lease {token} instead of {next}",
                        observation.step
                    );
                    *next += 1;
                }
            }
            Happening::AttemptEnded {
                work,
                token,
                outcome,
                ..
            } => {
                ensure!(
                    self.open.remove(token).is_some(),
                    "lease {token} ends, which is not valid"
                );
                self.closed.insert(*token);
                let is_result = matches!(
                    outcome,
                    AttemptOutcome::Completed
                        | AttemptOutcome::Diverged
                        | AttemptOutcome::DataExhausted
                );
                let fresh = !is_result || self.results.insert((sweep.clone(), format!("{work:?}")));
                ensure!(fresh, "two results of {work:?} of {sweep}");
            }
            Happening::Ended { .. } => {
                self.ended.insert(sweep.clone());
                let held = self.open.values().any(|(of, _, _)| of == sweep);
                ensure!(!held, "{sweep} has ended and holds a lease");
            }
            _ => {}
        }
        Ok(())
    }

    /// What the state says agrees with what it has published.
    pub(crate) fn agrees(&self, state: &State, now: Time, held_up: bool) -> Checked {
        let leases = state.leases();
        let same = leases.len() == self.open.len()
            && leases
                .iter()
                .zip(&self.open)
                .all(|((token, worker, _), (open, (_, _, holder)))| {
                    (token, worker) == (open, holder)
                });
        ensure!(same, "valid are {leases:?}, but published {:?}", self.open);
        match state.next_deadline() {
            None => {
                let ended = self.numbers.keys().all(|sweep| self.ended.contains(sweep));
                ensure!(
                    ended || held_up,
                    "a sweep that has not ended waits for nothing"
                );
            }
            Some(at) => ensure!(at > now, "due at {at:?}, but it is {now:?}"),
        }
        Ok(())
    }

    /// A sweep was deleted.
    pub(crate) fn forget(&mut self, sweep: &SweepId) {
        self.numbers.remove(sweep);
    }
}

impl Promises {
    /// A command leaves the coordinator.
    pub(crate) fn sent(&mut self, command: &Command) {
        match command {
            Command::Ack {
                token,
                finished: true,
                ..
            } => {
                self.finished.insert(*token);
            }
            Command::Ack {
                token, next_step, ..
            } => {
                if let Some((_, acknowledged)) = self.acknowledged.get_mut(token) {
                    *acknowledged = (*acknowledged).max(*next_step);
                }
            }
            Command::Describe { token, .. } | Command::Probe { token, .. } => {
                self.last_token = self.last_token.max(*token);
            }
            Command::Assign { token, task, .. } => {
                self.last_token = self.last_token.max(*token);
                let start = task.warm_up_start;
                self.acknowledged.insert(*token, (start, start));
            }
            _ => {}
        }
    }

    /// All that was let out is in what is kept.
    pub(crate) fn kept_by(&self, kept: &Story) -> Checked {
        ensure!(
            self.last_token <= kept.last_token,
            "lease {} was sent and is lost",
            self.last_token
        );
        for (token, (start, next_step)) in &self.acknowledged {
            let there = kept.accepted.get(token).unwrap_or(start);
            ensure!(
                there >= next_step,
                "steps before {next_step} of lease {token} were acknowledged, kept are those before {there}"
            );
        }
        for token in &self.finished {
            ensure!(
                kept.closed.contains(token),
                "the end of lease {token} was acknowledged and is lost"
            );
        }
        Ok(())
    }
}
