//! What becomes of the workers when their coordinator ends badly.

#![expect(
    clippy::unwrap_used,
    reason = "what a helper of a test cannot do fails the test"
)]

use nix::sys::signal::Signal;
use rangefinder_tests::processes::{eventually, lives, signal, workers};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

const WORKER: &str = env!("CARGO_BIN_EXE_scripted-worker");
const COORDINATOR: &str = env!("CARGO_BIN_EXE_one-shot");

/// A coordinator whose workers are in the middle of training, and their process ids.
fn training(arguments: &[&str]) -> (Child, Vec<i32>) {
    let mut coordinator = Command::new(COORDINATOR)
        .arg(WORKER)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let stdout = BufReader::new(coordinator.stdout.take().unwrap());
    let pid = coordinator.id();
    let mut workers_seen = Vec::new();
    assert!(eventually(|| {
        workers_seen = workers(pid);
        workers_seen.len() == 2
    }));
    let first = stdout.lines().next();
    assert_eq!(first.unwrap().unwrap(), "observed");
    let pids = workers_seen.iter().map(|worker| worker.pid).collect();
    (coordinator, pids)
}

fn all_gone(pids: &[i32]) -> bool {
    let gone = eventually(|| pids.iter().all(|pid| !lives(*pid)));
    for pid in pids {
        signal(*pid, Signal::SIGKILL); // Leave none behind when the test fails.
    }
    gone
}

#[test]
fn workers_end_when_their_coordinator_is_killed() {
    let (mut coordinator, workers) = training(&[]);
    coordinator.kill().unwrap();
    coordinator.wait().unwrap();
    assert!(all_gone(&workers));
}

#[test]
fn workers_end_when_their_coordinator_panics() {
    let (mut coordinator, workers) = training(&["panic"]);
    assert_eq!(coordinator.wait().unwrap().code(), Some(101));
    assert!(all_gone(&workers));
}
