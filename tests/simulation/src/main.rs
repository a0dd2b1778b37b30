//! `simulate --seed n --trace`: replays the schedule of a seed.

use clap::Parser;
use std::process::ExitCode;

/// Runs schedules of faults against the state machine.
#[derive(Parser)]
struct Arguments {
    /// The first seed.
    #[arg(long)]
    seed: u64,
    /// How many seeds from there on.
    #[arg(long, default_value_t = 1)]
    count: u64,
    /// Print all that happens.
    #[arg(long)]
    trace: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut failed = false;
    for seed in arguments.seed..arguments.seed.saturating_add(arguments.count) {
        match rangefinder_simulation::run(seed, None, arguments.trace) {
            Ok(summary) => println!("seed {seed}: {summary:?}"),
            Err(problem) => {
                failed = true;
                println!("seed {seed} fails: {problem}");
            }
        }
    }
    ExitCode::from(u8::from(failed))
}
