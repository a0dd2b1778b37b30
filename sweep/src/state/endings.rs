//! How attempts, replicas and sweeps end.

use super::fencing::{Holder, Reply};
use super::lease::Lease;
use super::machine::State;
use super::message::Halt;
use super::outbox::Outbox;
use super::work::Judgement;
use crate::curve::{StopReason, overlap};
use crate::event::{AttemptOutcome, Failure, Happening, Outcome, WorkKind};
use crate::ids::{LeaseToken, SweepId, TaskId, WorkerId};

impl State {
    /// Ends an attempt: its lease is no longer valid, its worker is free, and whoever speaks under
    /// the lease from now on is told `reply`.
    pub(super) fn close(
        &mut self,
        token: LeaseToken,
        outcome: AttemptOutcome,
        reply: Reply,
        out: &mut Outbox,
    ) -> Option<Lease> {
        let lease = self.leases.remove(&token)?;
        self.fence.clear(token, reply);
        if let Some(worker) = self.workers.get_mut(&lease.worker)
            && worker.lease == Some(token)
        {
            worker.lease = None;
        }
        if let Some(sweep) = self.sweeps.get_mut(&lease.sweep) {
            if let Some(work) = sweep.work_mut(lease.work) {
                work.end(outcome.clone(), self.now);
            }
            out.publish(
                sweep,
                Happening::AttemptEnded {
                    work: lease.work,
                    worker: lease.worker.clone(),
                    token,
                    outcome,
                },
            );
        }
        out.reply(&lease.worker, token, reply);
        Some(lease)
    }

    /// The worker is gone, or does nothing.
    pub(super) fn lose(&mut self, token: LeaseToken, cause: &str, out: &mut Outbox) {
        let outcome = AttemptOutcome::Lost(cause.to_owned());
        if let Some(lease) = self.close(token, outcome, Reply::Halt(Halt::Superseded), out) {
            self.give_up(&lease, cause, out);
        }
    }

    /// The worker gave it back.
    pub(super) fn preempt(
        &mut self,
        holder: &Holder,
        token: LeaseToken,
        reason: &str,
        out: &mut Outbox,
    ) {
        let outcome = AttemptOutcome::Preempted(reason.to_owned());
        let Some(lease) = self.close(token, outcome, Reply::Accepted { next_step: 0 }, out) else {
            return;
        };
        if let Some(sweep) = self.sweeps.get_mut(&lease.sweep)
            && let Some(work) = sweep.work_mut(lease.work)
        {
            work.handed_back(holder);
        }
        self.give_up(&lease, reason, out);
    }

    /// What follows from an attempt that ended through no fault of its work.
    fn give_up(&mut self, lease: &Lease, cause: &str, out: &mut Outbox) {
        self.forget(lease);
        let (now, options) = (self.now, &self.options);
        let judgement = self
            .sweeps
            .get_mut(&lease.sweep)
            .and_then(|sweep| sweep.work_mut(lease.work))
            .map(|work| work.judge_lost(&lease.worker, cause, now, options));
        self.follow(&lease.sweep, judgement, out);
    }

    /// The attempt has failed.
    pub(super) fn fail(
        &mut self,
        holder: &Holder,
        token: LeaseToken,
        failure: Failure,
        reply: Reply,
        out: &mut Outbox,
    ) {
        let outcome = AttemptOutcome::Failed(failure.clone());
        let Some(lease) = self.close(token, outcome, reply, out) else {
            return;
        };
        self.forget(&lease);
        if let Some(worker) = self.workers.get_mut(&holder.worker) {
            worker.spoilt += 1;
        }
        let options = &self.options;
        let judgement = self.sweeps.get_mut(&lease.sweep).and_then(|sweep| {
            sweep.last_failure = Some(failure.clone());
            let work = sweep.work_mut(lease.work)?;
            Some(work.judge_failed(holder, &failure, options))
        });
        self.follow(&lease.sweep, judgement, out);
    }

    /// The observations of an attempt that brought no result leave the curve.
    fn forget(&mut self, lease: &Lease) {
        if let WorkKind::Task(task) = lease.work
            && let Some(sweep) = self.sweeps.get_mut(&lease.sweep)
            && let Some(task) = sweep.task(task).map(|task| task.task)
            && let Some(replica) = sweep.replicas.get_mut(task.replica as usize)
        {
            replica.forget(task.segment);
        }
    }

    fn follow(&mut self, sweep: &SweepId, judgement: Option<Judgement>, out: &mut Outbox) {
        if let Some(Judgement::Fatal(failure)) = judgement {
            self.end_sweep(sweep, Outcome::Failed(failure), out);
        }
    }

    /// A worker completed a task; those that failed it have failed what others complete.
    pub(super) fn credit(
        &mut self,
        winner: &WorkerId,
        id: &SweepId,
        task: TaskId,
        out: &mut Outbox,
    ) {
        if let Some(worker) = self.workers.get_mut(winner) {
            worker.completed += 1;
        }
        let Some(sweep) = self.sweeps.get_mut(id) else {
            return;
        };
        let losers = sweep
            .task(task)
            .map(|task| task.work.failed_by().clone())
            .unwrap_or_default();
        for (loser, incarnation) in losers.iter().filter(|(loser, _)| *loser != winner) {
            let Some(worker) = self.workers.get_mut(loser) else {
                continue;
            };
            if worker.incarnation != *incarnation || worker.set_aside {
                continue;
            }
            worker.blamed += 1;
            if worker.blamed > worker.completed {
                worker.set_aside = true;
                let reason = format!(
                    "it failed {} tasks that others completed, and completed {}",
                    worker.blamed, worker.completed
                );
                out.publish(
                    sweep,
                    Happening::WorkerSetAside {
                        worker: loser.clone(),
                        reason,
                    },
                );
            }
        }
    }

    /// Merges what has arrived, and ends replica and sweep where that decides it.
    pub(super) fn advance(&mut self, id: &SweepId, replica: u32, out: &mut Outbox) {
        let Some(sweep) = self.sweeps.get_mut(id) else {
            return;
        };
        let rates = std::mem::take(&mut sweep.learning_rates);
        let stop = sweep
            .replicas
            .get_mut(replica as usize)
            .and_then(|replica| replica.advance(&rates));
        sweep.learning_rates = rates;
        if let Some(reason) = stop {
            self.replica_stopped(id, replica, reason, out);
        }
    }

    /// A replica's curve is frozen: says so, and ends what still runs for it.
    fn replica_stopped(&mut self, id: &SweepId, number: u32, reason: StopReason, out: &mut Outbox) {
        let Some(sweep) = self.sweeps.get_mut(id) else {
            return;
        };
        let Some(replica) = sweep.replicas.get_mut(number as usize) else {
            return;
        };
        let step = replica.curve.last().map(|observation| observation.step);
        let warnings = overlap::warnings(number, &replica.overlaps);
        out.publish(
            sweep,
            Happening::Stopped {
                replica: number,
                reason,
                step,
            },
        );
        for warning in warnings {
            out.publish(sweep, Happening::Warned { warning });
        }
        self.end_tasks(id, number, out);
        let done = |sweep: &super::sweep::Sweep| {
            sweep.replicas.iter().all(|replica| replica.stop.is_some())
        };
        if self
            .sweeps
            .get(id)
            .is_some_and(|sweep| sweep.active() && done(sweep))
        {
            self.end_sweep(id, Outcome::Completed, out);
        }
    }

    /// Ends the tasks of a replica whose stop is decided. Those that lack nothing but the message
    /// that says so are complete.
    fn end_tasks(&mut self, id: &SweepId, number: u32, out: &mut Outbox) {
        let Some(replica) = self
            .sweeps
            .get_mut(id)
            .and_then(|sweep| sweep.replicas.get_mut(number as usize))
        else {
            return;
        };
        let end = replica.curve.len();
        let mut shares_in_curve = Vec::new();
        let mut running = Vec::new();
        for task in &mut replica.tasks {
            if (task.task.start as usize) < end {
                // It has brought all that is asked of it, though it did not say so.
                shares_in_curve.push(task.task.id);
            }
            match task.work.lease {
                Some(token) if task.all_observed() => {
                    running.push((
                        token,
                        AttemptOutcome::Completed,
                        Reply::Accepted {
                            next_step: task.task.end,
                        },
                    ));
                }
                Some(token) => {
                    running.push((token, AttemptOutcome::Diverged, Reply::Halt(Halt::Diverged)))
                }
                None => task.work.done = true,
            }
        }
        for (token, outcome, reply) in running {
            let lease = self.close(token, outcome, reply, out);
            if let Some(Lease {
                work: WorkKind::Task(task),
                worker,
                ..
            }) = lease
                && shares_in_curve.contains(&task)
            {
                self.credit(&worker, id, task, out);
            }
        }
    }

    /// Ends a sweep: stops its work and freezes its curves as far as they are complete.
    pub(super) fn end_sweep(&mut self, id: &SweepId, outcome: Outcome, out: &mut Outbox) {
        let Some(sweep) = self.sweeps.get_mut(id).filter(|sweep| sweep.active()) else {
            return;
        };
        let (halt, stop) = match &outcome {
            Outcome::Failed(_) => (Halt::Failed, StopReason::Failed),
            Outcome::Cancelled | Outcome::Completed => (Halt::Cancelled, StopReason::Cancelled),
        };
        sweep.outcome = Some(outcome.clone());
        sweep.starving = None;
        self.active.retain(|active| active != id);
        let leases: Vec<LeaseToken> = self
            .leases
            .iter()
            .filter(|(_, lease)| lease.sweep == *id)
            .map(|(token, _)| *token)
            .collect();
        for token in leases {
            self.close(token, AttemptOutcome::Cancelled, Reply::Halt(halt), out);
        }
        let Some(sweep) = self.sweeps.get_mut(id) else {
            return;
        };
        let mut unstopped = Vec::new();
        for (number, replica) in (0..).zip(&mut sweep.replicas) {
            if replica.stop.is_none() {
                replica.freeze(stop);
                unstopped.push(number);
            }
        }
        for number in unstopped {
            self.replica_stopped(id, number, stop, out);
        }
        if let Some(sweep) = self.sweeps.get_mut(id) {
            out.publish(sweep, Happening::Ended { outcome });
        }
    }
}
