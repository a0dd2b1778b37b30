//! What must hold after every event, whatever happened.

use rangefinder_sweep::event::{AttemptOutcome, Happening, Outcome, WorkKind};
use rangefinder_sweep::ids::{LeaseToken, SweepId, WorkerId};
use rangefinder_sweep::state::{Action, Command, State, Time};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub struct Invariants {
    /// Whether nothing is granted, so that sweeps may wait for nothing.
    pub held_up: bool,
    numbers: BTreeMap<SweepId, u64>,
    /// Valid leases: what for, and whose.
    open: BTreeMap<LeaseToken, (SweepId, WorkKind, WorkerId)>,
    last_token: Option<LeaseToken>,
    acknowledged: BTreeMap<LeaseToken, u32>,
    results: BTreeSet<(SweepId, String)>,
    ended: BTreeSet<SweepId>,
}

impl Invariants {
    pub fn check(&mut self, state: &State, now: Time, actions: &[Action]) {
        for action in actions {
            match action {
                Action::Publish(event) => {
                    let number = self.numbers.entry(event.sweep.clone()).or_insert(0);
                    *number += 1;
                    assert_eq!(event.number, *number, "events are numbered without gaps");
                    assert!(
                        !self.ended.contains(&event.sweep),
                        "nothing happens after the end: {event:?}"
                    );
                    self.happened(&event.sweep, &event.happening);
                }
                Action::Send { worker, command } => self.sent(state, worker, command),
            }
        }
        self.nothing_acknowledged_is_lost(state);
        let all_ended = self.numbers.keys().all(|sweep| self.ended.contains(sweep));
        match state.next_deadline() {
            None => assert!(
                all_ended || self.held_up,
                "a sweep that has not ended waits for a stated time"
            ),
            Some(at) => assert!(at > now, "what is due is done: {at:?} at {now:?}"),
        }
    }

    fn happened(&mut self, sweep: &SweepId, happening: &Happening) {
        match happening {
            Happening::Granted {
                worker,
                work,
                token,
                ..
            } => {
                assert!(self.last_token < Some(*token), "tokens grow");
                self.last_token = Some(*token);
                for (other_sweep, other_work, other_worker) in self.open.values() {
                    let same = (other_sweep, other_work) == (sweep, work);
                    assert!(!same, "at most one valid lease for {work:?}");
                    assert_ne!(other_worker, worker, "a worker holds one lease at a time");
                }
                self.open
                    .insert(*token, (sweep.clone(), *work, worker.clone()));
            }
            Happening::AttemptEnded {
                work,
                token,
                outcome,
                ..
            } => {
                assert!(self.open.remove(token).is_some(), "only a valid lease ends");
                let result = matches!(
                    outcome,
                    AttemptOutcome::Completed
                        | AttemptOutcome::Diverged
                        | AttemptOutcome::DataExhausted
                );
                if result {
                    let fresh = self.results.insert((sweep.clone(), format!("{work:?}")));
                    assert!(fresh, "a result is recorded once");
                }
            }
            Happening::Ended { outcome } => {
                self.ended.insert(sweep.clone());
                let leased = self.open.values().any(|(of, _, _)| of == sweep);
                assert!(!leased, "an ended sweep holds no lease: {outcome:?}");
            }
            _ => {}
        }
    }

    fn sent(&mut self, state: &State, worker: &WorkerId, command: &Command) {
        match command {
            Command::Ack {
                token,
                next_step,
                finished: false,
            } => {
                let acknowledged = self.acknowledged.entry(*token).or_insert(0);
                assert!(next_step >= acknowledged, "acknowledgements never go back");
                *acknowledged = *next_step;
            }
            Command::Assign {
                sweep,
                task,
                learning_rates,
                ..
            } => {
                assert_eq!(learning_rates.len(), task.steps() as usize);
                assert!(state.result(sweep).is_some());
            }
            Command::Desired(tokens) => {
                for token in tokens {
                    assert_eq!(
                        self.open.get(token).map(|(_, _, holder)| holder),
                        Some(worker)
                    );
                }
            }
            _ => {}
        }
    }

    /// What was acknowledged of an attempt that runs or has brought the result is there, except
    /// past the stop.
    fn nothing_acknowledged_is_lost(&self, state: &State) {
        for sweep in self.numbers.keys() {
            let Some(result) = state.result(sweep) else {
                continue;
            };
            let completed = result.outcome == Some(Outcome::Completed);
            for replica in &result.replicas {
                for (step, observation) in replica.curve.iter().enumerate() {
                    assert_eq!(observation.step as usize, step, "the curve has no gaps");
                }
                for task in &replica.tasks {
                    let Some(last) = task.attempts.last() else {
                        continue;
                    };
                    let counts = !matches!(
                        last.outcome,
                        Some(
                            AttemptOutcome::Lost(_)
                                | AttemptOutcome::Preempted(_)
                                | AttemptOutcome::Failed(_)
                        )
                    );
                    let acknowledged =
                        self.acknowledged.get(&last.token).copied().unwrap_or(0) as usize;
                    let there = task.task.warm_up_start as usize + last.observations.len();
                    let until = if completed || last.outcome.is_some() {
                        acknowledged.min(replica.curve.len())
                    } else {
                        acknowledged
                    };
                    let past_the_end =
                        task.task.start as usize >= replica.curve.len() && last.outcome.is_some();
                    assert!(
                        !counts || past_the_end || there >= until,
                        "task {} has {there} of {until} acknowledged steps",
                        task.task.id
                    );
                    for earlier in &task.attempts[..task.attempts.len() - 1] {
                        assert!(
                            earlier.observations.is_empty(),
                            "losses come from one attempt"
                        );
                    }
                }
            }
        }
    }
}
