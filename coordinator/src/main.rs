//! The program `coordinator`; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    rangefinder_coordinator::cli::main()
}
