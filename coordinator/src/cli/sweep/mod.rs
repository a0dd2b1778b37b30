//! The default command: run a sweep.
//!
//! Everything that can be wrong is checked first; then the workers run; then comes what `ending` does
//! with what was found.
//!
//! - `clock`: how long it took.
//! - `versions`: what took part.

mod clock;
mod versions;

use super::args::SweepArgs;
use super::ending::{self, Ending};
use super::output::{Trouble, print};
use super::signals::Signals;
use super::{answer, request};
use crate::{devices, engine, exit, run};
use clock::Clock;
use rangefinder_config::{AnswerSettings, Device, Resolved, manual};
use rangefinder_errors::Code;
use rangefinder_report::document::Parts;
use rangefinder_report::{SweepDocument, terminal};
use rangefinder_sweep::event::{Outcome, SweepEvent};
use rangefinder_sweep::state::SweepResult;
use std::ffi::OsString;
use tokio_util::sync::CancellationToken;
use versions::Versions;

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
    let out = ending::folder(args.end.out)?;

    let learning_rates = resolved.request.plan.range.learning_rates();
    let options = run::Options {
        environment: worker_environment(&resolved, |name| std::env::var_os(name).is_some()),
        worker_program: args.worker_program,
        engine: engine::Options {
            state: args.limits.options(),
            ..engine::Options::default()
        },
        worker_command,
        ..run::Options::default()
    };
    let mut progress = terminal::Progress::stderr(learning_rates.clone(), ending.quiet);
    let mut clock = Clock::start();
    let mut versions = Versions::new();
    let result = block_on(&resolved, &options, &mut |event| {
        clock.see(event);
        versions.see(event);
        progress.show(event);
    });
    progress.finish();
    let result = result?;
    let document = document(&resolved, &learning_rates, &result, versions, &clock);
    ending::finish(&document, Some(&out), &ending)
}

/// What libtorch has to find in the environment when it starts; what the user set stays.
///
/// OpenMP's threads must not spin while they wait: on a machine with other work, spinning threads
/// keep the ones that they wait for off the cores, and steps take 10 to 50 times as long. cuBLAS is
/// deterministic only with a workspace of a fixed size.
fn worker_environment(
    resolved: &Resolved,
    is_set: impl Fn(&str) -> bool,
) -> Vec<(OsString, OsString)> {
    let several_threads = resolved.trainer.threads > 1;
    let deterministic = resolved.spec.deterministic == Some(true) && resolved.device != Device::Cpu;
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
    resolved: &Resolved,
    options: &run::Options,
    on_event: &mut (dyn FnMut(&SweepEvent) + Send),
) -> Result<SweepResult, Trouble> {
    let no_runtime = |error: std::io::Error| {
        let text = format!("the operating system refuses: {error}");
        Trouble::new(exit::FAILED, Code::System, text)
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(no_runtime)?;
    runtime.block_on(async {
        let cancel = CancellationToken::new();
        let signals = Signals::install().map_err(no_runtime)?;
        let watching = tokio::spawn(signals.watch(cancel.clone()));
        let result = run::one_shot(resolved, options, cancel, on_event).await;
        watching.abort();
        result.map_err(|error| match error {
            run::Error::Devices(
                devices::Error::NoGpu { .. }
                | devices::Error::OutOfRange { .. }
                | devices::Error::TooManyWorkers { .. },
            ) => Trouble::input(&error),
            other => Trouble::failed(&other),
        })
    })
}

/// Puts together what is known, with what can be read off the curve of a completed sweep.
fn document(
    resolved: &Resolved,
    learning_rates: &[f64],
    result: &SweepResult,
    versions: Versions,
    clock: &Clock,
) -> SweepDocument {
    let losses: Vec<Vec<f64>> = result
        .replicas
        .iter()
        .map(|replica| replica.curve.iter().map(|seen| seen.loss).collect())
        .collect();
    // Of a sweep that was cancelled or failed there are losses, but no end of them to judge by.
    let complete = result.outcome == Some(Outcome::Completed) && !losses.is_empty();
    // The memory of a worker's own optimizer is known from the worker alone.
    let described = result.described.as_ref();
    let settings = &AnswerSettings {
        beta: resolved
            .answer
            .beta
            .or(described.and_then(|described| described.beta)),
        ..resolved.answer.clone()
    };
    let answer = complete.then(|| answer::read(settings, learning_rates, &losses));
    let replica_values = if complete {
        answer::read_each(settings, learning_rates, &losses)
    } else {
        Vec::new()
    };
    SweepDocument::new(Parts {
        spec: &resolved.spec,
        learning_rates,
        result,
        answer: answer.as_ref(),
        replica_values: &replica_values,
        versions: versions.all(),
        timings: clock.timings(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rangefinder_config::resolve;
    use rangefinder_proto::v1::SweepSpec;

    fn environment(spec: SweepSpec, set_by_the_user: &str) -> Vec<String> {
        let resolved = resolve(spec, 1, 2).unwrap();
        worker_environment(&resolved, |name| name == set_by_the_user)
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
