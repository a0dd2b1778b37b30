//! The engine as its handle shows it.
//!
//! - `durable`, `full_disk`: what it keeps in a store. `stored`: what they share.

mod durable;
mod full_disk;
mod stored;

use super::*;
use crate::wire::Hello;
use rangefinder_proto::v1;
use rangefinder_proto::v1::connect_response::Message as Sent;
use rangefinder_sweep::curve::StopRule;
use rangefinder_sweep::event::{Happening, Outcome};
use rangefinder_sweep::ids::{Incarnation, WorkerId};
use rangefinder_sweep::plan::{PlanRequest, Split};
use rangefinder_sweep::schedule::{Grid, Mode, Range};
use rangefinder_sweep::state::{Report, SweepRequest};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::task::JoinHandle;

fn sweep() -> SweepId {
    SweepId("s".to_owned())
}

fn request() -> SweepRequest {
    SweepRequest {
        plan: PlanRequest {
            range: Range {
                mode: Mode::Exponential,
                grid: Grid::BothEnds,
                min_lr: 1e-8,
                max_lr: 1.0,
                steps: 100,
            },
            split: Split::None,
            segments: None,
            replicas: None,
            overlap_decades: 1.0,
            workers: 1,
            updates_per_step: 1,
            largest_lr_ratio: 1.0,
        },
        stop: StopRule {
            threshold: 4.0,
            profile: None,
            planned_steps: 100,
        },
        owner: String::new(),
        priority: 0,
    }
}

fn hello(name: &str) -> Hello {
    Hello {
        worker: WorkerId(name.to_owned()),
        incarnation: Incarnation(1),
        protocol_version: 1,
        device: "cpu".to_owned(),
        versions: BTreeMap::new(),
        leases: Vec::new(),
        leaving: false,
    }
}

fn running(options: Options) -> (Handle, CancellationToken, JoinHandle<()>) {
    let (engine, handle) = Engine::volatile(options);
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(engine.run(shutdown.clone()));
    (handle, shutdown, task)
}

async fn create(handle: &Handle) -> Subscription {
    handle.create(new_sweep()).await.unwrap();
    handle.subscribe(sweep(), 1).await.unwrap()
}

fn new_sweep() -> NewSweep {
    NewSweep {
        id: sweep(),
        owner: "ann".to_owned(),
        request_id: String::new(),
        creation: Creation {
            format: 1,
            name: String::new(),
            workers: 1,
            created_ms: 0,
            spec: v1::SweepSpec::default(),
            request: request(),
            trainer: v1::TrainerSpec::default(),
            one_shot: None,
            traceparent: None,
        },
    }
}

async fn ending(mut events: Subscription) -> Option<Outcome> {
    while let Some(event) = events.next().await.unwrap() {
        if let Happening::Ended { outcome } = &event.happening {
            return Some(outcome.clone());
        }
    }
    None
}

#[tokio::test(start_paused = true)]
async fn without_a_worker_a_sweep_fails_when_its_time_is_up_and_not_before() {
    let (handle, _shutdown, _task) = running(Options::default());
    let started = Instant::now();
    let outcome = ending(create(&handle).await).await;
    assert!(
        matches!(outcome, Some(Outcome::Failed(_))),
        "expected a failure, got {outcome:?}"
    );
    let limit = Duration::from_millis(Options::default().state.no_worker_ms);
    let waited = started.elapsed();
    assert!(
        waited >= limit && waited < limit + Duration::from_secs(1),
        "{waited:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn no_more_workers_fails_a_sweep_at_once_with_the_cause() {
    let (handle, _shutdown, _task) = running(Options::default());
    let events = create(&handle).await;
    handle
        .no_more_workers("worker w0 exited with code 3".to_owned())
        .await
        .unwrap();
    let Some(Outcome::Failed(failure)) = ending(events).await else {
        panic!("expected a failure");
    };
    assert!(
        failure.message.contains("exited with code 3"),
        "{failure:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn whoever_subscribes_late_reads_the_same_events_from_the_first_on() {
    let (handle, shutdown, task) = running(Options::default());
    let mut early = create(&handle).await;
    handle.cancel(sweep()).await.unwrap();
    let mut late = handle.subscribe(sweep(), 1).await.unwrap();
    shutdown.cancel();
    task.await.unwrap();
    let mut numbers = Vec::new();
    while let Some(event) = early.next().await.unwrap() {
        assert_eq!(late.next().await.unwrap().as_ref(), Some(&event));
        numbers.push(event.number);
    }
    assert_eq!(late.next().await.unwrap(), None);
    assert!(numbers.len() >= 2, "created and ended, got {numbers:?}");
    assert!((1..).zip(&numbers).all(|(count, number)| count == *number));
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_does_not_read_loses_its_stream_and_holds_nobody_up() {
    let options = Options {
        outbox: 4,
        ..Options::default()
    };
    let (handle, _shutdown, _task) = running(options);
    let (slow, unread) = handle.connect(hello("slow")).await.unwrap();
    let (_quick, mut read) = handle.connect(hello("quick")).await.unwrap();
    for _ in 0..10 {
        slow.report(Report::Heartbeat(Vec::new())).await.unwrap();
    }
    slow.closed().await;
    assert_eq!(unread.len(), 4);
    assert!(matches!(
        read.recv().await,
        Some(Ok(v1::ConnectResponse {
            message: Some(Sent::Welcome(_))
        }))
    ));
    // It may come back.
    let (_again, mut outbox) = handle.connect(hello("slow")).await.unwrap();
    assert!(outbox.recv().await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_newer_stream_takes_the_place_of_the_older_which_can_no_longer_end_it() {
    let (handle, _shutdown, _task) = running(Options::default());
    let (older, mut older_outbox) = handle.connect(hello("w0")).await.unwrap();
    let (newer, mut newer_outbox) = handle.connect(hello("w0")).await.unwrap();
    older.closed().await;
    let mut last = None;
    while let Some(message) = older_outbox.recv().await {
        last = Some(message);
    }
    assert_eq!(last, Some(Err(Closed::Reconnected)));

    older.disconnect().await;
    newer_outbox.recv().await.unwrap().unwrap();
    newer.report(Report::Heartbeat(Vec::new())).await.unwrap();
    let mut answered = false;
    while !answered {
        let message = newer_outbox.recv().await.unwrap().unwrap();
        answered = matches!(message.message, Some(Sent::Desired(_)));
    }
}

#[tokio::test(start_paused = true)]
async fn only_another_process_of_its_name_is_a_reason_for_a_worker_to_give_up() {
    let (handle, _shutdown, _task) = running(Options::default());
    let (_older, mut outbox) = handle.connect(hello("w0")).await.unwrap();
    let other = Hello {
        incarnation: Incarnation(2),
        ..hello("w0")
    };
    let (_newer, _newer_outbox) = handle.connect(other).await.unwrap();
    let mut last = None;
    while let Some(message) = outbox.recv().await {
        last = Some(message);
    }
    assert_eq!(last, Some(Err(Closed::Replaced)));
}

#[tokio::test(start_paused = true)]
async fn whether_a_worker_had_joined_is_known_when_it_is_gone() {
    let (handle, _shutdown, _task) = running(Options::default());
    let gone = async |name: &str| {
        handle
            .worker_gone(WorkerId(name.to_owned()), "it exited".to_owned())
            .await
            .unwrap()
    };
    let (connection, _outbox) = handle.connect(hello("w0")).await.unwrap();
    assert!(gone("w0").await);
    connection.closed().await;
    assert!(!gone("w0").await);
    assert!(!gone("w1").await);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_tells_the_workers_to_leave_and_refuses_everyone_else() {
    let (handle, shutdown, task) = running(Options::default());
    let (_connection, mut outbox) = handle.connect(hello("w0")).await.unwrap();
    shutdown.cancel();
    task.await.unwrap();
    let mut last = None;
    while let Some(message) = outbox.recv().await {
        last = message.unwrap().message;
    }
    assert!(matches!(last, Some(Sent::Drain(_))), "{last:?}");
    assert_eq!(handle.result(sweep()).await, Err(Error::Stopped));
}

#[tokio::test(start_paused = true)]
async fn taken_and_unknown_names_are_errors() {
    let (handle, _shutdown, _task) = running(Options::default());
    let unknown = || Err(Error::UnknownSweep(sweep()));
    assert_eq!(handle.cancel(sweep()).await, unknown());
    assert_eq!(handle.result(sweep()).await.map(|_| ()), unknown());
    assert_eq!(handle.subscribe(sweep(), 1).await.map(|_| ()), unknown());
    let _events = create(&handle).await;
    let again = handle.create(new_sweep()).await;
    assert_eq!(again.map(|_| ()), Err(Error::SweepExists(sweep())));
}
