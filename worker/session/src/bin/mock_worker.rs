//! A worker process with the mock trainer, told what to do by the environment: see
//! `rangefinder_session::options` and `rangefinder_session::mock`.
//!
//! Exit codes: 0 after leaving in good order, 1 when the session failed, 2 for a bad environment.

use rangefinder_session::mock::{Config, MockTrainer, SCRIPT};
use rangefinder_session::{Options, Session, shutdown};
use std::error::Error;
use std::process::ExitCode;

const SESSION_FAILED: u8 = 1;
const BAD_ENVIRONMENT: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let options = match options() {
        Ok(options) => options,
        Err(error) => return fail(BAD_ENVIRONMENT, &*error),
    };
    let signals = match shutdown::on_signals() {
        Ok(signals) => signals,
        Err(error) => return fail(SESSION_FAILED, &error),
    };
    let ended = tokio::select! {
        ended = Session::run(options, MockTrainer::from_env(), signals.leave) => ended,
        () = signals.at_once.cancelled() => std::process::exit(SESSION_FAILED.into()),
    };
    match ended {
        Ok(_end) => ExitCode::SUCCESS,
        Err(error) => fail(SESSION_FAILED, &error),
    }
}

fn options() -> Result<Options, Box<dyn Error>> {
    Config::merged(&[], std::env::var(SCRIPT).ok().as_deref())?;
    let mut options = Options::from_env()?;
    if options.device == "auto" {
        options.device = "cpu".to_owned();
    }
    Ok(options)
}

#[expect(
    clippy::print_stderr,
    reason = "people read the last words of a worker"
)]
fn fail(code: u8, error: &dyn Error) -> ExitCode {
    eprintln!("mock-worker: {error}");
    ExitCode::from(code)
}
