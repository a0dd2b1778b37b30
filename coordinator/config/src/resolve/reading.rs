//! How losses from elsewhere are read: what of a specification has a meaning without a sweep.

use super::mistakes::Mistakes;
use super::range::{checked_threshold, method};
use crate::AnswerSettings;
use crate::names::profiles;
use rangefinder_errors::Code;
use rangefinder_proto::v1;
use rangefinder_sweep::event::FieldError;
use rangefinder_sweep::suggest::Profile;

/// The specification of a curve, to be read in another way. A method or profile that is asked for
/// replaces both: they are one choice.
#[must_use]
pub fn reread(of_curve: &v1::SweepSpec, asked: &v1::Reading) -> v1::SweepSpec {
    let mut spec = of_curve.clone();
    if asked.method.is_some() || asked.profile.is_some() {
        if asked.profile != spec.profile {
            // What was meant for another tool's rule.
            spec.skip_begin = None;
            spec.skip_end = None;
            spec.early_stop_threshold = None;
        }
        spec.method.clone_from(&asked.method);
        spec.profile.clone_from(&asked.profile);
    }
    spec.skip_begin = asked.skip_begin.or(spec.skip_begin);
    spec.skip_end = asked.skip_end.or(spec.skip_end);
    spec.early_stop_threshold = asked.early_stop_threshold.or(spec.early_stop_threshold);
    spec.seed = asked.seed.or(spec.seed);
    spec
}

/// Checks how a curve is to be read. Of `spec` count `method`, `profile`, `skip_begin`, `skip_end`,
/// `early_stop_threshold` and `seed`; `beta` is the memory of the optimizer, where it is known.
///
/// # Errors
/// All mistakes at once, in the order of the fields.
pub fn reading(spec: &v1::SweepSpec, beta: Option<f64>) -> Result<AnswerSettings, Vec<FieldError>> {
    let mut mistakes = Mistakes::default();
    let mut spec = spec.clone();
    let profile = spec
        .profile
        .as_deref()
        .map(|name| mistakes.choose("profile", name, &profiles(), Profile::Lightning));
    let method = method(&mut spec, profile, &mut mistakes);
    let threshold = spec
        .early_stop_threshold
        .map(|threshold| checked_threshold(threshold, &mut mistakes));
    if let Some(beta) = beta.filter(|beta| !(0.0..1.0).contains(beta)) {
        mistakes.add(
            Code::OutOfRange,
            "beta",
            format!("{beta} is out of range; expected 0 to below 1"),
            "give the optimizer's momentum or beta1: 0 for plain SGD, 0.9 for Adam",
        );
    }
    mistakes.into_result()?;
    Ok(AnswerSettings {
        method,
        profile,
        skip_begin: spec.skip_begin.map(|points| points as usize),
        skip_end: spec.skip_end.map(|points| points as usize),
        threshold: threshold.filter(|_| profile.is_some()),
        beta,
        seed: spec.seed.unwrap_or_default(),
    })
}

/// What the optimizer of a resolved specification remembers from one step of the range test to the
/// next: momentum or beta1, to the power of the updates in a step; `None` if it names no optimizer.
#[must_use]
pub fn memory(spec: &v1::SweepSpec) -> Option<f64> {
    let update = match spec.optimizer.as_deref()? {
        "adam" | "adamw" => spec.beta1,
        _ => spec.momentum,
    };
    let updates = f64::from(spec.eval_every.unwrap_or(1).max(1));
    update.map(|beta| beta.powf(updates))
}
