//! What workers report under a lease.

use super::fencing::{Holder, Reply};
use super::lease::Lease;
use super::machine::State;
use super::message::{Command, Halt, Report};
use super::outbox::Outbox;
use super::replica::TaskWork;
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

impl State {
    /// The one place at which it is decided whether a report counts.
    pub(super) fn report(&mut self, holder: &Holder, report: Report, out: &mut Outbox) {
        if let Some(worker) = self.workers.get_mut(&holder.worker)
            && worker.incarnation == holder.incarnation
        {
            self.unsettled |= worker.silent || !worker.connected;
            worker.silent = false;
            // Should the end of an older connection be said after the new one began, this puts it
            // right.
            worker.set_connected(true, self.now);
        }
        let token = match &report {
            Report::Heartbeat(held) => return self.heartbeat(holder, held, out),
            Report::Described(token, _)
            | Report::Probed(token, _)
            | Report::Observations(token, _)
            | Report::Fetched(token, _)
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
        if let Report::Fetched(_, bytes) = report {
            return lease.fetched(self.now, bytes);
        }
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
            (Report::Failed(_, failure), _) => {
                let reply = Reply::Accepted { next_step: 0 };
                self.give_up(token, AttemptOutcome::Failed(failure), reply, out);
            }
            (Report::HandBack(_, reason), _) => self.handed_back(holder, token, reason, out),
            (other, _) => self.misbehaved(
                token,
                format!("the worker answered {work:?} with {}", kind(&other)),
                out,
            ),
        }
        self.look_for_hang(token);
    }

    /// That a holder hangs shows when it is heard.
    pub(super) fn look_for_hang(&mut self, token: LeaseToken) {
        let lease = self.leases.get(&token);
        self.unsettled |=
            lease.is_some_and(|lease| lease.overdue(self.now, &self.options).is_some());
    }

    /// The holder says how far it is.
    pub(super) fn progressed(&mut self, token: LeaseToken, steps: u64) {
        if let Some(lease) = self.leases.get_mut(&token)
            && let Some(start_ms) = lease.progressed(self.now, steps)
            && let Some(sweep) = self.sweeps.get_mut(&lease.sweep)
        {
            sweep.started(lease, start_ms);
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
        out.publish(
            sweep,
            Happening::Described {
                described: described.clone(),
            },
        );
        if let Err(error) = sweep.describe(described, &self.options) {
            self.end_sweep(id, Outcome::Failed(users_mistake(error)), out);
        }
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
            Some(Err(message)) => self.misbehaved(token, message, out),
            Some(Ok((fresh, replica, next_step))) => {
                let is_new = !fresh.is_empty();
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
                    let accepted = sweep
                        .task(task_id)
                        .map_or(0, |task| task.work.observations().len());
                    self.progressed(token, accepted as u64);
                    if let Some(lease) = self.leases.get_mut(&token) {
                        lease.accepted(self.now);
                    }
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
            Err(message) => return self.misbehaved(token, message, out),
        };
        task.finish(&outcome);
        let replica = task.task.replica;
        self.close(token, outcome, Reply::Accepted { next_step: end }, out);
        self.credit(holder, id, task_id, out);
        self.advance(id, replica, out);
    }

    /// A worker broke the protocol: its attempt has failed.
    fn misbehaved(&mut self, token: LeaseToken, message: String, out: &mut Outbox) {
        let failure = Failure {
            kind: FailureKind::Worker,
            code: Code::Protocol,
            message,
            fields: Vec::new(),
        };
        let reply = Reply::Halt(Halt::Superseded);
        self.give_up(token, AttemptOutcome::Failed(failure), reply, out);
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
        let reply = Reply::Accepted { next_step: 0 };
        self.give_up(token, AttemptOutcome::Preempted(reason), reply, out);
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
            let loss = match observation.loss {
                // One NaN for all, since JSON knows but one.
                loss if loss.is_nan() => f64::NAN,
                loss => loss,
            };
            // The curve stands at the learning rates of the schedule, bit for bit.
            fresh.push(Observation {
                lr,
                loss,
                ..*observation
            });
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
        Report::Fetched(..) => "the arrival of files",
        Report::Observations(..) => "observations",
        Report::Finished { .. } => "the end of a task",
        Report::Failed(..) => "a failure",
        Report::HandBack(..) => "handing it back",
    }
}
