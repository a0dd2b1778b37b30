//! Documents to draw: curves of small nets and of noise, with what the rule makes of them.

pub use super::variants::{ended, every_option, failure, linear, plan, split};
use crate::document::{Parts, SweepDocument, Timings};
use rangefinder_proto::v1::SweepSpec;
use rangefinder_sweep::curve::StopReason;
use rangefinder_sweep::event::{AttemptOutcome, Described, Observation, Outcome, Parameter};
use rangefinder_sweep::ids::{LeaseToken, TaskId, WorkerId};
use rangefinder_sweep::plan::{Probe, Task};
use rangefinder_sweep::state::{Attempt, ReplicaResult, SweepResult, TaskResult};
use rangefinder_sweep::suggest::{
    Answer, Interval, IntervalMethod, MethodValue, Reason, Suggestion, Value, Verdict,
};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Cases {
    cases: Vec<Case>,
}

/// A curve and what the rule makes of it.
#[derive(Clone, Deserialize)]
pub struct Case {
    name: String,
    lr_min: f64,
    lr_max: f64,
    steps: usize,
    replicas: Vec<Losses>,
    usable: bool,
    log10_lr: Vec<Option<f64>>,
    used: Option<usize>,
}

#[derive(Clone, Deserialize)]
#[serde(transparent)]
struct Losses(#[serde(with = "rangefinder_sweep::number::list")] Vec<f64>);

/// Everything that a picture is made from; change what a test is about, then call `document`.
#[derive(Clone, Debug)]
pub struct Sample {
    pub spec: SweepSpec,
    pub learning_rates: Vec<f64>,
    pub result: SweepResult,
    pub answer: Option<Answer>,
    pub values: Vec<Option<Value>>,
}

impl Sample {
    pub fn document(&self) -> SweepDocument {
        SweepDocument::new(Parts {
            spec: &self.spec,
            learning_rates: &self.learning_rates,
            result: &self.result,
            answer: self.answer.as_ref(),
            replica_values: &self.values,
            versions: BTreeMap::from([
                ("libtorch".to_owned(), "2.11.0".to_owned()),
                ("rangefinder".to_owned(), "0.1.0".to_owned()),
            ]),
            timings: Timings {
                wall_seconds: 2.25,
                training_seconds: 1.5,
                steps_run: 120,
                steps_per_second: 80.0,
            },
        })
    }
}

/// The named case of `data/curves.json`.
pub fn sample(name: &str) -> Sample {
    let Cases { cases } = serde_json::from_str(include_str!("data/curves.json")).unwrap();
    let case = cases.into_iter().find(|case| case.name == name).unwrap();
    let replicas: Vec<Vec<f64>> = case
        .replicas
        .iter()
        .map(|losses| losses.0.clone())
        .collect();
    make(
        &case,
        &exponential(case.lr_min, case.lr_max, case.steps),
        &replicas,
    )
}

/// A curve with a plateau at `high`, a fall to `low` and an explosion, `steps` long, for each seed.
pub fn drawn(steps: usize, low: f64, high: f64, seeds: u64) -> Sample {
    let lrs = exponential(1e-8, 1.0, steps);
    let replicas: Vec<Vec<f64>> = (0..seeds)
        .map(|seed| {
            let mut noise = Noise(seed.wrapping_mul(7919) + 1);
            let shift = 0.15 * noise.next();
            let loss = |lr: &f64| {
                let x = lr.log10() + shift;
                let fall = 1.0 / (1.0 + (-(x + 2.6) * 3.0).exp());
                let rise = (3.5 * (x + 0.75)).exp();
                high - (high - low) * fall + (high - low) * (rise + 0.06 * noise.next())
            };
            lrs.iter().map(loss).collect()
        })
        .collect();
    let values = vec![Some(-2.1); replicas.len()];
    let case = Case {
        name: "drawn".to_owned(),
        lr_min: 1e-8,
        lr_max: 1.0,
        steps,
        replicas: Vec::new(),
        usable: true,
        log10_lr: values
            .iter()
            .enumerate()
            .map(|(i, v)| v.map(|v| v + 0.03 * f64::from(i as u32)))
            .collect(),
        used: None,
    };
    make(&case, &lrs, &replicas)
}

/// A small generator, for noise between -1 and 1 that looks normal.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        (0..4)
            .map(|_| {
                self.0 = self
                    .0
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                (self.0 >> 11) as f64 / (1u64 << 53) as f64 - 0.5
            })
            .sum()
    }
}

pub fn exponential(low: f64, high: f64, steps: usize) -> Vec<f64> {
    let last = (steps.max(2) - 1) as f64;
    (0..steps)
        .map(|i| low * (high / low).powf(i as f64 / last))
        .collect()
}

fn make(case: &Case, lrs: &[f64], replicas: &[Vec<f64>]) -> Sample {
    let h = (case.lr_max / case.lr_min).log10() / (case.steps.max(2) - 1) as f64;
    let results: Vec<ReplicaResult> = replicas
        .iter()
        .enumerate()
        .map(|(index, losses)| replica(index as u32, lrs, losses, case.steps))
        .collect();
    let used = |losses: &[f64]| case.used.unwrap_or_else(|| cut(losses));
    let smoothed: Vec<Vec<f64>> = replicas
        .iter()
        .map(|losses| smooth(&losses[..used(losses)], h))
        .collect();
    let common = smoothed.iter().map(Vec::len).min().unwrap_or(0);
    let mean = (0..common)
        .map(|i| smoothed.iter().map(|s| s[i]).sum::<f64>() / smoothed.len() as f64)
        .collect();
    let values: Vec<Option<Value>> = case
        .log10_lr
        .iter()
        .map(|log| log.map(|log| value(10f64.powf(log), lrs, "auto")))
        .collect();
    let mut sorted: Vec<&Value> = values.iter().flatten().collect();
    sorted.sort_by(|a, b| a.lr.total_cmp(&b.lr));
    let rule_value = sorted.get(sorted.len() / 2).map(|value| (*value).clone());
    let answer = answer(case.usable, rule_value, smoothed, mean, lrs);
    Sample {
        spec: SweepSpec {
            model: Some("mlp".to_owned()),
            data: Some("digits".to_owned()),
            loss: Some("cross_entropy".to_owned()),
            optimizer: Some("adamw".to_owned()),
            batch_size: Some(64),
            seed: Some(0),
            min_lr: Some(case.lr_min),
            max_lr: Some(case.lr_max),
            num_training: Some(case.steps as u32),
            mode: Some("exponential".to_owned()),
            early_stop_threshold: Some(4.0),
            method: Some("auto".to_owned()),
            ..SweepSpec::default()
        },
        learning_rates: lrs.to_vec(),
        result: SweepResult {
            outcome: Some(Outcome::Completed),
            described: Some(described()),
            probe: Some(probe()),
            plan: Some(plan(lrs.len() as u32, 1, replicas.len() as u32)),
            replicas: results,
            warnings: Vec::new(),
        },
        answer: Some(answer),
        values: if replicas.len() > 1 {
            values
        } else {
            Vec::new()
        },
    }
}

/// A probe's answer.
pub fn probe() -> Probe {
    Probe {
        initial_loss: 2.31,
        gradient_squared: 0.42,
        gradient_l1: 61.0,
        seconds_per_step: 0.002,
        peak_memory_bytes: 141_000_000,
    }
}

pub fn described() -> Described {
    Described {
        parameters: vec![Parameter {
            name: "layers.0.weight".to_owned(),
            shape: vec![256, 64],
        }],
        parameter_count: 85_002,
        initial_loss: 2.31,
        optimizer: "adamw".to_owned(),
        beta: Some(0.9),
        seekable: true,
        replayable: true,
        samples: 1797,
        steps_per_epoch: 29,
        effective_batch_size: 64,
    }
}

fn replica(index: u32, lrs: &[f64], losses: &[f64], steps: usize) -> ReplicaResult {
    let kept = stopped(losses);
    let curve: Vec<Observation> = lrs
        .iter()
        .zip(&losses[..kept])
        .enumerate()
        .map(|(step, (lr, loss))| Observation {
            step: step as u32,
            lr: *lr,
            loss: *loss,
            samples: 64,
        })
        .collect();
    let stop = match losses[..kept].last() {
        Some(loss) if !loss.is_finite() => StopReason::NonFinite,
        _ if kept < steps => StopReason::Diverged,
        _ => StopReason::Completed,
    };
    let task = Task {
        id: TaskId(index),
        replica: index,
        segment: 0,
        warm_up_start: 0,
        start: 0,
        end: steps as u32,
    };
    ReplicaResult {
        tasks: vec![TaskResult {
            task,
            attempts: vec![Attempt {
                worker: WorkerId(format!("worker-{index}")),
                token: LeaseToken(u64::from(index) + 3),
                started_ms: 400,
                ended_ms: Some(1900),
                outcome: Some(AttemptOutcome::Completed),
                observations: curve.clone(),
            }],
        }],
        curve,
        stop,
        overlaps: Vec::new(),
    }
}

/// First steps up to and with the one that diverges.
fn stopped(losses: &[f64]) -> usize {
    let infinite = losses
        .iter()
        .position(|loss| !loss.is_finite())
        .map_or(losses.len(), |i| i + 1);
    cut(losses)
        .min(infinite)
        .max(infinite.min(losses.len()).min(cut(losses) + 1))
}

/// Steps that the rule reads.
fn cut(losses: &[f64]) -> usize {
    let (mut ema, mut best) = (0.0, f64::INFINITY);
    for (i, loss) in losses.iter().enumerate() {
        if !loss.is_finite() {
            return i;
        }
        ema = 0.9 * ema + 0.1 * loss;
        let debiased = ema / (1.0 - 0.9f64.powi(i as i32 + 1));
        if best > 0.0 && debiased > 4.0 * best {
            return i + 1;
        }
        best = best.min(debiased);
    }
    losses.len()
}

/// Centred Gaussian of 0.3 decades.
fn smooth(losses: &[f64], h: f64) -> Vec<f64> {
    let r = (1.2 / h).ceil().max(1.0) as usize;
    (0..losses.len())
        .map(|i| {
            let (mut sum, mut weights) = (0.0, 0.0);
            for (k, loss) in losses
                .iter()
                .enumerate()
                .take(i + r + 1)
                .skip(i.saturating_sub(r))
            {
                let weight = (-0.5 * ((k as f64 - i as f64) * h / 0.3).powi(2)).exp();
                (sum, weights) = (sum + weight * loss, weights + weight);
            }
            sum / weights
        })
        .collect()
}

fn value(lr: f64, lrs: &[f64], method: &str) -> Value {
    let index = lrs.partition_point(|other| *other < lr).min(lrs.len() - 1) as u32;
    Value {
        lr,
        index,
        method: method.to_owned(),
    }
}

fn answer(
    usable: bool,
    rule_value: Option<Value>,
    smoothed: Vec<Vec<f64>>,
    mean: Vec<f64>,
    lrs: &[f64],
) -> Answer {
    let replicas = smoothed.len();
    let suggestion = rule_value
        .clone()
        .filter(|_| usable)
        .map(|value| Suggestion {
            interval: Some(Interval {
                low: value.lr / 1.7,
                high: value.lr * 1.7,
                level: 0.9,
                method: if replicas > 1 {
                    IntervalMethod::StudentT
                } else {
                    IntervalMethod::Bootstrap
                },
            }),
            lr: value.lr,
            index: value.index,
            method: value.method,
        });
    let methods = match &rule_value {
        Some(auto) => [
            ("drop50", 0.4),
            ("drop80", 0.8),
            ("drop95", 1.4),
            ("steepest", 0.45),
            ("gmean", 1.1),
            ("minimum", 0.6),
            ("valley", 0.21),
            ("lightning", 0.002),
            ("fastai/valley", 0.2),
        ]
        .iter()
        .map(|(name, factor)| MethodValue {
            method: (*name).to_owned(),
            value: Some(value(auto.lr * factor, lrs, name)),
            why: String::new(),
        })
        .chain([MethodValue {
            method: "torch-lr-finder".to_owned(),
            value: None,
            why: "fewer than 17 points".to_owned(),
        }])
        .collect(),
        None => Vec::new(),
    };
    Answer {
        verdict: if usable {
            Verdict {
                usable,
                reason: None,
                message: "usable: one fall of 1.21 from a plateau at 2.69, 14 standard errors deep"
                    .to_owned(),
            }
        } else {
            Verdict {
                usable,
                reason: Some(Reason::Flat),
                message: "flat: no drop above the noise (1.3 standard errors where 6 are needed); take \
                          2 to 3 times more steps (`num_training`), replicas, or a larger batch, and \
                          check that `max_lr` (1) is high enough to learn"
                    .to_owned(),
            }
        },
        suggestion,
        rule_value,
        methods,
        smoothed,
        mean,
        warnings: Vec::new(),
    }
}

/// Every sample, by name.
pub fn all() -> Vec<(&'static str, Sample)> {
    let mut all: Vec<(&'static str, Sample)> = [
        "falls",
        "explodes",
        "replicas",
        "flat",
        "outlier",
        "rises",
        "infinite",
        "negative",
        "nan",
        "range_too_low",
        "two_steps",
        "constant",
        "all_nan",
    ]
    .into_iter()
    .map(|name| (name, sample(name)))
    .collect();
    let cancelled = ended(
        sample("falls"),
        38,
        Outcome::Cancelled,
        StopReason::Cancelled,
    );
    let failed = ended(
        split(sample("falls"), 4),
        0,
        Outcome::Failed(failure(
            "task 2 failed 3 times; the last words of worker-1: out of file handles",
        )),
        StopReason::Failed,
    );
    all.extend([
        ("segments", split(sample("falls"), 4)),
        ("eight_replicas", drawn(100, 0.3, 2.3, 8)),
        ("long", drawn(1000, 0.3, 2.3, 1)),
        ("tiny_losses", drawn(100, 2e-7, 3e-6, 1)),
        ("huge_losses", drawn(100, 2e5, 3e6, 1)),
        ("every_option", every_option(split(sample("falls"), 4))),
        ("every_option_unusable", every_option(sample("flat"))),
        ("linear", linear(drawn(100, 0.3, 2.3, 1))),
        ("cancelled", cancelled),
        ("failed", failed),
    ]);
    all
}
