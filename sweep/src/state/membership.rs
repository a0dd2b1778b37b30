//! Workers come, go, and show signs of life.

use super::fencing::Holder;
use super::machine::State;
use super::message::{Command, Held, seconds};
use super::outbox::Outbox;
use super::worker::Worker;
use crate::event::{Happening, WorkKind};
use crate::ids::{Incarnation, LeaseToken, WorkerId};
use std::collections::BTreeMap;

/// Disconnected workers without a lease that are remembered at most.
const REMEMBERED: usize = 4096;

impl State {
    /// A worker said Hello: a new process, or one that was disconnected.
    pub(super) fn joined(
        &mut self,
        holder: &Holder,
        device: String,
        versions: BTreeMap<String, String>,
        held: &[Held],
        out: &mut Outbox,
    ) {
        let Holder {
            worker,
            incarnation,
        } = holder;
        let before = self.workers.get(worker).map(|known| known.incarnation);
        if before != Some(*incarnation) {
            if before.is_some() {
                self.remove(worker, "another process runs under its name", out);
            }
            self.no_more_workers = None;
        }
        let known = self
            .workers
            .entry(worker.clone())
            .or_insert_with(|| Worker::new(*incarnation, self.now));
        known.set_connected(true, self.now);
        known.silent = false;
        known.device = device;
        known.versions = versions;
        if known.draining {
            // It may not have heard.
            out.send(worker, Command::Drain);
        }
        for Held { token, progress } in held {
            match self.fence.accepts(*token, holder) {
                Err(reply) => out.reply(worker, *token, reply),
                Ok(()) => {
                    let Some(lease) = self.leases.get_mut(token) else {
                        continue;
                    };
                    lease.reconnected(self.now);
                    let (sweep, work) = (lease.sweep.clone(), lease.work);
                    self.progressed(*token, *progress);
                    if let WorkKind::Task(task) = work
                        && let Some(task) =
                            self.sweeps.get(&sweep).and_then(|sweep| sweep.task(task))
                    {
                        let command = Command::Ack {
                            token: *token,
                            next_step: task.next_step(),
                            finished: false,
                        };
                        out.send(worker, command);
                    }
                }
            }
        }
        // What was sent over the old connection has arrived by now, or never will.
        if let Some(token) = self.workers.get(worker).and_then(|worker| worker.lease)
            && held.iter().all(|held| held.token != token)
        {
            self.missing(token, "it joined again without it", out);
        }
    }

    /// A worker should hold a lease and does not name it. It has dropped it if it ever had it; else
    /// the order is sent again, for as long as the lease lives.
    fn missing(&mut self, token: LeaseToken, cause: &str, out: &mut Outbox) {
        let Some(lease) = self.leases.get_mut(&token) else {
            return;
        };
        if lease.known {
            return self.lose(token, cause, out);
        }
        if lease.deadline(&self.options) <= self.now {
            // It ends by itself.
            return;
        }
        lease.ordered_again(self.now);
        let (worker, work) = (lease.holder.worker.clone(), lease.work);
        let sweep = lease.sweep.clone();
        if let Some(order) = self.order_for(&sweep, work, token) {
            out.send(&worker, order);
        }
    }

    /// A worker is gone for good.
    pub(super) fn gone(
        &mut self,
        worker: &WorkerId,
        incarnation: Option<Incarnation>,
        cause: &str,
        out: &mut Outbox,
    ) {
        match self.workers.get(worker) {
            // Another process has taken its place: that one's leases are none of its business.
            Some(known) if incarnation.is_some_and(|gone| gone != known.incarnation) => {}
            Some(_) => {
                self.last_gone = Some(cause.to_owned());
                self.remove(worker, cause, out);
            }
            None => {
                self.last_gone = Some(cause.to_owned());
                self.publish_gone(worker, cause, out);
            }
        }
    }

    /// A sign of life, with all leases that the worker holds.
    pub(super) fn heartbeat(&mut self, holder: &Holder, held: &[Held], out: &mut Outbox) {
        let Holder {
            worker,
            incarnation,
        } = holder;
        for Held { token, progress } in held {
            match self.fence.accepts(*token, holder) {
                Ok(()) => {
                    if let Some(lease) = self.leases.get_mut(token) {
                        lease.renew(self.now);
                    }
                    self.progressed(*token, *progress);
                    self.look_for_hang(*token);
                }
                Err(reply) => out.reply(worker, *token, reply),
            }
        }
        let current = self.workers.get(worker);
        if current.is_some_and(|known| known.incarnation != *incarnation) {
            // The full list would reach the process that has taken its place.
            return;
        }
        let lease = current.and_then(|known| known.lease);
        if let Some(token) = lease
            && held.iter().all(|held| held.token != token)
            && self
                .leases
                .get(&token)
                .is_some_and(|lease| lease.should_be_known(self.now, &self.options))
        {
            self.missing(token, "it no longer knows of it", out);
        }
        let desired = self.workers.get(worker).and_then(|known| known.lease);
        out.send(worker, Command::Desired(desired.into_iter().collect()));
    }

    /// A worker is to get no more work.
    pub(super) fn drain(&mut self, worker: &WorkerId, out: &mut Outbox) {
        if let Some(known) = self.workers.get_mut(worker) {
            // Said once: a worker that leaves by itself says so with every heartbeat.
            if !std::mem::replace(&mut known.draining, true) {
                out.send(worker, Command::Drain);
            }
        }
    }

    /// Takes out workers that nobody has heard of for long, the oldest first, and those that are
    /// too many to be remembered.
    pub(super) fn forget_workers(&mut self, out: &mut Outbox) {
        let away = self.workers.iter().filter(|(_, worker)| worker.away());
        let mut away: Vec<_> = away.map(|(id, worker)| (worker.since, id)).collect();
        away.sort_unstable();
        let too_many = away.len().saturating_sub(REMEMBERED);
        let too_long = away
            .partition_point(|(since, _)| self.now.since(*since) >= self.options.forget_worker_ms);
        away.truncate(too_many.max(too_long));
        let forgotten: Vec<_> = away.into_iter().map(|(at, id)| (at, id.clone())).collect();
        for (since, worker) in forgotten {
            let away_ms = self.now.since(since);
            let cause = format!("it was not connected for {}", seconds(away_ms));
            self.remove(&worker, &cause, out);
        }
    }

    /// Takes a worker out; its lease is lost.
    fn remove(&mut self, worker: &WorkerId, cause: &str, out: &mut Outbox) {
        if let Some(Worker { lease, .. }) = self.workers.remove(worker) {
            self.publish_gone(worker, cause, out);
            if let Some(token) = lease {
                self.lose(token, &format!("the worker is gone: {cause}"), out);
            }
        }
    }

    /// Tells those who watch sweeps that know of the worker; and those who wait for one and see
    /// none come.
    fn publish_gone(&mut self, worker: &WorkerId, cause: &str, out: &mut Outbox) {
        let usable = self.workers.values().any(|worker| worker.usable(self.now));
        for id in &self.active {
            let Some(sweep) = self.sweeps.get_mut(id) else {
                continue;
            };
            let known = sweep.announced.remove(worker);
            if known || (sweep.leases == 0 && !usable) {
                sweep.starts_ms.remove(worker);
                out.publish(
                    sweep,
                    Happening::WorkerGone {
                        worker: worker.clone(),
                        cause: cause.to_owned(),
                    },
                );
            }
        }
    }
}
