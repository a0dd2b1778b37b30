//! What people may see of workers, and of what a sweep waits for.

use super::machine::State;
use super::message::seconds;
use super::worker::Worker;
use crate::event::WorkKind;
use crate::ids::{Incarnation, SweepId, WorkerId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// What is known of a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerView {
    /// Who.
    pub worker: WorkerId,
    /// Its process.
    pub incarnation: Incarnation,
    /// The device it trains on; empty until it joins again after a restart of the coordinator.
    pub device: String,
    /// Versions of its parts, such as `libtorch`.
    pub versions: BTreeMap<String, String>,
    /// Whether its stream stands.
    pub connected: bool,
    /// Since when it does or does not, in milliseconds on the coordinator's clock.
    pub since_ms: u64,
    /// What it does.
    pub state: WorkerState,
    /// The work that it holds.
    pub work: Option<(SweepId, WorkKind)>,
    /// Tasks that it completed.
    pub completed: u32,
    /// Attempts that it failed or lost.
    pub spoilt: u32,
    /// Tasks that it failed and another worker completed.
    pub blamed: u32,
}

/// What a worker does: the first of these that holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerState {
    /// It gets no more work, because it fails what others complete: why, with the counts.
    SetAside(String),
    /// A lease of it expired, and it was not heard of since.
    Silent,
    /// It gets no more work, because it is to leave.
    Draining,
    /// It holds work.
    Busy {
        /// Of this sweep.
        sweep: SweepId,
        /// Which.
        work: WorkKind,
    },
    /// Its connection is gone.
    Disconnected,
    /// It handed work back, or hung, and gets none for a while.
    Resting,
    /// It waits for work.
    Idle,
}

/// What a sweep waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitingFor {
    /// Nothing: its work is running.
    Nothing {
        /// Leases that it holds.
        leases: u32,
    },
    /// The coordinator shuts down, and grants nothing.
    Restart,
    /// What happens cannot be kept, and nothing is granted until it can.
    Store,
    /// A pause after an attempt that brought no result.
    Pause {
        /// How much longer, in milliseconds.
        ms: u64,
    },
    /// A lease of another sweep of its owner has to end.
    OwnersLimit {
        /// Most leases that an owner may hold.
        limit: u32,
    },
    /// A worker has to be done with other work.
    BusyWorkers {
        /// How many there are.
        workers: usize,
    },
    /// A worker has to come: none is connected.
    NoWorker,
    /// A worker has to come: those that are connected get no work.
    NoUsableWorker {
        /// How many are connected.
        workers: usize,
    },
}

impl fmt::Display for WaitingFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing { .. } => f.write_str("nothing: its work is running"),
            Self::Restart => f.write_str("the coordinator is being restarted"),
            Self::Store => f.write_str("the coordinator's store cannot be written"),
            Self::Pause { ms } => write!(f, "pausing for {} after a lost attempt", seconds(*ms)),
            Self::OwnersLimit { limit: 1 } => f.write_str("the client's limit of 1 worker"),
            Self::OwnersLimit { limit } => write!(f, "the client's limit of {limit} workers"),
            Self::BusyWorkers { workers: 1 } => f.write_str("1 worker is busy with other work"),
            Self::BusyWorkers { workers } => {
                write!(f, "{workers} workers are busy with other work")
            }
            Self::NoWorker => f.write_str("no worker is connected"),
            Self::NoUsableWorker { workers: 1 } => f.write_str(
                "the worker that is connected gets no work: it leaves, rests or is set aside",
            ),
            Self::NoUsableWorker { workers } => write!(
                f,
                "the {workers} workers that are connected get no work: they leave, rest or are set aside"
            ),
        }
    }
}

impl State {
    /// All workers that are there or may come back, by name.
    #[must_use]
    pub fn workers(&self) -> Vec<WorkerView> {
        let workers = self.workers.iter();
        workers.map(|(id, worker)| self.view(id, worker)).collect()
    }

    /// What an active sweep waits for right now; `None` for one that has ended, or is unknown.
    #[must_use]
    pub fn waiting_for(&self, sweep: &SweepId) -> Option<WaitingFor> {
        let sweep = self.sweeps.get(sweep).filter(|sweep| sweep.active())?;
        if sweep.leases > 0 {
            // Most sweeps of a list: nothing is counted for them.
            return Some(WaitingFor::Nothing {
                leases: sweep.leases,
            });
        }
        let connected = self.workers.values().filter(|worker| worker.connected);
        let workers = connected.count();
        let usable = self.workers.values().filter(|w| w.usable(self.now));
        let usable = usable.count();
        let first = sweep.waiting().map(|work| work.not_before).min();
        let limit = self.options.max_leases_per_owner.filter(|limit| {
            let held = self.leases_by_owner();
            held.get(&sweep.request.owner)
                .is_some_and(|held| held >= limit)
        });
        Some(match (first, limit) {
            _ if self.parked => WaitingFor::Restart,
            _ if self.suspended => WaitingFor::Store,
            _ if workers == 0 => WaitingFor::NoWorker,
            _ if usable == 0 => WaitingFor::NoUsableWorker { workers },
            (_, Some(limit)) => WaitingFor::OwnersLimit { limit },
            (Some(at), None) if at > self.now => WaitingFor::Pause {
                ms: at.since(self.now),
            },
            _ => WaitingFor::BusyWorkers { workers: usable },
        })
    }

    fn view(&self, id: &WorkerId, worker: &Worker) -> WorkerView {
        let lease = worker.lease.and_then(|token| self.leases.get(&token));
        let work = lease.map(|lease| (lease.sweep.clone(), lease.work));
        let state = match (&worker.set_aside, &work) {
            (Some(reason), _) => WorkerState::SetAside(reason.clone()),
            _ if worker.silent => WorkerState::Silent,
            _ if worker.draining => WorkerState::Draining,
            (None, Some((sweep, work))) => WorkerState::Busy {
                sweep: sweep.clone(),
                work: *work,
            },
            _ if !worker.connected => WorkerState::Disconnected,
            _ if worker.rests_until > self.now => WorkerState::Resting,
            _ => WorkerState::Idle,
        };
        WorkerView {
            worker: id.clone(),
            incarnation: worker.incarnation,
            device: worker.device.clone(),
            versions: worker.versions.clone(),
            connected: worker.connected,
            since_ms: worker.since.0,
            state,
            work,
            completed: worker.completed,
            spoilt: worker.spoilt,
            blamed: worker.blamed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_waited_for_is_one_sentence() {
        let said = [
            (
                WaitingFor::Pause { ms: 1_500 },
                "pausing for 1.5 s after a lost attempt",
            ),
            (
                WaitingFor::OwnersLimit { limit: 8 },
                "the client's limit of 8 workers",
            ),
            (
                WaitingFor::BusyWorkers { workers: 12 },
                "12 workers are busy with other work",
            ),
        ];
        for (waiting, sentence) in said {
            assert_eq!(waiting.to_string(), sentence);
        }
    }
}
