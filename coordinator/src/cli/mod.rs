//! The command line.
//!
//! stdout carries data: the learning rate on one line, or one object with `--json`. stderr is for
//! people.
//!
//! - `args`: commands and flags. The fields of the specification are flags by their definition.
//! - `help`: what `--help` says beside them.
//! - `request`: from flags and configuration file to a resolved specification.
//! - `sweep`: the default command: run a sweep.
//! - `service`: run a service, look after it, go on with what was interrupted.
//! - `client`: the commands that ask a service.
//! - `plan`, `analyze`, `plot`: the others.
//! - `completions`, `man`: what shells and `man` read, from the definition of the command line.
//! - `answer`: a suggestion as data.
//! - `ending`: what is done with a sweep that has ended.
//! - `output`: stdout, and messages of mistakes.
//! - `usage`: messages of mistakes that the definition of the command line finds by itself.
//! - `signals`: Ctrl-C, SIGTERM, a lost terminal.

mod analyze;
mod answer;
mod args;
mod client;
mod completions;
mod ending;
mod help;
mod man;
mod output;
mod plan;
mod plot;
mod request;
mod service;
mod signals;
mod sweep;
mod usage;

use crate::exit;
use crate::observe::logging;
use args::{Cli, Command};
use clap::FromArgMatches as _;
use output::Trouble;
use rangefinder_errors::Code;
use std::process::ExitCode;
use tracing::level_filters::LevelFilter;

/// Runs the command line of this process and returns its exit code.
#[must_use]
pub fn main() -> ExitCode {
    // A defect is said in one sentence; its details are for whoever asks for them.
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!("{panic}");
    }));
    let code = std::panic::catch_unwind(|| run().unwrap_or_else(|trouble| trouble.report()));
    ExitCode::from(code.unwrap_or_else(|_| {
        Trouble::new(
            exit::FAILED,
            Code::Defect,
            "the coordinator has a defect and cannot go on; with RANGEFINDER_LOG=error it says where",
        )
        .report()
    }))
}

/// What `coordinator analyze CURVE` reads off a file; `None` where it would say what is wrong with it.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
#[must_use]
pub fn analyze(curve: &std::path::Path) -> Option<rangefinder_report::SweepDocument> {
    analyze::read(curve)
}

fn run() -> Result<u8, Trouble> {
    let read = help::command().try_get_matches();
    let cli = match read.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => return Ok(usage::say(&help::with_advice(error))),
    };
    // A service says what it does; other commands log only where they are asked to.
    match &cli.command {
        Some(Command::Serve(args)) => logging::start(LevelFilter::INFO, args.log_format.into()),
        _ => logging::start(LevelFilter::OFF, logging::Format::Text),
    }
    match cli.command {
        None => sweep::run(cli.sweep),
        Some(Command::Plan(args)) => plan::run(*args),
        Some(Command::Analyze(args)) => analyze::run(&args),
        Some(Command::Plot(args)) => plot::run(&args),
        Some(Command::Resume(args)) => service::resume(args),
        Some(Command::Serve(args)) => service::serve(*args),
        Some(Command::Store(args)) => service::store(args),
        Some(Command::Token(args)) => service::token(args),
        Some(Command::Submit(args)) => client::submit(*args),
        Some(Command::Watch(args)) => client::watch(args),
        Some(Command::List(args)) => client::list(args),
        Some(Command::Show(args)) => client::show(args),
        Some(Command::Cancel(args)) => client::cancel(args),
        Some(Command::Delete(args)) => client::delete(args),
        Some(Command::Suggest(args)) => client::suggest(args),
        Some(Command::Workers(args)) => client::workers(args),
        Some(Command::Drain(args)) => client::drain(args),
        Some(Command::Completions(args)) => completions::run(&args),
        Some(Command::Man(args)) => man::run(&args),
    }
}

/// What runs everything that waits.
fn runtime() -> Result<tokio::runtime::Runtime, Trouble> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(no_runtime)
}

/// The operating system refuses what no command can do without.
fn no_runtime(error: std::io::Error) -> Trouble {
    let text = format!("the operating system refuses: {error}");
    Trouble::new(exit::FAILED, Code::System, text)
}
