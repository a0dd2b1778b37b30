//! From flags and configuration file to a resolved specification.

use super::args::{RequestArgs, SpecArgs};
use super::output::Trouble;
use crate::exit;
use rangefinder_config::{Resolved, file, resolve};
use rangefinder_errors::Code;
use rangefinder_proto::v1::SweepSpec;

/// Reads the configuration file, and lets the flags win.
pub(super) fn spec(args: SpecArgs) -> Result<SweepSpec, Trouble> {
    let mut spec = match &args.config {
        Some(path) => file::load(path).map_err(|error| Trouble::config(&error))?,
        None => SweepSpec::default(),
    };
    let mut flags = args.spec;
    if args.no_shuffle {
        flags.shuffle = Some(false);
    }
    file::overlay(&mut spec, &flags);
    Ok(spec)
}

/// Resolves what file and flags ask for.
pub(super) fn resolved(args: RequestArgs) -> Result<Resolved, Trouble> {
    let mut spec = spec(args.spec)?;
    if args.worker_command.is_some() {
        // The command says what is trained, unless the specification does.
        spec.entry.get_or_insert_default();
    }
    resolve(spec, args.workers, cores()).map_err(|errors| Trouble::fields(&errors))
}

/// Checks that someone is there who understands an `entry`: our own worker does not.
pub(super) fn check_entry(spec: &SweepSpec, has_own_worker: bool) -> Result<(), Trouble> {
    match &spec.entry {
        Some(entry) if !has_own_worker => Err(Trouble::new(
            exit::WRONG_INPUT,
            Code::EntryWithoutWorker,
            format!(
                "--entry: `{entry}` is for a worker of your own, and none is named\n  \
                 give its command, such as --worker-command \"python worker.py\", or remove `entry`"
            ),
        )),
        _ => Ok(()),
    }
}

/// The words of `--worker-command`, none where it is not given.
pub(super) fn worker_command(command: Option<&str>) -> Result<Vec<String>, Trouble> {
    let Some(command) = command else {
        return Ok(Vec::new());
    };
    let wrong = |text: String| Trouble::new(exit::WRONG_INPUT, Code::WorkerCommand, text);
    match shlex::split(command) {
        Some(words) if !words.is_empty() => Ok(words),
        Some(_) => Err(wrong(
            "--worker-command: is empty\n  give a command such as \"python worker.py module:setup\""
                .to_owned(),
        )),
        None => Err(wrong(format!(
            "--worker-command: `{command}` has a quote that is not closed, or ends in a backslash\n  \
             quote it as for a shell"
        ))),
    }
}

/// CPU cores that this process may use; 1 where that is not known.
fn cores() -> u32 {
    std::thread::available_parallelism()
        .ok()
        .and_then(|cores| u32::try_from(cores.get()).ok())
        .unwrap_or(1)
}
