//! Sweeps that have work and no worker say so, and fail in the end.

use super::machine::State;
use super::message::{Options, Time, seconds};
use super::outbox::Outbox;
use crate::event::{Failure, FailureKind, Happening, Outcome};
use crate::ids::SweepId;
use rangefinder_errors::Code;

/// Share of `no_worker_ms` after which people are told that a sweep waits.
const TOLD_AFTER: u64 = 20;
/// Longest time after which they are told.
const LATEST_TOLD_MS: u64 = 60_000;

/// A sweep has work, holds no lease, and no worker is there that may take any.
#[derive(Clone, Copy, Debug)]
pub(super) struct Starving {
    since: Time,
    /// Whether people were told.
    told: bool,
}

impl Starving {
    /// When the next thing is due about it.
    pub(super) fn deadline(&self, options: &Options) -> Time {
        self.since.after(if self.told {
            options.no_worker_ms
        } else {
            told_after_ms(options)
        })
    }
}

/// How long a sweep waits before people are told.
fn told_after_ms(options: &Options) -> u64 {
    (options.no_worker_ms / TOLD_AFTER).min(LATEST_TOLD_MS)
}

impl State {
    pub(super) fn give_up_starving(&mut self, out: &mut Outbox) {
        let usable = self.workers.values().any(|worker| worker.usable(self.now));
        for id in self.active.clone() {
            let Some(sweep) = self.sweeps.get_mut(&id) else {
                continue;
            };
            if usable || sweep.leases > 0 || self.parked {
                sweep.starving = None;
                continue;
            }
            let starving = sweep.starving.get_or_insert(Starving {
                since: self.now,
                told: false,
            });
            let waited_ms = self.now.since(starving.since);
            let tells = !starving.told && waited_ms >= told_after_ms(&self.options);
            starving.told |= tells;
            if let Some(cause) = &self.no_more_workers {
                let why = format!("no worker is left and none will come: {cause}");
                self.fail_without_workers(&id, &why, out);
            } else if waited_ms >= self.options.no_worker_ms {
                let why = format!(
                    "no worker could take its work for {}; {}",
                    seconds(waited_ms),
                    self.who_is_there()
                );
                self.fail_without_workers(&id, &why, out);
            } else if tells {
                let reason = format!(
                    "waits for a worker; {}; fails after {} without one",
                    self.who_is_there(),
                    seconds(self.options.no_worker_ms)
                );
                if let Some(sweep) = self.sweeps.get_mut(&id) {
                    out.publish(sweep, Happening::Waiting { reason });
                }
            }
        }
    }

    /// Why those that are there are no help.
    fn who_is_there(&self) -> String {
        let mut parts = Vec::new();
        let connected = self.workers.values().filter(|worker| worker.connected);
        let silent = self.workers.values().filter(|worker| worker.silent);
        let set_aside = self.workers.values().filter(|w| w.set_aside.is_some());
        parts.push(format!("{} workers are connected", connected.count()));
        parts.push(format!("{} are silent", silent.count()));
        parts.push(format!("{} set aside", set_aside.count()));
        let draining = self.workers.values().filter(|worker| worker.draining);
        match draining.count() {
            0 => {}
            draining => parts.push(format!("{draining} draining")),
        }
        parts.join(", ")
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
