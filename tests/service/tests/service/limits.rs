//! Limits that clients run into.

use rangefinder_proto::v1;
use rangefinder_service_tests::calls::{cancel, create, named, reason, spec, try_create};
use rangefinder_service_tests::{ANN, BEN, ROOT, Service};
use tonic::Code;

#[tokio::test(flavor = "multi_thread")]
async fn too_many_sweeps_are_refused_until_one_has_ended() {
    let service = Service::builder()
        .with(&["--max-sweeps", "3", "--max-sweeps-per-client", "2"])
        .start()
        .await;
    let mut ann = service.sweeps(ANN);
    let with_id = |request_id: &str| v1::CreateSweepRequest {
        request_id: request_id.to_owned(),
        ..named("many")
    };
    let first = create(&mut ann, with_id("r1")).await;
    create(&mut ann, with_id("r2")).await;
    let refused = try_create(&mut ann, with_id("r3")).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(reason(&refused), "TOO_MANY_SWEEPS");
    assert_eq!(
        refused.message(),
        "you have 2 active sweeps, which is the limit of a client; wait until one has ended, or \
         cancel one"
    );
    // A request that has its sweep is answered all the same.
    assert_eq!(create(&mut ann, with_id("r1")).await.id, first.id);
    // Others have a limit of their own, and all together one.
    let mut ben = service.sweeps(BEN);
    create(&mut ben, named("other")).await;
    let refused = try_create(&mut ben, named("other")).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(
        refused
            .message()
            .starts_with("3 sweeps are active, which is the limit"),
        "{refused:?}"
    );
    // What was refused can be asked for again.
    cancel(&mut ann, &first.id).await.unwrap();
    create(&mut ann, with_id("r3")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_too_large_is_refused_alone() {
    let service = Service::start().await;
    let mut ann = service.sweeps(ANN);
    let large = v1::CreateSweepRequest {
        spec: Some(v1::SweepSpec {
            freeze: vec!["x".repeat(21 << 20)],
            ..spec()
        }),
        ..named("large")
    };
    let refused = try_create(&mut ann, large).await.unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange, "{refused:?}");
    assert!(refused.message().contains("too large"), "{refused:?}");
    create(&mut ann, named("small")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn text_that_is_no_utf_8_and_numbers_that_are_none_do_no_harm() {
    let service = Service::start().await;
    let mut ann = service.sweeps(ANN);
    let odd = v1::CreateSweepRequest {
        request_id: "\u{1f980}' OR 1=1 --".to_owned(),
        ..named("%_\u{202e}Ω")
    };
    let sweep = create(&mut ann, odd.clone()).await;
    assert_eq!(create(&mut ann, odd.clone()).await.id, sweep.id);
    let mut root = service.sweeps(ROOT);
    let found = |prefix: &str| v1::ListSweepsRequest {
        name_prefix: prefix.to_owned(),
        ..v1::ListSweepsRequest::default()
    };
    let list = root.list_sweeps(found("%_\u{202e}")).await.unwrap();
    assert_eq!(list.into_inner().sweeps.len(), 1);
    let list = root.list_sweeps(found("%%")).await.unwrap();
    assert_eq!(list.into_inner().sweeps.len(), 0);
    for id in [
        "",
        "sweep-",
        "' OR 1=1 --",
        "../data",
        &"x".repeat(100_000),
        "\0",
    ] {
        let refused = cancel(&mut ann, id).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound, "{id}");
    }
}
