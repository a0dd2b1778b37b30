//! How long a lease lives.

use super::fencing::Holder;
use super::message::{Options, Time, seconds};
use crate::event::WorkKind;
use crate::ids::SweepId;

/// Shortest time without a step after which a worker of known pace counts as hung.
const SHORTEST_STALL_MS: u64 = 10_000;
/// Steps of its own mean length that a worker may take for one step.
const SLOW_STEPS: u64 = 50;
/// Starts as long as the longest before that a worker may take for one start.
const SLOW_STARTS: u64 = 10;

/// A lease that is held.
#[derive(Clone, Debug)]
pub(super) struct Lease {
    pub sweep: SweepId,
    pub work: WorkKind,
    pub holder: Holder,
    /// Last message that named it, or its grant.
    heard: Time,
    /// When its order was sent last.
    ordered: Time,
    /// Whether its holder has ever named it: whether the order has reached it.
    pub known: bool,
    pace: Pace,
    /// The longest that its process took before to the first step of a task of this sweep.
    usual_start_ms: Option<u64>,
    /// Bytes of files that have arrived for it.
    fetched_bytes: u64,
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
    pub(super) fn new(
        sweep: SweepId,
        work: WorkKind,
        holder: Holder,
        now: Time,
        usual_start_ms: Option<u64>,
    ) -> Self {
        Self {
            sweep,
            work,
            holder,
            heard: now,
            ordered: now,
            known: false,
            pace: Pace {
                first: None,
                last: now,
                steps: 0,
            },
            usual_start_ms,
            fetched_bytes: 0,
        }
    }

    /// Whatever was not heard until now is not held against the holder.
    pub(super) fn excuse(&mut self, now: Time) {
        let idle_ms = now.since(self.pace.last);
        if let Some((at, _)) = &mut self.pace.first {
            *at = at.after(idle_ms);
        }
        self.pace.last = now;
        self.heard = now;
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
        self.known = true;
    }

    /// Its order was sent again.
    pub(super) fn ordered_again(&mut self, now: Time) {
        self.ordered = now;
    }

    /// So many bytes of the files that the work needs have arrived. More of them is a sign that the
    /// holder does not hang, and says nothing of its pace.
    pub(super) fn fetched(&mut self, now: Time, bytes: u64) {
        if bytes > self.fetched_bytes {
            self.fetched_bytes = bytes;
            self.pace.last = now;
        }
    }

    /// So many steps are done by now. Says how long the first ones took, when these are the first.
    pub(super) fn progressed(&mut self, now: Time, steps: u64) -> Option<u64> {
        if steps <= self.pace.steps {
            return None;
        }
        let started = self.pace.first.is_none();
        let idle_ms = now.since(self.pace.last);
        self.pace.first.get_or_insert((now, steps));
        self.pace.last = now;
        self.pace.steps = steps;
        started.then_some(idle_ms)
    }

    /// Something new was accepted; the worker may be ahead of what it reports.
    pub(super) fn accepted(&mut self, now: Time) {
        self.pace.last = now;
    }

    /// Whether the worker should have named the lease by now in a heartbeat; before that the order
    /// may still be under way.
    pub(super) fn should_be_known(&self, now: Time, options: &Options) -> bool {
        now.since(self.heard.max(self.ordered)) >= options.heartbeat_ms.saturating_mul(2)
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

    /// How long no step may be done. Before the pace is known, how long this process took before:
    /// it has loaded the sweep's model and data then, which another one may have yet to do.
    fn patience_ms(&self, options: &Options) -> u64 {
        let shortest_ms = SHORTEST_STALL_MS.min(options.stall_ms);
        let mean_ms = self.pace.first.and_then(|(at, steps)| {
            self.pace
                .last
                .since(at)
                .checked_div(self.pace.steps - steps)
        });
        match mean_ms {
            None => match self.usual_start_ms {
                None => options.stall_ms,
                Some(start_ms) => start_ms
                    .saturating_mul(SLOW_STARTS)
                    .clamp(shortest_ms, options.stall_ms),
            },
            Some(mean_ms) => shortest_ms.max(mean_ms.saturating_add(1).saturating_mul(SLOW_STEPS)),
        }
    }
}
