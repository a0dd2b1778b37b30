//! A folder with a sweep in it, and what runs there.

use nix::sys::signal::Signal;
use rangefinder_errors::Code;
use rangefinder_report::{SweepDocument, document};
use rangefinder_store::{Filter, Reader};
use rangefinder_sweep::event::{Happening, SweepEvent};
use rangefinder_tests::processes::{self, MARK};
use rangefinder_tests::programs;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;

/// Milliseconds of a step of a sweep that is to be met in its middle.
const SLOW: u32 = 40;

/// The folder in which the program runs.
pub struct Bench {
    folder: TempDir,
    mark: String,
}

impl Bench {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self {
            folder: tempfile::tempdir().unwrap(),
            mark: format!("durability-{}-{count}", std::process::id()),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub fn document(&self, out: &str) -> SweepDocument {
        document::read(&self.path(out).join("sweep.json")).unwrap()
    }

    /// The program, whose workers need so long for a step.
    fn command(&self, step_ms: u32, args: &[&str]) -> Command {
        let mut command = Command::new(programs::coordinator());
        command
            .args(args)
            .current_dir(self.folder.path())
            .env("CUDA_VISIBLE_DEVICES", "")
            .env("NO_COLOR", "1")
            .env("RANGEFINDER_MOCK", format!("{{\"step_ms\": {step_ms}}}"))
            .env(MARK, &self.mark)
            .env_remove("RANGEFINDER_LOG")
            .env_remove("RANGEFINDER_WORKER")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the program to its end, with quick workers.
    pub fn run(&self, args: &[&str]) -> Run {
        let child = self.command(0, args).spawn().unwrap();
        Run::of(child.wait_with_output().unwrap())
    }

    /// A new sweep on two workers, to its end.
    pub fn sweep(&self, args: &[&str]) -> Run {
        self.run(&sweep(args))
    }

    /// A new sweep on two slow workers.
    pub fn start(&self, args: &[&str]) -> Running<'_> {
        self.running(&sweep(args))
    }

    /// Another command with slow workers.
    pub fn running(&self, args: &[&str]) -> Running<'_> {
        Running {
            child: Some(self.command(SLOW, args).spawn().unwrap()),
            bench: self,
        }
    }

    /// The events of the sweep in a folder; none before there is one.
    pub fn events(&self, data_dir: &str) -> Vec<SweepEvent> {
        let Ok(reader) = Reader::open(&self.path(data_dir)) else {
            return Vec::new();
        };
        let sweeps = reader.list(&Filter::default(), None, 2).unwrap();
        let [sweep] = sweeps.as_slice() else {
            return Vec::new();
        };
        let events = reader.events(&sweep.id, 1, usize::MAX).unwrap();
        let read = |payload: &[u8]| serde_json::from_slice(payload).unwrap();
        events.iter().map(|event| read(&event.payload)).collect()
    }
}

fn sweep<'a>(args: &[&'a str]) -> Vec<&'a str> {
    let worker = env!("CARGO_BIN_EXE_scripted-worker");
    let mut all = vec!["--worker-program", worker, "--device", "cpu"];
    all.extend(["--workers", "2"]);
    all.extend(args);
    all
}

/// The program while it runs. It and its workers are killed when dropped.
pub struct Running<'a> {
    child: Option<Child>,
    bench: &'a Bench,
}

impl Running<'_> {
    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Waits until a step from `step` on is on disk, of an event after the first `seen` ones.
    pub fn until_step(&self, data_dir: &str, seen: usize, step: u32) {
        let met = processes::eventually(|| {
            let events = self.bench.events(data_dir);
            events.iter().skip(seen).any(|event| match &event.happening {
                Happening::Observed { observations, .. } => {
                    observations.iter().any(|seen| seen.step >= step)
                }
                _ => false,
            })
        });
        let events = self.bench.events(data_dir);
        assert!(met, "waited in vain for step {step}: {:?}", events.last());
    }

    /// Sends a signal and waits for the end of it and of its workers.
    pub fn end_by(mut self, signal: Signal) -> Run {
        let child = self.child.take().unwrap();
        processes::signal(i32::try_from(child.id()).unwrap(), signal);
        let run = Run::of(child.wait_with_output().unwrap());
        let gone = processes::eventually(|| processes::marked(&self.bench.mark).is_empty());
        assert!(gone, "{:?}", processes::marked(&self.bench.mark));
        run
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
            for process in processes::marked(&self.bench.mark) {
                processes::signal(process.pid, Signal::SIGKILL);
            }
        }
    }
}

/// What a run left behind.
pub struct Run {
    /// None: a signal killed it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.shown());
        self
    }

    /// It ends with the error of a code, which says all of these.
    #[track_caller]
    pub fn refused(self, code: Code, words: &[&str]) -> Self {
        let start = format!("error[{code}]: ");
        assert!(self.stderr.starts_with(&start), "{}", self.shown());
        assert_eq!(self.stdout, "");
        for word in words {
            assert!(self.stderr.contains(word), "{word}: {}", self.shown());
        }
        let exits = code.exits().iter().map(|exit| i32::from(*exit));
        assert!(exits.into_iter().any(|exit| self.code == Some(exit)));
        self
    }

    pub fn shown(&self) -> String {
        format!(
            "code: {:?}\nstdout: {}\nstderr: {}",
            self.code, self.stdout, self.stderr
        )
    }
}

/// What a sweep answers, bit for bit: the losses that count, and what is read off them.
pub fn assert_same_answer(document: &SweepDocument, expected: &SweepDocument) {
    let bits = |losses: &[f64]| -> Vec<u64> { losses.iter().map(|loss| loss.to_bits()).collect() };
    let (ours, theirs) = (&document.replicas, &expected.replicas);
    assert_eq!(ours.len(), theirs.len());
    for (one, other) in ours.iter().zip(theirs) {
        assert_eq!(bits(&one.curve.loss), bits(&other.curve.loss));
        assert_eq!(one.stop, other.stop);
        assert_eq!(one.suggestion, other.suggestion);
    }
    assert_eq!(bits(&document.curve.loss), bits(&expected.curve.loss));
    assert_eq!(document.suggestion, expected.suggestion);
    assert_eq!(document.verdict, expected.verdict);
}
