//! Runs of the program.

use nix::sys::signal::Signal;
use rangefinder_errors::Code;
use rangefinder_report::{SweepDocument, document};
use rangefinder_tests::processes::{self, MARK, Process};
use rangefinder_tests::programs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a run may take at most.
const DEADLINE: Duration = Duration::from_secs(60);
/// How much of stderr is shown when something went wrong.
const TAIL: usize = 3000;

/// A model of the worker's own tests.
pub fn fixture(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../worker/tests/fixtures");
    let path = folder.join(name).canonicalize().unwrap();
    path.to_str().unwrap().to_owned()
}

/// Data of the reader's own tests.
pub fn data_fixture(name: &str) -> String {
    fixture(&format!("../../data/tests/fixtures/{name}"))
}

/// A mark for the processes of one run.
pub fn fresh_mark() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{}-{count}", std::process::id())
}

/// A folder for a run of the program.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    /// What is in it.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The `sweep.json` of the run that wrote to `out`.
    pub fn document(&self, out: &str) -> SweepDocument {
        document::read(&self.path(out).join("sweep.json")).unwrap()
    }

    /// The program in this folder. It sees no GPU, so that the same happens on every machine.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(programs::coordinator());
        command
            .args(args)
            .current_dir(self.0.path())
            .env("RANGEFINDER_WORKER", programs::worker())
            .env("CUDA_VISIBLE_DEVICES", "")
            .env("NO_COLOR", "1")
            .env_remove("RANGEFINDER_LOG");
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, args: &[&str]) -> Run {
        Running::start(self.command(args)).end()
    }

    /// A sweep into the folder `out`, each worker with one thread: threads change the order of
    /// sums, and tests that run side by side would wait for each other's.
    pub fn sweep_command(&self, args: &[&str]) -> Command {
        let mut command = self.command(args);
        command.args(["--threads-per-worker", "1"]);
        if !args.contains(&"--out") {
            command.args(["--out", "out"]);
        }
        command
    }

    /// Runs such a sweep to its end.
    pub fn sweep(&self, args: &[&str]) -> Run {
        Running::start(self.sweep_command(args)).end()
    }
}

/// The program while it runs. It and whatever it started is killed when dropped.
pub struct Running {
    child: Child,
    mark: String,
    stdout: Collected,
    stderr: Collected,
    started: Instant,
}

struct Collected {
    text: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Collected {
    fn from(mut source: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&text);
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = source.read(&mut buffer) {
                shared.lock().unwrap().extend_from_slice(&buffer[..count]);
            }
        });
        Self {
            text,
            reader: Some(reader),
        }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap()).into_owned()
    }

    fn all(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.so_far()
    }
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let mark = fresh_mark();
        let mut child = command
            .env(MARK, &mark)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            stdout: Collected::from(child.stdout.take().unwrap()),
            stderr: Collected::from(child.stderr.take().unwrap()),
            child,
            mark,
            started: Instant::now(),
        }
    }

    /// Waits until something holds; fails with the end of stderr when it does not come to hold.
    pub fn until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        assert!(
            processes::eventually(|| holds(self)),
            "waited in vain until {what}; stderr: {}",
            tail(&self.stderr.so_far())
        );
    }

    pub fn until_stderr(&self, text: &str) {
        self.until(&format!("it says {text:?}"), |running| {
            running.stderr.so_far().contains(text)
        });
    }

    /// Waits until the plan stands and every worker has trained for a while.
    pub fn until_training(&self, workers: usize) {
        self.until_stderr("Plan:");
        let before = self.workers();
        let cpu: Vec<_> = before.iter().map(Process::cpu).collect();
        assert_eq!(before.len(), workers, "{before:?}");
        self.until("every worker trains", |_| {
            let all = before.iter().zip(&cpu);
            all.into_iter()
                .all(|(worker, cpu)| worker.cpu() >= *cpu + Duration::from_millis(150))
        });
    }

    pub fn workers(&self) -> Vec<Process> {
        let mut workers = processes::marked(&self.mark);
        workers.retain(|process| process.worker.is_some());
        workers
    }

    pub fn signal(&self, signal: Signal) {
        processes::signal(self.child.id().try_into().unwrap(), signal);
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end; then no process may be left.
    pub fn end(mut self) -> Run {
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(
                self.started.elapsed() < DEADLINE,
                "it does not end; stderr: {}",
                tail(&self.stderr.so_far())
            );
            std::thread::sleep(Duration::from_millis(2));
        };
        let took = self.started.elapsed();
        self.until("all its processes are gone", |running| {
            processes::marked(&running.mark).is_empty()
        });
        Run {
            code: status.code(),
            stdout: self.stdout.all(),
            stderr: self.stderr.all(),
            took,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for process in processes::marked(&self.mark) {
            processes::signal(process.pid, Signal::SIGKILL);
        }
        let _ = self.child.wait();
    }
}

/// What a run left behind.
pub struct Run {
    /// None: a signal killed it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

impl Run {
    /// The run itself, if it ended with this code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.shown());
        // What is documented of the code of an error is what happens.
        let said = self
            .stderr
            .lines()
            .find_map(|line| line.strip_prefix("error["));
        if let Some((error, _)) = said.and_then(|said| said.split_once(']')) {
            let error: Code = error.parse().unwrap();
            let exit = u8::try_from(code).unwrap();
            assert!(error.exits().contains(&exit), "{}", self.shown());
        }
        self
    }

    pub fn shown(&self) -> String {
        format!("stdout: {}\nstderr: {}", self.stdout, tail(&self.stderr))
    }

    /// The only line of stdout.
    #[track_caller]
    pub fn line(&self) -> &str {
        let line = self.stdout.strip_suffix('\n');
        let line = line.filter(|line| !line.contains('\n'));
        line.unwrap_or_else(|| panic!("not one line: {}", self.shown()))
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(self.line())
            .unwrap_or_else(|error| panic!("{error}: {}", self.shown()))
    }
}

fn tail(text: &str) -> &str {
    let mut start = text.len().saturating_sub(TAIL);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}

/// Losses bit for bit.
pub fn bits(losses: &[f64]) -> Vec<u64> {
    losses.iter().map(|loss| loss.to_bits()).collect()
}
