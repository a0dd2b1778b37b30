//! `WatchSweep`: each event once, from any number on.

use rangefinder_proto::v1;
use rangefinder_service_tests::calls::{
    self, cancel, create, delete, events, get, named, next, reason, replicas, spec, watch,
};
use rangefinder_service_tests::{ANN, Service};
use tonic::Code;

fn numbers(events: &[v1::SweepEvent]) -> Vec<u64> {
    events.iter().map(|event| event.number).collect()
}

/// They count from a number on without gaps, up to `ended`.
fn whole(events: &[v1::SweepEvent], from: u64) {
    let last = events.last().unwrap();
    assert_eq!(last.r#type, "ended");
    assert_eq!(numbers(events), (from..=last.number).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_watches_sees_each_event_once_and_the_answer_after_the_last() {
    let service = Service::start().await;
    let mut ann = service.sweeps(ANN);
    let sweep = create(&mut ann, named("watched")).await;
    let watching = {
        let (mut ann, id) = (ann.clone(), sweep.id.clone());
        tokio::spawn(async move {
            let live = events(&mut ann, &id).await;
            (live, get(&mut ann, &id).await.unwrap())
        })
    };
    let _worker = service.worker("w1", "{}");
    let (live, (end, document)) = watching.await.unwrap();
    whole(&live, 1);
    // What the end promises is there.
    assert_eq!(end.state(), v1::SweepState::Completed);
    assert_eq!(end.last_event_number, live.last().unwrap().number);
    assert!(end.verdict.as_ref().unwrap().usable);
    let lr = end.suggestion.as_ref().unwrap().lr;
    assert!((1e-8..1.0).contains(&lr), "{lr}");
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["suggestion"]["lr"].as_f64(), Some(lr));
    assert!(end.end_time.is_some() && end.waiting_for.is_empty());
    let progress = end.progress.unwrap();
    assert!(
        progress.steps_done > 0 && progress.workers_busy == 0,
        "{progress:?}"
    );
    // They are stored as they were sent, and each is its canonical form.
    assert_eq!(events(&mut ann, &sweep.id).await, live);
    for event in &live {
        let json: serde_json::Value = serde_json::from_str(&event.json).unwrap();
        assert_eq!(json["number"], event.number);
        assert_eq!(json["sweep"], *sweep.id);
        assert_eq!(json["happening"]["event"], *event.r#type);
        assert!(event.time.is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_is_there_as_soon_as_the_end_is_seen() {
    let service = Service::start().await;
    let _worker = service.worker("w1", "{}");
    let mut ann = service.sweeps(ANN);
    for _ in 0..10 {
        let sweep = create(&mut ann, named("quick")).await;
        let last = events(&mut ann, &sweep.id).await.pop().unwrap();
        // At once: first alone, then with its document, then deleted.
        let request = v1::GetSweepRequest {
            sweep_id: sweep.id.clone(),
            with_document: false,
        };
        let told = ann.get_sweep(request).await.unwrap().into_inner();
        let told = told.sweep.unwrap();
        assert_eq!(last.r#type, "ended");
        assert_eq!(told.state(), v1::SweepState::Completed);
        assert!(told.verdict.is_some(), "{told:?}");
        assert_ne!(get(&mut ann, &sweep.id).await.unwrap().1, "");
        delete(&mut ann, &sweep.id).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_goes_on_from_any_number_however_often_it_is_cut_off() {
    let service = Service::start().await;
    let _worker = service.worker("w1", r#"{"step_ms": 1}"#);
    let mut ann = service.sweeps(ANN);
    let sweep = create(&mut ann, named("watched")).await;
    let mut seen = Vec::new();
    'watching: loop {
        let from = seen.len() as u64 + 1;
        let mut stream = watch(&mut ann, &sweep.id, from).await.unwrap();
        for _ in 0..3 {
            match next(&mut stream).await.unwrap() {
                Some(event) => seen.push(event),
                None => break 'watching,
            }
        }
    }
    whole(&seen, 1);
    let all = events(&mut ann, &sweep.id).await;
    assert_eq!(seen, all);
    // Of one that has ended, from the middle, from its last on, and from where nothing is to come.
    for from in [0, 1, 5, all.len() as u64, all.len() as u64 + 1, u64::MAX] {
        let mut stream = watch(&mut ann, &sweep.id, from).await.unwrap();
        let mut rest = Vec::new();
        while let Some(event) = next(&mut stream).await.unwrap() {
            rest.push(event);
        }
        let left_out = usize::try_from(from.saturating_sub(1))
            .unwrap()
            .min(all.len());
        assert_eq!(rest, all[left_out..], "{from}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_slowly_misses_nothing_and_holds_nobody_up() {
    let service = Service::start().await;
    let mut ann = service.sweeps(ANN);
    let request = v1::CreateSweepRequest {
        spec: Some(replicas(1, 20_000)),
        ..named("long")
    };
    let sweep = create(&mut ann, request).await;
    // It takes the first event, and then nothing until the sweep has ended.
    let mut slow = watch(&mut service.sweeps(ANN), &sweep.id, 1).await.unwrap();
    let mut seen = vec![next(&mut slow).await.unwrap().unwrap()];
    let _worker = service.worker("w1", "{}");
    let all = events(&mut ann, &sweep.id).await;
    let bytes: usize = all.iter().map(|event| event.json.len()).sum();
    assert!(bytes > 1 << 20, "less than may be on the way: {bytes}");
    while let Some(event) = next(&mut slow).await.unwrap() {
        seen.push(event);
    }
    assert_eq!(seen, all);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_sweep_ends_for_all_who_watch_and_stays_as_it_is() {
    let service = Service::start().await;
    let mut ann = service.sweeps(ANN);
    let _worker = service.worker("w1", r#"{"faults": [{"step": 50, "what": "hang"}]}"#);
    let request = v1::CreateSweepRequest {
        spec: Some(v1::SweepSpec {
            num_training: Some(100),
            ..spec()
        }),
        ..named("cancelled")
    };
    let sweep = create(&mut ann, request).await;
    let mut stream = watch(&mut ann, &sweep.id, 1).await.unwrap();
    while next(&mut stream).await.unwrap().unwrap().r#type != "observed" {}
    let refused = delete(&mut ann, &sweep.id).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(reason(&refused), "NOT_ENDED");
    assert!(refused.message().contains("cancel it first"), "{refused:?}");

    let cancelled = cancel(&mut ann, &sweep.id).await.unwrap();
    assert_eq!(cancelled.state(), v1::SweepState::Cancelled);
    let mut last = None;
    while let Some(event) = next(&mut stream).await.unwrap() {
        last = Some(event);
    }
    assert_eq!(last.unwrap().r#type, "ended");
    // Again and again.
    for _ in 0..3 {
        assert_eq!(cancel(&mut ann, &sweep.id).await.unwrap(), cancelled);
    }
    let (end, document) = get(&mut ann, &sweep.id).await.unwrap();
    assert_eq!(end, cancelled);
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["status"], "cancelled");

    delete(&mut ann, &sweep.id).await.unwrap();
    for refused in [
        delete(&mut ann, &sweep.id).await.unwrap_err(),
        cancel(&mut ann, &sweep.id).await.unwrap_err(),
        get(&mut ann, &sweep.id).await.unwrap_err(),
        watch(&mut ann, &sweep.id, 1).await.unwrap_err(),
    ] {
        assert_eq!(refused.code(), Code::NotFound);
        assert_eq!(reason(&refused), "UNKNOWN_SWEEP");
    }
    let rest = calls::list(&mut ann, v1::ListSweepsRequest::default()).await;
    assert_eq!(rest.unwrap().sweeps, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_that_fails_says_why() {
    let service = Service::start().await;
    let mut ann = service.sweeps(ANN);
    let mistake =
        r#"{"mistakes": [{"field": "data", "message": "has no column `y`", "remedy": "name it"}]}"#;
    let _worker = service.worker("w1", mistake);
    let sweep = create(&mut ann, named("wrong")).await;
    let end = calls::ended(&mut ann, &sweep.id).await;
    assert_eq!(end.state(), v1::SweepState::Failed);
    let failure = end.failure.unwrap();
    assert!(failure.code.starts_with("RF"), "{failure:?}");
    assert!(failure.message.contains("has no column `y`"), "{failure:?}");
    assert!(end.suggestion.is_none());
}
