//! The state, and what every event goes through.

use super::fencing::{Fence, Holder};
use super::lease::{Lease, Overdue};
use super::message::{Action, Event, Options, SweepRequest, Time, seconds};
use super::outbox::Outbox;
use super::result::SweepResult;
use super::sweep::{Starving, Sweep};
use super::worker::Worker;
use crate::event::{Failure, FailureKind, Happening, Outcome};
use crate::ids::{LeaseToken, SweepId, WorkerId};
use rangefinder_errors::Code;
use std::collections::BTreeMap;

/// Share of `no_worker_ms` after which people are told that a sweep waits.
const TOLD_AFTER: u64 = 20;

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
    pub fn apply(&mut self, now: Time, event: Event) -> Vec<Action> {
        self.now = self.now.max(now);
        let mut out = Outbox::new(self.now);
        match event {
            Event::Create { sweep, request } => self.create(sweep, *request, &mut out),
            Event::Cancel { sweep } => self.cancel(&sweep, &mut out),
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
                let worker = Worker::new(incarnation, device, versions);
                self.joined(&holder, worker, &leases, &mut out);
            }
            Event::Disconnected {
                worker,
                incarnation,
            } => {
                if let Some(worker) = self.workers.get_mut(&worker)
                    && worker.incarnation == incarnation
                {
                    worker.connected = false;
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
            Event::Tick => {}
        }
        self.give_up_overdue(&mut out);
        self.grant(&mut out);
        self.give_up_starving(&mut out);
        out.actions
    }

    /// All that is known of a sweep, `None` for an unknown one.
    #[must_use]
    pub fn result(&self, sweep: &SweepId) -> Option<SweepResult> {
        self.sweeps.get(sweep).map(Sweep::result)
    }

    /// When the next [`Event::Tick`] is due at the latest, `None` when nothing is waited for.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        let leases = self
            .leases
            .values()
            .map(|lease| lease.deadline(&self.options));
        let active = || self.active.iter().filter_map(|id| self.sweeps.get(id));
        let pauses = active()
            .flat_map(Sweep::waiting)
            .map(|work| work.not_before)
            .filter(|at| *at > self.now);
        let starving = active().filter_map(|sweep| sweep.starving).map(|starving| {
            starving.since.after(if starving.told {
                self.options.no_worker_ms
            } else {
                self.options.no_worker_ms / TOLD_AFTER
            })
        });
        let waiting = active().any(|sweep| sweep.waiting().next().is_some());
        let rests = self
            .workers
            .values()
            .map(|worker| worker.rests_until)
            .filter(|at| waiting && *at > self.now);
        leases.chain(pauses).chain(starving).chain(rests).min()
    }

    fn create(&mut self, id: SweepId, request: SweepRequest, out: &mut Outbox) {
        if self.sweeps.contains_key(&id) {
            return;
        }
        let mut sweep = Sweep::new(id.clone(), request);
        out.publish(&mut sweep, Happening::Created);
        for (worker, known) in self.workers.iter().filter(|(_, worker)| worker.connected) {
            out.publish(
                &mut sweep,
                Happening::WorkerJoined {
                    worker: worker.clone(),
                    device: known.device.clone(),
                    versions: known.versions.clone(),
                },
            );
        }
        self.active.push(id.clone());
        self.sweeps.insert(id, sweep);
    }

    fn cancel(&mut self, id: &SweepId, out: &mut Outbox) {
        self.end_sweep(id, Outcome::Cancelled, out);
    }

    /// Leases that were not heard of, or that show no progress, are lost.
    fn give_up_overdue(&mut self, out: &mut Outbox) {
        let overdue: Vec<_> = self
            .leases
            .iter()
            .filter_map(|(token, lease)| Some((*token, lease.overdue(self.now, &self.options)?)))
            .collect();
        for (token, overdue) in overdue {
            let holder = self.leases.get(&token).map(|lease| lease.worker.clone());
            let worker = holder.and_then(|holder| self.workers.get_mut(&holder));
            let cause = match (worker, overdue) {
                (None, Overdue::Silent(cause) | Overdue::Hung(cause)) => cause,
                (Some(worker), Overdue::Silent(cause)) => {
                    worker.spoilt += 1;
                    worker.silent = true;
                    cause
                }
                (Some(worker), Overdue::Hung(cause)) => {
                    worker.spoilt += 1;
                    worker.rests_until = self.now.after(self.options.hung_rest_ms);
                    cause
                }
            };
            self.lose(token, &cause, out);
        }
    }

    /// Sweeps that have work and no worker say so, and fail in the end.
    fn give_up_starving(&mut self, out: &mut Outbox) {
        let usable = self.workers.values().any(|worker| worker.usable(self.now));
        for id in self.active.clone() {
            let leased = self.leases.values().any(|lease| lease.sweep == id);
            let Some(sweep) = self.sweeps.get_mut(&id).filter(|sweep| sweep.active()) else {
                continue;
            };
            if usable || leased {
                sweep.starving = None;
                continue;
            }
            let starving = sweep.starving.get_or_insert(Starving {
                since: self.now,
                told: false,
            });
            let waited_ms = self.now.since(starving.since);
            let set_aside = self
                .workers
                .values()
                .filter(|worker| worker.set_aside)
                .count();
            let silent = self.workers.values().filter(|worker| worker.silent).count();
            let there = self
                .workers
                .values()
                .filter(|worker| worker.connected)
                .count();
            let whom = format!(
                "{there} workers are connected, {silent} are silent, {set_aside} set aside"
            );
            if let Some(cause) = self.no_more_workers.clone() {
                let why = format!("no worker is left and none will come: {cause}");
                self.fail_without_workers(&id, &why, out);
            } else if waited_ms >= self.options.no_worker_ms {
                let why = format!(
                    "no worker could take its work for {}; {whom}",
                    seconds(waited_ms)
                );
                self.fail_without_workers(&id, &why, out);
            } else if !starving.told && waited_ms >= self.options.no_worker_ms / TOLD_AFTER {
                starving.told = true;
                let reason = format!(
                    "waits for a worker; {whom}; fails after {} without one",
                    seconds(self.options.no_worker_ms)
                );
                out.publish(sweep, Happening::Waiting { reason });
            }
        }
    }

    /// The words of the worker that failed or went last say more than that there is none.
    fn fail_without_workers(&mut self, id: &SweepId, why: &str, out: &mut Outbox) {
        let reported = self
            .sweeps
            .get(id)
            .and_then(|sweep| sweep.last_failure.clone());
        let failure = match (reported, &self.last_gone) {
            (Some(failure), _) => Failure {
                message: format!("{} ({why})", failure.message),
                ..failure
            },
            (None, gone) => Failure {
                kind: FailureKind::Worker,
                code: Code::NoWorkers,
                message: match gone {
                    Some(gone) if !why.contains(gone.as_str()) => {
                        format!("{why}; the last worker is gone: {gone}")
                    }
                    _ => why.to_owned(),
                },
                fields: Vec::new(),
            },
        };
        self.end_sweep(id, Outcome::Failed(failure), out);
    }
}
