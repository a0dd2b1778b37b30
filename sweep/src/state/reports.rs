//! What workers report under a lease.

use super::fencing::{Holder, Reply};
use super::lease::Lease;
use super::machine::State;
use super::message::{Command, Halt, Report};
use super::outbox::Outbox;
use super::replica::TaskWork;
use super::work::Work;
use crate::curve::StopReason;
use crate::event::{
    AttemptOutcome, Described, Failure, FailureKind, FieldError, Happening, Observation, Outcome,
    WorkKind,
};
use crate::ids::{LeaseToken, SweepId, TaskId};
use crate::plan::{self, Probe, Trainability};
use rangefinder_errors::Code;

/// A learning rate may come back this much off, relatively: a trainer may keep it in single
/// precision.
const LR_TOLERANCE: f64 = 1e-6;

/// Steps of a probe whose gradients nobody needs: one that warms up, and one to be timed.
const LEAST_PROBE: u32 = 2;

impl State {
    /// The one place at which it is decided whether a report counts.
    pub(super) fn report(&mut self, holder: &Holder, report: Report, out: &mut Outbox) {
        if let Some(worker) = self.workers.get_mut(&holder.worker)
            && worker.incarnation == holder.incarnation
        {
            worker.silent = false;
            // Should the end of an older connection be said after the new one began, this puts it
            // right.
            worker.connected = true;
        }
        let token = match &report {
            Report::Heartbeat(held) => return self.heartbeat(holder, held, out),
            Report::Described(token, _)
            | Report::Probed(token, _)
            | Report::Observations(token, _)
            | Report::Finished { token, .. }
            | Report::Failed(token, _)
            | Report::HandBack(token, _) => *token,
        };
        if let Err(reply) = self.fence.accepts(token, holder) {
            return out.reply(&holder.worker, token, reply);
        }
        let Some(lease) = self.leases.get_mut(&token) else {
            return;
        };
        lease.renew(self.now);
        let Lease { sweep, work, .. } = lease.clone();
        match (report, work) {
            (Report::Described(_, described), WorkKind::Describe) => {
                self.described(token, &sweep, *described, out);
            }
            (Report::Probed(_, probe), WorkKind::Probe) => self.probed(token, &sweep, probe, out),
            (Report::Observations(_, observations), WorkKind::Task(task)) => {
                self.observed(holder, token, (&sweep, task), &observations, out);
            }
            (Report::Finished { reason, end, .. }, WorkKind::Task(task)) => {
                self.finished(holder, token, (&sweep, task), (reason, end), out);
            }
            (Report::Failed(_, failure), _) => self.failed(holder, token, failure, out),
            (Report::HandBack(_, reason), _) => self.handed_back(holder, token, reason, out),
            (other, _) => self.misbehaved(
                holder,
                token,
                format!("the worker answered {work:?} with {}", kind(&other)),
                out,
            ),
        }
    }

    fn described(
        &mut self,
        token: LeaseToken,
        id: &SweepId,
        described: Described,
        out: &mut Outbox,
    ) {
        self.succeed(token, out);
        let Some(sweep) = self.sweeps.get_mut(id) else {
            return;
        };
        let trainability = Trainability::of(&described);
        sweep.described = Some(described.clone());
        out.publish(sweep, Happening::Described { described });
        // What cannot be planned is not worth a probe, for which a GPU would be taken.
        if let Err(error) = plan::plan(&sweep.request.plan, trainability, None) {
            self.end_sweep(id, Outcome::Failed(users_mistake(error)), out);
            return;
        }
        // Also where the plan needs none of it: a batch that does not fit into memory is found
        // before any task, and people see what a step takes.
        sweep.probe_steps = if plan::could_use_probe(&sweep.request.plan, trainability) {
            self.options.probe_steps
        } else {
            LEAST_PROBE
        };
        sweep.probe = Some(Work::new(WorkKind::Probe));
    }

    fn probed(&mut self, token: LeaseToken, id: &SweepId, probe: Probe, out: &mut Outbox) {
        self.succeed(token, out);
        let Some(sweep) = self.sweeps.get_mut(id) else {
            return;
        };
        sweep.probed = Some(probe);
        out.publish(sweep, Happening::Probed { probe });
        if let Some(trainability) = sweep.described.as_ref().map(Trainability::of) {
            self.make_plan(id, trainability, out);
        }
    }

    fn make_plan(&mut self, id: &SweepId, trainability: Trainability, out: &mut Outbox) {
        let Some(sweep) = self.sweeps.get_mut(id) else {
            return;
        };
        match plan::plan(&sweep.request.plan, trainability, sweep.probed.as_ref()) {
            Ok(plan) => {
                sweep.start_tasks(plan.clone());
                out.publish(sweep, Happening::Planned { plan });
            }
            Err(error) => self.end_sweep(id, Outcome::Failed(users_mistake(error)), out),
        }
    }

    fn observed(
        &mut self,
        holder: &Holder,
        token: LeaseToken,
        (id, task_id): (&SweepId, TaskId),
        observations: &[Observation],
        out: &mut Outbox,
    ) {
        let Some(sweep) = self.sweeps.get_mut(id) else {
            return;
        };
        let rates = std::mem::take(&mut sweep.learning_rates);
        let accepted = sweep.task_mut(task_id).map(|task| {
            let fresh = fresh(task, observations, &rates)?;
            task.work.observe(&fresh);
            Ok((fresh, task.task.replica, task.next_step()))
        });
        sweep.learning_rates = rates;
        match accepted {
            None => {}
            Some(Err(message)) => self.misbehaved(holder, token, message, out),
            Some(Ok((fresh, replica, next_step))) => {
                let is_new = !fresh.is_empty();
                if let Some(lease) = self.leases.get_mut(&token).filter(|_| is_new) {
                    let accepted = sweep
                        .task(task_id)
                        .map_or(0, |task| task.work.observations().len());
                    lease.progressed(self.now, accepted as u64);
                    lease.accepted(self.now);
                }
                if is_new {
                    out.publish(
                        sweep,
                        Happening::Observed {
                            task: task_id,
                            replica,
                            token,
                            observations: fresh,
                        },
                    );
                }
                let command = Command::Ack {
                    token,
                    next_step,
                    finished: false,
                };
                out.send(&holder.worker, command);
                if is_new {
                    self.advance(id, replica, out);
                }
            }
        }
    }

    fn finished(
        &mut self,
        holder: &Holder,
        token: LeaseToken,
        (id, task_id): (&SweepId, TaskId),
        (reason, end): (StopReason, u32),
        out: &mut Outbox,
    ) {
        let Some(task) = self
            .sweeps
            .get_mut(id)
            .and_then(|sweep| sweep.task_mut(task_id))
        else {
            return;
        };
        let next_step = task.next_step();
        if next_step < end && end <= task.task.end {
            // Observations were lost on the way: the answer says from which step on.
            let command = Command::Ack {
                token,
                next_step,
                finished: false,
            };
            return out.send(&holder.worker, command);
        }
        let outcome = match ending(task, reason, end) {
            Ok(outcome) => outcome,
            Err(message) => return self.misbehaved(holder, token, message, out),
        };
        task.ended = Some(
            if task.all_observed() && reason == StopReason::DataExhausted {
                StopReason::Completed
            } else {
                reason
            },
        );
        let replica = task.task.replica;
        self.close(token, outcome, Reply::Accepted { next_step: end }, out);
        self.credit(&holder.worker, id, task_id, out);
        self.advance(id, replica, out);
    }

    fn failed(&mut self, holder: &Holder, token: LeaseToken, failure: Failure, out: &mut Outbox) {
        self.fail(
            holder,
            token,
            failure,
            Reply::Accepted { next_step: 0 },
            out,
        );
    }

    /// A worker broke the protocol: its attempt has failed.
    fn misbehaved(
        &mut self,
        holder: &Holder,
        token: LeaseToken,
        message: String,
        out: &mut Outbox,
    ) {
        let failure = Failure {
            kind: FailureKind::Worker,
            code: Code::Protocol,
            message,
            fields: Vec::new(),
        };
        self.fail(holder, token, failure, Reply::Halt(Halt::Superseded), out);
    }

    fn handed_back(
        &mut self,
        holder: &Holder,
        token: LeaseToken,
        reason: String,
        out: &mut Outbox,
    ) {
        if let Some(worker) = self.workers.get_mut(&holder.worker) {
            // Most often it leaves, and is gone before that.
            worker.rests_until = self.now.after(self.options.lease_ms);
        }
        self.preempt(holder, token, &reason, out);
    }

    /// A description or a probe was accepted.
    fn succeed(&mut self, token: LeaseToken, out: &mut Outbox) {
        self.close(
            token,
            AttemptOutcome::Completed,
            Reply::Accepted { next_step: 0 },
            out,
        );
    }
}

/// The observations that continue the attempt; those accepted before are passed over, those after
/// a gap left out.
fn fresh(
    task: &TaskWork,
    observations: &[Observation],
    rates: &[f64],
) -> Result<Vec<Observation>, String> {
    let range = task.task;
    let mut next = task.next_step();
    let mut fresh = Vec::new();
    for observation in observations {
        let step = observation.step;
        let Some(&lr) = rates
            .get(step as usize)
            .filter(|_| (range.warm_up_start..range.end).contains(&step))
        else {
            return Err(format!(
                "the worker observed step {step}, which is not among the steps {} to {} of task {}",
                range.warm_up_start,
                range.end - 1,
                range.id
            ));
        };
        let agrees = (observation.lr - lr).abs() <= LR_TOLERANCE * lr.abs();
        if !agrees {
            return Err(format!(
                "the worker ran step {step} of task {} at learning rate {:e} instead of {lr:e}",
                range.id, observation.lr
            ));
        }
        if step == next {
            next += 1;
            // The curve stands at the learning rates of the schedule, bit for bit.
            fresh.push(Observation { lr, ..*observation });
        }
    }
    Ok(fresh)
}

/// How an attempt ended that reports its end at `end`, up to which everything was observed.
fn ending(task: &TaskWork, reason: StopReason, end: u32) -> Result<AttemptOutcome, String> {
    let id = task.task.id;
    let next_step = task.next_step();
    if end > task.task.end {
        return Err(format!(
            "the worker ended task {id} at step {end}, but it ends at step {}",
            task.task.end
        ));
    }
    if end < next_step {
        return Err(format!(
            "the worker ended task {id} before step {end}, but has observed all steps before {next_step}"
        ));
    }
    match reason {
        StopReason::Completed | StopReason::DataExhausted if task.all_observed() => {
            Ok(AttemptOutcome::Completed)
        }
        StopReason::Completed => Err(format!(
            "the worker called task {id} complete before step {end}, but it ends before step {}",
            task.task.end
        )),
        StopReason::DataExhausted => Ok(AttemptOutcome::DataExhausted),
        StopReason::NonFinite => match task.work.observations().last() {
            Some(last) if !last.loss.is_finite() => Ok(AttemptOutcome::Diverged),
            last => Err(format!(
                "the worker ended task {id} at a loss that is not finite, but the last one was {}",
                last.map_or_else(|| "none".to_owned(), |last| last.loss.to_string())
            )),
        },
        StopReason::Diverged | StopReason::Cancelled | StopReason::Failed => Err(format!(
            "the worker ended task {id} as {reason:?}, which is not its to decide"
        )),
    }
}

fn users_mistake(error: FieldError) -> Failure {
    Failure {
        kind: FailureKind::User,
        code: error.code,
        message: error.to_string(),
        fields: vec![error],
    }
}

fn kind(report: &Report) -> &'static str {
    match report {
        Report::Described(..) => "a description",
        Report::Probed(..) => "a probe",
        Report::Heartbeat(_) => "a heartbeat",
        Report::Observations(..) => "observations",
        Report::Finished { .. } => "the end of a task",
        Report::Failed(..) => "a failure",
        Report::HandBack(..) => "handing it back",
    }
}
