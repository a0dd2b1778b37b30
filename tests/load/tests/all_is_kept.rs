//! Under load nothing that was acknowledged is lost, clients are answered, and memory stays small.

#![expect(
    clippy::unwrap_used,
    reason = "what a helper of a test cannot do fails the test"
)]

use rangefinder_load::{Clients, Coordinator, Fleet, Pace, Sweep, Tokens, Usage, loss};
use rangefinder_proto::v1;
use std::path::Path;
use std::time::{Duration, Instant};

const WORKERS: u32 = 200;
const SWEEP: Sweep = Sweep {
    replicas: WORKERS,
    steps: 40,
};
/// How long anything may take on a busy machine.
const DEADLINE: Duration = Duration::from_secs(120);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);
/// What the coordinator may take of memory, unoptimised.
const MEMORY_BYTES: u64 = 500 << 20;

fn start(folder: &Path, tokens: Tokens) -> Coordinator {
    let program = Path::new(env!("CARGO_BIN_EXE_loaded-coordinator"));
    Coordinator::start(program, folder, tokens).unwrap()
}

/// Looks until something is there.
async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(started.elapsed() < DEADLINE, "waited in vain until {what}");
        tokio::time::sleep(LOOK).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_hundred_workers_reported_survives_a_kill_and_is_the_curve() {
    let folder = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_loaded-coordinator"));
    let tokens = Tokens::create(program, folder.path()).unwrap();
    let coordinator = start(folder.path(), tokens.clone());
    let mut clients = Clients::connect(&coordinator).await.unwrap();
    let sweep = clients.create(SWEEP).await.unwrap();
    let pace = Pace {
        period: Duration::from_millis(200),
        batch: 10,
    };
    let mut fleet = Fleet::new(&coordinator, pace).unwrap();
    fleet.start(WORKERS).await;

    let all = u64::from(SWEEP.replicas * SWEEP.steps);
    until("all is acknowledged", async || {
        // Clients are answered meanwhile.
        let listed = clients
            .list(v1::ListSweepsRequest::default())
            .await
            .unwrap();
        assert_eq!(listed.sweeps.len(), 1);
        assert_eq!(
            clients.get(&sweep, false).await.unwrap().sweep.unwrap().id,
            sweep
        );
        (fleet.counts().acknowledged >= all).then_some(())
    })
    .await;
    // Nothing was sent twice, or for nothing.
    let counts = fleet.counts();
    assert_eq!(
        (
            counts.sent,
            counts.acknowledged,
            counts.assigned,
            counts.stopped,
            counts.lost_streams
        ),
        (all, all, u64::from(WORKERS), 0, 0),
        "{counts:?}"
    );
    assert_eq!(
        fleet.acknowledged_after().count,
        all / u64::from(pace.batch)
    );
    let usage = Usage::of(coordinator.process()).unwrap();
    assert!(usage.peak_rss_bytes < MEMORY_BYTES, "{usage:?}");
    coordinator.kill().unwrap();
    drop(fleet);

    let coordinator = start(folder.path(), tokens);
    let mut clients = Clients::connect(&coordinator).await.unwrap();
    let document = until("the result is stored", async || {
        let got = clients.get(&sweep, true).await.unwrap();
        (!got.document.is_empty()).then_some(got.document)
    })
    .await;
    let document = rangefinder_report::document::parse(&document, "the answer").unwrap();
    assert_eq!(document.replicas.len(), SWEEP.replicas as usize);
    for (replica, number) in document.replicas.iter().zip(0..) {
        let reported: Vec<u64> = (0..SWEEP.steps)
            .map(|step| loss(number, step, SWEEP.steps).to_bits())
            .collect();
        let kept: Vec<u64> = replica
            .curve
            .loss
            .iter()
            .map(|loss| loss.to_bits())
            .collect();
        assert_eq!(kept, reported, "replica {number}");
    }
}
