//! A sweep: its stage, its work, its replicas.

use super::lease::Lease;
use super::message::{Options, SweepRequest, Time};
use super::replica::{Replica, TaskWork};
use super::result::SweepResult;
use super::starving::Starving;
use super::work::{Judgement, Work};
use crate::curve::{StopReason, overlap};
use crate::event::{AttemptOutcome, Described, Failure, FieldError, Outcome, WorkKind};
use crate::ids::{Incarnation, LeaseToken, SweepId, TaskId, WorkerId};
use crate::plan::{self, Plan, Probe, Trainability, Warning};
use std::collections::{BTreeMap, BTreeSet};

/// Steps of a probe whose gradients nobody needs: one that warms up, and one to be timed.
const LEAST_PROBE: u32 = 2;

#[derive(Clone, Debug)]
pub(super) struct Sweep {
    pub id: SweepId,
    pub request: SweepRequest,
    /// Happenings published so far.
    pub events: u64,
    pub describe: Work,
    /// `None` until the sweep is described.
    pub probe: Option<Work>,
    /// Steps of the probe.
    pub probe_steps: u32,
    pub described: Option<Described>,
    pub probed: Option<Probe>,
    pub plan: Option<Plan>,
    pub learning_rates: Vec<f64>,
    /// Tasks in the order in which they are granted.
    pub order: Vec<TaskId>,
    /// How many of these, from the first on, are known not to wait: what is due is asked after every
    /// event, and most tasks are held or done.
    begun: usize,
    pub replicas: Vec<Replica>,
    pub outcome: Option<Outcome>,
    /// The last failure that a worker reported.
    pub last_failure: Option<Failure>,
    /// Since when it has work and no worker.
    pub starving: Option<Starving>,
    /// Leases that it holds.
    pub leases: u32,
    /// Workers that were announced to those who watch it, and that are not gone since.
    pub announced: BTreeSet<WorkerId>,
    /// Workers that were set aside for what they did to it.
    pub set_aside: BTreeMap<WorkerId, Incarnation>,
    /// The longest that each process took to the first step of a task.
    pub starts_ms: BTreeMap<WorkerId, (Incarnation, u64)>,
}

impl Sweep {
    pub(super) fn new(id: SweepId, request: SweepRequest) -> Self {
        Self {
            id,
            request,
            events: 0,
            describe: Work::new(WorkKind::Describe),
            probe: None,
            probe_steps: 0,
            described: None,
            probed: None,
            plan: None,
            learning_rates: Vec::new(),
            order: Vec::new(),
            begun: 0,
            replicas: Vec::new(),
            outcome: None,
            last_failure: None,
            starving: None,
            leases: 0,
            announced: BTreeSet::new(),
            set_aside: BTreeMap::new(),
            starts_ms: BTreeMap::new(),
        }
    }

    pub(super) fn active(&self) -> bool {
        self.outcome.is_none()
    }

    /// Model and data are known: what follows is the probe, or the mistake because of which no
    /// plan can be made.
    pub(super) fn describe(
        &mut self,
        described: Described,
        options: &Options,
    ) -> Result<(), FieldError> {
        let trainability = Trainability::of(&described);
        self.described = Some(described);
        // What cannot be planned is not worth a probe, for which a GPU would be taken.
        plan::plan(&self.request.plan, trainability, None)?;
        // Also where the plan needs none of it: a batch that does not fit into memory is found
        // before any task, and people see what a step takes.
        self.probe_steps = if plan::could_use_probe(&self.request.plan, trainability) {
            options.probe_steps
        } else {
            LEAST_PROBE
        };
        self.probe = Some(Work::new(WorkKind::Probe));
        Ok(())
    }

    /// An attempt ends: its observations stay only if it brought a result. Says what follows if it
    /// brought none.
    pub(super) fn end_attempt(
        &mut self,
        lease: &Lease,
        outcome: &AttemptOutcome,
        now: Time,
        options: &Options,
    ) -> Option<Judgement> {
        self.leases = self.leases.saturating_sub(1);
        let holder = &lease.holder;
        let work = self.work_mut(lease.work)?;
        work.end(outcome.clone(), now);
        let judgement = match outcome {
            AttemptOutcome::Failed(failure) => {
                let judgement = work.judge_failed(holder, failure, options);
                self.last_failure = Some(failure.clone());
                judgement
            }
            AttemptOutcome::Lost(cause) => work.judge_lost(&holder.worker, cause, now, options),
            AttemptOutcome::Preempted(reason) => {
                work.handed_back(holder);
                work.judge_lost(&holder.worker, reason, now, options)
            }
            AttemptOutcome::Completed
            | AttemptOutcome::Diverged
            | AttemptOutcome::DataExhausted
            | AttemptOutcome::Cancelled => return None,
        };
        // It waits again.
        self.begun = 0;
        if let WorkKind::Task(id) = lease.work
            && let Some(task) = self.task(id).map(|task| task.task)
            && let Some(replica) = self.replicas.get_mut(task.replica as usize)
        {
            replica.forget(task.segment);
        }
        Some(judgement)
    }

    /// Merges what has arrived of a replica; `Some` when that decides its stop.
    pub(super) fn merge(&mut self, replica: u32) -> Option<StopReason> {
        let rates = &self.learning_rates;
        self.replicas.get_mut(replica as usize)?.advance(rates)
    }

    /// Whether a task of a replica that has stopped has a share in its curve.
    pub(super) fn in_curve(&self, id: TaskId) -> bool {
        self.task(id).is_some_and(|task| {
            let replica = self.replicas.get(task.task.replica as usize);
            replica.is_some_and(|replica| (task.task.start as usize) < replica.curve.len())
        })
    }

    /// It has ended.
    pub(super) fn end(&mut self, outcome: Outcome) {
        self.outcome = Some(outcome);
        self.starving = None;
        self.announced.clear();
        self.starts_ms.clear();
    }

    /// A process took so long to the first step of a task.
    pub(super) fn started(&mut self, lease: &Lease, start_ms: u64) {
        let start = self
            .starts_ms
            .entry(lease.holder.worker.clone())
            .or_insert((lease.holder.incarnation, 0));
        if start.0 == lease.holder.incarnation {
            start.1 = start.1.max(start_ms);
        } else {
            *start = (lease.holder.incarnation, start_ms);
        }
    }

    /// The longest that this process took to the first step of a task.
    pub(super) fn usual_start_ms(&self, worker: &WorkerId, process: Incarnation) -> Option<u64> {
        let (incarnation, start_ms) = self.starts_ms.get(worker)?;
        (*incarnation == process).then_some(*start_ms)
    }

    /// Starts the tasks of a plan.
    pub(super) fn start_tasks(&mut self, plan: Plan) {
        self.learning_rates = self.request.plan.range.learning_rates();
        self.order = plan.grant_order();
        self.replicas = (0..plan.replicas)
            .map(|replica| {
                let tasks = plan.tasks.iter().filter(|task| task.replica == replica);
                Replica::new(tasks.copied().collect(), self.request.stop)
            })
            .collect();
        self.plan = Some(plan);
    }

    pub(super) fn task(&self, id: TaskId) -> Option<&TaskWork> {
        let (replica, segment) = self.place(id)?;
        self.replicas.get(replica)?.tasks.get(segment)
    }

    pub(super) fn task_mut(&mut self, id: TaskId) -> Option<&mut TaskWork> {
        let (replica, segment) = self.place(id)?;
        self.replicas.get_mut(replica)?.tasks.get_mut(segment)
    }

    fn place(&self, id: TaskId) -> Option<(usize, usize)> {
        let task = self.plan.as_ref()?.tasks.get(id.0 as usize)?;
        Some((task.replica as usize, task.segment as usize))
    }

    pub(super) fn work(&self, kind: WorkKind) -> Option<&Work> {
        match kind {
            WorkKind::Describe => Some(&self.describe),
            WorkKind::Probe => self.probe.as_ref(),
            WorkKind::Task(id) => self.task(id).map(|task| &task.work),
        }
    }

    pub(super) fn work_mut(&mut self, kind: WorkKind) -> Option<&mut Work> {
        match kind {
            WorkKind::Describe => Some(&mut self.describe),
            WorkKind::Probe => self.probe.as_mut(),
            WorkKind::Task(id) => self.task_mut(id).map(|task| &mut task.work),
        }
    }

    /// An attempt has begun: says its number, from 1; `None` where there is no such work.
    pub(super) fn start_attempt(
        &mut self,
        kind: WorkKind,
        worker: WorkerId,
        token: LeaseToken,
        now: Time,
    ) -> Option<u32> {
        let attempt = self.work_mut(kind)?.start(worker, token, now);
        self.leases += 1;
        while let Some(task) = self.order.get(self.begun).and_then(|id| self.task(*id))
            && !task.work.waiting()
        {
            self.begun += 1;
        }
        Some(attempt)
    }

    /// Work that waits to be granted, in the order in which it is.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &Work> {
        let tasks = self.order.iter().skip(self.begun);
        let tasks = tasks.filter_map(|id| self.task(*id));
        let stages = std::iter::once(&self.describe).chain(&self.probe);
        stages
            .chain(tasks.map(|task| &task.work))
            .filter(|work| self.active() && work.waiting())
    }

    /// Of the plan, then of the overlaps by replica: not in the order in which they came up.
    fn warnings(&self) -> Vec<Warning> {
        let of_plan = self.plan.iter().flat_map(|plan| plan.warnings.clone());
        let of_overlaps = (0..)
            .zip(&self.replicas)
            .flat_map(|(number, replica)| overlap::warnings(number, &replica.overlaps));
        of_plan.chain(of_overlaps).collect()
    }

    pub(super) fn result(&self) -> SweepResult {
        let undecided = match self.outcome {
            Some(Outcome::Failed(_)) => StopReason::Failed,
            _ => StopReason::Cancelled,
        };
        SweepResult {
            outcome: self.outcome.clone(),
            described: self.described.clone(),
            probe: self.probed,
            plan: self.plan.clone(),
            replicas: self
                .replicas
                .iter()
                .map(|replica| replica.result(undecided))
                .collect(),
            warnings: self.warnings(),
        }
    }
}
