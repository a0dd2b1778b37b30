//! The default command: run a sweep.
//!
//! Everything that can be wrong is checked first; then the workers run; then files are written,
//! the learning rate is printed, the hyperparameter file is edited.
//!
//! - `clock`: how long it took.
//! - `folder`: where the files go when nobody says.

mod clock;
mod folder;

use super::args::SweepArgs;
use super::output::{Trouble, describe, print};
use super::signals::Signals;
use super::{answer, request};
use crate::{devices, exit, run};
use clock::Clock;
use rangefinder_config::hparams::Target;
use rangefinder_config::{AnswerSettings, Resolved, manual};
use rangefinder_report::document::{Parts, Status};
use rangefinder_report::{SweepDocument, files, terminal};
use rangefinder_sweep::event::{Failure, FailureKind, Outcome, SweepEvent};
use rangefinder_sweep::state::SweepResult;
use std::collections::BTreeMap;
use tokio_util::sync::CancellationToken;

pub(super) fn run(args: SweepArgs) -> Result<u8, Trouble> {
    if args.print_config {
        print(&manual::print())?;
        return Ok(exit::OK);
    }
    let worker_command = request::worker_command(args.request.worker_command.as_deref())?;
    let resolved = request::resolved(args.request)?;
    let hparams = match (&args.hparams, &args.auto_lr_find) {
        (Some(path), Some(field)) => {
            Some(Target::check(path, field.as_deref()).map_err(Trouble::input)?)
        }
        _ => None,
    };
    let out = args.out.unwrap_or_else(folder::fresh);
    files::check_folder(&out).map_err(Trouble::input)?;

    let learning_rates = resolved.request.plan.range.learning_rates();
    let options = run::Options {
        worker_program: args.worker_program,
        worker_command,
        ..run::Options::default()
    };
    let mut progress = terminal::Progress::stderr(learning_rates.clone(), args.quiet);
    let mut clock = Clock::start();
    let result = block_on(&resolved, &options, &mut |event| {
        clock.see(event);
        progress.show(event);
    });
    progress.finish();
    let result = result?;
    if let Some(Outcome::Failed(failure)) = &result.outcome
        && result.plan.is_none()
    {
        // No training step was run: there is nothing to write.
        return Err(failed(failure));
    }

    let document = document(&resolved, &learning_rates, &result, &clock);
    let written = files::write(&out, &document).map_err(Trouble::failed)?;
    if !args.quiet {
        let (width, colour) = terminal::stderr_style();
        terminal::say(&terminal::summary(&document, Some(&written), width, colour));
    }
    answer::show(&document, args.json, Some(&written.folder))?;
    if let Some(Outcome::Failed(failure)) = &result.outcome {
        return Err(failed(failure));
    }
    match hparams {
        Some(target) => write(&target, &document, args.quiet),
        None => Ok(answer::code(&document)),
    }
}

/// Runs the sweep to its end, with signals heeded.
fn block_on(
    resolved: &Resolved,
    options: &run::Options,
    on_event: &mut (dyn FnMut(&SweepEvent) + Send),
) -> Result<SweepResult, Trouble> {
    let no_runtime =
        |error: std::io::Error| Trouble::failed(format!("the operating system refuses: {error}"));
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
            ) => Trouble::input(error),
            other => Trouble::failed(other),
        })
    })
}

/// Puts together what is known, with what can be read off the curve of a completed sweep.
fn document(
    resolved: &Resolved,
    learning_rates: &[f64],
    result: &SweepResult,
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
    let versions = [(
        "rangefinder".to_owned(),
        env!("CARGO_PKG_VERSION").to_owned(),
    )];
    SweepDocument::new(Parts {
        spec: &resolved.spec,
        learning_rates,
        result,
        answer: answer.as_ref(),
        replica_values: &replica_values,
        versions: BTreeMap::from(versions),
        timings: clock.timings(),
    })
}

/// A failed sweep: the user's mistakes by field, anything else in the worker's words.
fn failed(failure: &Failure) -> Trouble {
    let text = if failure.fields.is_empty() {
        failure.message.clone()
    } else {
        describe(&failure.fields)
    };
    match failure.kind {
        FailureKind::User => Trouble::input(text),
        FailureKind::OutOfMemory | FailureKind::Worker => Trouble::failed(text),
    }
}

/// Writes a usable suggestion into the hyperparameter file and shows all of them.
fn write(target: &Target, document: &SweepDocument, quiet: bool) -> Result<u8, Trouble> {
    let usable = document
        .verdict
        .as_ref()
        .is_some_and(|verdict| verdict.usable);
    let suggestion = match &document.suggestion {
        Some(suggestion) if usable && document.status == Status::Completed => suggestion,
        _ => {
            let code = match answer::code(document) {
                exit::OK => exit::NO_USABLE_LR,
                code => code,
            };
            let path = target.path().display();
            return Err(Trouble::new(
                code,
                format!("{path} was left as it is: there is no usable learning rate to write"),
            ));
        }
    };
    let all = target.write(suggestion.lr).map_err(Trouble::failed)?;
    if !quiet {
        let all: Vec<_> = all
            .into_iter()
            .map(|one| terminal::Hyperparameter {
                key: one.field,
                value: one.value,
                before: one.before,
            })
            .collect();
        let (width, colour) = terminal::stderr_style();
        terminal::say(&terminal::hyperparameters(&all, width, colour));
    }
    Ok(exit::OK)
}
