//! Whole sweeps over real gRPC and real worker processes, disturbed in every way.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what a helper of a test cannot do fails the test"
)]

use nix::sys::signal::Signal;
use rangefinder_coordinator::run::{Error, Options, one_shot};
use rangefinder_session::mock::{Config, Fault, FieldMistake, Misdeed};
use rangefinder_sweep::event::{
    AttemptOutcome, FailureKind, Happening, Observation, Outcome, SweepEvent,
};
use rangefinder_sweep::plan::Split;
use rangefinder_sweep::state::SweepResult;
use rangefinder_tests::processes::{self, DEADLINE, lives, workers};
use rangefinder_tests::sweep::{STEPS, options, resolved};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const WORKER: &str = env!("CARGO_BIN_EXE_scripted-worker");

/// The tests look for workers among the children of this process: one sweep at a time.
static ALONE: Mutex<()> = Mutex::const_new(());

fn own_workers() -> Vec<processes::Worker> {
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
) -> Result<SweepResult, Error> {
    let sweep = resolved(split, count, script);
    let result = timeout(2 * DEADLINE, one_shot(&sweep, options, cancel, on_event))
        .await
        .expect("the sweep did not end");
    assert_eq!(own_workers(), []);
    result
}

async fn undisturbed(split: Split, count: u32, script: &Config) -> SweepResult {
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

fn curves(result: &SweepResult) -> Vec<Vec<Observation>> {
    let replicas = result.replicas.iter();
    replicas.map(|replica| replica.curve.clone()).collect()
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

fn failure(result: &SweepResult) -> &rangefinder_sweep::event::Failure {
    match &result.outcome {
        Some(Outcome::Failed(failure)) => failure,
        other => panic!("expected a failure, got {other:?}"),
    }
}

/// How the attempts of a sweep ended.
fn endings(result: &SweepResult) -> Vec<AttemptOutcome> {
    let tasks = result.replicas.iter().flat_map(|replica| &replica.tasks);
    tasks
        .flat_map(|task| &task.attempts)
        .filter_map(|attempt| attempt.outcome.clone())
        .collect()
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
        assert_eq!(result.outcome, Some(Outcome::Completed), "{split:?}");
        let curves = curves(&result);
        assert_eq!(curves.len(), replicas, "{split:?}");
        for curve in curves {
            let steps = curve.iter().map(|observation| observation.step);
            assert!(steps.eq(0..STEPS), "{split:?}");
        }
        assert!(result.described.is_some() && result.plan.is_some());
    }
}

#[tokio::test]
async fn a_worker_killed_in_mid_task_changes_no_bit_of_the_curve() {
    let _alone = ALONE.lock().await;
    let script = slow(2.0);
    for split in [Split::None, Split::Segments] {
        let expected = undisturbed(split, 2, &script).await;
        let mut killed = None;
        let result = run(
            split,
            2,
            &script,
            &options(WORKER),
            CancellationToken::new(),
            &mut |event| {
                if let Happening::Observed { observations, .. } = &event.happening
                    && killed.is_none()
                    && observations.last().is_some_and(|last| last.step > 5)
                {
                    // Whoever has observed something is busy; without segments only one is.
                    for worker in own_workers() {
                        processes::signal(worker.pid, Signal::SIGKILL);
                    }
                    killed = Some(event.number);
                }
            },
        )
        .await
        .unwrap();
        assert!(killed.is_some());
        assert_eq!(result.outcome, Some(Outcome::Completed), "{split:?}");
        assert_eq!(curves(&result), curves(&expected), "{split:?}");
        let lost = endings(&result);
        assert!(
            lost.iter().any(
                |ending| matches!(ending, AttemptOutcome::Lost(cause) if cause.contains("SIGKILL"))
            ),
            "{lost:?}"
        );
    }
}

#[tokio::test]
async fn workers_may_be_killed_any_number_of_times_as_long_as_each_gets_a_little_further() {
    let _alone = ALONE.lock().await;
    let script = slow(2.0);
    let expected = undisturbed(Split::None, 2, &script).await;
    let mut budget = [10, 25, 40, 55, 70, 85].into_iter().peekable();
    let result = run(
        Split::None,
        2,
        &script,
        &options(WORKER),
        CancellationToken::new(),
        &mut |event| {
            if let Happening::Observed { observations, .. } = &event.happening
                && let Some(last) = observations.last()
                && budget.next_if(|step| last.step > *step).is_some()
            {
                for worker in own_workers() {
                    processes::signal(worker.pid, Signal::SIGKILL);
                }
            }
        },
    )
    .await
    .unwrap();
    assert_eq!(budget.next(), None);
    assert_eq!(result.outcome, Some(Outcome::Completed));
    assert_eq!(curves(&result), curves(&expected));
    // More than may be lost in a row without getting any further.
    let lost = endings(&result);
    assert!(lost.len() > 4, "{lost:?}");
}

#[tokio::test]
async fn a_worker_that_goes_silent_loses_its_task_to_another_and_the_curve_is_the_same() {
    let _alone = ALONE.lock().await;
    let script = slow(2.0);
    let expected = undisturbed(Split::None, 2, &script).await;
    let mut busy = None;
    let mut stopped = None;
    let result = run(
        Split::None,
        2,
        &script,
        &options(WORKER),
        CancellationToken::new(),
        &mut |event| match &event.happening {
            Happening::Granted { worker, .. } => busy = Some(worker.0.clone()),
            Happening::Observed { .. } if stopped.is_none() => {
                let worker = own_workers()
                    .into_iter()
                    .find(|worker| Some(&worker.id) == busy.as_ref())
                    .expect("the busy worker");
                processes::signal(worker.pid, Signal::SIGSTOP);
                stopped = Some(worker.pid);
            }
            _ => {}
        },
    )
    .await
    .unwrap();
    assert_eq!(result.outcome, Some(Outcome::Completed));
    assert_eq!(curves(&result), curves(&expected));
    assert!(!lives(stopped.expect("a worker was stopped")));
}

#[tokio::test]
async fn a_step_that_never_returns_ends_in_a_failure_that_says_so_and_no_process_stays() {
    let _alone = ALONE.lock().await;
    let mut options = options(WORKER);
    options.engine.state.stall_ms = 300;
    let result = run(
        Split::None,
        1,
        &faulty(50, Misdeed::Hang),
        &options,
        CancellationToken::new(),
        &mut |_| {},
    )
    .await
    .unwrap();
    let failure = failure(&result);
    assert!(failure.message.contains("progress"), "{failure:?}");
}

#[tokio::test]
async fn the_message_of_the_worker_that_failed_is_the_error() {
    let _alone = ALONE.lock().await;
    let result = undisturbed(Split::None, 2, &faulty(50, Misdeed::Fail)).await;
    let failure = failure(&result);
    assert!(
        failure.message.contains("step 50 failed as scripted"),
        "{failure:?}"
    );
    let panicked = undisturbed(Split::None, 2, &faulty(50, Misdeed::Panic)).await;
    let message = match &panicked.outcome {
        Some(Outcome::Failed(failure)) => &failure.message,
        other => panic!("expected a failure, got {other:?}"),
    };
    assert!(
        message.contains("step 50 panicked as scripted"),
        "{message}"
    );
}

#[tokio::test]
async fn the_users_mistake_comes_back_as_field_errors_before_any_training() {
    let _alone = ALONE.lock().await;
    let mistake = FieldMistake {
        field: "batch_size".to_owned(),
        message: "4096 is more than the 1797 samples of the data".to_owned(),
        remedy: "use at most 1797".to_owned(),
    };
    let script = Config {
        mistakes: vec![mistake.clone()],
        ..Config::default()
    };
    let result = undisturbed(Split::None, 2, &script).await;
    let failure = failure(&result);
    assert_eq!(failure.kind, FailureKind::User);
    assert_eq!(failure.fields.len(), 1);
    let field = &failure.fields[0];
    assert_eq!(
        (&field.field, &field.message, &field.remedy),
        (&mistake.field, &mistake.message, &mistake.remedy)
    );
    assert!(result.replicas.is_empty() || curves(&result).iter().all(Vec::is_empty));
}

#[tokio::test]
async fn a_cancelled_sweep_ends_within_two_seconds_with_what_there_is() {
    let _alone = ALONE.lock().await;
    let cancel = CancellationToken::new();
    let mut cancelled_at = None;
    let canceller = cancel.clone();
    let result = run(
        Split::None,
        2,
        &slow(20.0),
        &options(WORKER),
        cancel,
        &mut |event| {
            if let Happening::Observed { observations, .. } = &event.happening
                && observations.last().is_some_and(|last| last.step > 5)
            {
                canceller.cancel();
                cancelled_at.get_or_insert_with(Instant::now);
            }
        },
    )
    .await
    .unwrap();
    let took = cancelled_at.expect("observations").elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(result.outcome, Some(Outcome::Cancelled));
    let curve = &curves(&result)[0];
    assert!(curve.len() > 5 && curve.len() < STEPS as usize);
}

#[tokio::test]
async fn a_sweep_cancelled_before_anything_happened_ends_too() {
    let _alone = ALONE.lock().await;
    let cancel = CancellationToken::new();
    cancel.cancel();
    let script = Config {
        describe_ms: 10_000.0,
        ..Config::default()
    };
    let started = Instant::now();
    let result = run(
        Split::None,
        2,
        &script,
        &options(WORKER),
        cancel,
        &mut |_| {},
    )
    .await;
    assert_eq!(result.unwrap().outcome, Some(Outcome::Cancelled));
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_dropped_sweep_leaves_no_worker() {
    let _alone = ALONE.lock().await;
    let sweep = resolved(Split::None, 2, &slow(50.0));
    let mut observed = false;
    let options = options(WORKER);
    let mut on_event = |event: &SweepEvent| {
        observed |= matches!(event.happening, Happening::Observed { .. });
    };
    let running = one_shot(&sweep, &options, CancellationToken::new(), &mut on_event);
    assert!(timeout(Duration::from_millis(500), running).await.is_err());
    assert!(
        tokio::task::spawn_blocking(|| { processes::eventually(|| own_workers().is_empty()) })
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn a_worker_program_that_is_missing_is_an_error_with_the_remedy() {
    let _alone = ALONE.lock().await;
    let error = run(
        Split::None,
        1,
        &Config::default(),
        &options("/nowhere/worker"),
        CancellationToken::new(),
        &mut |_| {},
    )
    .await
    .unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("/nowhere/worker") && message.contains("does not exist"),
        "{message}"
    );
}

#[tokio::test]
async fn a_worker_that_dies_at_once_fails_the_sweep_soon_with_its_exit_code_and_last_words() {
    let _alone = ALONE.lock().await;
    let started = Instant::now();
    let mut options = options(WORKER);
    options.environment = vec![("RANGEFINDER_MOCK".into(), "not JSON".into())];
    let result = run(
        Split::None,
        2,
        &Config::default(),
        &options,
        CancellationToken::new(),
        &mut |_| {},
    )
    .await
    .unwrap();
    let message = &failure(&result).message;
    assert!(message.contains("exited with code 2"), "{message}");
    assert!(message.contains("script in RANGEFINDER_MOCK"), "{message}");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn workers_lead_groups_of_their_own_and_their_arguments_hold_no_credential() {
    let _alone = ALONE.lock().await;
    let mut seen = Vec::new();
    run(
        Split::Replicas,
        2,
        &slow(2.0),
        &options(WORKER),
        CancellationToken::new(),
        &mut |event| {
            if let Happening::Observed { .. } = event.happening
                && seen.is_empty()
            {
                seen = own_workers();
            }
        },
    )
    .await
    .unwrap();
    assert_eq!(seen.len(), 2, "{seen:?}");
    for worker in seen {
        assert_eq!(worker.group, worker.pid);
        assert_eq!(worker.command_line.trim_end(), WORKER);
    }
}

#[tokio::test]
async fn what_a_worker_started_itself_ends_with_it() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let (program, pid) = (folder.path().join("worker"), folder.path().join("pid"));
    let script = format!(
        "#!/bin/sh\nsleep 600 &\necho $! > {}\nexec {WORKER}\n",
        pid.display()
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let result = run(
        Split::None,
        1,
        &Config::default(),
        &options(program.to_str().unwrap()),
        CancellationToken::new(),
        &mut |_| {},
    )
    .await
    .unwrap();
    assert_eq!(result.outcome, Some(Outcome::Completed));
    let pid: i32 = fs::read_to_string(pid).unwrap().trim().parse().unwrap();
    let gone = processes::eventually(|| !lives(pid));
    processes::signal(pid, Signal::SIGKILL);
    assert!(gone);
}

#[tokio::test]
async fn all_around_the_training_takes_little_time() {
    let _alone = ALONE.lock().await;
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let started = Instant::now();
        undisturbed(Split::None, 1, &Config::default()).await;
        best = best.min(started.elapsed());
    }
    // Some 20 ms on an idle machine; the limit leaves room for a debug build on a busy one and
    // still finds a pause or a wait for a deadline.
    assert!(best < Duration::from_millis(400), "{best:?}");
}
