//! Samples with another plan, another end, another schedule.

use super::samples::Sample;
use rangefinder_errors::Code;
use rangefinder_sweep::curve::StopReason;
use rangefinder_sweep::event::{AttemptOutcome, Failure, FailureKind, Observation, Outcome};
use rangefinder_sweep::ids::{LeaseToken, TaskId, WorkerId};
use rangefinder_sweep::plan::{Plan, Split, Task, Warning};
use rangefinder_sweep::state::{Attempt, OverlapCheck, TaskResult};
use rangefinder_sweep::suggest::{Reason, Verdict};

/// A plan of equal segments with a warm-up of one decade.
pub fn plan(steps: u32, segments: u32, replicas: u32) -> Plan {
    let warm_up = steps / 8 + 10;
    let tasks: Vec<Task> = (0..replicas)
        .flat_map(|replica| (0..segments).map(move |segment| (replica, segment)))
        .zip(0..)
        .map(|((replica, segment), id)| {
            let start = steps * segment / segments;
            Task {
                id: TaskId(id),
                replica,
                segment,
                warm_up_start: start.saturating_sub(warm_up),
                start,
                end: steps * (segment + 1) / segments,
            }
        })
        .collect();
    let critical = tasks.iter().map(Task::steps).max().unwrap_or(0);
    Plan {
        split: match (segments, replicas) {
            (1, 1) => Split::None,
            (_, 1) => Split::Segments,
            (1, _) => Split::Replicas,
            _ => Split::Hybrid,
        },
        segments,
        replicas,
        workers: segments * replicas,
        warm_up_steps: if segments > 1 { warm_up } else { 0 },
        pruned_before: 0,
        critical_path_steps: critical,
        total_steps: tasks.iter().map(Task::steps).sum(),
        unsplit_steps: steps * replicas,
        speed_up: f64::from(steps * replicas) / f64::from(critical.max(1)),
        speed_up_bound: if segments > 1 { 8.0 } else { f64::INFINITY },
        expected_error_decades: if segments > 1 { 0.113 } else { 0.0 },
        expected_bias_decades: if segments > 1 { 0.07 } else { 0.0 },
        warnings: Vec::new(),
        tasks,
    }
}

/// The sample, cut into segments: each observation goes to the task that owns it.
pub fn split(mut sample: Sample, segments: u32) -> Sample {
    let plan = plan(sample.learning_rates.len() as u32, segments, 1);
    let replica = &mut sample.result.replicas[0];
    replica.tasks = plan
        .tasks
        .iter()
        .map(|task| {
            let seen = |observation: &&Observation| {
                (task.warm_up_start..task.end).contains(&observation.step)
            };
            let lost = Attempt {
                worker: WorkerId("worker-9".to_owned()),
                token: LeaseToken(1),
                started_ms: 300,
                ended_ms: Some(390),
                outcome: Some(AttemptOutcome::Lost(
                    "its process was killed by signal 9".to_owned(),
                )),
                observations: Vec::new(),
            };
            let counted = Attempt {
                worker: WorkerId(format!("worker-{}", task.segment)),
                token: LeaseToken(u64::from(task.id.0) + 3),
                started_ms: 400,
                ended_ms: Some(1900),
                outcome: Some(AttemptOutcome::Completed),
                observations: replica.curve.iter().filter(seen).copied().collect(),
            };
            let attempts = if task.segment == 1 {
                vec![lost, counted]
            } else {
                vec![counted]
            };
            TaskResult {
                task: *task,
                attempts,
            }
        })
        .collect();
    replica.overlaps = plan
        .tasks
        .iter()
        .skip(1)
        .map(|task| OverlapCheck {
            segment: task.segment,
            from: task.start.saturating_sub(5),
            to: task.start,
            delta: 0.021 * f64::from(task.segment),
            past_minimum: false,
        })
        .collect();
    sample.result.warnings = vec![Warning {
        code: "overlap_differs".to_owned(),
        message: "segment 2 differs from segment 1 by 0.042 where both computed the same steps (notice above 0.03)".to_owned(),
    }];
    sample.result.plan = Some(plan);
    sample
}

/// The sample with accumulated batches, groups of parameters and an evaluation.
pub fn every_option(mut sample: Sample) -> Sample {
    let spec = &mut sample.spec;
    spec.accumulate = Some(8);
    spec.groups = vec![
        "*.bias:weight_decay=0".to_owned(),
        "layers.0.*:lr=0.1".to_owned(),
        "head.*:lr=10,weight_decay=0".to_owned(),
    ];
    spec.eval_data = Some("/data/validation.npz".to_owned());
    spec.eval_batches = Some(8);
    spec.eval_every = Some(5);
    if let Some(described) = &mut sample.result.described {
        described.effective_batch_size = 512;
    }
    sample
}

/// The sample, ended after `steps` by the given outcome.
pub fn ended(mut sample: Sample, steps: usize, outcome: Outcome, reason: StopReason) -> Sample {
    for replica in &mut sample.result.replicas {
        replica.curve.truncate(steps);
        replica.stop = reason;
    }
    if let Some(answer) = &mut sample.answer {
        answer
            .smoothed
            .iter_mut()
            .for_each(|smoothed| smoothed.truncate(steps));
        answer.mean.truncate(steps);
        answer.suggestion = None;
        answer.rule_value = None;
        answer.verdict = Verdict {
            usable: false,
            reason: Some(Reason::Flat),
            message: "flat: the loss had not fallen when the sweep was cancelled".to_owned(),
        };
        answer.methods.clear();
    }
    sample.result.outcome = Some(outcome);
    sample
}

pub fn failure(message: &str) -> Failure {
    Failure {
        kind: FailureKind::Worker,
        code: Code::WorkerFailed,
        message: message.to_owned(),
        fields: Vec::new(),
    }
}

/// The sample over a linear range.
pub fn linear(mut sample: Sample) -> Sample {
    sample.spec.mode = Some("linear".to_owned());
    let steps = sample.learning_rates.len();
    sample.learning_rates = (0..steps)
        .map(|i| 1e-8 + i as f64 / (steps - 1) as f64)
        .collect();
    for replica in &mut sample.result.replicas {
        for observation in &mut replica.curve {
            observation.lr = sample.learning_rates[observation.step as usize];
        }
    }
    if let Some(answer) = &mut sample.answer {
        let index = answer
            .suggestion
            .as_ref()
            .map_or(0, |suggestion| suggestion.index as usize);
        let lr = sample.learning_rates[index];
        if let Some(suggestion) = &mut answer.suggestion {
            suggestion.lr = lr;
            suggestion.interval = None;
        }
    }
    sample
}
