//! The program `coordinator`.

use std::process::ExitCode;

fn main() -> ExitCode {
    rangefinder_coordinator::cli::main()
}
