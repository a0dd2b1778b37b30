//! One log, happening by happening.

use super::endings::Ended;
use super::fencing::Holder;
use super::message::Time;
use super::rebuild::{Fold, Problem};
use super::sweep::Sweep;
use super::worker::Worker;
use crate::curve::StopReason;
use crate::event::{AttemptOutcome, Happening, Observation, Outcome, SweepEvent, WorkKind};
use crate::ids::{LeaseToken, SweepId, TaskId, WorkerId};
use crate::plan::Plan;
use std::collections::{BTreeMap, BTreeSet};

/// The sweep whose log is followed.
pub(super) struct Follower<'a> {
    fold: &'a mut Fold,
    id: SweepId,
    last_token: LeaseToken,
    /// Replicas whose stop was said.
    stopped: BTreeSet<u32>,
    devices: BTreeMap<WorkerId, (String, BTreeMap<String, String>)>,
}

const NO_SUCH_LEASE: Problem = Problem::Impossible("there is no such lease");

impl<'a> Follower<'a> {
    /// Begins the log of a sweep that was just created.
    pub(super) fn new(fold: &'a mut Fold, id: SweepId) -> Self {
        Self {
            fold,
            id,
            last_token: LeaseToken(0),
            stopped: BTreeSet::new(),
            devices: BTreeMap::new(),
        }
    }

    fn sweep(&mut self) -> Result<&mut Sweep, Problem> {
        let sweep = self.fold.state.sweeps.get_mut(&self.id);
        sweep.ok_or(Problem::Impossible("the sweep was never created"))
    }

    /// What a happening changes.
    pub(super) fn follow(&mut self, event: SweepEvent) -> Result<(), Problem> {
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
        let now = self.fold.state.now;
        if let Some(lease) = self.fold.state.leases.get_mut(&token) {
            lease.renew(now);
        }
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
    pub(super) fn at_end(&mut self) -> Result<(), Problem> {
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
