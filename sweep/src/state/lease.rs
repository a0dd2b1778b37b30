//! How long a lease lives.

use super::message::{Options, Time, seconds};
use crate::event::WorkKind;
use crate::ids::{SweepId, WorkerId};

/// Shortest time without a step after which a worker of known pace counts as hung.
const SHORTEST_STALL_MS: u64 = 10_000;
/// Steps of its own mean length that a worker may take for one step.
const SLOW_STEPS: u64 = 50;

/// A lease that is held.
#[derive(Clone, Debug)]
pub(super) struct Lease {
    pub sweep: SweepId,
    pub work: WorkKind,
    pub worker: WorkerId,
    /// Last message that named it, or its grant.
    heard: Time,
    pace: Pace,
}

/// Why a lease has ended by itself.
#[derive(Clone, Debug)]
pub(super) enum Overdue {
    /// Nothing was heard of its holder.
    Silent(String),
    /// Its holder lives, but does no step.
    Hung(String),
}

/// How fast steps are done under a lease.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// First progress that was seen: loading the model comes before it and is not part of the pace.
    first: Option<(Time, u64)>,
    last: Time,
    steps: u64,
}

impl Lease {
    pub(super) fn new(sweep: SweepId, work: WorkKind, worker: WorkerId, now: Time) -> Self {
        Self {
            sweep,
            work,
            worker,
            heard: now,
            pace: Pace {
                first: None,
                last: now,
                steps: 0,
            },
        }
    }

    /// The holder is connected again. The silence in between is not held against its pace: it
    /// could not say how far it was.
    pub(super) fn reconnected(&mut self, now: Time) {
        self.pace.last = self.pace.last.after(now.since(self.heard));
        self.renew(now);
    }

    /// A message of the holder named the lease.
    pub(super) fn renew(&mut self, now: Time) {
        self.heard = now;
    }

    /// So many steps are done by now.
    pub(super) fn progressed(&mut self, now: Time, steps: u64) {
        if steps > self.pace.steps {
            self.pace.first.get_or_insert((now, steps));
            self.pace.last = now;
            self.pace.steps = steps;
        }
    }

    /// Something new was accepted; the worker may be ahead of what it reports.
    pub(super) fn accepted(&mut self, now: Time) {
        self.pace.last = now;
    }

    /// Whether the worker should have named the lease by now in a heartbeat; before that the order
    /// may still be under way.
    pub(super) fn should_be_known(&self, now: Time, options: &Options) -> bool {
        now.since(self.heard) >= options.heartbeat_ms.saturating_mul(2)
    }

    /// When it ends unless something is heard.
    pub(super) fn deadline(&self, options: &Options) -> Time {
        self.heard.after(options.lease_ms)
    }

    /// Why it has ended, if it has. That its holder hangs is known only when the holder is heard
    /// and has done nothing: while it is silent it may be training.
    pub(super) fn overdue(&self, now: Time, options: &Options) -> Option<Overdue> {
        if self.deadline(options) <= now {
            return Some(Overdue::Silent(format!(
                "nothing was heard of it for {}",
                seconds(now.since(self.heard))
            )));
        }
        let idle_ms = self.heard.since(self.pace.last);
        (idle_ms >= self.patience_ms(options)).then(|| {
            Overdue::Hung(format!(
                "it hangs: {} steps done, and none more for {}",
                self.pace.steps,
                seconds(idle_ms)
            ))
        })
    }

    /// How long no step may be done.
    fn patience_ms(&self, options: &Options) -> u64 {
        let mean_ms = self.pace.first.and_then(|(at, steps)| {
            self.pace
                .last
                .since(at)
                .checked_div(self.pace.steps - steps)
        });
        match mean_ms {
            None => options.stall_ms,
            Some(mean_ms) => SHORTEST_STALL_MS
                .min(options.stall_ms)
                .max(mean_ms.saturating_add(1).saturating_mul(SLOW_STEPS)),
        }
    }
}
