//! A service that ends and comes back.

use nix::sys::signal::Signal;
use rangefinder_proto::v1;
use rangefinder_service_tests::calls::{create, events, get, named, next, replicas, watch};
use rangefinder_service_tests::{ANN, Service};

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_goes_on_where_a_restart_has_cut_it_off() {
    let mut service = Service::start().await;
    let _worker = service.worker("w1", r#"{"step_ms": 3}"#);
    let mut ann = service.sweeps(ANN);
    let request = v1::CreateSweepRequest {
        request_id: "r1".to_owned(),
        spec: Some(replicas(1, 2000)),
        ..named("long")
    };
    let sweep = create(&mut ann, request.clone()).await;
    let mut seen: Vec<v1::SweepEvent> = Vec::new();
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let from = seen.len() as u64 + 1;
        let mut stream = watch(&mut ann, &sweep.id, from).await.unwrap();
        let before = seen.len();
        while seen.len() < before + 10 {
            seen.push(next(&mut stream).await.unwrap().unwrap());
        }
        service.end(signal);
        // It does not end as if there were no more to come.
        while let Some(event) = match next(&mut stream).await {
            Ok(event) => Some(event.expect("cut off without an error")),
            Err(_cut_off) => None,
        } {
            seen.push(event);
        }
        service.resume().await;
        // The request is known still.
        assert_eq!(create(&mut ann, request.clone()).await.id, sweep.id);
    }
    let mut stream = watch(&mut ann, &sweep.id, seen.len() as u64 + 1)
        .await
        .unwrap();
    while let Some(event) = next(&mut stream).await.unwrap() {
        seen.push(event);
    }
    assert_eq!(
        seen,
        events(&mut ann, &sweep.id).await,
        "none is missing, none is another"
    );
    let numbers: Vec<_> = seen.iter().map(|event| event.number).collect();
    assert_eq!(numbers, (1..=seen.len() as u64).collect::<Vec<_>>());
    let (end, document) = get(&mut ann, &sweep.id).await.unwrap();
    assert_eq!(end.state(), v1::SweepState::Completed);
    // It is there after another restart, as it was.
    service.end(Signal::SIGTERM);
    service.resume().await;
    assert_eq!(get(&mut ann, &sweep.id).await.unwrap(), (end, document));
}
