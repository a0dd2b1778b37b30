//! How attempts, replicas and sweeps end.

use super::fencing::{Holder, Reply};
use super::lease::Lease;
use super::machine::State;
use super::message::Halt;
use super::outbox::Outbox;
use super::work::Judgement;
use crate::curve::{StopReason, overlap};
use crate::event::{AttemptOutcome, Happening, Outcome, WorkKind};
use crate::ids::{LeaseToken, SweepId, TaskId};

/// An attempt that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub lease: Lease,
    /// What follows, where it brought no result.
    pub judgement: Option<Judgement>,
}

impl State {
    /// Ends an attempt: its lease is no longer valid, its worker is free, and whoever speaks under
    /// the lease from now on is told `reply`. Where it brought no result, says what follows.
    pub(super) fn close(
        &mut self,
        token: LeaseToken,
        outcome: AttemptOutcome,
        reply: Reply,
        out: &mut Outbox,
    ) -> Option<Ended> {
        let ended = self.end_attempt(token, &outcome)?;
        self.fence.clear(token, reply);
        let Lease {
            holder,
            work,
            sweep,
            ..
        } = &ended.lease;
        if let Some(sweep) = self.sweeps.get_mut(sweep) {
            out.publish(
                sweep,
                Happening::AttemptEnded {
                    work: *work,
                    worker: holder.worker.clone(),
                    token,
                    outcome,
                },
            );
        }
        out.reply(&holder.worker, token, reply);
        Some(ended)
    }

    /// What the end of an attempt changes, live as in the log.
    pub(super) fn end_attempt(
        &mut self,
        token: LeaseToken,
        outcome: &AttemptOutcome,
    ) -> Option<Ended> {
        let lease = self.leases.remove(&token)?;
        self.unsettled = true;
        if let Some(worker) = self.workers.get_mut(&lease.holder.worker)
            && worker.incarnation == lease.holder.incarnation
        {
            worker.lease = worker.lease.filter(|held| *held != token);
            if matches!(outcome, AttemptOutcome::Failed(_) | AttemptOutcome::Lost(_)) {
                worker.spoilt += 1;
            }
        }
        let (now, options) = (self.now, &self.options);
        let judgement = self
            .sweeps
            .get_mut(&lease.sweep)
            .and_then(|sweep| sweep.end_attempt(&lease, outcome, now, options));
        Some(Ended { lease, judgement })
    }

    /// Ends an attempt that brought no result, and the sweep if it was one too many.
    pub(super) fn give_up(
        &mut self,
        token: LeaseToken,
        outcome: AttemptOutcome,
        reply: Reply,
        out: &mut Outbox,
    ) {
        if let Some(Ended {
            lease,
            judgement: Some(Judgement::Fatal(failure)),
        }) = self.close(token, outcome, reply, out)
        {
            self.end_sweep(&lease.sweep, Outcome::Failed(failure), out);
        }
    }

    /// The worker is gone, or does nothing.
    pub(super) fn lose(&mut self, token: LeaseToken, cause: &str, out: &mut Outbox) {
        let outcome = AttemptOutcome::Lost(cause.to_owned());
        self.give_up(token, outcome, Reply::Halt(Halt::Superseded), out);
    }

    /// A worker completed a task; those that failed it have failed what others complete.
    pub(super) fn credit(&mut self, winner: &Holder, id: &SweepId, task: TaskId, out: &mut Outbox) {
        for loser in self.count_completed(winner, id, task) {
            let (Some(worker), Some(sweep)) =
                (self.workers.get_mut(&loser.worker), self.sweeps.get_mut(id))
            else {
                continue;
            };
            if worker.blamed > worker.completed && worker.set_aside.is_none() {
                let reason = format!(
                    "it failed {} tasks that others completed, and completed {}",
                    worker.blamed, worker.completed
                );
                worker.set_aside = Some(reason.clone());
                sweep
                    .set_aside
                    .insert(loser.worker.clone(), loser.incarnation);
                out.publish(
                    sweep,
                    Happening::WorkerSetAside {
                        worker: loser.worker,
                        incarnation: loser.incarnation,
                        reason,
                    },
                );
            }
        }
    }

    /// Counts a completed task, for its worker and against those that failed it, which are given.
    pub(super) fn count_completed(
        &mut self,
        winner: &Holder,
        id: &SweepId,
        task: TaskId,
    ) -> Vec<Holder> {
        if let Some(worker) = self.workers.get_mut(&winner.worker)
            && worker.incarnation == winner.incarnation
        {
            worker.completed += 1;
        }
        let Some(task) = self.sweeps.get(id).and_then(|sweep| sweep.task(task)) else {
            return Vec::new();
        };
        let failed_by = task.work.failed_by().iter();
        let mut losers = Vec::new();
        for (loser, incarnation) in failed_by.filter(|(loser, _)| **loser != winner.worker) {
            if let Some(worker) = self.workers.get_mut(loser)
                && worker.incarnation == *incarnation
            {
                worker.blamed += 1;
                losers.push(Holder {
                    worker: loser.clone(),
                    incarnation: *incarnation,
                });
            }
        }
        losers
    }

    /// Merges what has arrived, and ends replica and sweep where that decides it.
    pub(super) fn advance(&mut self, id: &SweepId, replica: u32, out: &mut Outbox) {
        let sweep = self.sweeps.get_mut(id);
        if let Some(reason) = sweep.and_then(|sweep| sweep.merge(replica)) {
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
        let Some(sweep) = self.sweeps.get_mut(id) else {
            return;
        };
        let Some(replica) = sweep.replicas.get_mut(number as usize) else {
            return;
        };
        let mut running = Vec::new();
        for task in &replica.tasks {
            let Some(token) = task.work.lease else {
                continue;
            };
            running.push(if task.all_observed() {
                let reply = Reply::Accepted {
                    next_step: task.task.end,
                };
                (token, AttemptOutcome::Completed, reply)
            } else {
                let reply = Reply::Halt(Halt::Diverged);
                (token, AttemptOutcome::Diverged, reply)
            });
        }
        replica.close_idle();
        for (token, outcome, reply) in running {
            let ended = self.close(token, outcome, reply, out);
            if let Some(lease) = ended.map(|ended| ended.lease)
                && let WorkKind::Task(task) = lease.work
                && self
                    .sweeps
                    .get(id)
                    .is_some_and(|sweep| sweep.in_curve(task))
            {
                // It has brought all that is asked of it, though it did not say so.
                self.credit(&lease.holder, id, task, out);
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
        sweep.end(outcome.clone());
        self.active.retain(|active| active != id);
        self.unsettled = true;
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
