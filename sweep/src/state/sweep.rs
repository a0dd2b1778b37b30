//! A sweep: its stage, its work, its replicas.

use super::message::{SweepRequest, Time};
use super::replica::{Replica, TaskWork};
use super::result::SweepResult;
use super::work::Work;
use crate::curve::{StopReason, overlap};
use crate::event::{Described, Failure, Outcome, WorkKind};
use crate::ids::{SweepId, TaskId};
use crate::plan::{Plan, Probe, Warning};

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
    pub replicas: Vec<Replica>,
    pub outcome: Option<Outcome>,
    /// The last failure that a worker reported.
    pub last_failure: Option<Failure>,
    /// Since when it has work and no worker.
    pub starving: Option<Starving>,
}

/// A sweep has work, holds no lease, and no worker is there that may take any.
#[derive(Clone, Copy, Debug)]
pub(super) struct Starving {
    pub since: Time,
    /// Whether people were told.
    pub told: bool,
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
            replicas: Vec::new(),
            outcome: None,
            last_failure: None,
            starving: None,
        }
    }

    pub(super) fn active(&self) -> bool {
        self.outcome.is_none()
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

    /// Work that waits to be granted, in the order in which it is.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &Work> {
        let tasks = self.order.iter().filter_map(|id| self.task(*id));
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
