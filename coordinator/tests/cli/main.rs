//! The command line as its users meet it: the program itself, its two streams, its exit codes.
//!
//! - `codes`: each code that a mistake can have.
//! - `input`: bad input and configurations.
//! - `plan`: `coordinator plan`.
//! - `analyze`: `coordinator analyze` and `plot`.
//! - `client`: the commands that ask a service.
//! - `service`: the commands that run a service and look after it.
//! - `shells`: completions and pages of the manual.
//! - `worker_command`: workers of the user's own.
//! - `signals`: Ctrl-C and its kin.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod analyze;
#[cfg(unix)]
mod client;
mod codes;
mod input;
mod plan;
#[cfg(unix)]
mod service;
#[cfg(unix)]
mod shells;
#[cfg(unix)]
mod signals;
#[cfg(unix)]
mod worker_command;

use rangefinder_errors::Code;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// What a run of the program left behind.
struct Run {
    stdout: String,
    stderr: String,
    code: i32,
}

impl Run {
    /// Both streams and the code, for snapshots.
    fn shown(&self) -> String {
        format!(
            "exit code {}\n--- stdout\n{}--- stderr\n{}",
            self.code, self.stdout, self.stderr
        )
    }

    fn json(&self) -> serde_json::Value {
        assert_eq!(self.stdout.lines().count(), 1, "{}", self.shown());
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", self.shown()))
    }
}

/// Runs the program in a folder.
fn run_in(folder: &Path, args: &[&str]) -> Run {
    let output = command(folder, args).output().unwrap();
    done(output)
}

/// Runs the program in a folder of its own.
fn run(args: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let run = run_in(folder.path(), args);
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    run
}

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coordinator"));
    command
        .args(args)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .env_remove("RANGEFINDER_LOG")
        .env_remove("COLUMNS")
        .stdin(Stdio::null());
    command
}

fn done(output: Output) -> Run {
    let run = Run {
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code().unwrap(),
    };
    // What is documented of a code is what happens.
    let said = run
        .stderr
        .lines()
        .find_map(|line| line.strip_prefix("error["));
    if let Some((code, _)) = said.and_then(|said| said.split_once(']')) {
        let code: Code = code.parse().unwrap();
        let exit = u8::try_from(run.code).unwrap();
        assert!(code.exits().contains(&exit), "{}", run.shown());
    }
    run
}
