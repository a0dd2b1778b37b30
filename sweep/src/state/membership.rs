//! Workers come, go, and show signs of life.

use super::fencing::Holder;
use super::machine::State;
use super::message::{Command, Held};
use super::outbox::Outbox;
use super::worker::Worker;
use crate::event::{Happening, WorkKind};
use crate::ids::{Incarnation, WorkerId};

impl State {
    /// A worker said Hello: a new process, or one that was disconnected.
    pub(super) fn joined(
        &mut self,
        holder: &Holder,
        fresh: Worker,
        held: &[Held],
        out: &mut Outbox,
    ) {
        let Holder {
            worker,
            incarnation,
        } = holder;
        match self.workers.get_mut(worker) {
            Some(known) if known.incarnation == *incarnation => {
                known.connected = true;
                known.silent = false;
                known.device = fresh.device;
            }
            known => {
                if known.is_some() {
                    self.remove(worker, "another process runs under its name", out);
                }
                self.no_more_workers = None;
                self.publish_to_active(out, &|| Happening::WorkerJoined {
                    worker: worker.clone(),
                    device: fresh.device.clone(),
                    versions: fresh.versions.clone(),
                });
                self.workers.insert(worker.clone(), fresh);
            }
        }
        for Held { token, progress } in held {
            match self.fence.accepts(*token, holder) {
                Err(reply) => out.reply(worker, *token, reply),
                Ok(()) => {
                    let Some(lease) = self.leases.get_mut(token) else {
                        continue;
                    };
                    lease.reconnected(self.now);
                    lease.progressed(self.now, *progress);
                    if let WorkKind::Task(task) = lease.work
                        && let Some(task) = self
                            .sweeps
                            .get(&lease.sweep)
                            .and_then(|sweep| sweep.task(task))
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
            self.lose(token, "the order did not reach it, or it dropped it", out);
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
                        lease.progressed(self.now, *progress);
                    }
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
            self.lose(token, "it no longer knows of it", out);
        }
        let desired = self.workers.get(worker).and_then(|known| known.lease);
        out.send(worker, Command::Desired(desired.into_iter().collect()));
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

    fn publish_gone(&mut self, worker: &WorkerId, cause: &str, out: &mut Outbox) {
        self.publish_to_active(out, &|| Happening::WorkerGone {
            worker: worker.clone(),
            cause: cause.to_owned(),
        });
    }

    fn publish_to_active(&mut self, out: &mut Outbox, happening: &dyn Fn() -> Happening) {
        for id in &self.active {
            if let Some(sweep) = self.sweeps.get_mut(id) {
                out.publish(sweep, happening());
            }
        }
    }
}
