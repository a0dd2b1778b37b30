//! A document from what the state machine and the rule know.

use super::{
    AttemptDocument, Curve, FORMAT, Losses, ObservedLoss, ReplicaDocument, Status, Stop,
    SweepDocument, TaskDocument, Timings, effective_batch_size,
};
use rangefinder_proto::groups;
use rangefinder_proto::v1::SweepSpec;
use rangefinder_sweep::curve::StopReason;
use rangefinder_sweep::event::{Observation, Outcome};
use rangefinder_sweep::plan::Warning;
use rangefinder_sweep::state::{Attempt, ReplicaResult, SweepResult, TaskResult};
use rangefinder_sweep::suggest::{Answer, MethodValue, Suggestion, Value, not_measured};
use std::collections::BTreeMap;

/// What a document is made from.
#[derive(Clone, Debug)]
pub struct Parts<'a> {
    /// The specification with every field that applies set.
    pub spec: &'a SweepSpec,
    /// Learning rate of every planned step.
    pub learning_rates: &'a [f64],
    /// What is known of the sweep; one that has not ended counts as cancelled.
    pub result: &'a SweepResult,
    /// What was read off the curve; `None` when there is nothing to read.
    pub answer: Option<&'a Answer>,
    /// What the method gives on each replica alone, in their order. May be empty: then a single
    /// replica gets the answer's own value.
    pub replica_values: &'a [Option<Value>],
    /// Versions of the parts that took part.
    pub versions: BTreeMap<String, String>,
    /// How long it took.
    pub timings: Timings,
}

impl SweepDocument {
    /// Puts together what is known.
    #[must_use]
    pub fn new(parts: Parts<'_>) -> Self {
        let Parts {
            spec,
            learning_rates,
            result,
            answer,
            replica_values,
            versions,
            timings,
        } = parts;
        let (status, failure) = match &result.outcome {
            Some(Outcome::Completed) => (Status::Completed, None),
            Some(Outcome::Cancelled) | None => (Status::Cancelled, None),
            Some(Outcome::Failed(failure)) => (Status::Failed, Some(failure.clone())),
        };
        let alone = result.replicas.len() == 1;
        let replicas: Vec<_> = result
            .replicas
            .iter()
            .enumerate()
            .map(|(index, replica)| {
                let smoothed = answer.and_then(|answer| answer.smoothed.get(index));
                let value = match replica_values.get(index) {
                    Some(value) => finite(value.as_ref()),
                    None if alone => answer.and_then(|answer| finite(answer.rule_value.as_ref())),
                    None => None,
                };
                let suggested = answer.is_some_and(|answer| answer.suggestion.is_some());
                replica_document(
                    replica,
                    smoothed.cloned().unwrap_or_default(),
                    value,
                    suggested,
                )
            })
            .collect();
        let stop = replicas
            .iter()
            .filter(|replica| counts(replica, status))
            .min_by_key(|replica| replica.curve.loss.len())
            .map_or_else(
                || Stop {
                    reason: stop_without_curve(status),
                    step: None,
                },
                |replica| replica.stop,
            );
        let mean = answer.map(|answer| answer.mean.clone()).unwrap_or_default();
        Self {
            format: FORMAT,
            status,
            failure,
            spec: spec.clone(),
            described: result.described.clone(),
            probe: result.probe,
            plan: result.plan.clone(),
            steps: u32::try_from(learning_rates.len()).unwrap_or(u32::MAX),
            effective_batch_size: result
                .described
                .as_ref()
                .map(|described| described.effective_batch_size)
                .filter(|size| *size > 0)
                .or_else(|| effective_batch_size(spec)),
            observed_loss: Some(match &spec.eval_data {
                Some(_) => ObservedLoss::Evaluation,
                None => ObservedLoss::Training,
            }),
            learning_rates: learning_rates.to_vec(),
            suggestion: answer.and_then(|answer| suggestion(answer.suggestion.as_ref())),
            rule_value: answer.and_then(|answer| finite(answer.rule_value.as_ref())),
            verdict: answer.map(|answer| answer.verdict.clone()),
            methods: answer.map(methods).unwrap_or_default(),
            warnings: warnings(spec, result, answer),
            stop,
            curve: mean_curve(&replicas, status, mean),
            replicas,
            versions,
            timings: timings.finite(),
        }
    }
}

/// Whether a replica takes part in the sweep's curve. Of a sweep that was broken off, those that
/// had not started yet do not: else nothing would be left of the others.
fn counts(replica: &ReplicaDocument, status: Status) -> bool {
    status == Status::Completed || !replica.curve.loss.is_empty()
}

fn stop_without_curve(status: Status) -> StopReason {
    match status {
        Status::Failed => StopReason::Failed,
        Status::Completed | Status::Cancelled => StopReason::Cancelled,
    }
}

/// A value that is a learning rate: one that is not a finite number is none.
fn finite(value: Option<&Value>) -> Option<Value> {
    value.filter(|value| value.lr.is_finite()).cloned()
}

fn suggestion(suggestion: Option<&Suggestion>) -> Option<Suggestion> {
    let suggestion = suggestion.filter(|suggestion| suggestion.lr.is_finite())?;
    let interval = suggestion.interval.filter(|interval| {
        [interval.low, interval.high, interval.level]
            .iter()
            .all(|end| end.is_finite())
    });
    Some(Suggestion {
        interval,
        ..suggestion.clone()
    })
}

fn methods(answer: &Answer) -> Vec<MethodValue> {
    let method = |it: &MethodValue| {
        let value = finite(it.value.as_ref());
        let lost = it.value.is_some() && value.is_none();
        MethodValue {
            why: if lost {
                "its learning rate is not finite".to_owned()
            } else {
                it.why.clone()
            },
            method: it.method.clone(),
            value,
        }
    };
    answer.methods.iter().map(method).collect()
}

/// Those of the plan, the overlaps, the answer and the settings that it was found with, each once.
fn warnings(spec: &SweepSpec, result: &SweepResult, answer: Option<&Answer>) -> Vec<Warning> {
    let mut all: Vec<Warning> = Vec::new();
    let settings = answer.and_then(|_| not_measured(&unmeasured(spec)));
    let plan = result.plan.iter().flat_map(|plan| &plan.warnings);
    let answer = answer.iter().flat_map(|answer| &answer.warnings);
    for warning in plan.chain(&result.warnings).chain(answer).chain(&settings) {
        if !all.contains(warning) {
            all.push(warning.clone());
        }
    }
    all
}

/// What a specification asks for that the rule was never measured with.
fn unmeasured(spec: &SweepSpec) -> Vec<String> {
    let precision = spec.precision.as_deref().unwrap_or("fp32");
    let ratio = |text: &String| groups::parse(text).is_ok_and(|group| group.lr_ratio != 1.0);
    [
        (
            spec.clip_norm.is_some() || spec.clip_value.is_some(),
            "clipped gradients".to_owned(),
        ),
        (precision != "fp32", format!("precision {precision}")),
        (
            spec.accumulate.is_some_and(|batches| batches > 1),
            "accumulated batches".to_owned(),
        ),
        (
            spec.eval_data.is_some(),
            "the loss of an evaluation".to_owned(),
        ),
        (
            spec.groups.iter().any(ratio),
            "learning rates of groups".to_owned(),
        ),
        (
            spec.weights.is_some() || spec.optimizer_state.is_some(),
            "training on from a checkpoint".to_owned(),
        ),
    ]
    .into_iter()
    .filter_map(|(asked, what)| asked.then_some(what))
    .collect()
}

fn replica_document(
    replica: &ReplicaResult,
    smoothed: Vec<f64>,
    rule_value: Option<Value>,
    suggested: bool,
) -> ReplicaDocument {
    let Losses { step, lr, loss } = losses(&replica.curve);
    ReplicaDocument {
        tasks: replica.tasks.iter().map(task_document).collect(),
        stop: Stop {
            reason: replica.stop,
            step: step.last().copied(),
        },
        curve: Curve {
            step,
            lr,
            loss,
            smoothed,
        },
        overlaps: replica.overlaps.clone(),
        suggestion: rule_value.clone().filter(|_| suggested),
        rule_value,
    }
}

fn task_document(result: &TaskResult) -> TaskDocument {
    let task = &result.task;
    TaskDocument {
        id: task.id,
        segment: task.segment,
        warm_up_start: task.warm_up_start,
        start: task.start,
        end: task.end,
        attempts: result.attempts.iter().map(attempt_document).collect(),
    }
}

fn attempt_document(attempt: &Attempt) -> AttemptDocument {
    AttemptDocument {
        worker: attempt.worker.clone(),
        token: attempt.token,
        started_ms: attempt.started_ms,
        ended_ms: attempt.ended_ms,
        outcome: attempt.outcome.clone(),
        losses: losses(&attempt.observations),
    }
}

fn losses(observations: &[Observation]) -> Losses {
    Losses {
        step: observations
            .iter()
            .map(|observation| observation.step)
            .collect(),
        lr: observations
            .iter()
            .map(|observation| observation.lr)
            .collect(),
        loss: observations
            .iter()
            .map(|observation| observation.loss)
            .collect(),
    }
}

/// The curve of the only replica, or the mean of all that count as far as all of them go.
fn mean_curve(replicas: &[ReplicaDocument], status: Status, smoothed: Vec<f64>) -> Curve {
    let replicas: Vec<_> = replicas
        .iter()
        .filter(|replica| counts(replica, status))
        .collect();
    let Some(shortest) = replicas
        .iter()
        .min_by_key(|replica| replica.curve.loss.len())
    else {
        return Curve::default();
    };
    let curve = &shortest.curve;
    if replicas.len() == 1 {
        let smoothed = if smoothed.is_empty() {
            curve.smoothed.clone()
        } else {
            smoothed
        };
        return Curve {
            smoothed,
            ..curve.clone()
        };
    }
    // The mean of what is smoothed, not the verdict's smoothing of a mean that ends with the
    // shortest replica: that one leaves the band of the replicas near its end.
    let smoothed_each = mean(replicas.iter().map(|replica| &replica.curve.smoothed));
    let smoothed = if smoothed_each.is_empty() {
        smoothed
    } else {
        smoothed_each
    };
    let loss = mean(replicas.iter().map(|replica| &replica.curve.loss));
    Curve {
        step: curve.step.clone(),
        lr: curve.lr.clone(),
        loss,
        smoothed,
    }
}

/// The mean of several columns, as far as all of them go.
fn mean<'a>(columns: impl ExactSizeIterator<Item = &'a Vec<f64>> + Clone) -> Vec<f64> {
    #[expect(clippy::cast_precision_loss, reason = "a count of replicas is small")]
    let count = columns.len() as f64;
    let len = columns.clone().map(Vec::len).min().unwrap_or(0);
    let mut sum = vec![0.0; len];
    for column in columns {
        for (sum, value) in sum.iter_mut().zip(column) {
            *sum += value / count;
        }
    }
    sum
}
