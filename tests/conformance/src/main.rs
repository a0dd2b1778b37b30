//! `conformance [--entry PREFIX] [--only WORDS] -- COMMAND...`: holds a worker program to the
//! protocol. Exit codes: 0 all cases passed, 1 some did not, 2 wrong arguments.

#![expect(clippy::print_stdout, reason = "the verdicts are the output")]

use clap::Parser;
use rangefinder_conformance::{Subject, run};
use std::ffi::OsString;
use std::process::ExitCode;

/// Holds a worker program to the protocol of docs/workers.md.
#[derive(Debug, Parser)]
struct Cli {
    /// What stands before a scenario's name (ordinary, hang, nan, user_error, out_of_memory) in
    /// TrainerSpec.custom.entry.
    #[arg(long, default_value = "conformance:")]
    entry: String,
    /// Run only the cases whose names contain this.
    #[arg(long, default_value = "")]
    only: String,
    /// The worker program and its arguments.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let subject = Subject::custom(cli.command, &cli.entry);
    let verdicts = run(&subject, &cli.only, |verdict| match &verdict.result {
        Ok(()) => println!("ok      {}", verdict.case),
        Err(why) => println!(
            "FAILED  {}\n        {}",
            verdict.case,
            why.replace('\n', "\n        ")
        ),
    })
    .await;
    let failed = verdicts
        .iter()
        .filter(|verdict| verdict.result.is_err())
        .count();
    println!("{} cases, {failed} failed", verdicts.len());
    if verdicts.is_empty() || failed > 0 {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
