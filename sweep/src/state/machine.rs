//! The state, and what every event goes through.

use super::fencing::{Fence, Holder};
use super::lease::{Lease, Overdue};
use super::message::{Action, Event, Options, SweepRequest, Time};
use super::outbox::Outbox;
use super::result::SweepResult;
use super::sweep::Sweep;
use super::worker::Worker;
use crate::event::{Happening, Outcome};
use crate::ids::{LeaseToken, SweepId, WorkerId};
use std::collections::BTreeMap;

/// The state of all sweeps and workers.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub(super) options: Options,
    pub(super) now: Time,
    pub(super) fence: Fence,
    pub(super) leases: BTreeMap<LeaseToken, Lease>,
    pub(super) workers: BTreeMap<WorkerId, Worker>,
    pub(super) sweeps: BTreeMap<SweepId, Sweep>,
    /// Those that have not ended, oldest first.
    pub(super) active: Vec<SweepId>,
    /// Why no further worker will come, once that is said.
    pub(super) no_more_workers: Option<String>,
    /// Why the last worker was gone.
    pub(super) last_gone: Option<String>,
    /// Whether nothing is granted any more, since the coordinator shuts down.
    pub(super) parked: bool,
    /// Whether nothing that is decided can be kept now.
    pub(super) suspended: bool,
    /// Something has changed that leases, grants or waiting sweeps may depend on.
    pub(super) unsettled: bool,
    /// When one of them may have to be looked at though nothing has changed: what was computed
    /// when they were looked at last. Since then leases can only have been renewed.
    pub(super) due: Option<Time>,
}

impl State {
    /// An empty state.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            options,
            ..Self::default()
        }
    }

    /// Takes in what happened at `now` and says what to do about it, in this order.
    ///
    /// Times never run backwards: an earlier `now` counts as the latest one seen. What a message
    /// says counts before the time at which it came, so that a coordinator that was held up takes
    /// in what waits before it gives anyone up.
    ///
    /// What is published by one call belongs together: a store has to keep all of it or none.
    pub fn apply(&mut self, now: Time, event: Event) -> Vec<Action> {
        self.now = self.now.max(now);
        let mut out = Outbox::new(self.now);
        // Reports say themselves whether they change anything; they come by the thousand.
        self.unsettled |= !matches!(event, Event::Report { .. } | Event::Tick);
        match event {
            Event::Create { sweep, request } => self.create(sweep, *request, &mut out),
            Event::Cancel { sweep } => self.end_sweep(&sweep, Outcome::Cancelled, &mut out),
            Event::Joined {
                worker,
                incarnation,
                device,
                versions,
                leases,
            } => {
                let holder = Holder {
                    worker,
                    incarnation,
                };
                self.joined(&holder, device, versions, &leases, &mut out);
            }
            Event::Disconnected {
                worker,
                incarnation,
            } => {
                if let Some(worker) = self.workers.get_mut(&worker)
                    && worker.incarnation == incarnation
                {
                    worker.set_connected(false, self.now);
                }
            }
            Event::Gone {
                worker,
                incarnation,
                cause,
            } => self.gone(&worker, incarnation, &cause, &mut out),
            Event::NoMoreWorkers { cause } => self.no_more_workers = Some(cause),
            Event::Report {
                worker,
                incarnation,
                report,
            } => {
                let holder = Holder {
                    worker,
                    incarnation,
                };
                self.report(&holder, report, &mut out);
            }
            Event::Drain { worker } => self.drain(&worker, &mut out),
            Event::Park => self.parked = true,
            Event::Suspended => self.suspended = true,
            Event::Resumed => self.resumed(),
            Event::Forget { sweep } => {
                if self.sweeps.get(&sweep).is_some_and(|sweep| !sweep.active()) {
                    self.sweeps.remove(&sweep);
                }
            }
            Event::Tick => {}
        }
        if self.unsettled || self.due.is_some_and(|due| due <= self.now) {
            self.settle(&mut out);
        }
        out.actions
    }

    /// Everything that follows from the time, and from what has changed.
    fn settle(&mut self, out: &mut Outbox) {
        if !self.suspended {
            self.give_up_overdue(out);
            self.grant(out);
            self.give_up_starving(out);
            self.forget_workers(out);
        }
        self.unsettled = false;
        self.due = self.next_due().filter(|_| !self.suspended);
    }

    /// All that is known of a sweep, `None` for an unknown one.
    #[must_use]
    pub fn result(&self, sweep: &SweepId) -> Option<SweepResult> {
        self.sweeps.get(sweep).map(Sweep::result)
    }

    /// The latest time seen. After [`State::rebuild`], where the clock goes on.
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }

    /// When the next [`Event::Tick`] is due at the latest, `None` when nothing is waited for.
    /// Nothing may be due then after all: what is heard meanwhile does not put it off.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        self.due
    }

    fn next_due(&self) -> Option<Time> {
        let leases = self
            .leases
            .values()
            .map(|lease| lease.deadline(&self.options));
        let active = || self.active.iter().filter_map(|id| self.sweeps.get(id));
        let starving = active()
            .filter_map(|sweep| sweep.starving)
            .map(|starving| starving.deadline(&self.options));
        let forgotten = self
            .workers
            .values()
            .filter(|worker| worker.away())
            .map(|worker| worker.since.after(self.options.forget_worker_ms));
        // Only one who could take work waits for the end of a pause or a rest.
        let idle = || {
            let workers = self.workers.values();
            workers.filter(|worker| worker.lease.is_none() && worker.connected)
        };
        let pauses = active()
            .filter(|_| !self.parked && idle().next().is_some())
            .flat_map(Sweep::waiting)
            .map(|work| work.not_before)
            .filter(|at| *at > self.now);
        let waiting = active().any(|sweep| sweep.waiting().next().is_some());
        let rests = idle()
            .map(|worker| worker.rests_until)
            .filter(|at| waiting && *at > self.now);
        leases
            .chain(pauses)
            .chain(starving)
            .chain(forgotten)
            .chain(rests)
            .min()
    }

    fn create(&mut self, id: SweepId, request: SweepRequest, out: &mut Outbox) {
        if self.sweeps.contains_key(&id) {
            return;
        }
        let mut sweep = Sweep::new(id.clone(), request);
        out.publish(&mut sweep, Happening::Created);
        self.active.push(id.clone());
        self.sweeps.insert(id, sweep);
    }

    /// The coordinator was held up.
    fn resumed(&mut self) {
        self.suspended = false;
        for lease in self.leases.values_mut() {
            lease.excuse(self.now);
        }
        for id in &self.active {
            if let Some(sweep) = self.sweeps.get_mut(id) {
                sweep.starving = None;
            }
        }
    }

    /// Leases that were not heard of, or that show no progress, are lost.
    fn give_up_overdue(&mut self, out: &mut Outbox) {
        let overdue: Vec<_> = self
            .leases
            .iter()
            .filter_map(|(token, lease)| Some((*token, lease.overdue(self.now, &self.options)?)))
            .collect();
        for (token, overdue) in overdue {
            let holder = self.leases.get(&token).map(|lease| &lease.holder.worker);
            let worker = holder.and_then(|holder| self.workers.get_mut(holder));
            let cause = match (worker, overdue) {
                (None, Overdue::Silent(cause) | Overdue::Hung(cause)) => cause,
                (Some(worker), Overdue::Silent(cause)) => {
                    worker.silent = true;
                    cause
                }
                (Some(worker), Overdue::Hung(cause)) => {
                    worker.rests_until = self.now.after(self.options.hung_rest_ms);
                    cause
                }
            };
            self.lose(token, &cause, out);
        }
    }
}
