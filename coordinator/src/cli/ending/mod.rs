//! What is done with a sweep that has ended, here or at a service: files are written, the learning
//! rate is printed, the hyperparameter file is edited.
//!
//! - `fresh`: where the files go when nobody says.

mod fresh;

use super::answer;
use super::args::EndArgs;
use super::output::Trouble;
use crate::exit;
use rangefinder_config::hparams::{HparamsError, Target};
use rangefinder_errors::Code;
use rangefinder_report::document::Status;
use rangefinder_report::{SweepDocument, files, terminal};
use std::path::{Path, PathBuf};

/// What is to be done, checked before the sweep starts.
#[derive(Debug)]
pub(super) struct Ending {
    /// Where the learning rate is to be written.
    pub(super) hparams: Option<Target>,
    /// One object on stdout, instead of the learning rate.
    pub(super) json: bool,
    /// Nothing on stderr but failures.
    pub(super) quiet: bool,
}

impl Ending {
    /// What the flags ask for.
    pub(super) fn of(args: &EndArgs) -> Result<Self, Trouble> {
        Ok(Self {
            hparams: hparams(&args.hparams, &args.auto_lr_find)?,
            json: args.json,
            quiet: args.quiet,
        })
    }
}

/// The folder of the files, a new one where none is named; it can be written.
pub(super) fn folder(named: Option<PathBuf>) -> Result<PathBuf, Trouble> {
    let folder = named.unwrap_or_else(fresh::folder);
    files::check_folder(&folder).map_err(|error| Trouble::input(&error))?;
    Ok(folder)
}

/// Writes the files where a folder is given, says what was found, and returns the exit code.
pub(super) fn finish(
    document: &SweepDocument,
    out: Option<&Path>,
    ending: &Ending,
) -> Result<u8, Trouble> {
    if let Some(failure) = &document.failure
        && document.plan.is_none()
    {
        // No training step was run: there is nothing to write.
        return Err(Trouble::sweep(failure));
    }
    let written = out.map(|out| files::write(out, document)).transpose();
    let there = written.as_ref().ok().and_then(Option::as_ref);
    if !ending.quiet {
        let (width, colour) = terminal::stderr_style();
        // Apart from what was said during the sweep.
        let summary = terminal::summary(document, there, width, colour);
        terminal::say(&format!("\n{summary}"));
    }
    // What was found is said also where no file could be written: it may have taken hours.
    let folder = there.map(|written| written.folder.as_path());
    answer::show(document, ending.json, folder)?;
    written.map_err(|error| Trouble::failed(&error))?;
    if let Some(failure) = &document.failure {
        return Err(Trouble::sweep(failure));
    }
    match &ending.hparams {
        Some(target) => write(target, document, ending.quiet),
        None => Ok(answer::end(document, ending.quiet)),
    }
}

/// Where the learning rate is to be written. The file and the wish to change it are two flags, so
/// that nobody's file is changed by naming it.
fn hparams(
    file: &Option<PathBuf>,
    field: &Option<Option<String>>,
) -> Result<Option<Target>, Trouble> {
    let incomplete =
        |text: String| Err(Trouble::new(exit::WRONG_INPUT, Code::MissingArgument, text));
    match (file, field) {
        (Some(path), Some(field)) => Target::check(path, field.as_deref())
            .map(Some)
            .map_err(|error| Trouble::input(&error)),
        (Some(path), None) => incomplete(format!(
            "--hparams: `{}` is named, and nothing says to change it\n  \
             add --auto-lr-find to write the learning rate into its `lr` or `learning_rate`, or \
             --auto-lr-find FIELD for another field; without, a file is never written to",
            path.display()
        )),
        (None, Some(_)) => incomplete(
            "--auto-lr-find: no file is named to write the learning rate into\n  \
             add --hparams FILE, a .yaml, .toml or .json file with your hyperparameters"
                .to_owned(),
        ),
        (None, None) => Ok(None),
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
                Code::HparamsUnwritten,
                format!("{path} was left as it is: there is no usable learning rate to write"),
            ));
        }
    };
    // It was checked before: whatever is wrong now has changed during the sweep.
    let changed =
        |error: HparamsError| Trouble::new(exit::FAILED, Code::HparamsReplace, error.to_string());
    let all = target.write(suggestion.lr).map_err(changed)?;
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
        let batch = document.effective_batch_size;
        let table = terminal::hyperparameters(&all, batch, width, colour);
        let path = target.path().display();
        terminal::say(&format!("\nWritten into {path}:\n{table}"));
    }
    Ok(exit::OK)
}
