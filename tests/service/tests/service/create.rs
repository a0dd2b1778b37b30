//! `CreateSweep`: once, whatever the network does.

use rangefinder_proto::v1;
use rangefinder_service_tests::calls::{self, create, delete, ended, get, named, spec, try_create};
use rangefinder_service_tests::{ANN, BEN, Service};
use std::collections::HashSet;
use tonic::Code;

fn with_id(request_id: &str) -> v1::CreateSweepRequest {
    v1::CreateSweepRequest {
        request_id: request_id.to_owned(),
        ..named("once")
    }
}

async fn count(sweeps: &mut calls::Sweeps) -> usize {
    let page = calls::list(sweeps, v1::ListSweepsRequest::default()).await;
    page.unwrap().sweeps.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_starts_one_sweep_however_often_it_is_sent() {
    let service = Service::start().await;
    let mut calls = Vec::new();
    for number in 0..8 {
        let mut sweeps = service.sweeps(ANN);
        let request = v1::CreateSweepRequest {
            // Whatever else is in it.
            priority: number,
            ..with_id("r1")
        };
        calls.push(tokio::spawn(
            async move { create(&mut sweeps, request).await },
        ));
    }
    let mut made = HashSet::new();
    for call in calls {
        let sweep = call.await.unwrap();
        made.insert((sweep.id, sweep.priority));
    }
    assert_eq!(made.len(), 1, "{made:?}");
    let mut ann = service.sweeps(ANN);
    assert_eq!(count(&mut ann).await, 1);

    // Also where it is wrong by now.
    let wrong = v1::CreateSweepRequest {
        priority: 1000,
        spec: None,
        ..with_id("r1")
    };
    assert!(made.contains(&{
        let again = create(&mut ann, wrong).await;
        (again.id, again.priority)
    }));
    // Another's request of the same id is another request, and one without an id always is.
    let mut ben = service.sweeps(BEN);
    let (id, _) = made.iter().next().unwrap().clone();
    assert_ne!(create(&mut ben, with_id("r1")).await.id, id);
    assert_ne!(create(&mut ann, with_id("r2")).await.id, id);
    assert_ne!(
        create(&mut ann, with_id("")).await.id,
        create(&mut ann, with_id("")).await.id
    );
    assert_eq!(count(&mut ann).await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_remembered_after_the_end_of_its_sweep() {
    let service = Service::start().await;
    let _worker = service.worker("w1", "{}");
    let mut ann = service.sweeps(ANN);
    let sweep = create(&mut ann, with_id("r1")).await;
    let end = ended(&mut ann, &sweep.id).await;
    assert_eq!(end.state(), v1::SweepState::Completed);
    assert_eq!(create(&mut ann, with_id("r1")).await, end);
    // Who has it forgotten starts anew.
    delete(&mut ann, &sweep.id).await.unwrap();
    assert_ne!(create(&mut ann, with_id("r1")).await.id, sweep.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_out_takes_its_default_and_is_written_out() {
    let service = Service::start().await;
    let mut ann = service.sweeps(ANN);
    let request = v1::CreateSweepRequest {
        priority: -7,
        workers: 3,
        ..named("first")
    };
    let sweep = create(&mut ann, request).await;
    let (told, document) = get(&mut ann, &sweep.id).await.unwrap();
    assert_eq!(told, sweep);
    assert_eq!(document, "", "it has not ended");
    let spec = sweep.spec.unwrap();
    assert_eq!(spec.num_training, Some(100));
    assert_eq!(spec.beta1, Some(0.9));
    assert_eq!(spec.hidden_sizes, [256, 256]);
    assert_eq!(
        (sweep.name.as_str(), sweep.owner.as_str(), sweep.priority),
        ("first", ANN, -7)
    );
    assert_eq!((sweep.workers, sweep.last_event_number >= 1), (3, true));
    assert!(sweep.create_time.is_some() && sweep.end_time.is_none());
    assert_eq!(sweep.state, i32::from(v1::SweepState::Waiting));
    assert_eq!(sweep.waiting_for, "no worker is connected");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_can_be_checked_without_a_start() {
    let service = Service::start().await;
    let mut ann = service.sweeps(ANN);
    let check = v1::CreateSweepRequest {
        validate_only: true,
        request_id: "r1".to_owned(),
        ..named("checked")
    };
    let checked = create(&mut ann, check.clone()).await;
    assert_eq!(
        (checked.id.as_str(), checked.name.as_str()),
        ("", "checked")
    );
    assert_eq!(checked.spec.unwrap().batch_size, Some(64));
    assert_eq!(count(&mut ann).await, 0);
    let wrong = v1::CreateSweepRequest {
        spec: Some(v1::SweepSpec {
            batch_size: Some(0),
            ..spec()
        }),
        ..check
    };
    let refused = try_create(&mut ann, wrong).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    // A check does not use the request up.
    create(&mut ann, with_id("r1")).await;
    assert_eq!(count(&mut ann).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_counts_on_the_workers_that_are_connected() {
    let service = Service::start().await;
    let mut ann = service.sweeps(ANN);
    let unnumbered = || v1::CreateSweepRequest {
        workers: 0,
        ..named("any")
    };
    assert_eq!(create(&mut ann, unnumbered()).await.workers, 1);
    let _workers = ["w1", "w2"].map(|name| service.worker(name, r#"{"describe_ms": 100}"#));
    rangefinder_service_tests::eventually("two workers", async || {
        (calls::workers(&mut service.sweeps(ANN)).await.len() == 2).then_some(())
    })
    .await;
    assert_eq!(create(&mut ann, unnumbered()).await.workers, 2);
}
