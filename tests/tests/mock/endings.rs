//! Sweeps that are ended before they are done.

use super::*;
use rangefinder_tests::processes;

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
    assert_eq!(result.status, Status::Cancelled);
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
    assert_eq!(result.unwrap().status, Status::Cancelled);
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
    let running = sweep::run(&sweep, &options, CancellationToken::new(), &mut on_event);
    assert!(timeout(Duration::from_millis(500), running).await.is_err());
    assert!(
        tokio::task::spawn_blocking(|| { processes::eventually(|| own_workers().is_empty()) })
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn a_sweep_that_panics_leaves_no_worker() {
    let _alone = ALONE.lock().await;
    let sweep = resolved(Split::Replicas, 2, &slow(50.0));
    let panicked = tokio::spawn(async move {
        let options = options(WORKER);
        let mut on_event = |event: &SweepEvent| {
            if let Happening::Observed { .. } = event.happening {
                assert_eq!(own_workers().len(), 2);
                panic!("as asked for");
            }
        };
        sweep::run(&sweep, &options, CancellationToken::new(), &mut on_event).await
    });
    let panic = panicked.await.unwrap_err().into_panic();
    assert_eq!(panic.downcast_ref(), Some(&"as asked for"));
    assert!(
        tokio::task::spawn_blocking(|| { processes::eventually(|| own_workers().is_empty()) })
            .await
            .unwrap()
    );
}
