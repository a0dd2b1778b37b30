//! Whose sweeps get the workers.

use rangefinder_proto::v1;
use rangefinder_service_tests::calls::{Sweeps, create, events, named, replicas};
use rangefinder_service_tests::{ANN, BEN, ROOT, Service};
use std::collections::HashMap;

/// Times of day are whole milliseconds, rounded for each sweep on its own.
const ROUNDING: i128 = 2_000_000;

/// From when to when a worker had work of a sweep, in nanoseconds since 1970.
#[derive(Debug)]
struct Piece {
    is_task: bool,
    from: i128,
    until: i128,
}

/// All work of a sweep, to its end.
async fn work(sweeps: &mut Sweeps, id: &str) -> Vec<Piece> {
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
                open.insert(token, (happening["work"].is_object(), at));
            }
            "attempt_ended" => {
                let (is_task, from) = open.remove(&token).unwrap();
                work.push(Piece {
                    is_task,
                    from,
                    until: at,
                });
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
    // From its first task on, the second client has more to do until its last one is granted. In
    // between, the first one is not given a worker while it has the other.
    let tasks = ben_s.iter().filter(|piece| piece.is_task);
    let tasks: Vec<_> = tasks.map(|piece| piece.from).collect();
    let (first, last) = (tasks.iter().min().unwrap(), tasks.iter().max().unwrap());
    let mut judged = 0;
    for piece in &ann_s {
        let at = piece.from;
        if at <= first + ROUNDING || at + ROUNDING >= *last {
            continue;
        }
        let held = |other: &&Piece| other.from + ROUNDING < at && other.until > at + ROUNDING;
        assert_eq!(
            ann_s.iter().filter(held).count(),
            0,
            "{ann_s:?} beside {ben_s:?}"
        );
        judged += 1;
    }
    assert!(
        judged > 0,
        "nothing of the first client's ran beside the second's"
    );
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
    let first_low = low.iter().map(|piece| piece.from).min().unwrap();
    let last_high = high.iter().map(|piece| piece.from).max().unwrap();
    assert!(first_low + ROUNDING >= last_high, "{low:?} {high:?}");
}
