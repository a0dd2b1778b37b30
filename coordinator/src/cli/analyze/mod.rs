//! `coordinator analyze`: any method or profile on losses from elsewhere.
//!
//! - `input`: curves from a file.
//! - `csv`, `json_lines`: its rows; `columns`: what is read off them.

mod columns;
mod csv;
mod input;
mod json_lines;

use super::answer;
use super::args::AnalyzeArgs;
#[cfg(feature = "fuzzing")]
use super::args::ReadingArgs;
use super::output::{Trouble, print};
use crate::{exit, record};
use input::{Curves, Wrong};
use rangefinder_config::{AnswerSettings, MAX_STEPS, reread};
use rangefinder_errors::Code;
use rangefinder_proto::v1::SweepSpec;
use rangefinder_report::document::{Parts, Timings};
use rangefinder_report::{SweepDocument, terminal};
use rangefinder_sweep::curve::{StopDetector, StopReason, StopRule};
use rangefinder_sweep::event::{FieldError, Observation, Outcome};
use rangefinder_sweep::plan::Warning;
use rangefinder_sweep::state::{ReplicaResult, SweepResult};
use rangefinder_sweep::suggest::{
    Method, Reason, SmoothedRequest, profiles, rule, seem_smoothed, suggest_smoothed,
};
use serde_json::json;
use std::collections::BTreeMap;

/// What is said of losses that seem to be smoothed: verdict and interval need raw ones.
const ARE_SMOOTHED: &str = "if these losses are smoothed already, as they seem to be, add \
    `--smoothed` and the tool or the rule, such as `--profile lightning` or `--method steepest`";

pub(super) fn run(args: &AnalyzeArgs) -> Result<u8, Trouble> {
    // What is wrong with the flags is said before the file is looked at.
    let asked = args.reading.message();
    settings(&reread(&SweepSpec::default(), &asked), args.beta)?;
    if let Some(steps) = args.num_training.filter(|steps| *steps > MAX_STEPS) {
        return Err(Trouble::fields(&[FieldError {
            code: Code::OutOfRange,
            field: "num_training".to_owned(),
            message: format!("{steps} is too large; expected at most {MAX_STEPS}"),
            remedy: "give the number of steps that were planned".to_owned(),
        }]));
    }
    let curves =
        input::read(&args.curve, args.num_training).map_err(|wrong| wrong.of(&args.curve))?;
    let spec = reread(&curves.spec, &asked);
    let settings = settings(&spec, args.beta.or(curves.beta))?;
    if args.smoothed {
        return smoothed(args, &curves, &settings);
    }
    let document = document(args, &curves, &spec, &settings);
    if !args.quiet {
        let (width, colour) = terminal::stderr_style();
        terminal::say(&terminal::summary(&document, None, width, colour));
    }
    answer::show(&document, args.json, None)?;
    Ok(answer::end(&document, args.quiet))
}

/// What `coordinator analyze CURVE` shows of a file; `None` where it says what is wrong with it.
#[cfg(feature = "fuzzing")]
pub(super) fn read(curve: &std::path::Path) -> Option<SweepDocument> {
    let args = AnalyzeArgs {
        curve: curve.to_owned(),
        reading: ReadingArgs::default(),
        raw: false,
        smoothed: false,
        beta: None,
        num_training: None,
        quiet: true,
        json: false,
    };
    let curves = input::read(curve, None).ok()?;
    let spec = curves.spec.clone();
    let settings = settings(&spec, curves.beta).ok()?;
    Some(document(&args, &curves, &spec, &settings))
}

/// The curves with what was read off them.
fn document(
    args: &AnalyzeArgs,
    curves: &Curves,
    spec: &SweepSpec,
    settings: &AnswerSettings,
) -> SweepDocument {
    let mut found = record::read(settings, &curves.learning_rates, &curves.replicas);
    // A sweep.json says how it ended, and has raw losses.
    let from_elsewhere = curves.stop.is_none();
    if from_elsewhere && !args.raw && curves.replicas.iter().any(|losses| seem_smoothed(losses)) {
        if found.verdict.reason == Some(Reason::Wanders) {
            found.verdict.message.push_str(&format!("; {ARE_SMOOTHED}"));
        } else if found.verdict.usable {
            found.warnings.push(Warning {
                code: "seems_smoothed".to_owned(),
                message: format!("{ARE_SMOOTHED}; if they are raw, say `--raw`"),
            });
        }
    }
    let each = record::read_each(settings, &curves.learning_rates, &curves.replicas);
    SweepDocument::new(Parts {
        spec,
        learning_rates: &curves.learning_rates,
        result: &result(curves, settings, spec.early_stop_threshold),
        answer: Some(&found),
        replica_values: &each,
        versions: BTreeMap::new(),
        timings: Timings::default(),
    })
}

fn settings(spec: &SweepSpec, beta: Option<f64>) -> Result<AnswerSettings, Trouble> {
    rangefinder_config::reading(spec, beta).map_err(|errors| Trouble::fields(&errors))
}

/// Losses that are smoothed already: the method's value alone.
fn smoothed(args: &AnalyzeArgs, curves: &Curves, settings: &AnswerSettings) -> Result<u8, Trouble> {
    let [losses] = curves.replicas.as_slice() else {
        let replicas = curves.replicas.len();
        return Err(Wrong(
            Code::CurveSmoothed,
            format!(
                "it holds {replicas} replicas; expected one curve of smoothed losses\n  \
                 give one replica, or raw losses without --smoothed"
            ),
        )
        .of(&args.curve));
    };
    if settings.method == Method::Auto && settings.profile.is_none() {
        return Err(Trouble::fields(&[FieldError {
            code: Code::CurveSmoothed,
            field: "method".to_owned(),
            message: "`auto` needs raw losses, and these are --smoothed".to_owned(),
            remedy: "name a method, such as --method steepest, or a profile".to_owned(),
        }]));
    }
    let found = suggest_smoothed(&SmoothedRequest {
        learning_rates: &curves.learning_rates,
        smoothed: losses,
        method: settings.method,
        profile: settings.profile,
        skip_begin: settings.skip_begin,
        skip_end: settings.skip_end,
    });
    if args.json {
        let printed = json!({
            "suggestion": found.value,
            "rule_value": found.value,
            "stop": {"reason": StopReason::Completed, "step": losses.len().checked_sub(1)},
            "verdict": null,
            "steps": curves.learning_rates.len(),
            "why": found.why,
        });
        print(&printed.to_string())?;
    } else if let Some(value) = &found.value {
        print(&format!("{:?}", value.lr))?;
    }
    if found.value.is_none() {
        terminal::say(&format!("no learning rate: {}\n", found.why));
    }
    Ok(match found.value {
        Some(_) => exit::OK,
        None => exit::NO_USABLE_LR,
    })
}

/// The curves as the result of a sweep that somebody else ran.
fn result(curves: &Curves, settings: &AnswerSettings, threshold: Option<f64>) -> SweepResult {
    let replica = |losses: &Vec<f64>| {
        let (reason, steps) = stop(losses, curves, settings, threshold);
        let seen = (0..).zip(curves.learning_rates.iter().zip(losses));
        ReplicaResult {
            tasks: Vec::new(),
            curve: seen
                .take(steps)
                .map(|(step, (&lr, &loss))| Observation {
                    step,
                    lr,
                    loss,
                    samples: 0,
                })
                .collect(),
            stop: reason,
            overlaps: Vec::new(),
        }
    };
    SweepResult {
        outcome: Some(Outcome::Completed),
        described: curves.described.clone(),
        probe: None,
        plan: None,
        replicas: curves.replicas.iter().map(replica).collect(),
        warnings: Vec::new(),
    }
}

/// Why the curve ends and after how many steps, as the method or the tool decides it: tools do not
/// stop at NaN.
fn stop(
    losses: &[f64],
    curves: &Curves,
    settings: &AnswerSettings,
    threshold: Option<f64>,
) -> (StopReason, usize) {
    let whole = (curves.stop.unwrap_or(StopReason::Completed), losses.len());
    if let Some(profile) = settings.profile {
        let trace = profiles::trace(profile, losses, threshold);
        return if trace.stopped {
            (StopReason::Diverged, trace.smoothed.len())
        } else {
            whole
        };
    }
    let mut detector = StopDetector::new(StopRule {
        threshold: threshold.unwrap_or(rule::CUT_THRESHOLD),
        profile: None,
        planned_steps: u32::try_from(curves.learning_rates.len()).unwrap_or(u32::MAX),
    });
    (1..)
        .zip(losses)
        .find_map(|(steps, &loss)| detector.push(loss).map(|reason| (reason, steps)))
        .unwrap_or(whole)
}
