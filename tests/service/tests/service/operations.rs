//! Workers, their leaving, and whether the service is well.

use rangefinder_proto::v1;
use rangefinder_service_tests::calls::{
    create, ended, events, get, named, reason, replicas, workers,
};
use rangefinder_service_tests::{ANN, ROOT, Service, eventually, within};
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

fn drain(worker: &str) -> v1::DrainWorkerRequest {
    v1::DrainWorkerRequest {
        worker_id: worker.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_worker_finishes_what_it_has_and_leaves() {
    let service = Service::start().await;
    let mut root = service.sweeps(ROOT);
    let mut ann = service.sweeps(ANN);
    assert_eq!(workers(&mut ann).await, []);
    let refused = root.drain_worker(drain("w1")).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    assert_eq!(reason(&refused), "UNKNOWN_WORKER");

    let mut worker = service.worker("w1", r#"{"step_ms": 2}"#);
    let request = v1::CreateSweepRequest {
        spec: Some(replicas(2, 300)),
        ..named("two")
    };
    let sweep = create(&mut ann, request).await;
    let busy = eventually("a worker that works", async || {
        let mut workers = workers(&mut service.sweeps(ANN)).await;
        let worker = workers.pop()?;
        (worker.state() == v1::WorkerState::Busy).then_some(worker)
    })
    .await;
    assert_eq!(
        (busy.id.as_str(), busy.sweep_id.as_str()),
        ("w1", sweep.id.as_str())
    );
    assert_eq!(busy.device, "cpu");
    assert!(busy.versions.contains_key("rangefinder"), "{busy:?}");
    eventually("the first replica's task", async || {
        let (sweep, _) = get(&mut service.sweeps(ANN), &sweep.id).await.unwrap();
        (sweep.progress.unwrap().steps_done > 10).then_some(())
    })
    .await;

    for _ in 0..2 {
        let drained = root.drain_worker(drain("w1")).await.unwrap().into_inner();
        let drained = drained.worker.unwrap();
        assert_eq!(drained.state(), v1::WorkerState::Draining, "{drained:?}");
        assert_ne!(drained.reason, "");
    }
    assert!(worker.0.wait().success(), "{}", worker.0.log());
    // The rest waits for another one.
    let waiting = eventually("the sweep to wait", async || {
        let (sweep, _) = get(&mut service.sweeps(ANN), &sweep.id).await.unwrap();
        (!sweep.waiting_for.is_empty()).then_some(sweep)
    })
    .await;
    assert_eq!(waiting.state(), v1::SweepState::Running);
    assert!(
        waiting.waiting_for.contains("worker"),
        "{}",
        waiting.waiting_for
    );
    let _other = service.worker("w2", "{}");
    let end = ended(&mut ann, &sweep.id).await;
    assert_eq!(end.state(), v1::SweepState::Completed);
    let granted: Vec<_> = events(&mut ann, &sweep.id)
        .await
        .into_iter()
        .filter(|event| event.r#type == "granted")
        .map(|event| event.json)
        .collect();
    assert!(
        granted.iter().any(|json| json.contains(r#""w2""#)),
        "{granted:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_says_what_it_waits_for() {
    let service = Service::builder()
        .with(&["--max-workers-per-client", "1"])
        .start()
        .await;
    let mut ann = service.sweeps(ANN);
    let first = create(&mut ann, named("first")).await;
    assert_eq!(first.waiting_for, "no worker is connected");
    let hang = r#"{"faults": [{"step": 10, "what": "hang"}]}"#;
    let _workers = [service.worker("w1", hang), service.worker("w2", hang)];
    eventually("the first to run", async || {
        let (sweep, _) = get(&mut service.sweeps(ANN), &first.id).await.unwrap();
        let progress = sweep.progress.unwrap();
        (sweep.waiting_for.is_empty() && progress.steps_done > 0).then_some(())
    })
    .await;
    let second = create(&mut ann, named("second")).await;
    assert_eq!(second.waiting_for, "the client's limit of 1 worker");
    let mut root = service.sweeps(ROOT);
    let other = create(&mut root, named("other's")).await;
    eventually("the other's to run", async || {
        let (sweep, _) = get(&mut service.sweeps(ROOT), &other.id).await.unwrap();
        (sweep.progress.unwrap().steps_done > 0).then_some(())
    })
    .await;
    let third = create(
        &mut service.sweeps(rangefinder_service_tests::BEN),
        named("third"),
    )
    .await;
    assert_eq!(third.waiting_for, "2 workers are busy with other work");
    assert_eq!(third.state(), v1::SweepState::Waiting);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_health_of_every_service_is_told() {
    let service = Service::start().await;
    let mut health = HealthClient::new(service.authorized(ANN));
    for name in [
        "",
        "rangefinder.v1.SweepService",
        "rangefinder.v1.ArtifactService",
        "rangefinder.v1.WorkerService",
    ] {
        let request = HealthCheckRequest {
            service: name.to_owned(),
        };
        let answer = within("health", health.check(request)).await.unwrap();
        assert_eq!(
            answer.into_inner().status(),
            ServingStatus::Serving,
            "{name}"
        );
    }
    let unknown = HealthCheckRequest {
        service: "rangefinder.v1.Nothing".to_owned(),
    };
    assert_eq!(
        health.check(unknown).await.unwrap_err().code(),
        Code::NotFound
    );
    let mut stranger = HealthClient::new(service.channel());
    let refused = stranger
        .check(HealthCheckRequest::default())
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}
