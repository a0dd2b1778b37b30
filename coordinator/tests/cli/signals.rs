//! Signals, with a worker program that never says a word.

use super::{command, done};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(30);

/// Starts a sweep, and returns once its worker runs, with the worker's process.
fn sweep(folder: &Path) -> (Child, Pid) {
    let worker = folder.join("worker");
    fs::write(
        &worker,
        "#!/bin/sh\necho $$ > pid.new; mv pid.new pid; exec sleep 1000\n",
    )
    .unwrap();
    fs::set_permissions(&worker, fs::Permissions::from_mode(0o755)).unwrap();
    let args = [
        "--worker-program",
        "./worker",
        "--device",
        "cpu",
        "--out",
        "out",
    ];
    let child = command(folder, &args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pid = None;
    wait_for("the worker starts", || {
        let text = fs::read_to_string(folder.join("pid")).ok()?;
        pid = text.trim().parse().ok();
        pid
    });
    (child, Pid::from_raw(pid.unwrap()))
}

fn wait_for<T>(what: &str, mut seen: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = seen() {
            return value;
        }
        assert!(started.elapsed() < DEADLINE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
}

#[test]
fn a_signal_stops_the_workers_and_what_there_is_is_written_as_cancelled() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let folder = tempfile::tempdir().unwrap();
        let (child, worker) = sweep(folder.path());
        send(&child, signal);
        let run = done(child.wait_with_output().unwrap());
        assert_eq!(
            (run.code, run.stdout.as_str()),
            (130, ""),
            "{}",
            run.shown()
        );
        let text = fs::read_to_string(folder.path().join("out/sweep.json")).unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["status"], "cancelled");
        assert!(document["suggestion"].is_null());
        wait_for("the worker is gone", || {
            kill(worker, None).is_err().then_some(())
        });
    }
}

#[test]
fn the_coordinator_outlives_its_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, _) = sweep(folder.path());
    // Whoever read what it says is gone as well.
    drop(child.stderr.take());
    send(&child, Signal::SIGHUP);
    // A process that SIGHUP has killed has no exit code.
    send(&child, Signal::SIGTERM);
    let run = done(child.wait_with_output().unwrap());
    assert_eq!(run.code, 130, "{}", run.shown());
    assert!(folder.path().join("out/sweep.json").exists());
}
