//! The commands that ask a service, against one that does as it is told.
//!
//! - `fake`: that service.
//! - `errors`: everything that a service and the way to it can refuse.
//! - `submit`, `watch`: a sweep to its end, over lost answers and connections.
//! - `tables`: what is listed and shown.

mod errors;
mod fake;
mod submit;
mod tables;
mod watch;

use super::{Run, command, done};
use fake::{Fake, TOKEN};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::Path;
use std::process::{Child, Command};

/// The program in a folder, asking a service.
fn asking(folder: &Path, url: &str, args: &[&str]) -> Command {
    let mut command = command(folder, args);
    command
        .env("RANGEFINDER_SERVER", url)
        .env("RANGEFINDER_TOKEN", TOKEN);
    command
}

/// Runs the program in a folder, asking a service. The token never shows.
fn ask_in(folder: &Path, fake: &Fake, args: &[&str]) -> Run {
    let run = done(asking(folder, &fake.url(), args).output().unwrap());
    assert!(!run.shown().contains(TOKEN), "{}", run.shown());
    Run {
        stdout: run.stdout.replace(&fake.url(), "SERVICE"),
        stderr: run.stderr.replace(&fake.url(), "SERVICE"),
        code: run.code,
    }
}

/// Runs the program, asking a service; it leaves nothing behind.
fn ask(fake: &Fake, args: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let run = ask_in(folder.path(), fake, args);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    run
}

/// Ctrl-C.
fn interrupt(child: &Child) {
    let process = Pid::from_raw(i32::try_from(child.id()).unwrap());
    kill(process, Signal::SIGINT).unwrap();
}
