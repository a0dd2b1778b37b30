//! A process's children, as `/proc` shows them, and what is done to them.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::time::{Duration, Instant};

/// How long a condition may take to come true.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// A worker process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    /// Its process id.
    pub pid: i32,
    /// Its process group.
    pub group: i32,
    /// Its name.
    pub id: String,
    /// Its command line, arguments separated by spaces.
    pub command_line: String,
}

/// The workers that live, of the coordinator in process `coordinator`: its children with a
/// worker's name in their environment. One that has exited and was not waited for yet is not one.
#[must_use]
pub fn workers(coordinator: u32) -> Vec<Worker> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let mut workers: Vec<_> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| worker(pid, coordinator))
        .collect();
    workers.sort_by(|one, other| one.id.cmp(&other.id));
    workers
}

fn worker(pid: i32, coordinator: u32) -> Option<Worker> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // After the command's name in parentheses: state, parent, process group.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let (state, parent, group) = (fields.next()?, fields.next()?, fields.next()?);
    if state == "Z" || parent.parse() != Ok(coordinator) {
        return None;
    }
    let text = |file: &str| {
        let bytes = fs::read(format!("/proc/{pid}/{file}")).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    let environment = text("environ")?;
    let id = environment
        .split('\0')
        .find_map(|variable| variable.strip_prefix("RANGEFINDER_WORKER_ID="))?;
    Some(Worker {
        pid,
        group: group.parse().ok()?,
        id: id.to_owned(),
        command_line: text("cmdline")?.replace('\0', " "),
    })
}

/// Whether a process lives, as anything but a zombie.
#[must_use]
pub fn lives(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        stat.rsplit_once(')')
            .is_some_and(|(_, fields)| !fields.trim_start().starts_with('Z'))
    })
}

/// Sends a signal; a process that is gone already is fine.
pub fn signal(pid: i32, signal: Signal) {
    let _ = kill(Pid::from_raw(pid), signal);
}

/// Waits until a condition holds; says whether it came to hold in time.
pub fn eventually(mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}
