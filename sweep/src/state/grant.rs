//! Who gets which work.
//!
//! The sweep of the highest priority first; among equals, that of the owner with the fewest
//! leases, then the one with the fewest leases, then the oldest. Within it the stages in order,
//! and the tasks in the plan's order. Work goes to the idle worker that spoilt least, and to one
//! that failed this very work only if no other is there that may take it.

use super::fencing::Holder;
use super::lease::Lease;
use super::machine::State;
use super::message::Command;
use super::outbox::Outbox;
use super::sweep::Sweep;
use super::work::Work;
use crate::event::{Happening, WorkKind};
use crate::ids::{LeaseToken, SweepId, WorkerId};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Idle workers, the one that spoilt least first.
type Idle = BTreeSet<(u32, WorkerId)>;

/// A sweep with work for workers. There may be a thousand of them, and as many idle workers: what
/// they are compared by is at hand.
struct Claim {
    sweep: SweepId,
    priority: i32,
    /// Place of its owner among [`Claims::held`].
    owner: usize,
    /// Leases that it holds.
    leases: u32,
    /// Looked up once it is this one's turn.
    due: Option<VecDeque<WorkKind>>,
}

/// All of them, oldest first.
struct Claims {
    claims: Vec<Claim>,
    /// Leases that the sweeps of each owner hold together.
    held: Vec<u32>,
}

impl State {
    /// Gives waiting work to idle workers.
    pub(super) fn grant(&mut self, out: &mut Outbox) {
        let mut idle: Idle = self
            .workers
            .iter()
            .filter(|(_, worker)| worker.idle(self.now))
            .map(|(id, worker)| (worker.spoilt, id.clone()))
            .collect();
        if idle.is_empty() || self.parked || self.suspended {
            return;
        }
        let Claims {
            mut claims,
            mut held,
        } = self.claims();
        while !idle.is_empty()
            && let Some(next) = self.next_claim(&claims, &held)
        {
            let Some(claim) = claims.get_mut(next) else {
                return;
            };
            let sweep = claim.sweep.clone();
            let due = claim.due.get_or_insert_with(|| self.due_work(&sweep));
            let Some(kind) = due.pop_front() else {
                claims.remove(next);
                continue;
            };
            let work = self.sweeps.get(&sweep).and_then(|sweep| sweep.work(kind));
            let Some(candidate) = work.and_then(|work| self.candidate(work, &idle)) else {
                continue;
            };
            idle.remove(&candidate);
            claim.leases += 1;
            if let Some(held) = held.get_mut(claim.owner) {
                *held += 1;
            }
            self.grant_to(&candidate.1, &sweep, kind, out);
        }
    }

    /// How many leases the sweeps of each owner hold.
    pub(super) fn leases_by_owner(&self) -> BTreeMap<String, u32> {
        let mut held = BTreeMap::new();
        for sweep in self.active.iter().filter_map(|id| self.sweeps.get(id)) {
            *held.entry(sweep.request.owner.clone()).or_insert(0) += sweep.leases;
        }
        held
    }

    /// The sweeps that have work which may be granted now.
    fn claims(&self) -> Claims {
        let mut claims = Vec::new();
        let mut held: Vec<u32> = Vec::new();
        let mut owners = BTreeMap::new();
        for sweep in self.active.iter().filter_map(|id| self.sweeps.get(id)) {
            let owner = *owners
                .entry(sweep.request.owner.as_str())
                .or_insert_with(|| {
                    held.push(0);
                    held.len() - 1
                });
            if let Some(held) = held.get_mut(owner) {
                *held += sweep.leases;
            }
            if self.due(sweep).next().is_some() {
                claims.push(Claim {
                    sweep: sweep.id.clone(),
                    priority: sweep.request.priority,
                    owner,
                    leases: sweep.leases,
                    due: None,
                });
            }
        }
        Claims { claims, held }
    }

    fn next_claim(&self, claims: &[Claim], held: &[u32]) -> Option<usize> {
        let most = self.options.max_leases_per_owner.unwrap_or(u32::MAX);
        let held = |claim: &Claim| held.get(claim.owner).copied().unwrap_or(0);
        claims
            .iter()
            .enumerate()
            .filter(|(_, claim)| held(claim) < most)
            .min_by_key(|(_, claim)| (Reverse(claim.priority), held(claim), claim.leases))
            .map(|(index, _)| index)
    }

    /// Work of a sweep that may be granted now.
    fn due<'a>(&'a self, sweep: &'a Sweep) -> impl Iterator<Item = &'a Work> {
        sweep.waiting().filter(|work| work.not_before <= self.now)
    }

    fn due_work(&self, sweep: &SweepId) -> VecDeque<WorkKind> {
        let sweep = self.sweeps.get(sweep);
        let due = sweep.into_iter().flat_map(|sweep| self.due(sweep));
        due.map(|work| work.kind).collect()
    }

    fn candidate(&self, work: &Work, idle: &Idle) -> Option<(u32, WorkerId)> {
        let untried = |id: &WorkerId| !work.failed_by().contains_key(id);
        let another = || {
            let mut workers = self.workers.iter();
            workers.any(|(id, worker)| worker.usable(self.now) && untried(id))
        };
        let fresh = idle.iter().find(|(_, id)| untried(id));
        fresh
            .or_else(|| idle.first().filter(|_| !another()))
            .cloned()
    }

    fn grant_to(&mut self, id: &WorkerId, sweep_id: &SweepId, kind: WorkKind, out: &mut Outbox) {
        let (Some(worker), Some(sweep)) = (self.workers.get_mut(id), self.sweeps.get_mut(sweep_id))
        else {
            return;
        };
        if sweep.announced.insert(id.clone()) {
            out.publish(
                sweep,
                Happening::WorkerJoined {
                    worker: id.clone(),
                    device: worker.device.clone(),
                    versions: worker.versions.clone(),
                },
            );
        }
        let holder = Holder {
            worker: id.clone(),
            incarnation: worker.incarnation,
        };
        let token = self.fence.mint(holder.clone());
        let Some(attempt) = self.start_attempt(sweep_id, kind, holder, token) else {
            return;
        };
        if let Some(sweep) = self.sweeps.get_mut(sweep_id) {
            out.publish(sweep, attempt);
        }
        if let Some(command) = self.order_for(sweep_id, kind, token) {
            out.send(id, command);
        }
    }

    /// What a grant changes, live as in the log; the happening that says so.
    pub(super) fn start_attempt(
        &mut self,
        id: &SweepId,
        kind: WorkKind,
        holder: Holder,
        token: LeaseToken,
    ) -> Option<Happening> {
        let sweep = self.sweeps.get_mut(id)?;
        let attempt = sweep.start_attempt(kind, holder.worker.clone(), token, self.now)?;
        let usual_start_ms = sweep.usual_start_ms(&holder.worker, holder.incarnation);
        let granted = Happening::Granted {
            worker: holder.worker.clone(),
            incarnation: holder.incarnation,
            work: kind,
            attempt,
            token,
        };
        if let Some(worker) = self.workers.get_mut(&holder.worker)
            && worker.incarnation == holder.incarnation
        {
            worker.lease = Some(token);
        }
        let lease = Lease::new(id.clone(), kind, holder, self.now, usual_start_ms);
        self.leases.insert(token, lease);
        Some(granted)
    }

    /// What the holder of a lease is told to do.
    pub(super) fn order_for(
        &self,
        id: &SweepId,
        kind: WorkKind,
        token: LeaseToken,
    ) -> Option<Command> {
        let sweep = id.clone();
        Some(match kind {
            WorkKind::Describe => Command::Describe { sweep, token },
            WorkKind::Probe => Command::Probe {
                sweep,
                token,
                steps: self.sweeps.get(id)?.probe_steps,
            },
            WorkKind::Task(task) => {
                let known = self.sweeps.get(id)?;
                let task = known.task(task)?.task;
                let steps = task.warm_up_start as usize..task.end as usize;
                Command::Assign {
                    sweep,
                    token,
                    task,
                    learning_rates: known.learning_rates.get(steps)?.to_vec(),
                }
            }
        })
    }
}
