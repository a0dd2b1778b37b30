//! What must hold at the end, whatever happened on the way.

use crate::cluster::Cluster;
use crate::watching::Seen;
use crate::{Result, eventually};
use rangefinder_proto::v1;
use rangefinder_sweep::event::{AttemptOutcome, Happening, Observation, SweepEvent, WorkKind};
use rangefinder_sweep::ids::{LeaseToken, TaskId};
use rangefinder_sweep::plan::{Plan, Task};
use serde_json::Value;
use std::collections::BTreeMap;

/// What of `sweep.json` must be the same, whatever happened.
const SAME: [&str; 11] = [
    "/status",
    "/described",
    "/plan",
    "/learning_rates",
    "/suggestion",
    "/rule_value",
    "/verdict",
    "/methods",
    "/warnings",
    "/stop",
    "/curve",
];

/// The same of each replica.
const SAME_OF_REPLICA: [&str; 5] = ["curve", "stop", "overlaps", "suggestion", "rule_value"];

/// An undisturbed run.
#[derive(Clone, Debug)]
pub struct Reference {
    /// Its plan.
    pub plan: Plan,
    document: Value,
}

impl Reference {
    /// Of a sweep that has ended undisturbed.
    ///
    /// # Errors
    /// When it has not completed with a suggestion, in one attempt a task.
    pub fn of(sweep: &v1::Sweep, document: &Value, seen: &Seen) -> Result<Self> {
        if sweep.state() != v1::SweepState::Completed || sweep.suggestion.is_none() {
            return Err(format!("the undisturbed run has no suggestion: {sweep:?}").into());
        }
        let plan = plan(seen)?;
        let reference = Self {
            plan,
            document: document.clone(),
        };
        for task in &reference.plan.tasks {
            attempts(seen, task, 1, 1)?;
        }
        of_one_attempt_a_task(&reference.plan, document, seen)?;
        Ok(reference)
    }

    /// Holds a completed sweep to this run.
    ///
    /// # Errors
    /// With what differs.
    pub fn equals(&self, sweep: &v1::Sweep, document: &Value, seen: &Seen) -> Result {
        if sweep.state() != v1::SweepState::Completed {
            return Err(format!("the sweep has not completed: {sweep:?}").into());
        }
        for path in SAME {
            same(path, self.document.pointer(path), document.pointer(path))?;
        }
        for replica in 0..self.plan.replicas {
            for part in SAME_OF_REPLICA {
                let path = format!("/replicas/{replica}/{part}");
                same(&path, self.document.pointer(&path), document.pointer(&path))?;
            }
        }
        of_one_attempt_a_task(&self.plan, document, seen)
    }

    /// Holds a sweep that was cancelled when its first replica had the losses before `step` to this
    /// run.
    ///
    /// # Errors
    /// With what differs.
    pub fn begins_as(&self, sweep: &v1::Sweep, document: &Value, step: u32) -> Result {
        if sweep.state() != v1::SweepState::Cancelled {
            return Err(format!("the sweep was not cancelled: {sweep:?}").into());
        }
        for column in ["step", "lr", "loss"] {
            let path = format!("/replicas/0/curve/{column}");
            let whole = self.document.pointer(&path).and_then(Value::as_array);
            let expected = whole.and_then(|whole| whole.get(..step as usize));
            let found = document.pointer(&path).and_then(Value::as_array);
            if found.map(Vec::as_slice) != expected {
                return Err(format!("{path} is {found:?} where {expected:?} is due").into());
            }
        }
        Ok(())
    }
}

/// The plan that was published.
fn plan(seen: &Seen) -> Result<Plan> {
    let plan = seen.events.iter().find_map(|event| match &event.happening {
        Happening::Planned { plan } => Some(plan.clone()),
        _ => None,
    });
    plan.ok_or_else(|| "there is no plan".into())
}

fn same(path: &str, expected: Option<&Value>, found: Option<&Value>) -> Result {
    if expected == found && expected.is_some() {
        return Ok(());
    }
    Err(format!("{path} is {found:?}; undisturbed it was {expected:?}").into())
}

/// A sweep that has ended, and its `sweep.json`.
///
/// # Errors
/// When it is not there in time.
pub async fn ended(cluster: &Cluster<'_>, id: &str) -> Result<(v1::Sweep, Value)> {
    let client = cluster.client()?;
    let mut found = None;
    eventually("the document is there", async || {
        let (sweep, document) = client.get(id, true).await?;
        found = (!document.is_empty()).then_some((sweep, document));
        Ok(found.is_some())
    })
    .await?;
    let (sweep, document) = found.ok_or("there is no document")?;
    Ok((sweep, serde_json::from_str(&document)?))
}

/// How often a task was run must lie within bounds.
///
/// # Errors
/// When it does not; with how the attempts ended.
pub fn attempts(seen: &Seen, task: &Task, least: usize, most: usize) -> Result {
    let attempts = seen.attempts(task.id);
    if (least..=most).contains(&attempts) {
        return Ok(());
    }
    let outcomes: Vec<_> = seen.outcomes(task.id).collect();
    Err(format!(
        "task {:?} was run {attempts} times, and {least} to {most} were due: {outcomes:?}",
        task.id
    )
    .into())
}

/// Of every task, the losses of one attempt count, which brought each step once and in order; what
/// the curve shows are these, and nothing was accepted of an attempt that had ended.
fn of_one_attempt_a_task(plan: &Plan, document: &Value, seen: &Seen) -> Result {
    let accepted = Accepted::of(&seen.events)?;
    for task in &plan.tasks {
        let Some(token) = accepted.counts.get(&task.id) else {
            return Err(format!("no attempt of task {:?} counts", task.id).into());
        };
        let losses = accepted.losses.get(token).map_or(&[][..], Vec::as_slice);
        let own = |step: u32| (task.start..task.end).contains(&step);
        let path = format!("/replicas/{}/curve", task.replica);
        let curve = document.pointer(&path).ok_or("there is no curve")?;
        let column = |name: &str| curve.get(name).and_then(Value::as_array);
        let steps = column("step").ok_or("the curve has no steps")?;
        let shown = column("loss").ok_or("the curve has no losses")?;
        for (step, loss) in steps.iter().zip(shown) {
            let step = u32::try_from(step.as_u64().ok_or("a step is no number")?)?;
            if !own(step) {
                continue;
            }
            let brought = losses.iter().find(|observation| observation.step == step);
            let brought = brought.ok_or_else(|| format!("step {step} came from nowhere"))?;
            if serde_json::to_value(brought)?.get("loss") != Some(loss) {
                return Err(format!("step {step} is {loss}, and {brought:?} was accepted").into());
            }
        }
    }
    Ok(())
}

/// What was accepted under each lease.
#[derive(Debug, Default)]
struct Accepted {
    losses: BTreeMap<LeaseToken, Vec<Observation>>,
    /// The attempt of each task that counts.
    counts: BTreeMap<TaskId, LeaseToken>,
}

impl Accepted {
    fn of(events: &[SweepEvent]) -> Result<Self> {
        let mut accepted = Self::default();
        let mut open: BTreeMap<LeaseToken, WorkKind> = BTreeMap::new();
        for event in events {
            match &event.happening {
                Happening::Granted { work, token, .. } => {
                    if open.values().any(|other| other == work) {
                        return Err(format!("two leases of {work:?} at once").into());
                    }
                    open.insert(*token, *work);
                }
                Happening::Observed {
                    task,
                    token,
                    observations,
                    ..
                } => {
                    if open.get(token) != Some(&WorkKind::Task(*task)) {
                        return Err(format!("losses under {token:?}, which is not held").into());
                    }
                    let losses = accepted.losses.entry(*token).or_default();
                    for observation in observations {
                        if losses.last().is_some_and(|last| last.step + 1 != observation.step) {
                            return Err(format!("{token:?}: a gap at {observation:?}").into());
                        }
                        losses.push(*observation);
                    }
                }
                Happening::AttemptEnded {
                    work,
                    token,
                    outcome,
                    ..
                } => {
                    if open.remove(token) != Some(*work) {
                        return Err(format!("{token:?} ended, and was not held").into());
                    }
                    if let WorkKind::Task(task) = work
                        && matches!(
                            outcome,
                            AttemptOutcome::Completed
                                | AttemptOutcome::Diverged
                                | AttemptOutcome::DataExhausted
                        )
                        && accepted.counts.insert(*task, *token).is_some()
                    {
                        return Err(format!("two attempts of task {task:?} count").into());
                    }
                }
                _ => {}
            }
        }
        Ok(accepted)
    }
}
