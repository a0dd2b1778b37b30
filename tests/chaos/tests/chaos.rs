//! The cells of the matrix and the stories, each a test with a name of its own.
//!
//! `cargo test -p rangefinder-chaos` runs all of them; `-- --list` lists them, and a part of a name
//! picks. With `RANGEFINDER_WRITE_RELIABILITY=1` the tables of `docs/reliability.md` are written.

use libtest_mimic::{Arguments, Trial};
use rangefinder_chaos::bench::{Bench, Programs};
use rangefinder_chaos::{cell, matrix, report, stories};
use std::process::ExitCode;
use std::sync::Arc;

/// Cells at a time: most of what they do is to wait.
const AT_A_TIME: usize = 6;
/// Set to write the tables of a run that passes.
const WRITE: &str = "RANGEFINDER_WRITE_RELIABILITY";

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_A_TIME);
    let bench = match Bench::new(Programs {
        coordinator: env!("CARGO_BIN_EXE_chaos-coordinator").into(),
        worker: env!("CARGO_BIN_EXE_chaos-worker").into(),
    }) {
        Ok(bench) => Arc::new(bench),
        Err(error) => return say(&error),
    };
    let writes = std::env::var_os(WRITE).is_some();
    let mut trials = Vec::new();
    for it in matrix::cells() {
        let bench = Arc::clone(&bench);
        trials.push(Trial::test(it.to_string(), move || cell::run(&bench, it)));
    }
    for (name, _, story) in stories::STORIES {
        let bench = Arc::clone(&bench);
        trials.push(Trial::test(format!("story::{name}"), move || story(&bench)));
    }
    if !writes {
        trials.push(Trial::test("the_page_shows_every_cell", report::check));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    if writes && !conclusion.has_failed()
        && let Err(error) = report::write(&bench)
    {
        return say(&error);
    }
    conclusion.exit_code()
}

#[expect(clippy::print_stderr, reason = "whoever runs the tests reads it")]
fn say(error: &libtest_mimic::Failed) -> ExitCode {
    eprintln!("{}", error.message().unwrap_or("failed"));
    ExitCode::FAILURE
}
