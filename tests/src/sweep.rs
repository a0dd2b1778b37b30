//! Sweeps of the mock trainer.

use rangefinder_config::{AnswerSettings, Device, Resolved};
use rangefinder_coordinator::record::Creation;
use rangefinder_coordinator::run::{Error, Finished, Options, Start, Told, one_shot};
use rangefinder_proto::v1;
use rangefinder_report::SweepDocument;
use rangefinder_session::mock::Config;
use rangefinder_sweep::curve::StopRule;
use rangefinder_sweep::event::{AttemptOutcome, SweepEvent};
use rangefinder_sweep::plan::{PlanRequest, Split};
use rangefinder_sweep::schedule::{Grid, Mode, Range};
use rangefinder_sweep::state::SweepRequest;
use rangefinder_sweep::suggest::Method;
use tokio_util::sync::CancellationToken;

/// Steps of every sweep here.
pub const STEPS: u32 = 100;

/// A sweep of [`STEPS`] steps from 1e-8 to 1 that never stops early, so that every step counts.
#[must_use]
pub fn resolved(split: Split, workers: u32, script: &Config) -> Resolved {
    let range = Range {
        mode: Mode::Exponential,
        grid: Grid::BothEnds,
        min_lr: 1e-8,
        max_lr: 1.0,
        steps: STEPS,
    };
    let plan = PlanRequest {
        range,
        split,
        segments: None,
        replicas: None,
        overlap_decades: 1.0,
        workers,
        updates_per_step: 1,
        largest_lr_ratio: 1.0,
    };
    let stop = StopRule {
        threshold: f64::INFINITY,
        profile: None,
        planned_steps: STEPS,
    };
    let trainer = v1::TrainerSpec {
        trainer: Some(v1::trainer_spec::Trainer::Custom(v1::Custom {
            entry: "mock".to_owned(),
            config: serde_json::to_vec(script).unwrap_or_default(),
        })),
        optimizer: Some(v1::Optimizer {
            name: "sgd".to_owned(),
            ..v1::Optimizer::default()
        }),
        batch_size: 64,
        shuffle: true,
        seed: 1,
        threads: 1,
        ..v1::TrainerSpec::default()
    };
    Resolved {
        spec: v1::SweepSpec::default(),
        request: SweepRequest {
            plan,
            stop,
            owner: String::new(),
            priority: 0,
        },
        trainer,
        answer: AnswerSettings {
            method: Method::Auto,
            profile: None,
            skip_begin: None,
            skip_end: None,
            threshold: None,
            beta: Some(0.0),
            seed: 1,
        },
        device: Device::Cpu,
        workers,
        workers_per_gpu: 1,
    }
}

/// What the losses of a replica's curve are, step by step and bit for bit.
pub type Bits = Vec<(u32, u64)>;

/// The curve of each replica.
#[must_use]
pub fn curves(document: &SweepDocument) -> Vec<Bits> {
    let replicas = document.replicas.iter();
    replicas
        .map(|replica| {
            let curve = &replica.curve;
            let losses = curve.loss.iter().map(|loss| loss.to_bits());
            curve.step.iter().copied().zip(losses).collect()
        })
        .collect()
}

/// How the attempts of a sweep ended.
#[must_use]
pub fn endings(document: &SweepDocument) -> Vec<AttemptOutcome> {
    let tasks = document.replicas.iter().flat_map(|replica| &replica.tasks);
    tasks
        .flat_map(|task| &task.attempts)
        .filter_map(|attempt| attempt.outcome.clone())
        .collect()
}

/// Runs a new sweep to its end.
///
/// # Errors
/// When it cannot be run.
///
/// # Panics
/// When it is parked instead.
#[expect(
    clippy::panic,
    reason = "what a helper of a test cannot do fails the test"
)]
pub async fn run(
    sweep: &Resolved,
    options: &Options,
    cancel: CancellationToken,
    on_event: &mut (dyn FnMut(&SweepEvent) + Send),
) -> Result<SweepDocument, Error> {
    let start = Start::New(Box::new(Creation::new(sweep, "", None)));
    let mut told = |told: Told<'_>| {
        if let Told::Event(event) = told {
            on_event(event);
        }
    };
    match one_shot(start, options, cancel, &mut told).await? {
        Finished::Ended(document) => Ok(*document),
        Finished::Parked(folder) => panic!("it was parked in {}", folder.display()),
    }
}

/// Options with a worker program and short times.
#[must_use]
pub fn options(worker_program: &str) -> Options {
    let mut options = Options {
        worker_program: Some(worker_program.into()),
        ..Options::default()
    };
    let state = &mut options.engine.state;
    state.heartbeat_ms = 100;
    state.lease_ms = 1_000;
    state.hung_rest_ms = 1_000;
    state.no_worker_ms = 20_000;
    state.backoff_ms = 10;
    options
}
