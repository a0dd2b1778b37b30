//! Who gets which work.
//!
//! The oldest sweep first; within it the stages in order, and the tasks in the plan's order. Work
//! goes to the idle worker that spoilt least, and to one that failed this very work only if no
//! other is there that may take it.

use super::fencing::Holder;
use super::lease::Lease;
use super::machine::State;
use super::message::Command;
use super::outbox::Outbox;
use super::work::Work;
use crate::event::{Happening, WorkKind};
use crate::ids::{LeaseToken, SweepId, WorkerId};

impl State {
    /// Gives waiting work to idle workers.
    pub(super) fn grant(&mut self, out: &mut Outbox) {
        for id in self.active.clone() {
            let Some(sweep) = self.sweeps.get(&id) else {
                continue;
            };
            let due: Vec<WorkKind> = sweep
                .waiting()
                .filter(|work| work.not_before <= self.now)
                .map(|work| work.kind)
                .collect();
            for kind in due {
                if !self.workers.values().any(|worker| worker.idle(self.now)) {
                    return;
                }
                let work = self.sweeps.get(&id).and_then(|sweep| sweep.work(kind));
                if let Some(worker) = work.and_then(|work| self.candidate(work)) {
                    self.grant_to(&worker, &id, kind, out);
                }
            }
        }
    }

    fn candidate(&self, work: &Work) -> Option<WorkerId> {
        let untried = |id: &WorkerId| !work.failed_by().contains_key(id);
        let another = self
            .workers
            .iter()
            .any(|(id, worker)| worker.usable(self.now) && untried(id));
        self.workers
            .iter()
            .filter(|(id, worker)| worker.idle(self.now) && (untried(id) || !another))
            .min_by_key(|(_, worker)| worker.spoilt)
            .map(|(id, _)| id.clone())
    }

    fn grant_to(&mut self, id: &WorkerId, sweep_id: &SweepId, kind: WorkKind, out: &mut Outbox) {
        let (Some(worker), Some(sweep)) = (self.workers.get_mut(id), self.sweeps.get_mut(sweep_id))
        else {
            return;
        };
        let token = self.fence.mint(Holder {
            worker: id.clone(),
            incarnation: worker.incarnation,
        });
        let Some(work) = sweep.work_mut(kind) else {
            return;
        };
        let attempt = work.start(id.clone(), token, self.now);
        worker.lease = Some(token);
        let lease = Lease::new(sweep_id.clone(), kind, id.clone(), self.now);
        self.leases.insert(token, lease);
        out.publish(
            sweep,
            Happening::Granted {
                worker: id.clone(),
                work: kind,
                attempt,
                token,
            },
        );
        if let Some(command) = self.order_for(sweep_id, kind, token) {
            out.send(id, command);
        }
    }

    fn order_for(&self, id: &SweepId, kind: WorkKind, token: LeaseToken) -> Option<Command> {
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
