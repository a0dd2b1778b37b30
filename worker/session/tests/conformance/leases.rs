//! What is held, stopped, handed back.

use crate::support::*;
use rangefinder_errors::Coded as _;
use rangefinder_proto::v1;
use rangefinder_proto::v1::connect_request::Message as FromWorker;
use rangefinder_proto::v1::connect_response::Message as ToWorker;
use rangefinder_session::End;
use std::time::Duration;

const SLOW: &str = r#"{"step_ms": 20}"#;
const HANGS: &str = r#"{"faults": [{"step": 5, "what": "hang"}]}"#;

fn stop(lease_token: u64, reason: v1::StopReason) -> ToWorker {
    ToWorker::Stop(v1::Stop {
        lease_token,
        reason: reason.into(),
    })
}

fn desired(lease_tokens: &[u64]) -> ToWorker {
    ToWorker::Desired(v1::Desired {
        lease_tokens: lease_tokens.to_vec(),
    })
}

fn tokens(held: &[v1::HeldLease]) -> Vec<u64> {
    held.iter().map(|lease| lease.lease_token).collect()
}

async fn joined(heartbeat_ms: u32) -> (Coordinator, Worker, Connection) {
    let mut coordinator = Coordinator::start().await;
    let mut options = coordinator.options();
    options.timing.drain = Duration::from_millis(200);
    options.timing.stuck = Duration::from_millis(200);
    let worker = Worker::start(options);
    let (connection, _) = coordinator.greet(heartbeat_ms, 10_000).await;
    (coordinator, worker, connection)
}

/// The next end of an attempt, which must be this one's. Losses of an older lease may have been on
/// their way, but none comes once this one has begun.
async fn next_end_of(connection: &mut Connection, token: u64) -> v1::Finished {
    let (batches, end) = connection.until_end().await;
    let mut ours = batches
        .iter()
        .skip_while(|batch| batch.lease_token != token);
    assert!(ours.all(|batch| batch.lease_token == token));
    let end = finished(end);
    assert_eq!(end.lease_token, token);
    end
}

#[tokio::test]
async fn a_superseded_lease_is_dropped_quietly_and_the_next_one_runs() {
    let (_coordinator, _worker, mut connection) = joined(20).await;
    connection
        .send(ToWorker::Assign(task(1, 0, 90, SLOW)))
        .await;
    let _begun = connection.report().await;
    connection.send(stop(1, v1::StopReason::Superseded)).await;
    connection
        .send(ToWorker::Assign(task(2, 0, 10, "{}")))
        .await;
    assert_eq!(next_end_of(&mut connection, 2).await.end, 10);
    assert_eq!(tokens(&connection.heartbeat().await), [2]);
}

#[tokio::test]
async fn a_lease_that_is_not_desired_is_dropped() {
    let (_coordinator, _worker, mut connection) = joined(20).await;
    connection
        .send(ToWorker::Assign(task(1, 0, 90, SLOW)))
        .await;
    let _begun = connection.report().await;
    connection.send(desired(&[1])).await;
    assert_eq!(tokens(&connection.heartbeat().await), [1]);
    connection.send(desired(&[])).await;
    while !connection.heartbeat().await.is_empty() {}
    connection
        .send(ToWorker::Assign(task(2, 0, 10, "{}")))
        .await;
    assert_eq!(next_end_of(&mut connection, 2).await.end, 10);
}

#[tokio::test]
async fn duplicated_and_late_messages_change_nothing() {
    let (_coordinator, _worker, mut connection) = joined(2_000).await;
    let assign = task(3, 0, 40, r#"{"step_ms": 1}"#);
    for _ in 0..3 {
        connection.send(ToWorker::Assign(assign.clone())).await;
    }
    // Late or mad words about other leases and other times.
    connection.ack(3, 1_000_000, false).await;
    connection.ack(2, 10, false).await;
    connection.ack(2, 10, true).await;
    connection.send(stop(2, v1::StopReason::Cancelled)).await;
    let (batches, end) = connection.until_end().await;
    assert_eq!(finished(end).end, 40);
    let seen = bits(&batches);
    assert_eq!(seen, expected_bits(&assign));
    connection.ack(3, 40, true).await;
    // The order again, after it was done: not run again.
    connection.send(ToWorker::Assign(assign)).await;
    connection
        .send(ToWorker::Assign(task(4, 0, 10, "{}")))
        .await;
    assert_eq!(next_end_of(&mut connection, 4).await.end, 10);
}

#[tokio::test]
async fn heartbeats_go_on_while_the_trainer_hangs_and_show_no_progress() {
    let (_coordinator, _worker, mut connection) = joined(10).await;
    connection
        .send(ToWorker::Assign(task(1, 0, 90, HANGS)))
        .await;
    let mut at_five = 0;
    while at_five < 5 {
        let held = connection.heartbeat().await;
        connection.send(desired(&[1])).await;
        if let [lease] = &held[..]
            && lease.progress == 5
        {
            assert!(!lease.done);
            at_five += 1;
        }
    }
}

#[tokio::test]
async fn a_hung_task_can_be_dropped_and_the_next_one_shows_that_it_waits() {
    let (_coordinator, _worker, mut connection) = joined(10).await;
    connection
        .send(ToWorker::Assign(task(1, 0, 90, HANGS)))
        .await;
    let _begun = connection.report().await;
    connection.send(desired(&[])).await;
    connection
        .send(ToWorker::Assign(task(2, 0, 10, "{}")))
        .await;
    let held = loop {
        let held = connection.heartbeat().await;
        if tokens(&held) == [2] {
            break held;
        }
    };
    assert_eq!((held[0].progress, held[0].done), (0, false));
}

#[tokio::test]
async fn drain_lets_the_task_at_hand_finish() {
    let (_coordinator, worker, mut connection) = joined(100).await;
    connection
        .send(ToWorker::Assign(task(1, 0, 20, r#"{"step_ms": 2}"#)))
        .await;
    let _begun = connection.report().await;
    connection.send(ToWorker::Drain(v1::Drain {})).await;
    assert_eq!(next_end_of(&mut connection, 1).await.end, 20);
    assert!(worker.is_running(), "the end is not acknowledged yet");
    connection.ack(1, 20, true).await;
    drop(connection);
    assert_eq!(worker.end().await.expect("ended"), End::Drained);
}

#[tokio::test]
async fn drain_hands_back_what_takes_too_long_or_has_not_begun() {
    let (_coordinator, worker, mut connection) = joined(100).await;
    connection
        .send(ToWorker::Assign(task(1, 0, 90, SLOW)))
        .await;
    connection
        .send(ToWorker::Assign(task(2, 0, 90, SLOW)))
        .await;
    let _begun = connection.report().await;
    connection.send(ToWorker::Drain(v1::Drain {})).await;
    connection
        .send(ToWorker::Assign(task(3, 0, 90, SLOW)))
        .await;
    let messages = connection.until_hang_up().await;
    let mut handed_back: Vec<_> = messages
        .iter()
        .filter_map(|message| match message {
            FromWorker::HandBack(back) => Some((back.lease_token, back.reason.as_str())),
            _ => None,
        })
        .collect();
    handed_back.sort_unstable();
    let handed_back: Vec<_> = handed_back.iter().map(|(token, _)| *token).collect();
    assert_eq!(handed_back, [1, 2, 3]);
    assert_eq!(worker.end().await.expect("ended"), End::Drained);
}

#[tokio::test]
async fn shutdown_with_nothing_in_hand_ends_at_once() {
    let (_coordinator, worker, _connection) = joined(100).await;
    worker.shutdown.cancel();
    assert_eq!(worker.end().await.expect("ended"), End::ShutDown);
}

#[tokio::test]
async fn shutdown_ends_in_time_though_the_trainer_hangs() {
    let (_coordinator, worker, mut connection) = joined(100).await;
    connection
        .send(ToWorker::Assign(task(1, 0, 90, HANGS)))
        .await;
    let _begun = connection.report().await;
    worker.shutdown.cancel();
    let messages = connection.until_hang_up().await;
    assert!(matches!(messages.last(), Some(FromWorker::HandBack(_))));
    assert_eq!(worker.end().await.expect("ended"), End::ShutDown);
}

#[tokio::test]
async fn a_trainer_that_never_comes_back_from_a_stopped_step_ends_the_session() {
    let (_coordinator, worker, mut connection) = joined(100).await;
    connection
        .send(ToWorker::Assign(task(1, 0, 90, HANGS)))
        .await;
    let _begun = connection.report().await;
    connection.send(stop(1, v1::StopReason::Superseded)).await;
    let error = worker.end().await.expect_err("the trainer hangs");
    assert_eq!(error.code().to_string(), "RF609", "{error}");
}
