//! The default command: run a sweep; and `coordinator resume`, which goes on with one.
//!
//! Everything that can be wrong is checked first; then the workers run; then comes what `ending`
//! does with what was found.

use super::args::{EndArgs, LimitArgs, SweepArgs};
use super::ending::{self, Ending};
use super::output::{Trouble, print};
use super::request;
use super::service::args::ResumeArgs;
use super::signals::Signals;
use crate::record::{Creation, OneShot};
use crate::run::{Finished, Start, Told};
use crate::{devices, engine, exit, run};
use rangefinder_config::{Device, manual, placement};
use rangefinder_report::terminal;
use std::ffi::OsString;
use std::path::PathBuf;
use tokio_util::sync::CancellationToken;

pub(super) fn run(args: SweepArgs) -> Result<u8, Trouble> {
    if args.print_config {
        print(&manual::print())?;
        return Ok(exit::OK);
    }
    let worker_command = request::worker_command(args.request.worker_command.as_deref())?;
    let resolved = request::resolved(args.request)?;
    let has_own_worker = !worker_command.is_empty() || args.worker_program.is_some();
    request::check_entry(&resolved.spec, has_own_worker)?;
    let ending = Ending::of(&args.end)?;
    let called = OneShot {
        worker_command,
        worker_program: args.worker_program,
        out: args
            .data_dir
            .is_some()
            .then(|| args.end.out.clone())
            .flatten(),
        hparams: args.end.hparams,
        auto_lr_find: args.end.auto_lr_find,
    };
    let out = ending::folder(args.end.out)?;
    let creation = Creation::new(&resolved, "", Some(called));
    let start = Start::New(Box::new(creation));
    follow(start, args.data_dir, &args.limits, &out, &ending)
}

/// Goes on with the sweep of a folder; it ends as the command would have ended that began it.
pub(super) fn resume(args: ResumeArgs) -> Result<u8, Trouble> {
    let stored = run::stored(&args.folder).map_err(|error| trouble(&error))?;
    let called = stored.creation.one_shot.clone().unwrap_or_default();
    let end = EndArgs {
        out: args.out.or(called.out),
        hparams: called.hparams,
        auto_lr_find: called.auto_lr_find,
        quiet: args.quiet,
        json: args.json,
    };
    let ending = Ending::of(&end)?;
    let out = ending::folder(end.out)?;
    let start = Start::Stored(Box::new(stored));
    follow(start, Some(args.folder), &args.limits, &out, &ending)
}

/// Runs a sweep, shows how it goes, and ends with what was found.
fn follow(
    start: Start,
    data_dir: Option<PathBuf>,
    limits: &LimitArgs,
    out: &std::path::Path,
    ending: &Ending,
) -> Result<u8, Trouble> {
    let creation = start.creation();
    let called = creation.one_shot.clone().unwrap_or_default();
    let options = run::Options {
        environment: worker_environment(creation, |name| std::env::var_os(name).is_some()),
        worker_program: called.worker_program,
        worker_command: called.worker_command,
        engine: engine::Options {
            state: limits.options(),
            ..engine::Options::default()
        },
        data_dir,
        ..run::Options::default()
    };
    let mut progress = terminal::Progress::stderr(creation.learning_rates(), ending.quiet);
    let quiet = ending.quiet;
    let finished = block_on(start, &options, &mut |told| match told {
        Told::Event(event) => progress.show(event),
        Told::Notice(notice) if quiet => tracing::warn!(%notice),
        Told::Notice(notice) => progress.note(&format!("note: {notice}")),
        Told::Disk(Some(why)) => progress.note(&format!("paused: {why}")),
        Told::Disk(None) => progress.note("the disk takes what is written again: it goes on"),
    });
    progress.finish();
    match finished? {
        Finished::Ended(document) => ending::finish(&document, Some(out), ending),
        Finished::Parked(folder) => {
            if !quiet {
                terminal::say(&format!(
                    "\nInterrupted. All that was done is kept; go on with\n  coordinator resume {}\n",
                    folder.display()
                ));
            }
            Ok(exit::CANCELLED)
        }
    }
}

/// What libtorch has to find in the environment when it starts; what the user set stays.
///
/// OpenMP's threads must not spin while they wait: on a machine with other work, spinning threads
/// keep the ones that they wait for off the cores, and steps take 10 to 50 times as long. cuBLAS is
/// deterministic only with a workspace of a fixed size.
fn worker_environment(
    creation: &Creation,
    is_set: impl Fn(&str) -> bool,
) -> Vec<(OsString, OsString)> {
    let several_threads = creation.trainer.threads > 1;
    let deterministic =
        creation.spec.deterministic == Some(true) && placement(&creation.spec).0 != Device::Cpu;
    [
        (several_threads, "OMP_WAIT_POLICY", "PASSIVE"),
        (deterministic, "CUBLAS_WORKSPACE_CONFIG", ":4096:8"),
    ]
    .into_iter()
    .filter(|(wanted, name, _)| *wanted && !is_set(name))
    .map(|(_, name, value)| (name.into(), value.into()))
    .collect()
}

/// Runs the sweep to its end, with signals heeded.
fn block_on(
    start: Start,
    options: &run::Options,
    told: &mut (dyn FnMut(Told<'_>) + Send),
) -> Result<Finished, Trouble> {
    super::runtime()?.block_on(async {
        let cancel = CancellationToken::new();
        let signals = Signals::install().map_err(super::no_runtime)?;
        let watching = tokio::spawn(signals.watch(cancel.clone()));
        let finished = run::one_shot(start, options, cancel, told).await;
        watching.abort();
        finished.map_err(|error| trouble(&error))
    })
}

/// What is wrong with what was asked for, or what could not be done.
fn trouble(error: &run::Error) -> Trouble {
    match error {
        run::Error::Devices(
            devices::Error::NoGpu { .. }
            | devices::Error::OutOfRange { .. }
            | devices::Error::TooManyWorkers { .. },
        )
        | run::Error::Folder(_) => Trouble::input(error),
        other => Trouble::of(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rangefinder_config::resolve;
    use rangefinder_proto::v1::SweepSpec;

    fn environment(spec: SweepSpec, set_by_the_user: &str) -> Vec<String> {
        let resolved = resolve(spec, 1, 2).unwrap();
        worker_environment(&Creation::new(&resolved, "", None), |name| {
            name == set_by_the_user
        })
        .into_iter()
        .map(|(name, value)| format!("{}={}", name.to_string_lossy(), value.to_string_lossy()))
        .collect()
    }

    #[test]
    fn cublas_is_told_to_be_deterministic_where_a_gpu_may_train() {
        let told = |deterministic, device: &str, set: &str| {
            let spec = SweepSpec {
                deterministic: Some(deterministic),
                device: Some(device.to_owned()),
                threads_per_worker: Some(1),
                ..SweepSpec::default()
            };
            environment(spec, set)
        };
        let wanted = ["CUBLAS_WORKSPACE_CONFIG=:4096:8"];
        assert_eq!(told(true, "cuda:0", ""), wanted);
        assert_eq!(told(true, "auto", ""), wanted);
        assert!(told(true, "auto", "CUBLAS_WORKSPACE_CONFIG").is_empty());
        assert!(told(true, "cpu", "").is_empty());
        assert!(told(false, "cuda:0", "").is_empty());
    }

    #[test]
    fn several_threads_are_told_not_to_spin_while_they_wait() {
        let told = |threads, set: &str| {
            let spec = SweepSpec {
                threads_per_worker: Some(threads),
                ..SweepSpec::default()
            };
            environment(spec, set)
        };
        assert_eq!(told(2, ""), ["OMP_WAIT_POLICY=PASSIVE"]);
        assert!(told(2, "OMP_WAIT_POLICY").is_empty());
        assert!(told(1, "").is_empty());
    }
}
