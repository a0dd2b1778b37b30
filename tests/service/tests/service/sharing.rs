//! Whose sweeps get the workers.

use rangefinder_proto::v1;
use rangefinder_service_tests::calls::{Sweeps, create, events, named, replicas};
use rangefinder_service_tests::{ANN, BEN, ROOT, Service};
use std::collections::HashMap;
use std::time::Duration;

/// From when to when a sweep's work was in the hands of which worker, in nanoseconds since 1970.
async fn work(sweeps: &mut Sweeps, id: &str) -> Vec<(String, i128, i128)> {
    let mut open = HashMap::new();
    let mut work = Vec::new();
    for event in events(sweeps, id).await {
        let time = event.time.unwrap();
        let at = i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos);
        let json: serde_json::Value = serde_json::from_str(&event.json).unwrap();
        let happening = &json["happening"];
        let token = happening["token"].as_u64();
        match event.r#type.as_str() {
            "granted" => {
                let worker = happening["worker"].as_str().unwrap().to_owned();
                open.insert(token, (worker, at));
            }
            "attempt_ended" => {
                let (worker, from) = open.remove(&token).unwrap();
                work.push((worker, from, at));
            }
            _ => {}
        }
    }
    work
}

fn request(name: &str, priority: i32, count: u32, steps: u32) -> v1::CreateSweepRequest {
    v1::CreateSweepRequest {
        priority,
        spec: Some(replicas(count, steps)),
        ..named(name)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clients_share_two_workers_whoever_has_more_sweeps() {
    let service = Service::start().await;
    let (mut ann, mut ben) = (service.sweeps(ANN), service.sweeps(BEN));
    // All of one client's work is asked for before any of the other's.
    let one = create(&mut ann, request("one", 0, 6, 100)).await;
    let two = create(&mut ann, request("two", 0, 6, 100)).await;
    let other = create(&mut ben, request("other", 0, 6, 100)).await;
    let script = r#"{"step_ms": 3}"#;
    let _workers = [service.worker("w1", script), service.worker("w2", script)];
    let mut root = service.sweeps(ROOT);
    let mut ann_s = work(&mut root, &one.id).await;
    ann_s.extend(work(&mut root, &two.id).await);
    let ben_s = work(&mut root, &other.id).await;
    // While the second client had work to do, it had one worker of two: it was done when the first
    // had about as much done, and that is half of what it had asked for.
    let begin = ben_s.iter().map(|(_, from, _)| *from).min().unwrap();
    let end = ben_s.iter().map(|(_, _, until)| *until).max().unwrap();
    let ann_last = ann_s.iter().map(|(_, _, until)| *until).max().unwrap();
    assert!(
        end < ann_last,
        "the smaller share of the work is done first"
    );
    let within = ann_s
        .iter()
        .filter(|(_, from, until)| *from >= begin && *until <= end);
    let (within, of) = (within.count(), ben_s.len());
    assert!((of / 2..=of + 2).contains(&within), "{within} beside {of}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_higher_priority_gets_the_workers_first() {
    let service = Service::start().await;
    let (mut ann, mut ben) = (service.sweeps(ANN), service.sweeps(BEN));
    let low = create(&mut ann, request("low", -1, 3, 50)).await;
    let high = create(&mut ben, request("high", 5, 3, 50)).await;
    let _worker = service.worker("w1", "{}");
    let mut root = service.sweeps(ROOT);
    let low = work(&mut root, &low.id).await;
    let high = work(&mut root, &high.id).await;
    let first_low = low.iter().map(|(_, from, _)| *from).min().unwrap();
    let last_high = high.iter().map(|(_, from, _)| *from).max().unwrap();
    // Times of day are whole milliseconds, rounded for each sweep on its own.
    let rounding = Duration::from_millis(2).as_nanos();
    let rounding = i128::try_from(rounding).unwrap();
    assert!(first_low + rounding >= last_high, "{low:?} {high:?}");
}
