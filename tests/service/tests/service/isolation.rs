//! What the token of one role or client cannot do, over real connections.

use rangefinder_proto::v1;
use rangefinder_proto::v1::connect_request::Message;
use rangefinder_service_tests::calls::{
    self, cancel, create, delete, ended, get, named, reason, watch, workers,
};
use rangefinder_service_tests::{ANN, BEN, RACK, ROOT, Service, eventually, within};
use tonic::{Code, Status};

/// An id that no sweep has.
const UNKNOWN: &str = "sweep-ffffffffffffffff";

/// What calls on a sweep of that id are answered.
async fn on(sweeps: &mut calls::Sweeps, id: &str) -> Vec<Option<Status>> {
    let suggest = v1::SuggestRequest {
        sweep_id: id.to_owned(),
        reading: None,
    };
    let streamed = match watch(sweeps, id, 1).await {
        Ok(mut stream) => calls::next(&mut stream).await.err(),
        Err(status) => Some(status),
    };
    vec![
        get(sweeps, id).await.err(),
        streamed,
        sweeps.suggest(suggest).await.err(),
        cancel(sweeps, id).await.err(),
        delete(sweeps, id).await.err(),
    ]
}

/// What a refusal says, without the id.
fn said(status: &Status, id: &str) -> (Code, String, Vec<u8>) {
    let details = String::from_utf8_lossy(status.details()).replace(id, "ID");
    let message = status.message().replace(id, "ID");
    (status.code(), message, details.into_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sweeps_of_others_are_as_if_they_were_not_there() {
    let service = Service::start().await;
    let mut ann = service.sweeps(ANN);
    let mut ben = service.sweeps(BEN);
    let active = create(&mut ann, named("ann's")).await;
    let cancelled = create(&mut ann, named("ann's")).await;
    cancel(&mut ann, &cancelled.id).await.unwrap();
    let unknown = on(&mut ben, UNKNOWN).await;
    for id in [&active.id, &cancelled.id] {
        for (theirs, unknown) in on(&mut ben, id).await.iter().zip(&unknown) {
            let (theirs, unknown) = (theirs.as_ref().unwrap(), unknown.as_ref().unwrap());
            assert_eq!(said(theirs, id), said(unknown, UNKNOWN));
            assert_eq!(theirs.code(), Code::NotFound);
        }
    }
    let list = |owner: &str| v1::ListSweepsRequest {
        owner: owner.to_owned(),
        ..v1::ListSweepsRequest::default()
    };
    for owner in ["", ANN, BEN, "nobody"] {
        let answer = calls::list(&mut ben, list(owner)).await.unwrap();
        assert_eq!(answer, v1::ListSweepsResponse::default(), "{owner}");
    }
    // Nothing has happened to them.
    assert_eq!(
        get(&mut ann, &active.id).await.unwrap().0.state(),
        v1::SweepState::Waiting
    );
    get(&mut ann, &cancelled.id).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_do_not_tell_whose_sweep_they_work_on() {
    let service = Service::start().await;
    let mut ann = service.sweeps(ANN);
    let sweep = create(&mut ann, named("ann's")).await;
    let _worker = service.worker("w1", r#"{"faults": [{"step": 5, "what": "hang"}]}"#);
    let seen = eventually("a busy worker", async || {
        let worker = workers(&mut service.sweeps(ANN)).await.pop()?;
        (worker.state() == v1::WorkerState::Busy).then_some(worker.sweep_id)
    });
    assert_eq!(seen.await, sweep.id);
    let theirs = workers(&mut service.sweeps(BEN)).await.pop().unwrap();
    assert_eq!(
        (theirs.state(), theirs.sweep_id.as_str()),
        (v1::WorkerState::Busy, "")
    );
    let all = workers(&mut service.sweeps(ROOT)).await.pop().unwrap();
    assert_eq!(all.sweep_id, sweep.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_does_with_all_sweeps_what_their_owners_may() {
    let service = Service::start().await;
    let _worker = service.worker("w1", "{}");
    let mut ann = service.sweeps(ANN);
    let mut root = service.sweeps(ROOT);
    let sweep = create(&mut ann, named("ann's")).await;
    let end = ended(&mut root, &sweep.id).await;
    assert_eq!(end.owner, ANN);
    let refusals = on(&mut root, &sweep.id).await;
    assert!(refusals.iter().all(Option::is_none), "{refusals:?}");
    assert_eq!(
        get(&mut ann, &sweep.id).await.unwrap_err().code(),
        Code::NotFound
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_s_token_neither_makes_nor_reads_sweeps() {
    let service = Service::start().await;
    let sweep = create(&mut service.sweeps(ANN), named("ann's")).await;
    let mut rack = service.sweeps(RACK);
    let mut refusals = on(&mut rack, &sweep.id).await;
    refusals.push(calls::try_create(&mut rack, named("rack's")).await.err());
    refusals.push(
        calls::list(&mut rack, v1::ListSweepsRequest::default())
            .await
            .err(),
    );
    let analyze = v1::AnalyzeCurveRequest::default();
    refusals.push(rack.analyze_curve(analyze).await.err());
    refusals.push(rack.list_workers(v1::ListWorkersRequest {}).await.err());
    let drain = v1::DrainWorkerRequest {
        worker_id: "w1".to_owned(),
    };
    refusals.push(rack.drain_worker(drain).await.err());
    for refused in refusals {
        let refused = refused.unwrap();
        assert_eq!(
            (refused.code(), &*reason(&refused)),
            (Code::PermissionDenied, "ROLE")
        );
    }
}

fn hello(worker: &str) -> v1::ConnectRequest {
    v1::ConnectRequest {
        message: Some(Message::Hello(v1::Hello {
            worker_id: worker.to_owned(),
            incarnation: 1,
            protocol_version: 1,
            device: "cpu".to_owned(),
            ..v1::Hello::default()
        })),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_s_token_neither_acts_as_a_worker_nor_drains_one() {
    let service = Service::start().await;
    let _worker = service.worker("w1", "{}");
    eventually("the worker", async || {
        workers(&mut service.sweeps(ANN)).await.pop()
    })
    .await;
    for name in [ANN, ROOT] {
        let greeting = tokio_stream::once(hello("intruder"));
        let connected = within("Connect", service.workers(name).connect(greeting)).await;
        let refused = connected.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{name}");
    }
    let drain = v1::DrainWorkerRequest {
        worker_id: "w1".to_owned(),
    };
    let refused = service.sweeps(ANN).drain_worker(drain).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let left = workers(&mut service.sweeps(ANN)).await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].state(), v1::WorkerState::Idle);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_token_that_holds_is_told_nothing() {
    let service = Service::start().await;
    let sweep = create(&mut service.sweeps(ANN), named("ann's")).await;
    let mut last = service.token(ANN);
    let end = if last.pop() == Some('a') { 'b' } else { 'a' };
    last.push(end);
    for token in ["", "x", "rf_client_0000000000000000_x", &last] {
        let client = v1::sweep_service_client::SweepServiceClient::new(service.with_token(token));
        let mut stranger = client;
        for id in [&*sweep.id, UNKNOWN] {
            for refused in on(&mut stranger, id).await {
                let refused = refused.unwrap();
                assert_eq!(refused.code(), Code::Unauthenticated, "{token}");
                assert!(!refused.message().contains(id));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_ends_what_it_had_opened() {
    let service = Service::start().await;
    let mut ann = service.sweeps(ANN);
    let sweep = create(&mut ann, named("ann's")).await;
    let mut stream = watch(&mut ann, &sweep.id, 1).await.unwrap();
    calls::next(&mut stream).await.unwrap().unwrap();
    let mut greeting = service.workers(RACK);
    let (held, messages) = tokio::sync::mpsc::channel(1);
    held.send(hello("w1")).await.unwrap();
    let messages = tokio_stream::wrappers::ReceiverStream::new(messages);
    let connected = within("Connect", greeting.connect(messages)).await.unwrap();
    let mut orders = connected.into_inner();
    assert!(within("Welcome", orders.message()).await.unwrap().is_some());

    service.revoke(ANN);
    service.revoke(RACK);
    let cut = loop {
        match calls::next(&mut stream).await {
            Ok(event) => assert!(event.is_some(), "it ends as if there were no more to come"),
            Err(status) => break status,
        }
    };
    assert_eq!(cut.code(), Code::Unauthenticated, "{cut:?}");
    let cut = loop {
        match within("the end of the worker's stream", orders.message()).await {
            Ok(order) => assert!(order.is_some()),
            Err(status) => break status,
        }
    };
    assert_eq!(cut.code(), Code::Unauthenticated, "{cut:?}");
    let refused = get(&mut ann, &sweep.id).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert!(refused.message().contains("revoked"), "{refused:?}");
    // Others, and the sweep, go on.
    let (sweep, _) = get(&mut service.sweeps(ROOT), &sweep.id).await.unwrap();
    assert_eq!(sweep.state(), v1::SweepState::Running);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_token_is_taken_without_a_restart() {
    let service = Service::start().await;
    let data = service.data().to_str().unwrap();
    let made = [
        "token",
        "create",
        "--role",
        "client",
        "--name",
        "eve",
        "--data-dir",
        data,
    ];
    let made = service.command(ANN, &made);
    let mut eve =
        v1::sweep_service_client::SweepServiceClient::new(service.with_token(made.stdout.trim()));
    eventually("the new token", async || {
        let call = eve.list_workers(v1::ListWorkersRequest {});
        call.await.ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn off_loopback_the_service_does_not_start_without_tls() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let run = |more: &[&str]| {
        rangefinder_service_tests::Process::run(
            std::process::Command::new(rangefinder_service_tests::program("served-coordinator"))
                .args(["serve", "--listen", "0.0.0.0:0", "--data-dir"])
                .arg(&data)
                .args(more),
        )
    };
    let refused = run(&[]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("--insecure"), "{refused:?}");
    assert!(refused.stderr.contains("--tls-cert"), "{refused:?}");
    // With the operator's word it is the missing tokens that it stumbles over.
    let insecure = run(&["--insecure"]);
    assert!(insecure.stderr.contains("token"), "{insecure:?}");
    assert!(!insecure.stderr.contains("--tls-cert"), "{insecure:?}");
}
