//! Runs a target on its corpus and on seeded mutations of it: what CI does instead of fuzzing.
//!
//! Before each input it is written into the file that `--input-at` names: should the process die, the
//! input lies there.

use clap::Parser;
use fastrand::Rng;
use rangefinder_fuzz::{Checked, TARGETS, Target, corpus, mutate};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Runs a fuzz target on its corpus and on seeded mutations of it.
#[derive(Debug, Parser)]
struct Args {
    /// The target.
    target: String,
    /// Run this one input instead.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Mutations to run after the corpus.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    mutations: u32,
    /// Seed of the first mutation; the next ones follow.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Where the input that runs is written.
    #[arg(long, value_name = "FILE")]
    input_at: Option<PathBuf>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let Some(target) = Target::named(&args.target) else {
        let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        eprintln!("replay: no target `{}`: {}", args.target, names.join(", "));
        return ExitCode::from(2);
    };
    match run(target, &args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("replay: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(target: &Target, args: &Args) -> io::Result<()> {
    let at = args.input_at.as_deref();
    if let Some(input) = &args.input {
        let Checked { read, taken } = target.check(&std::fs::read(input)?);
        let how = if read { "read" } else { "refused" };
        println!("{} is {how} in {taken} bytes of memory", input.display());
        return Ok(());
    }
    let mut inputs = target.seeds();
    inputs.extend(
        corpus::read(target.name)?
            .into_iter()
            .map(|(_, input)| input),
    );
    let (mut read, mut most) = (0, 0);
    for input in &inputs {
        let checked = check(target, input, at)?;
        most = most.max(checked.taken);
        read += usize::from(checked.read);
    }
    if read == 0 {
        return Err(io::Error::other("every input of the corpus is refused"));
    }
    for seed in (args.seed..).take(args.mutations as usize) {
        let input = mutate::mutated(&inputs, &mut Rng::with_seed(seed));
        most = most.max(check(target, &input, at)?.taken);
    }
    println!(
        "{}: {} inputs, {read} of them read, and {} mutations, at most {most} bytes of memory",
        target.name,
        inputs.len(),
        args.mutations
    );
    Ok(())
}

fn check(target: &Target, input: &[u8], at: Option<&Path>) -> io::Result<Checked> {
    if let Some(at) = at {
        std::fs::write(at, input)?;
    }
    Ok(target.check(input))
}
