//! A coordinator without a command line: runs the slow mock sweep that it is given, for tests of
//! what becomes of its workers when it ends badly.
//!
//! `one-shot WORKER_PROGRAM [panic]`: with `panic`, it panics at the first observation.

use rangefinder_coordinator::run::one_shot;
use rangefinder_session::mock::Config;
use rangefinder_sweep::event::{Happening, SweepEvent};
use rangefinder_sweep::plan::Split;
use rangefinder_tests::sweep::{options, resolved};
use std::process::ExitCode;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let Some(worker) = arguments.get(1) else {
        return ExitCode::from(2);
    };
    let panics = arguments.get(2).is_some_and(|argument| argument == "panic");
    let slow = Config {
        step_ms: 200.0,
        ..Config::default()
    };
    let mut on_event = |event: &SweepEvent| {
        if let Happening::Observed { .. } = event.happening {
            #[expect(clippy::print_stdout, reason = "the test waits for this line")]
            {
                println!("observed");
            }
            #[expect(clippy::panic, reason = "the test asks for it")]
            if panics {
                panic!("as asked for");
            }
        }
    };
    let sweep = resolved(Split::Replicas, 2, &slow);
    let cancel = CancellationToken::new();
    match one_shot(&sweep, &options(worker), cancel, &mut on_event).await {
        Ok(_) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
