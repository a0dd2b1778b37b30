//! The state from the logs of its sweeps, after a restart.
//!
//! A log says what happened, not what came in. What a happening changes is done by the same code
//! as when it happened; what was decided is taken from the log and checked, not decided anew.

use super::endings::Ended;
use super::fencing::{Fence, Holder};
use super::machine::State;
use super::message::{Options, SweepRequest, Time};
use super::sweep::Sweep;
use super::worker::Worker;
use crate::curve::StopReason;
use crate::event::{AttemptOutcome, Happening, Observation, Outcome, SweepEvent, WorkKind};
use crate::ids::{LeaseToken, SweepId, TaskId, WorkerId};
use crate::plan::Plan;
use std::collections::{BTreeMap, BTreeSet};

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
struct Fold {
    state: State,
    /// The newest lease of each worker, which says which of its processes is the newest.
    newest: BTreeMap<WorkerId, LeaseToken>,
    latest: Time,
}

/// The sweep whose log is followed.
struct Follower<'a> {
    fold: &'a mut Fold,
    id: SweepId,
    last_token: LeaseToken,
    /// Replicas whose stop was said.
    stopped: BTreeSet<u32>,
    devices: BTreeMap<WorkerId, (String, BTreeMap<String, String>)>,
}

const NO_SUCH_LEASE: Problem = Problem::Impossible("there is no such lease");

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
        let mut follower = Follower {
            fold: self,
            id: id.clone(),
            last_token: LeaseToken(0),
            stopped: BTreeSet::new(),
            devices: BTreeMap::new(),
        };
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

impl Follower<'_> {
    fn sweep(&mut self) -> Result<&mut Sweep, Problem> {
        let sweep = self.fold.state.sweeps.get_mut(&self.id);
        sweep.ok_or(Problem::Impossible("the sweep was never created"))
    }

    fn follow(&mut self, event: SweepEvent) -> Result<(), Problem> {
        let at = Time(event.at_ms);
        self.fold.latest = self.fold.latest.max(at);
        self.fold.state.now = at;
        let sweep = self.sweep()?;
        let first = sweep.events == 0;
        check(
            first == matches!(event.happening, Happening::Created),
            "a sweep is created by its first event, and by no other",
        )?;
        check(sweep.active(), "the sweep has ended before")?;
        sweep.events += 1;
        match event.happening {
            Happening::Created | Happening::Waiting { .. } | Happening::Warned { .. } => Ok(()),
            Happening::WorkerJoined {
                worker,
                device,
                versions,
            } => {
                sweep.announced.insert(worker.clone());
                self.devices.insert(worker, (device, versions));
                Ok(())
            }
            Happening::WorkerGone { worker, .. } => {
                sweep.announced.remove(&worker);
                Ok(())
            }
            Happening::WorkerSetAside {
                worker,
                incarnation,
                reason,
            } => {
                sweep.set_aside.insert(worker.clone(), incarnation);
                if let Some(known) = self.fold.state.workers.get_mut(&worker)
                    && known.incarnation == incarnation
                {
                    known.set_aside = Some(reason);
                }
                Ok(())
            }
            Happening::Described { described } => {
                check(
                    sweep.describe.done && sweep.described.is_none(),
                    "nobody was asked for a description",
                )?;
                let options = &self.fold.state.options;
                if let Some(sweep) = self.fold.state.sweeps.get_mut(&self.id) {
                    // The log says what followed from a mistake.
                    let _ = sweep.describe(described, options);
                }
                Ok(())
            }
            Happening::Probed { probe } => {
                let ran = sweep.probe.as_ref().is_some_and(|work| work.done);
                check(ran && sweep.probed.is_none(), "nobody was asked to probe")?;
                sweep.probed = Some(probe);
                Ok(())
            }
            Happening::Planned { plan } => {
                check(
                    sweep.probed.is_some() && sweep.plan.is_none(),
                    "it was not time for a plan",
                )?;
                check_plan(&plan, sweep.request.plan.range.steps)?;
                sweep.start_tasks(plan);
                Ok(())
            }
            Happening::Granted {
                worker,
                incarnation,
                work,
                attempt,
                token,
            } => {
                let holder = Holder {
                    worker,
                    incarnation,
                };
                self.granted(holder, work, attempt, token)
            }
            Happening::Observed {
                task,
                replica,
                token,
                observations,
            } => self.observed(task, replica, token, &observations),
            Happening::AttemptEnded {
                work,
                worker,
                token,
                outcome,
            } => self.attempt_ended(work, &worker, token, &outcome),
            Happening::Stopped {
                replica,
                reason,
                step,
            } => self.stopped(replica, reason, step),
            Happening::Ended { outcome } => self.ended(outcome),
        }
    }

    fn granted(
        &mut self,
        holder: Holder,
        kind: WorkKind,
        attempt: u32,
        token: LeaseToken,
    ) -> Result<(), Problem> {
        check(token > self.last_token, "lease tokens do not grow")?;
        self.last_token = token;
        let work = self.sweep()?.work(kind);
        let work = work.ok_or(Problem::Impossible("there is no such work"))?;
        check(work.waiting(), "the work did not wait for a worker")?;
        check(
            u32::try_from(work.attempts.len()) == Ok(attempt.saturating_sub(1)),
            "attempts are missing",
        )?;
        let fold = &mut *self.fold;
        if fold.state.leases.contains_key(&token) {
            return Err(Problem::HeldTwice(token));
        }
        let newest = fold.newest.entry(holder.worker.clone()).or_default();
        if *newest < token {
            *newest = token;
            let now = fold.state.now;
            let fresh = || Worker::new(holder.incarnation, now);
            let known = fold
                .state
                .workers
                .entry(holder.worker.clone())
                .or_insert_with(fresh);
            if known.incarnation != holder.incarnation {
                *known = fresh();
            }
            if let Some((device, versions)) = self.devices.get(&holder.worker) {
                known.device.clone_from(device);
                known.versions.clone_from(versions);
            }
        }
        fold.state.start_attempt(&self.id, kind, holder, token);
        Ok(())
    }

    fn observed(
        &mut self,
        id: TaskId,
        replica: u32,
        token: LeaseToken,
        observations: &[Observation],
    ) -> Result<(), Problem> {
        self.lease(token, WorkKind::Task(id))?;
        let sweep = self.sweep()?;
        let task = sweep.task_mut(id).ok_or(NO_SUCH_LEASE)?;
        let steps = task.next_step()..task.task.end;
        check(
            task.task.replica == replica
                && observations.len() <= steps.len()
                && steps.zip(observations).all(|(step, o)| step == o.step),
            "the observations do not continue those before",
        )?;
        task.work.observe(observations);
        sweep.merge(replica);
        Ok(())
    }

    fn attempt_ended(
        &mut self,
        kind: WorkKind,
        worker: &WorkerId,
        token: LeaseToken,
        outcome: &AttemptOutcome,
    ) -> Result<(), Problem> {
        let holder = self.lease(token, kind)?;
        check(holder.worker == *worker, "the lease is another worker's")?;
        let state = &mut self.fold.state;
        let Some(Ended { .. }) = state.end_attempt(token, outcome) else {
            return Err(NO_SUCH_LEASE);
        };
        let WorkKind::Task(id) = kind else {
            return Ok(());
        };
        let is_result = matches!(
            outcome,
            AttemptOutcome::Completed | AttemptOutcome::Diverged | AttemptOutcome::DataExhausted
        );
        let sweep = self.sweep()?;
        let replica = sweep.task(id).map(|task| task.task.replica);
        let replica = replica.filter(|_| is_result);
        let Some(replica) = replica else {
            return Ok(());
        };
        let stopped = sweep
            .replicas
            .get(replica as usize)
            .is_some_and(|replica| replica.stop.is_some());
        let counts = if stopped {
            sweep.in_curve(id)
        } else {
            if let Some(task) = sweep.task_mut(id) {
                task.finish(outcome);
            }
            sweep.merge(replica);
            true
        };
        if counts {
            self.fold.state.count_completed(&holder, &self.id, id);
        }
        Ok(())
    }

    fn stopped(
        &mut self,
        number: u32,
        reason: StopReason,
        step: Option<u32>,
    ) -> Result<(), Problem> {
        check(
            self.stopped.insert(number),
            "the replica has stopped before",
        )?;
        let sweep = self.sweep()?;
        let replica = sweep.replicas.get_mut(number as usize);
        let replica = replica.ok_or(Problem::Impossible("there is no such replica"))?;
        let told = matches!(reason, StopReason::Cancelled | StopReason::Failed);
        if replica.stop.is_none() && told {
            replica.freeze(reason);
        }
        let last = replica.curve.last().map(|observation| observation.step);
        check(
            replica.stop == Some(reason) && last == step,
            "the losses do not say that the replica stops there",
        )?;
        replica.close_idle();
        Ok(())
    }

    fn ended(&mut self, outcome: Outcome) -> Result<(), Problem> {
        let stopped = self.stopped.len();
        let sweep = self.sweep()?;
        check(sweep.leases == 0, "the sweep holds leases at its end")?;
        check(
            sweep.replicas.len() == stopped,
            "not all replicas have stopped",
        )?;
        sweep.end(outcome);
        let state = &mut self.fold.state;
        state.active.retain(|active| *active != self.id);
        Ok(())
    }

    /// Who holds the lease on this work of the sweep.
    fn lease(&self, token: LeaseToken, kind: WorkKind) -> Result<Holder, Problem> {
        let lease = self.fold.state.leases.get(&token);
        let lease = lease.filter(|lease| lease.sweep == self.id && lease.work == kind);
        lease.map(|lease| lease.holder.clone()).ok_or(NO_SUCH_LEASE)
    }

    /// What is published together is there in whole.
    fn at_end(&mut self) -> Result<(), Problem> {
        let said = std::mem::take(&mut self.stopped);
        let sweep = self.sweep()?;
        if !sweep.active() {
            return Ok(());
        }
        let torn = |torn: bool, what| match torn {
            true => Err(Problem::Torn(what)),
            false => Ok(()),
        };
        torn(sweep.events == 0, "the sweep was created")?;
        torn(
            sweep.describe.done && sweep.probe.is_none(),
            "it was described",
        )?;
        torn(
            sweep.probe.as_ref().is_some_and(|work| work.done) && sweep.plan.is_none(),
            "it was probed",
        )?;
        let stopped = |replica: &&super::replica::Replica| replica.stop.is_some();
        let stopped = sweep.replicas.iter().filter(stopped).count();
        torn(stopped > said.len(), "a replica has stopped")?;
        torn(
            sweep.plan.is_some() && stopped == sweep.replicas.len(),
            "all replicas have stopped",
        )
    }
}

fn check(holds: bool, otherwise: &'static str) -> Result<(), Problem> {
    holds.then_some(()).ok_or(Problem::Impossible(otherwise))
}

/// The tasks of each replica cover its steps in order, under their own numbers.
fn check_plan(plan: &Plan, steps: u32) -> Result<(), Problem> {
    let (mut replica, mut segment, mut start) = (0, 0, 0);
    let mut in_order = true;
    for (id, task) in (0..).map(TaskId).zip(&plan.tasks) {
        if start == steps {
            (replica, segment, start) = (replica + 1, 0, 0);
        }
        in_order &= task.id == id
            && (task.replica, task.segment, task.start) == (replica, segment, start)
            && task.warm_up_start <= task.start
            && (task.start < task.end && task.end <= steps);
        (segment, start) = (segment + 1, task.end);
    }
    let complete = start == steps && replica.checked_add(1) == Some(plan.replicas);
    check(in_order && complete, "the plan does not cover the steps")
}
