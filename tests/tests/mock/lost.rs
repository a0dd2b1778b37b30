//! Workers that are killed, fall silent or hang.

use super::*;
use nix::sys::signal::Signal;
use rangefinder_tests::processes::{self, lives};

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
        assert_eq!(result.status, Status::Completed, "{split:?}");
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
    assert_eq!(result.status, Status::Completed);
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
                    .find(|process| process.worker == busy)
                    .expect("the busy worker");
                processes::signal(worker.pid, Signal::SIGSTOP);
                stopped = Some(worker.pid);
            }
            _ => {}
        },
    )
    .await
    .unwrap();
    assert_eq!(result.status, Status::Completed);
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
async fn a_worker_whose_step_never_returns_is_replaced_by_a_process_that_does_the_work() {
    let _alone = ALONE.lock().await;
    let expected = undisturbed(Split::None, 1, &Config::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let hang = serde_json::to_string(&faulty(50, Misdeed::Hang)).unwrap();
    let first = folder.path().join("first");
    let script = format!(
        "if mkdir {} 2>/dev/null; then export RANGEFINDER_MOCK='{hang}'; fi\nexec {{worker}}",
        first.display()
    );
    let mut options = options(&program(folder.path(), &script));
    options.environment = vec![("RANGEFINDER_STUCK_SECONDS".into(), "0.2".into())];
    options.engine.state.stall_ms = 300;
    let mut gone = Vec::new();
    let result = run(
        Split::None,
        1,
        &Config::default(),
        &options,
        CancellationToken::new(),
        &mut |event| {
            if let Happening::WorkerGone { cause, .. } = &event.happening {
                gone.push(cause.clone());
            }
        },
    )
    .await
    .unwrap();
    assert_eq!(result.status, Status::Completed);
    assert_eq!(curves(&result), curves(&expected));
    assert_eq!(endings(&result).len(), 2, "{:?}", endings(&result));
    assert!(
        gone.iter().any(|cause| cause.contains("did not come back")),
        "{gone:?}"
    );
}
