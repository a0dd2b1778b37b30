//! Connections that drop, stay silent or refuse.

use crate::support::*;
use rangefinder_errors::Coded as _;
use rangefinder_proto::v1;
use rangefinder_proto::v1::connect_request::Message as FromWorker;
use rangefinder_proto::v1::connect_response::Message as ToWorker;
use rangefinder_session::{Credential, End};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

#[tokio::test]
async fn dropped_connections_lose_nothing_and_repeat_nothing_beyond_the_acknowledged() {
    let mut coordinator = Coordinator::start().await;
    let _worker = Worker::start(coordinator.options());
    let assign = task(9, 0, 100, r#"{"step_ms": 3}"#);
    let (mut connection, _) = coordinator.greet(100, 10_000).await;
    connection.send(ToWorker::Assign(assign.clone())).await;

    let mut accepted: BTreeMap<u64, Bits> = BTreeMap::new();
    let mut cuts = 0;
    loop {
        match connection.report().await {
            FromWorker::Observations(batch) => {
                let next = accepted.len() as u64;
                for seen in bits(&[batch]) {
                    assert!(seen.0 >= next, "step {} was acknowledged", seen.0);
                    assert!(accepted.insert(seen.0, seen).is_none());
                }
                assert_eq!(
                    accepted.keys().next_back(),
                    Some(&(accepted.len() as u64 - 1))
                );
                if cuts < 4 {
                    // Half is accepted, but only a part of that is heard of by the worker.
                    cuts += 1;
                    let kept = accepted.len() as u64 / 2 + next / 2;
                    accepted.retain(|step, _| *step < kept);
                    connection.ack(9, kept, false).await;
                    connection.cut(Status::unavailable("scripted")).await;
                    let (new, hello) = coordinator.greet(100, 10_000).await;
                    assert_eq!(hello.leases[0].lease_token, 9);
                    connection = new;
                } else {
                    connection.ack(9, accepted.len() as u64, false).await;
                }
            }
            FromWorker::Finished(end) => {
                assert_eq!(end.end, 100);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    let all: Vec<_> = accepted.into_values().collect();
    assert_eq!(all, expected_bits(&assign));
}

#[tokio::test]
async fn training_goes_on_without_a_connection() {
    let mut coordinator = Coordinator::start().await;
    let _worker = Worker::start(coordinator.options());
    let assign = task(9, 0, 60, r#"{"step_ms": 2}"#);
    let (mut connection, _) = coordinator.greet(100, 10_000).await;
    connection.send(ToWorker::Assign(assign.clone())).await;
    let _first = connection.report().await;
    connection.cut(Status::unavailable("scripted")).await;
    // Connections come, but none is greeted until the work is done.
    let hello = loop {
        let (connection, hello) = coordinator.accept().await;
        if hello.leases[0].done {
            let welcome = v1::Welcome {
                heartbeat_interval_ms: 100,
                lease_ms: 10_000,
            };
            connection.send(ToWorker::Welcome(welcome)).await;
            break connection;
        }
        connection.cut(Status::unavailable("scripted")).await;
    };
    let mut connection = hello;
    let (batches, end) = connection.until_end().await;
    assert_eq!(bits(&batches), expected_bits(&assign));
    assert_eq!(finished(end).end, 60);
}

#[tokio::test]
async fn the_end_of_an_attempt_is_repeated_until_acknowledged() {
    let mut coordinator = Coordinator::start().await;
    let _worker = Worker::start(coordinator.options());
    let (mut connection, _) = coordinator.greet(20, 10_000).await;
    connection
        .send(ToWorker::Assign(task(9, 0, 10, "{}")))
        .await;
    let (_, first) = connection.until_end().await;
    connection.ack(9, 10, false).await;
    let (again, second) = connection.until_end().await;
    assert_eq!(first, second);
    assert!(bits(&again).iter().all(|seen| seen.0 < 10));
    connection.ack(9, 10, true).await;
    // Once acknowledged, the lease is forgotten.
    while !connection.heartbeat().await.is_empty() {}
}

#[tokio::test]
async fn losses_without_an_acknowledgement_are_sent_again_from_the_first_missing() {
    let mut coordinator = Coordinator::start().await;
    let _worker = Worker::start(coordinator.options());
    let (mut connection, _) = coordinator.greet(20, 10_000).await;
    let script = r#"{"faults": [{"step": 30, "what": "hang"}]}"#;
    connection
        .send(ToWorker::Assign(task(9, 0, 60, script)))
        .await;
    let mut seen = 0;
    while seen < 30 {
        let FromWorker::Observations(batch) = connection.report().await else {
            panic!("not observations");
        };
        seen = batch.observations.last().expect("some").step + 1;
    }
    connection.ack(9, 12, false).await;
    loop {
        let FromWorker::Observations(batch) = connection.report().await else {
            panic!("not observations");
        };
        if batch.observations[0].step == 12 {
            assert_eq!(batch.observations.len(), 18);
            break;
        }
    }
}

#[tokio::test]
async fn a_worker_with_a_lease_looks_for_its_coordinator_until_the_lease_has_run_out() {
    let mut coordinator = Coordinator::start().await;
    let mut options = coordinator.options();
    options.timing.reconnect = Duration::from_millis(500);
    let worker = Worker::start(options);
    let (mut connection, _) = coordinator.greet(100, 1_500).await;
    let script = r#"{"step_ms": 10, "faults": [{"step": 50, "what": "hang"}]}"#;
    connection
        .send(ToWorker::Assign(task(9, 0, 60, script)))
        .await;
    let _begun = connection.report().await;
    let before = Instant::now();
    coordinator.crash().await;
    drop(connection);
    let error = worker.end().await.expect_err("no coordinator");
    assert!(before.elapsed() >= Duration::from_millis(1_000));
    assert_eq!(error.code().to_string(), "RF608", "{error}");
    assert!(
        error.to_string().contains("RANGEFINDER_COORDINATOR"),
        "{error}"
    );
}

#[tokio::test]
async fn a_worker_without_a_lease_gives_up_after_its_own_time_and_says_why() {
    let coordinator = Coordinator::start().await;
    let mut options = coordinator.options();
    options.timing.reconnect = Duration::from_millis(100);
    coordinator.crash().await;
    let error = Worker::start(options)
        .end()
        .await
        .expect_err("nobody there");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_coordinator_that_comes_back_is_found_again() {
    let mut coordinator = Coordinator::start().await;
    let _worker = Worker::start(coordinator.options());
    let (mut connection, _) = coordinator.greet(100, 10_000).await;
    let script = r#"{"step_ms": 2}"#;
    let assign = task(9, 0, 60, script);
    connection.send(ToWorker::Assign(assign.clone())).await;
    let _begun = connection.report().await;
    let address = coordinator.crash().await;
    drop(connection);
    let mut coordinator = Coordinator::start_at(address).await;
    let (mut connection, hello) = coordinator.greet(100, 10_000).await;
    assert_eq!(hello.leases[0].lease_token, 9);
    let (batches, _) = connection.until_end().await;
    assert_eq!(bits(&batches), expected_bits(&assign));
}

#[tokio::test]
async fn a_bad_credential_ends_the_worker_at_once_with_the_remedy() {
    let coordinator = Coordinator::start().await;
    let mut options = coordinator.options();
    options.credential = Credential::new("wrong").expect("valid");
    let error = Worker::start(options).end().await.expect_err("rejected");
    let text = error.to_string();
    assert_eq!(error.code().to_string(), "RF605", "{error}");
    assert!(text.contains("RANGEFINDER_TOKEN"), "{text}");
    assert!(!text.contains("wrong"), "{text}");
}

#[tokio::test]
async fn a_refused_protocol_version_ends_the_worker_at_once_with_the_remedy() {
    let mut coordinator = Coordinator::start().await;
    let worker = Worker::start(coordinator.options());
    let (connection, _) = coordinator.accept().await;
    connection
        .cut(Status::failed_precondition("protocol version 1 is too old"))
        .await;
    let error = worker.end().await.expect_err("refused");
    let text = error.to_string();
    assert_eq!(error.code().to_string(), "RF606", "{error}");
    assert!(
        text.contains("too old") && text.contains("same release"),
        "{text}"
    );
}

#[tokio::test]
async fn a_second_process_under_the_same_name_ends_the_first_instead_of_fighting_it() {
    let mut coordinator = Coordinator::start().await;
    let worker = Worker::start(coordinator.options());
    let (connection, _) = coordinator.greet(100, 10_000).await;
    let details = ErrorDetails::with_error_info("REPLACED", "rangefinder", []);
    let status = Status::with_error_details(Code::Aborted, "a newer stream", details);
    connection.cut(status).await;
    let error = worker.end().await.expect_err("replaced");
    assert_eq!(error.code().to_string(), "RF607", "{error}");
    assert!(
        error.to_string().contains("RANGEFINDER_WORKER_ID"),
        "{error}"
    );
}

#[tokio::test]
async fn a_stream_that_was_ended_for_any_other_reason_is_opened_again() {
    let mut coordinator = Coordinator::start().await;
    let _worker = Worker::start(coordinator.options());
    for code in [
        Code::Aborted,
        Code::Internal,
        Code::Unavailable,
        Code::DeadlineExceeded,
    ] {
        let (connection, _) = coordinator.greet(100, 10_000).await;
        connection.cut(Status::new(code, "scripted")).await;
    }
    let (_connection, _) = coordinator.greet(100, 10_000).await;
}

#[tokio::test]
async fn a_welcome_that_does_not_come_is_not_waited_for_for_ever() {
    let mut coordinator = Coordinator::start().await;
    let mut options = coordinator.options();
    options.timing.welcome = Duration::from_millis(50);
    options.timing.reconnect = Duration::from_millis(300);
    let worker = Worker::start(options);
    let (_first, _) = coordinator.accept().await;
    let (_second, _) = coordinator.accept().await;
    let error = worker.end().await.expect_err("never greeted");
    assert!(error.to_string().contains("Welcome"), "{error}");
}

#[tokio::test]
async fn a_coordinator_that_falls_silent_is_left_for_a_new_connection() {
    let mut coordinator = Coordinator::start().await;
    let _worker = Worker::start(coordinator.options());
    let (_silent, _) = coordinator.greet(20, 60).await;
    let (_new, _) = coordinator.greet(20, 60).await;
}

#[tokio::test]
async fn work_before_welcome_is_passed_over() {
    let mut coordinator = Coordinator::start().await;
    let worker = Worker::start(coordinator.options());
    let (connection, _) = coordinator.accept().await;
    connection
        .send(ToWorker::Assign(task(9, 0, 10, "{}")))
        .await;
    let welcome = v1::Welcome {
        heartbeat_interval_ms: 10,
        lease_ms: 10_000,
    };
    connection.send(ToWorker::Welcome(welcome)).await;
    let mut connection = connection;
    assert_eq!(connection.heartbeat().await, []);
    worker.shutdown.cancel();
    assert_eq!(worker.end().await.expect("ended"), End::ShutDown);
}
