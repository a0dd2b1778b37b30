//! What is made of a sweep that has ended.

use super::{Creation, Tally};
use rangefinder_config::AnswerSettings;
use rangefinder_report::SweepDocument;
use rangefinder_report::document::Parts;
use rangefinder_sweep::event::Outcome;
use rangefinder_sweep::state::SweepResult;
use rangefinder_sweep::suggest::{Answer, Request, Value, suggest};

/// Puts together what is known, with what can be read off the curve of a completed sweep. Takes
/// milliseconds up to a second: not for an async task.
#[must_use]
pub fn document(creation: &Creation, result: &SweepResult, tally: &Tally) -> SweepDocument {
    let learning_rates = creation.learning_rates();
    let losses: Vec<Vec<f64>> = result
        .replicas
        .iter()
        .map(|replica| replica.curve.iter().map(|seen| seen.loss).collect())
        .collect();
    // Of a sweep that was cancelled or failed there are losses, but no end of them to judge by.
    let complete = result.outcome == Some(Outcome::Completed) && !losses.is_empty();
    let settings = creation.answer().ok().filter(|_| complete);
    // The memory of a worker's own optimizer is known from the worker alone.
    let described = result
        .described
        .as_ref()
        .and_then(|described| described.beta);
    let settings = settings.map(|settings| AnswerSettings {
        beta: settings.beta.or(described),
        ..settings
    });
    let answer = settings
        .as_ref()
        .map(|settings| read(settings, &learning_rates, &losses));
    let replica_values = settings
        .as_ref()
        .map(|settings| read_each(settings, &learning_rates, &losses))
        .unwrap_or_default();
    SweepDocument::new(Parts {
        spec: &creation.spec,
        learning_rates: &learning_rates,
        result,
        answer: answer.as_ref(),
        replica_values: &replica_values,
        versions: tally.versions(),
        timings: tally.timings(),
    })
}

/// Reads curves as the settings say.
#[must_use]
pub fn read(settings: &AnswerSettings, learning_rates: &[f64], replicas: &[Vec<f64>]) -> Answer {
    suggest(&Request {
        learning_rates,
        replicas,
        beta: settings.beta,
        method: settings.method,
        profile: settings.profile,
        skip_begin: settings.skip_begin,
        skip_end: settings.skip_end,
        threshold: settings.threshold,
        seed: settings.seed,
    })
}

/// What the method gives on each of several replicas alone; nothing for a single one, whose value
/// is the answer's own.
#[must_use]
pub fn read_each(
    settings: &AnswerSettings,
    learning_rates: &[f64],
    replicas: &[Vec<f64>],
) -> Vec<Option<Value>> {
    if replicas.len() < 2 {
        return Vec::new();
    }
    replicas
        .iter()
        .map(|replica| read(settings, learning_rates, std::slice::from_ref(replica)).rule_value)
        .collect()
}
