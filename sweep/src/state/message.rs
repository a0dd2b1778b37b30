//! What comes in and what goes out.

use crate::curve::{StopReason, StopRule};
use crate::event::{Described, Failure, Observation, SweepEvent};
use crate::ids::{Incarnation, LeaseToken, SweepId, WorkerId};
use crate::plan::{PlanRequest, Probe, Task};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Milliseconds on the coordinator's monotonic clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(pub u64);

/// A span of time for people: `15 s`, `1.5 s`.
pub(super) fn seconds(ms: u64) -> String {
    let tenths = ms.div_euclid(100);
    match tenths % 10 {
        0 => format!("{} s", tenths / 10),
        tenth => format!("{}.{tenth} s", tenths / 10),
    }
}

/// Limits and times.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// How long a lease lives after the last accepted message.
    pub lease_ms: u64,
    /// Pace of the workers' heartbeats.
    pub heartbeat_ms: u64,
    /// How long a lease may show no progress before its worker counts as hung, until its pace is known.
    pub stall_ms: u64,
    /// How long a process that hung gets no work: longer than it takes to end itself, so that its
    /// work is not given to it again but to the process that takes its place.
    pub hung_rest_ms: u64,
    /// How long a sweep may have work and no worker that may take it.
    pub no_worker_ms: u64,
    /// Failed attempts after which a task has failed.
    pub max_failed: u32,
    /// Lost attempts in a row without progress past the furthest acknowledged step, after which a
    /// task has failed.
    pub max_lost: u32,
    /// First pause before work is granted again after a lost attempt; doubles each time.
    pub backoff_ms: u64,
    /// Steps of a probe that shortens warm-ups.
    pub probe_steps: u32,
    /// Most leases that the sweeps of one owner hold together, `None` for any number.
    pub max_leases_per_owner: Option<u32>,
    /// How long a disconnected worker without a lease is remembered.
    pub forget_worker_ms: u64,
}

impl Time {
    /// This time and some milliseconds, without running over.
    #[must_use]
    pub fn after(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this time, 0 when it is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            lease_ms: 15_000,
            heartbeat_ms: 2_000,
            stall_ms: 300_000,
            hung_rest_ms: 60_000,
            no_worker_ms: 120_000,
            max_failed: 3,
            max_lost: 3,
            backoff_ms: 100,
            probe_steps: 4,
            max_leases_per_owner: None,
            forget_worker_ms: 3_600_000,
        }
    }
}

/// What a sweep needs to know before a worker has described it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepRequest {
    /// How it is to be split.
    pub plan: PlanRequest,
    /// When it stops.
    pub stop: StopRule,
    /// Whose it is; owners share the workers evenly.
    #[serde(default)]
    pub owner: String,
    /// Idle workers go to the sweeps of the highest priority first.
    #[serde(default)]
    pub priority: i32,
}

/// What comes in.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A sweep is to be run.
    Create {
        /// Its name.
        sweep: SweepId,
        /// What it is.
        request: Box<SweepRequest>,
    },
    /// A sweep is to be ended.
    Cancel {
        /// Which.
        sweep: SweepId,
    },
    /// A worker said Hello; also after it was disconnected.
    Joined {
        /// Who.
        worker: WorkerId,
        /// Its process.
        incarnation: Incarnation,
        /// The device it trains on.
        device: String,
        /// Versions of its parts, such as `libtorch`.
        versions: BTreeMap<String, String>,
        /// Leases that it still holds.
        leases: Vec<Held>,
    },
    /// A worker's connection is gone, though the worker may live: its leases run on until they
    /// expire. Not for a connection that a newer one of the same process has replaced.
    Disconnected {
        /// Who.
        worker: WorkerId,
        /// Its process.
        incarnation: Incarnation,
    },
    /// A worker is gone for good: its process exited, its pod was deleted.
    Gone {
        /// Who.
        worker: WorkerId,
        /// Its process, where known; `None`: whichever process runs under this name.
        incarnation: Option<Incarnation>,
        /// How that is known, with the last words of the worker.
        cause: String,
    },
    /// No further worker will come (all processes failed to start, say): sweeps without one fail.
    NoMoreWorkers {
        /// Why.
        cause: String,
    },
    /// A worker reports.
    Report {
        /// Who.
        worker: WorkerId,
        /// Its process.
        incarnation: Incarnation,
        /// What.
        report: Report,
    },
    /// A worker is to get no more work. It keeps its lease until that is finished or handed back.
    /// A new process under its name gets work again.
    Drain {
        /// Who.
        worker: WorkerId,
    },
    /// The coordinator shuts down, to be started again: nothing is granted from now on, and no
    /// sweep fails for want of workers. Leases stay.
    Park,
    /// The coordinator cannot keep what happens, so that nobody hears of it: until it has resumed,
    /// nothing is granted, no lease expires, and no sweep fails for want of workers.
    Suspended,
    /// The coordinator was held up: it was stopped, it could not write, its clock jumped. What it
    /// did not hear meanwhile is held against nobody: every lease lives anew, and sweeps without
    /// workers wait anew.
    Resumed,
    /// A sweep that has ended is no longer needed. One that has not ended stays.
    Forget {
        /// Which.
        sweep: SweepId,
    },
    /// Time has passed.
    Tick,
}

/// A lease as its worker sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The lease.
    pub token: LeaseToken,
    /// Steps that were run so far under it.
    pub progress: u64,
}

/// What a worker reports.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// Model and data are loaded.
    Described(LeaseToken, Box<Described>),
    /// The probe has run.
    Probed(LeaseToken, Probe),
    /// A sign of life with all leases held.
    Heartbeat(Vec<Held>),
    /// So many bytes of the files that the work needs have arrived, while it cannot begin.
    Fetched(LeaseToken, u64),
    /// Losses of consecutive steps; ones already accepted are passed over, ones after a gap are refused.
    Observations(LeaseToken, Vec<Observation>),
    /// The attempt is over.
    Finished {
        /// The lease.
        token: LeaseToken,
        /// `Completed`, `NonFinite` or `DataExhausted`.
        reason: StopReason,
        /// Step after the last observed one.
        end: u32,
    },
    /// The attempt has failed.
    Failed(LeaseToken, Failure),
    /// The lease is given back.
    HandBack(LeaseToken, String),
}

/// What goes out.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// To be sent to a worker; dropped if it is not connected.
    Send {
        /// To whom.
        worker: WorkerId,
        /// What.
        command: Command,
    },
    /// To be shown and kept.
    Publish(SweepEvent),
}

/// What a worker is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Load model and data.
    Describe {
        /// The sweep.
        sweep: SweepId,
        /// The lease.
        token: LeaseToken,
    },
    /// Run a few steps.
    Probe {
        /// The sweep.
        sweep: SweepId,
        /// The lease.
        token: LeaseToken,
        /// How many.
        steps: u32,
    },
    /// Run a task.
    Assign {
        /// The sweep.
        sweep: SweepId,
        /// The lease.
        token: LeaseToken,
        /// The task.
        task: Task,
        /// Learning rates of its steps, warm-up included.
        learning_rates: Vec<f64>,
    },
    /// What has been accepted.
    Ack {
        /// The lease.
        token: LeaseToken,
        /// First step that has not been accepted.
        next_step: u32,
        /// Whether the end of the attempt has been accepted.
        finished: bool,
    },
    /// Stop working on a lease.
    Stop {
        /// The lease.
        token: LeaseToken,
        /// Why.
        reason: Halt,
    },
    /// All leases that the worker should hold.
    Desired(Vec<LeaseToken>),
    /// It gets no more work: it may leave when it is done with what it has.
    Drain,
}

/// Why a worker is told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Halt {
    /// The stop was decided at an earlier step.
    Diverged,
    /// The sweep was cancelled.
    Cancelled,
    /// The sweep has failed.
    Failed,
    /// The lease is no longer valid.
    Superseded,
}
