//! The coordinator stopped and killed in the middle of training.

use super::support::*;
use nix::sys::signal::Signal;
use rangefinder_report::document::Status;
use rangefinder_tests::processes;
use std::time::{Duration, Instant};

/// A sweep that would take minutes, in the middle of its training.
fn training(folder: &Folder) -> Running {
    let args = [
        "--workers",
        "2",
        "--num-training",
        "5000",
        "--hidden-sizes",
        "1024,1024",
    ];
    let running = Running::start(folder.sweep_command(&args));
    running.until_training(2);
    running
}

#[test]
fn a_signal_to_stop_leaves_no_process_within_seconds_and_the_files_say_cancelled() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let folder = Folder::new();
        let running = training(&folder);
        let told = Instant::now();
        running.signal(signal);
        let run = running.end().exits(130);
        assert!(
            told.elapsed() < Duration::from_secs(5),
            "{:?}",
            told.elapsed()
        );
        assert_eq!(run.stdout, "");
        let document = folder.document("out");
        assert_eq!(document.status, Status::Cancelled);
        assert_eq!(document.suggestion, None);
        assert!(!document.curve.loss.is_empty());
        assert!(document.curve.loss.len() < 5000);
        assert!(run.stderr.contains("ancelled"), "{}", run.shown());
    }
}

#[test]
fn a_second_ctrl_c_ends_it_at_once() {
    let folder = Folder::new();
    let mut running = training(&folder);
    // Workers that do not answer keep a coordinator that was told to stop once waiting.
    let workers = running.workers();
    for worker in &workers {
        processes::signal(worker.pid, Signal::SIGSTOP);
    }
    let deadline = Instant::now() + Duration::from_secs(10);
    while !running.has_ended() {
        assert!(Instant::now() < deadline);
        running.signal(Signal::SIGINT);
        std::thread::sleep(Duration::from_millis(10)); // Signals that wait together are one.
    }
    for worker in &workers {
        processes::signal(worker.pid, Signal::SIGCONT);
    }
    running.end().exits(130);
    assert_eq!(folder.names(), [""; 0], "it went on to write files");
}

#[test]
fn workers_end_within_seconds_when_their_coordinator_is_killed() {
    let folder = Folder::new();
    let running = training(&folder);
    let killed = Instant::now();
    running.signal(Signal::SIGKILL);
    let run = running.end();
    assert_eq!(run.code, None);
    assert!(
        killed.elapsed() < Duration::from_secs(5),
        "{:?}",
        killed.elapsed()
    );
}

#[test]
fn a_sweep_outlives_its_terminal() {
    let folder = Folder::new();
    let args = ["--num-training", "400", "--batch-size", "256"];
    let running = Running::start(folder.sweep_command(&args));
    running.until_training(1);
    running.signal(Signal::SIGHUP);
    running.end().exits(0);
    assert_eq!(folder.document("out").status, Status::Completed);
}
