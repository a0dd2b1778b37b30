//! What was read off curves, and the answer as data: the line or the object on stdout, and the
//! exit code.

use super::output::{Trouble, print};
use crate::exit;
use rangefinder_report::document::{Status, Stop};
use rangefinder_report::{SweepDocument, terminal};
use rangefinder_sweep::plan::Warning;
use rangefinder_sweep::suggest::{MethodValue, Suggestion, Value, Verdict};
use serde::Serialize;
use std::path::Path;

/// The object that `--json` prints.
#[derive(Debug, Serialize)]
struct Printed<'a> {
    /// How the sweep ended.
    status: Status,
    /// The learning rate with its interval; null without a usable one.
    suggestion: Option<&'a Suggestion>,
    /// What the method gives, whatever the verdict.
    rule_value: Option<&'a Value>,
    /// Why the curve ends, and at which step.
    stop: Stop,
    /// Whether the curve is usable; null where nothing was judged.
    verdict: Option<&'a Verdict>,
    /// Planned steps: a longer sweep suggests a lower learning rate.
    steps: u32,
    /// Samples that one step sees; null when unknown.
    effective_batch_size: Option<u64>,
    /// What every other method and profile gives.
    methods: &'a [MethodValue],
    /// Notices and warnings.
    warnings: &'a [Warning],
    /// Folder of the files, where some were written.
    out: Option<&'a Path>,
}

/// Prints the answer on stdout: one object, or the learning rate on one line, or nothing where
/// there is none.
pub(super) fn show(
    document: &SweepDocument,
    json: bool,
    out: Option<&Path>,
) -> Result<(), Trouble> {
    if json {
        let printed = Printed {
            status: document.status,
            suggestion: document.suggestion.as_ref(),
            rule_value: document.rule_value.as_ref(),
            stop: document.stop,
            verdict: document.verdict.as_ref(),
            steps: document.steps,
            effective_batch_size: document.effective_batch_size,
            methods: &document.methods,
            warnings: &document.warnings,
            out,
        };
        print(&serde_json::to_string(&printed).map_err(|error| Trouble::not_json(&error))?)
    } else if let Some(suggestion) = &document.suggestion {
        print(&format!("{:?}", suggestion.lr))
    } else {
        Ok(())
    }
}

/// The exit code of an answer. With `quiet` nothing but failures is shown, and that there is no
/// learning rate is one; else the summary has said it.
pub(super) fn end(document: &SweepDocument, quiet: bool) -> u8 {
    let code = code(document);
    if quiet && code == exit::NO_USABLE_LR {
        let why = match &document.verdict {
            Some(verdict) if !verdict.usable => verdict.message.as_str(),
            _ => "the method gives none",
        };
        terminal::complain(&format!("no usable learning rate: {why}"));
    }
    code
}

/// The exit code of an answer.
pub(super) fn code(document: &SweepDocument) -> u8 {
    match (document.status, &document.suggestion) {
        (Status::Cancelled, _) => exit::CANCELLED,
        (Status::Failed, _) => exit::FAILED,
        (Status::Completed, Some(_)) => exit::OK,
        (Status::Completed, None) => exit::NO_USABLE_LR,
    }
}
