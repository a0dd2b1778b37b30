//! What a service keeps of sweeps that have ended.

use super::artifacts::{name_of, upload, with_data};
use nix::sys::signal::Signal;
use rangefinder_proto::v1;
use rangefinder_service_tests::calls::{cancel, create, get, list, named, spec};
use rangefinder_service_tests::{ANN, Service, eventually};
use tonic::Code;

#[tokio::test(flavor = "multi_thread")]
async fn only_as_many_ended_sweeps_are_kept_as_the_operator_says() {
    let mut service = Service::builder()
        .with(&["--keep-sweeps", "1"])
        .start()
        .await;
    let mut ann = service.sweeps(ANN);
    let mut ids = Vec::new();
    for name in ["first", "second", "last", "active"] {
        let request = v1::CreateSweepRequest {
            spec: Some(spec()),
            ..named(name)
        };
        ids.push(create(&mut ann, request).await.id);
    }
    for id in &ids[..3] {
        cancel(&mut ann, id).await.unwrap();
        // Its result is stored before the next one ends.
        get(&mut ann, id).await.unwrap();
    }
    // It looks at its start, and from then on each minute.
    service.end(Signal::SIGTERM);
    service.resume().await;
    eventually("two sweeps are forgotten", async || {
        let all = list(&mut ann, v1::ListSweepsRequest::default())
            .await
            .unwrap();
        (all.sweeps.len() == 2).then_some(())
    })
    .await;
    for (id, there) in ids.iter().zip([false, false, true, true]) {
        let found = get(&mut ann, id).await;
        assert_eq!(found.is_ok(), there, "{id}: {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_stays_while_a_sweep_needs_it_also_after_a_restart_and_no_longer() {
    let room = ["--max-artifacts-bytes", "100", "--max-artifact-bytes", "80"];
    let mut service = Service::builder().with(&room).start().await;
    let (mut ann, mut artifacts) = (service.sweeps(ANN), service.artifacts(ANN));
    let (needed, other) = ([1; 80], [2; 80]);
    upload(&mut artifacts, &needed, 80).await.unwrap();
    let sweep = create(&mut ann, with_data(&name_of(&needed))).await;

    let full = upload(&mut artifacts, &other, 80).await.unwrap_err();
    assert_eq!(full.code(), Code::ResourceExhausted, "{full:?}");
    service.end(Signal::SIGKILL);
    service.resume().await;
    let full = upload(&mut artifacts, &other, 80).await.unwrap_err();
    assert_eq!(full.code(), Code::ResourceExhausted, "{full:?}");

    cancel(&mut ann, &sweep.id).await.unwrap();
    get(&mut ann, &sweep.id).await.unwrap();
    service.end(Signal::SIGTERM);
    service.resume().await;
    upload(&mut artifacts, &other, 80).await.unwrap();
}
