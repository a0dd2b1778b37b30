//! Describe, probe, tasks, and how they end.

use crate::support::*;
use rangefinder_proto::v1;
use rangefinder_proto::v1::connect_request::Message as FromWorker;
use rangefinder_proto::v1::connect_response::Message as ToWorker;

/// A connection with a worker, at an easy pace.
async fn joined() -> (Coordinator, Worker, Connection) {
    let mut coordinator = Coordinator::start().await;
    let worker = Worker::start(coordinator.options());
    let (connection, _) = coordinator.greet(500, 10_000).await;
    (coordinator, worker, connection)
}

async fn run(
    connection: &mut Connection,
    assign: v1::Assign,
) -> (Vec<v1::Observations>, FromWorker) {
    let token = assign.lease_token;
    connection.send(ToWorker::Assign(assign)).await;
    let ended = connection.until_end().await;
    connection.ack(token, 0, true).await;
    ended
}

#[tokio::test]
async fn hello_says_who_the_worker_is() {
    let mut coordinator = Coordinator::start().await;
    let mut options = coordinator.options();
    options.incarnation = 42;
    options.memory_bytes = 1 << 30;
    let _worker = Worker::start(options);
    let (_, hello) = coordinator.accept().await;
    assert_eq!((hello.worker_id.as_str(), hello.incarnation), ("w1", 42));
    assert_eq!(hello.protocol_version, rangefinder_proto::PROTOCOL_VERSION);
    assert_eq!(
        (hello.device.as_str(), hello.memory_bytes),
        ("cpu", 1 << 30)
    );
    assert!(hello.versions.contains_key("rangefinder"));
    assert_eq!(hello.leases, []);
}

#[tokio::test]
async fn describe_is_answered_under_its_lease() {
    let (_coordinator, _worker, mut connection) = joined().await;
    let message = v1::Describe {
        lease_token: 5,
        trainer: Some(spec(r#"{"samples": 100}"#)),
        traceparent: String::new(),
    };
    connection.send(ToWorker::Describe(message)).await;
    let FromWorker::Described(described) = connection.report().await else {
        panic!("not described");
    };
    assert_eq!(described.lease_token, 5);
    assert_eq!((described.samples, described.steps_per_epoch), (100, 4));
    assert!(described.seekable);
}

#[tokio::test]
async fn a_users_mistakes_come_back_with_their_fields() {
    let (_coordinator, _worker, mut connection) = joined().await;
    let script = r#"{"mistakes": [{"field": "model", "message": "no.pt is missing", "remedy": "give a file"}]}"#;
    let message = v1::Describe {
        lease_token: 5,
        trainer: Some(spec(script)),
        traceparent: String::new(),
    };
    connection.send(ToWorker::Describe(message)).await;
    let failure = failed(connection.report().await);
    assert_eq!(failure.kind(), v1::FailureKind::User);
    assert_eq!(failure.fields[0].field, "model");
    assert_eq!(failure.fields[0].remedy, "give a file");
}

#[tokio::test]
async fn probe_is_answered_under_its_lease() {
    let (_coordinator, _worker, mut connection) = joined().await;
    let message = v1::Probe {
        lease_token: 6,
        trainer: Some(spec("{}")),
        steps: 4,
        traceparent: String::new(),
    };
    connection.send(ToWorker::Probe(message)).await;
    let FromWorker::Probed(probed) = connection.report().await else {
        panic!("not probed");
    };
    assert_eq!(probed.lease_token, 6);
    assert!(probed.gradient_squared > 0.0);
}

#[tokio::test]
async fn running_out_of_memory_is_a_kind_of_its_own() {
    let (_coordinator, _worker, mut connection) = joined().await;
    let message = v1::Probe {
        lease_token: 6,
        trainer: Some(spec(r#"{"out_of_memory": true}"#)),
        steps: 4,
        traceparent: String::new(),
    };
    connection.send(ToWorker::Probe(message)).await;
    let failure = failed(connection.report().await);
    assert_eq!(failure.kind(), v1::FailureKind::OutOfMemory);
    assert!(failure.message.contains("32"), "{}", failure.message);
}

#[tokio::test]
async fn a_task_reports_exactly_its_steps_rates_and_losses() {
    let (_coordinator, _worker, mut connection) = joined().await;
    let assign = task(1, 20, 60, "{}");
    let (batches, end) = run(&mut connection, assign.clone()).await;
    assert_eq!(bits(&batches), expected_bits(&assign));
    assert_eq!(
        finished(end),
        v1::Finished {
            lease_token: 1,
            reason: v1::FinishReason::Completed.into(),
            end: 60,
        }
    );
}

#[tokio::test]
async fn a_task_run_again_gives_the_same_bits() {
    let (_coordinator, _worker, mut connection) = joined().await;
    let (first, _) = run(&mut connection, task(1, 20, 60, "{}")).await;
    let (second, _) = run(&mut connection, task(2, 20, 60, "{}")).await;
    assert_eq!(bits(&first), bits(&second));
}

#[tokio::test]
async fn fast_steps_go_out_in_batches_of_at_most_1000() {
    let (_coordinator, _worker, mut connection) = joined().await;
    let mut assign = task(1, 0, 100, "{}");
    assign.end = 20_000;
    assign.learning_rates = vec![1e-5; 20_000];
    let (batches, _) = run(&mut connection, assign.clone()).await;
    assert_eq!(bits(&batches), expected_bits(&assign));
    assert!(batches.iter().all(|batch| batch.observations.len() <= 1000));
    assert!(batches.len() < 2_000, "{} messages", batches.len());
}

#[tokio::test]
async fn a_loss_does_not_wait_for_the_next_step() {
    let (_coordinator, _worker, mut connection) = joined().await;
    let script = r#"{"faults": [{"step": 3, "what": "hang"}]}"#;
    connection
        .send(ToWorker::Assign(task(1, 0, 50, script)))
        .await;
    let mut seen = 0;
    while seen < 3 {
        let FromWorker::Observations(batch) = connection.report().await else {
            panic!("not observations");
        };
        seen += batch.observations.len();
    }
    assert_eq!(seen, 3);
}

#[tokio::test]
async fn losses_that_a_trainer_holds_back_arrive_complete() {
    let (_coordinator, _worker, mut connection) = joined().await;
    let assign = task(1, 0, 50, r#"{"losses_every": 32}"#);
    let (batches, end) = run(&mut connection, assign.clone()).await;
    assert_eq!(bits(&batches), expected_bits(&assign));
    assert_eq!(finished(end).end, 50);
}

#[tokio::test]
async fn a_loss_that_is_not_finite_is_reported_and_ends_the_task_also_in_warm_up() {
    for (what, step, held_back) in [("nan", 30, 1), ("infinity", 30, 8), ("nan", 20, 1)] {
        let (_coordinator, _worker, mut connection) = joined().await;
        let script = format!(
            r#"{{"losses_every": {held_back}, "faults": [{{"step": {step}, "what": "{what}"}}]}}"#
        );
        let (batches, end) = run(&mut connection, task(1, 20, 60, &script)).await;
        let end = finished(end);
        assert_eq!(end.reason(), v1::FinishReason::NonFinite);
        assert_eq!(end.end, step + 1);
        let last = batches.last().and_then(|batch| batch.observations.last());
        let last = last.expect("observed");
        assert_eq!(last.step, step);
        assert_eq!(last.loss.is_nan(), what == "nan");
        assert_eq!(bits(&batches).len() as u64, step + 1 - 20);
    }
}

#[tokio::test]
async fn data_that_ends_ends_the_task_after_the_last_observed_step() {
    let (_coordinator, _worker, mut connection) = joined().await;
    let script = r#"{"losses_every": 8, "faults": [{"step": 30, "what": "exhausted"}]}"#;
    let (batches, end) = run(&mut connection, task(1, 20, 60, script)).await;
    let end = finished(end);
    assert_eq!(end.reason(), v1::FinishReason::DataExhausted);
    assert_eq!((end.end, bits(&batches).len()), (30, 10));
}

#[tokio::test]
async fn a_failed_step_is_reported_with_the_trainers_message() {
    let (_coordinator, _worker, mut connection) = joined().await;
    let script = r#"{"faults": [{"step": 30, "what": "fail"}]}"#;
    let (_, end) = run(&mut connection, task(1, 20, 60, script)).await;
    let failure = failed(end);
    assert_eq!(failure.kind(), v1::FailureKind::Worker);
    assert_eq!(failure.message, "step 30 failed as scripted");
}

#[tokio::test]
async fn a_panic_is_reported_as_a_failure_and_the_worker_goes_on() {
    let (_coordinator, _worker, mut connection) = joined().await;
    let script = r#"{"faults": [{"step": 30, "what": "panic", "times": 1}]}"#;
    let (_, end) = run(&mut connection, task(1, 20, 60, script)).await;
    let failure = failed(end);
    assert_eq!(failure.kind(), v1::FailureKind::Worker);
    assert!(
        failure.message.contains("step 30 panicked"),
        "{}",
        failure.message
    );
    assert!(
        failure.message.contains("trainer.rs:"),
        "{}",
        failure.message
    );
    let (_, end) = run(&mut connection, task(2, 20, 60, script)).await;
    assert_eq!(finished(end).end, 60);
}

#[tokio::test]
async fn an_order_that_makes_no_sense_fails_with_what_was_expected() {
    let (_coordinator, _worker, mut connection) = joined().await;
    let mut assign = task(1, 20, 60, "{}");
    assign.learning_rates.pop();
    let (_, end) = run(&mut connection, assign).await;
    let failure = failed(end);
    assert_eq!(failure.kind(), v1::FailureKind::Worker);
    assert!(
        failure
            .message
            .contains("39 learning rates for the 40 steps"),
        "{}",
        failure.message
    );
}

#[tokio::test]
async fn messages_of_a_newer_protocol_are_passed_over() {
    let (_coordinator, _worker, mut connection) = joined().await;
    connection
        .send_raw(v1::ConnectResponse { message: None })
        .await;
    let (_, end) = run(&mut connection, task(1, 0, 10, "{}")).await;
    assert_eq!(finished(end).end, 10);
}
