//! A disk that is full for a while: everything stands still, nothing is lost, and it goes on by
//! itself. A limit of the size of files stands for the disk, in a process of its own.

use super::stored::*;
use super::*;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::env;
use std::process::Command;

/// Set in the process with the limit: the folder of its store.
const FOLDER: &str = "RANGEFINDER_TEST_STORE";
/// For how long a lease lives; the disk is full for longer.
const LEASE: Duration = Duration::from_secs(2);

#[test]
fn while_the_disk_is_full_nothing_is_promised_and_no_lease_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    // A process that goes over its limit is sent a signal, unless it was started with that ignored.
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"])
        .arg(env::current_exe().unwrap())
        .args(["--exact", "engine::tests::full_disk::paused"])
        .args(["--ignored", "--nocapture"])
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stdout}{stderr}");
    assert!(stdout.contains("1 passed"), "{stdout}{stderr}");
}

fn limit(bytes: Option<u64>) {
    let (_, hard) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
    setrlimit(Resource::RLIMIT_FSIZE, bytes.unwrap_or(hard), hard).unwrap();
}

#[tokio::test]
#[ignore = "runs in a process of its own"]
async fn paused() {
    let folder = env::var_os(FOLDER).unwrap();
    let folder = std::path::Path::new(&folder);
    let mut options = Options::default();
    options.state.lease_ms = u64::try_from(LEASE.as_millis()).unwrap();
    let running = Running::with(options, folder);
    let handle = &running.handle;
    handle.create(new_sweep()).await.unwrap();
    let mut worker = Worker::join(handle).await;
    let lease = worker.until_assigned().await;
    worker.observe(lease, 0..10).await;
    worker.until_acknowledged(10).await;
    let before = running.view().await.unwrap();

    let log = std::fs::metadata(folder.join("store.db-wal")).unwrap();
    limit(Some(log.len()));
    let other = NewSweep {
        id: SweepId("other".to_owned()),
        ..new_sweep()
    };
    let waiting = tokio::spawn({
        let (handle, other) = (handle.clone(), other.clone());
        async move { handle.create(other).await }
    });
    while handle.trouble().is_none() {
        tokio::task::yield_now().await;
    }
    worker.observe(lease, 10..20).await;
    let refused = handle.create(NewSweep {
        id: SweepId("third".to_owned()),
        ..new_sweep()
    });
    assert!(matches!(refused.await, Err(Error::StoreFailing(_))));
    let refused = handle.cancel(sweep()).await;
    assert!(matches!(refused, Err(Error::StoreFailing(_))), "{refused:?}");
    // For longer than a lease lives, no word goes out.
    let silent = tokio::time::timeout(LEASE + LEASE / 2, worker.outbox.recv()).await;
    assert!(silent.is_err(), "{silent:?}");
    assert!(!waiting.is_finished());
    let during = running.view().await.unwrap();
    assert_eq!(during.last_event, before.last_event);
    let waits_for = during.waiting_for.unwrap();
    assert!(waits_for.contains("paused"), "{waits_for}");

    limit(None);
    assert!(!waiting.await.unwrap().unwrap().existing);
    worker.until_acknowledged(20).await;
    assert_eq!(handle.trouble(), None);
    worker.observe(lease, 20..STEPS).await;
    worker.finish(lease).await;
    handle.stored(sweep()).await.unwrap();
    let document = running.document();
    let attempts = &document.replicas[0].tasks[0].attempts;
    assert_eq!(attempts.len(), 1, "{attempts:?}");
    assert_eq!(document.replicas[0].curve.loss.len(), STEPS as usize);
    let third = SweepId("third".to_owned());
    assert!(handle.view(vec![third]).await.unwrap().is_empty());
}
