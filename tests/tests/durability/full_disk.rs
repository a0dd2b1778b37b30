//! A disk that is full for a while; a limit of the size of files stands for it.

use super::bench::*;
use nix::sys::signal::Signal;
use rustix::process::{Pid, Resource, Rlimit, prlimit};

/// Limits the files of a process.
fn limit(pid: u32, bytes: Option<u64>) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap());
    let limit = Rlimit {
        current: bytes,
        maximum: None,
    };
    prlimit(pid, Resource::Fsize, limit).unwrap();
}

#[test]
fn a_full_disk_pauses_a_sweep_which_says_why_and_goes_on_when_there_is_room() {
    let bench = Bench::new();
    let undisturbed = bench.sweep(&["--out", "undisturbed"]).exits(0);
    let running = bench.start(&["--data-dir", "D", "--out", "out"]);
    running.until_step("D", 0, 10);
    let log = bench
        .path("D")
        .join("store.db-wal")
        .metadata()
        .unwrap()
        .len();
    limit(running.pid(), Some(log));
    running.until_stderr("paused: no room for ");
    limit(running.pid(), None);
    running.until_stderr("it goes on");
    let run = running.end().exits(0);
    assert_eq!(run.stdout, undisturbed.stdout);
    assert_same_answer(&bench.document("out"), &bench.document("undisturbed"));
}

#[test]
fn a_sweep_that_is_paused_by_a_full_disk_can_be_stopped_and_gone_on_with() {
    let bench = Bench::new();
    let undisturbed = bench.sweep(&["--out", "undisturbed"]).exits(0);
    let running = bench.start(&["--data-dir", "D", "--out", "out"]);
    running.until_step("D", 0, 10);
    let log = bench
        .path("D")
        .join("store.db-wal")
        .metadata()
        .unwrap()
        .len();
    limit(running.pid(), Some(log));
    running.until_stderr("paused: no room for ");
    running.end_by(Signal::SIGINT).exits(130);
    let resumed = bench.run(&["resume", "D"]).exits(0);
    assert_eq!(resumed.stdout, undisturbed.stdout);
    assert_same_answer(&bench.document("out"), &bench.document("undisturbed"));
}
