//! Whole sweeps over real gRPC and real worker processes that train nothing, disturbed in every way.
//!
//! - `lost`: workers that are killed, fall silent or hang.
//! - `failures`: workers that fail, or cannot be started.
//! - `endings`: sweeps that are ended before they are done.
//! - `processes`: what the workers are as processes.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what a helper of a test cannot do fails the test"
)]

mod endings;
mod failures;
mod lost;
mod processes;

use rangefinder_coordinator::run::{Error, Options};
use rangefinder_report::SweepDocument;
use rangefinder_report::document::Status;
use rangefinder_session::mock::{Config, Fault, Misdeed};
use rangefinder_sweep::event::{AttemptOutcome, Failure, Happening, SweepEvent};
use rangefinder_sweep::plan::Split;
use rangefinder_tests::processes::{DEADLINE, Process, workers};
use rangefinder_tests::sweep::{self, STEPS, curves, endings, options, resolved};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const WORKER: &str = env!("CARGO_BIN_EXE_scripted-worker");

/// The tests look for workers among the children of this process: one sweep at a time.
static ALONE: Mutex<()> = Mutex::const_new(());

fn own_workers() -> Vec<Process> {
    workers(std::process::id())
}

/// Runs a sweep alone; afterwards no worker may be left.
async fn run(
    split: Split,
    count: u32,
    script: &Config,
    options: &Options,
    cancel: CancellationToken,
    on_event: &mut (dyn FnMut(&SweepEvent) + Send),
) -> Result<SweepDocument, Error> {
    let sweep = resolved(split, count, script);
    let result = timeout(2 * DEADLINE, sweep::run(&sweep, options, cancel, on_event))
        .await
        .expect("the sweep did not end");
    assert_eq!(own_workers(), []);
    result
}

async fn undisturbed(split: Split, count: u32, script: &Config) -> SweepDocument {
    let mut numbers = Vec::new();
    let mut last = None;
    let result = run(
        split,
        count,
        script,
        &options(WORKER),
        CancellationToken::new(),
        &mut |event| {
            numbers.push(event.number);
            last = Some(event.happening.clone());
        },
    )
    .await
    .unwrap();
    assert!((1..).zip(&numbers).all(|(count, number)| count == *number));
    assert!(matches!(last, Some(Happening::Ended { .. })), "{last:?}");
    result
}

fn slow(step_ms: f64) -> Config {
    Config {
        step_ms,
        ..Config::default()
    }
}

fn faulty(step: u64, what: Misdeed) -> Config {
    Config {
        faults: vec![Fault {
            step,
            what,
            times: None,
        }],
        ..Config::default()
    }
}

fn failure(document: &SweepDocument) -> &Failure {
    match &document.failure {
        Some(failure) if document.status == Status::Failed => failure,
        _ => panic!("expected a failure, got {:?}", document.status),
    }
}

/// A worker program that is a shell script; `{worker}` in it stands for the scripted worker.
fn program(folder: &Path, script: &str) -> String {
    let program = folder.join("worker");
    let script = script.replace("{worker}", WORKER);
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    program.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_split_brings_every_step_of_every_replica() {
    let _alone = ALONE.lock().await;
    for (split, count, replicas) in [
        (Split::None, 1, 1),
        (Split::Segments, 2, 1),
        (Split::Replicas, 2, 2),
    ] {
        let result = undisturbed(split, count, &Config::default()).await;
        assert_eq!(result.status, Status::Completed, "{split:?}");
        let curves = curves(&result);
        assert_eq!(curves.len(), replicas, "{split:?}");
        for curve in curves {
            let steps = curve.iter().map(|(step, _)| *step);
            assert!(steps.eq(0..STEPS), "{split:?}");
        }
        assert!(result.described.is_some() && result.plan.is_some());
    }
}
