//! The state from the logs of its sweeps, after a restart.
//!
//! A log says what happened, not what came in. What a happening changes is done by the same code
//! as when it happened; what was decided is taken from the log and checked, not decided anew.

use super::fencing::Fence;
use super::follow::Follower;
use super::machine::State;
use super::message::{Options, SweepRequest, Time};
use super::sweep::Sweep;
use crate::event::SweepEvent;
use crate::ids::{LeaseToken, SweepId, WorkerId};
use std::collections::BTreeMap;

/// A sweep as it was kept.
#[derive(Clone, Debug)]
pub struct Logged {
    /// Its name.
    pub sweep: SweepId,
    /// What it is.
    pub request: SweepRequest,
    /// All that was published of it, in order.
    pub events: Vec<SweepEvent>,
}

/// A log that does not say what can have happened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the log of sweep {sweep} cannot be followed at its event {number}: {problem}")]
pub struct RebuildError {
    /// Whose log.
    pub sweep: SweepId,
    /// The event, counted from 1; one past the last where something is missing at the end.
    pub number: u64,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// An event is missing, or out of place.
    #[error("it is event {found} of sweep {of}")]
    OutOfPlace {
        /// Its sweep.
        of: SweepId,
        /// Its number.
        found: u64,
    },
    /// What the event says cannot have happened after those before it.
    #[error("{0}")]
    Impossible(&'static str),
    /// Events that belong together were kept in part.
    #[error("the log ends in the middle of what belongs together: {0}")]
    Torn(&'static str),
    /// Two sweeps say that the same lease, or the same worker, is theirs.
    #[error("lease {0} is held twice, or its worker holds another one")]
    HeldTwice(LeaseToken),
}

impl State {
    /// The state that a coordinator goes on from which starts again at `now`, from the logs of its
    /// sweeps in the order in which they were created, and from the last lease token that it gave
    /// ([`State::last_token`]).
    ///
    /// Its clock goes on from [`State::now`], which is `now`, or the time of the last event if
    /// that is later. Every lease that was valid is so for its holder, and lives anew. The workers
    /// that the logs know count as disconnected until they join again. A sweep without workers
    /// waits anew.
    ///
    /// # Errors
    /// When a log has a gap, or says what cannot have happened.
    pub fn rebuild(
        options: Options,
        now: Time,
        last_token: LeaseToken,
        sweeps: impl IntoIterator<Item = Logged>,
    ) -> Result<Self, RebuildError> {
        let mut fold = Fold {
            state: Self::new(options),
            newest: BTreeMap::new(),
            latest: now,
        };
        for logged in sweeps {
            fold.sweep(logged)?;
        }
        fold.finish(last_token)
    }
}

/// A state on the way.
pub(super) struct Fold {
    pub(super) state: State,
    /// The newest lease of each worker, which says which of its processes is the newest.
    pub(super) newest: BTreeMap<WorkerId, LeaseToken>,
    pub(super) latest: Time,
}

impl Fold {
    fn sweep(&mut self, logged: Logged) -> Result<(), RebuildError> {
        let Logged {
            sweep: id,
            request,
            events,
        } = logged;
        let error = |number, problem| RebuildError {
            sweep: id.clone(),
            number,
            problem,
        };
        if self.state.sweeps.contains_key(&id) {
            return Err(error(1, Problem::Impossible("it was created before")));
        }
        self.state.active.push(id.clone());
        let sweep = Sweep::new(id.clone(), request);
        self.state.sweeps.insert(id.clone(), sweep);
        let mut follower = Follower::new(self, id.clone());
        let mut next = 1;
        for event in events {
            if event.number != next || event.sweep != id {
                let problem = Problem::OutOfPlace {
                    of: event.sweep,
                    found: event.number,
                };
                return Err(error(next, problem));
            }
            follower
                .follow(event)
                .map_err(|problem| error(next, problem))?;
            next += 1;
        }
        follower.at_end().map_err(|problem| error(next, problem))
    }

    fn finish(mut self, last_token: LeaseToken) -> Result<State, RebuildError> {
        let state = &mut self.state;
        state.now = self.latest;
        for worker in state.workers.values_mut() {
            // Logs are followed one after the other: only now it is certain who holds what.
            worker.lease = None;
            worker.since = self.latest;
        }
        let mut valid = BTreeMap::new();
        for (token, lease) in &mut state.leases {
            lease.excuse(state.now);
            let worker = state.workers.get_mut(&lease.holder.worker);
            let holds_it = worker.filter(|worker| worker.incarnation == lease.holder.incarnation);
            let Some(worker) = holds_it.filter(|worker| worker.lease.is_none()) else {
                let sweep = state.sweeps.get(&lease.sweep);
                return Err(RebuildError {
                    sweep: lease.sweep.clone(),
                    number: sweep.map_or(0, |sweep| sweep.events),
                    problem: Problem::HeldTwice(*token),
                });
            };
            worker.lease = Some(*token);
            valid.insert(*token, lease.holder.clone());
        }
        // Nobody waits for the others.
        let (sweeps, active) = (&state.sweeps, &state.active);
        let active = || active.iter().filter_map(|id| sweeps.get(id));
        state.workers.retain(|id, worker| {
            worker.set_aside.is_some() || active().any(|sweep| sweep.announced.contains(id))
        });
        state.fence = Fence::restored(last_token, valid);
        state.unsettled = true;
        state.due = Some(state.now);
        Ok(self.state)
    }
}
