//! Processes, as `/proc` shows them, and what is done to them.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::time::{Duration, Instant};

/// How long a condition may take to come true.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Environment variable whose value marks the processes of one test: whatever they start inherits
/// it, however it was started.
pub const MARK: &str = "RANGEFINDER_TEST_MARK";

/// The system counts CPU time in ticks of this length; so does every Linux that Rust runs on.
const TICK: Duration = Duration::from_millis(10);

/// A process that lives: one that has exited and was not waited for yet is not one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its process id.
    pub pid: i32,
    /// The process that started it.
    pub parent: i32,
    /// Its process group.
    pub group: i32,
    /// Its name, if it is a worker.
    pub worker: Option<String>,
    /// The test that it belongs to.
    pub mark: Option<String>,
    /// Its command line, arguments separated by spaces.
    pub command_line: String,
}

impl Process {
    fn read(pid: i32) -> Option<Self> {
        let text = |file: &str| {
            let bytes = fs::read(format!("/proc/{pid}/{file}")).ok()?;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        };
        let stat = stat(pid)?;
        let environment = text("environ")?;
        let variable = |name: &str| {
            environment
                .split('\0')
                .find_map(|variable| variable.strip_prefix(name)?.strip_prefix('='))
                .map(str::to_owned)
        };
        Some(Self {
            pid,
            parent: stat.get(1)?.parse().ok()?,
            group: stat.get(2)?.parse().ok()?,
            worker: variable("RANGEFINDER_WORKER_ID"),
            mark: variable(MARK),
            command_line: text("cmdline")?.replace('\0', " "),
        })
    }

    /// The CPU time that it has used in user mode.
    #[must_use]
    pub fn cpu(&self) -> Duration {
        let ticks = stat(self.pid).and_then(|stat| stat.get(11)?.parse::<u32>().ok());
        TICK * ticks.unwrap_or_default()
    }
}

/// The fields of `/proc/PID/stat` after the name of the program: state, parent, group, ...; none
/// for a zombie.
fn stat(pid: i32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields = stat.rsplit_once(')')?.1.split_whitespace();
    let fields: Vec<_> = fields.map(str::to_owned).collect();
    (fields.first()? != "Z").then_some(fields)
}

fn all() -> impl Iterator<Item = Process> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(Process::read)
}

/// The workers that a coordinator in process `coordinator` has started, by name.
#[must_use]
pub fn workers(coordinator: u32) -> Vec<Process> {
    let is_one = |process: &Process| {
        process.worker.is_some() && u32::try_from(process.parent) == Ok(coordinator)
    };
    let mut workers: Vec<_> = all().filter(is_one).collect();
    workers.sort_by(|one, other| one.worker.cmp(&other.worker));
    workers
}

/// The processes with a mark.
#[must_use]
pub fn marked(mark: &str) -> Vec<Process> {
    all()
        .filter(|process| process.mark.as_deref() == Some(mark))
        .collect()
}

/// Whether a process lives, as anything but a zombie.
#[must_use]
pub fn lives(pid: i32) -> bool {
    stat(pid).is_some()
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
