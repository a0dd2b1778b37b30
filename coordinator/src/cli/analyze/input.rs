//! Curves from a file: a sweep.json with all its replicas, a CSV file, or JSON lines.

use super::{csv, json_lines};
use crate::cli::output::Trouble;
use crate::exit;
use rangefinder_config::memory;
use rangefinder_errors::{Code, Coded as _};
use rangefinder_proto::v1::SweepSpec;
use rangefinder_report::document;
use rangefinder_sweep::curve::StopReason;
use rangefinder_sweep::event::Described;
use std::path::Path;

/// Curves and what is known about them.
#[derive(Debug, PartialEq)]
pub(super) struct Curves {
    /// Of all planned steps.
    pub(super) learning_rates: Vec<f64>,
    /// Raw losses in step order, at least one replica.
    pub(super) replicas: Vec<Vec<f64>>,
    /// The optimizer's memory.
    pub(super) beta: Option<f64>,
    /// The specification; empty for any file but a sweep.json.
    pub(super) spec: SweepSpec,
    /// Model and data, where they are known.
    pub(super) described: Option<Described>,
    /// Why the curves end where no divergence is found in them.
    pub(super) stop: Option<StopReason>,
}

/// What is wrong with a file, and what to do, as it fits after its name.
#[derive(Debug, PartialEq)]
pub(super) struct Wrong(pub(super) Code, pub(super) String);

impl Wrong {
    /// Names the file.
    pub(super) fn of(self, file: &Path) -> Trouble {
        let text = format!("{}: {}", file.display(), self.1);
        Trouble::new(exit::WRONG_INPUT, self.0, text)
    }
}

/// Reads a file; `planned` steps where the curve was stopped before its end.
pub(super) fn read(path: &Path, planned: Option<u32>) -> Result<Curves, Wrong> {
    let text = std::fs::read(path).map_err(|error| {
        Wrong(
            Code::of_reading(&error),
            format!(
                "cannot be read: {error}\n  give a CSV file or JSON lines with lr and loss, or a \
                 sweep.json"
            ),
        )
    })?;
    let text = String::from_utf8(text).map_err(|_| {
        let text = "is not text in UTF-8\n  give a CSV file, JSON lines or a sweep.json";
        Wrong(Code::Unreadable, text.to_owned())
    })?;
    let body = text.trim_start_matches('\u{feff}').trim_start();
    let ends_in = |names: &[&str]| {
        let ending = path.extension().unwrap_or_default();
        names.iter().any(|name| ending.eq_ignore_ascii_case(name))
    };
    let lines = ends_in(&["jsonl", "ndjson"]) || json_lines::is(body);
    let mut curves = if !lines && (ends_in(&["json"]) || body.starts_with('{')) {
        of_document(&text)?
    } else {
        let (learning_rates, replicas) = if lines {
            json_lines::read(body)?
        } else {
            csv::read(body)?
        };
        Curves {
            learning_rates,
            replicas,
            beta: None,
            spec: SweepSpec::default(),
            described: None,
            stop: None,
        }
    };
    if let Some(planned) = planned {
        extend(&mut curves.learning_rates, planned as usize)?;
    }
    if curves.replicas.iter().all(Vec::is_empty) {
        return Err(Wrong(
            Code::CurveEmpty,
            "it holds no losses\n  give a curve with at least 8 steps".to_owned(),
        ));
    }
    Ok(curves)
}

fn of_document(text: &str) -> Result<Curves, Wrong> {
    let document = document::parse(text, "it").map_err(|error| {
        let others = match error.code() {
            Code::NotASweep => ", or a CSV file or JSON lines with lr and loss",
            _ => "",
        };
        Wrong(error.code(), format!("{error}{others}"))
    })?;
    let mut replicas: Vec<_> = document
        .replicas
        .into_iter()
        .map(|replica| replica.curve.loss)
        .collect();
    if replicas.is_empty() {
        replicas.push(document.curve.loss);
    }
    // What a worker's own optimizer remembers is known from the worker alone.
    let beta = memory(&document.spec).or_else(|| document.described.as_ref()?.beta);
    increasing(&document.learning_rates, |step| format!("step {step}"))?;
    Ok(Curves {
        learning_rates: document.learning_rates,
        replicas,
        beta,
        spec: document.spec,
        described: document.described,
        stop: Some(document.stop.reason),
    })
}

/// Checks that learning rates are finite, positive and increasing; `place` names a step.
pub(super) fn increasing(
    learning_rates: &[f64],
    place: impl Fn(usize) -> String,
) -> Result<(), Wrong> {
    let mut before = 0.0;
    for (step, &lr) in learning_rates.iter().enumerate() {
        if !(lr.is_finite() && lr > 0.0) {
            return Err(Wrong(
                Code::CurveRates,
                format!(
                    "{}: {lr} is not a learning rate; expected a finite number above 0\n  \
                     correct or remove that row",
                    place(step)
                ),
            ));
        }
        if lr <= before {
            return Err(Wrong(
                Code::CurveRates,
                format!(
                    "{}: the learning rate {lr:?} is not above the one before, {before:?}\n  \
                     give the rows in the order of their steps, one a step",
                    place(step)
                ),
            ));
        }
        before = lr;
    }
    Ok(())
}

/// Adds the learning rates of the planned steps that were not reached, at the pace of those that
/// were.
fn extend(learning_rates: &mut Vec<f64>, planned: usize) -> Result<(), Wrong> {
    let rows = learning_rates.len();
    if planned < rows {
        return Err(Wrong(
            Code::CurveSteps,
            format!(
                "it has {rows} steps, more than --num-training {planned}\n  \
                 give the number of planned steps, at least {rows}"
            ),
        ));
    }
    let (Some(&first), Some(&last)) = (learning_rates.first(), learning_rates.last()) else {
        return Ok(());
    };
    if rows < 2 {
        return Ok(());
    }
    let pace = (last.log10() - first.log10()) / (rows - 1) as f64;
    let further = (1..=planned - rows).map(|step| 10f64.powf(last.log10() + pace * step as f64));
    learning_rates.extend(further);
    increasing(learning_rates, |step| format!("planned step {step}"))
}
