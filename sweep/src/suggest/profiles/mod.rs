//! Other tools, number for number, faults included: their smoothing and stop, then their rule.
//!
//! Facts from the sources of lightning 2.6 and 0.7.6, fastai 2.8.12, torch-lr-finder 0.2.2 and
//! pytorch-ignite 0.5.5, some of which hold losses in single precision; see `docs/method.md`.
//!
//! - `lightning`: both versions of Lightning's rule.
//! - `fastai`: its four rules.
//! - `steepest`: torch-lr-finder and ignite.

mod fastai;
mod lightning;
mod steepest;

use super::found::Outcome;
use super::{Method, Profile};
use crate::curve::{StopDetector, StopRule};

/// fastai's rules, its default first.
pub const FASTAI_METHODS: [Method; 4] = [
    Method::Valley,
    Method::Slide,
    Method::Minimum,
    Method::Steepest,
];

/// The curve as a tool records it.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// Its smoothed losses, up to and with the one at which it stops.
    pub smoothed: Vec<f64>,
    /// Whether it stops, if only at the last step: for its threshold, never for NaN.
    pub stopped: bool,
}

/// Points that are left out, where they are not the tool's own number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skips {
    /// At the start.
    pub begin: Option<usize>,
    /// At the end.
    pub end: Option<usize>,
}

/// Smooths raw losses and stops as the tool does; `threshold` in place of its own.
#[must_use]
pub fn trace(profile: Profile, raw: &[f64], threshold: Option<f64>) -> Trace {
    let mut detector = StopDetector::new(StopRule {
        threshold: threshold.unwrap_or_else(|| profile.default_threshold()),
        profile: Some(profile),
        planned_steps: 0,
    });
    let mut smoothed = Vec::with_capacity(raw.len());
    for &loss in raw {
        let stopped = detector.exceeds(loss);
        smoothed.extend(detector.smoothed());
        if stopped {
            return Trace {
                smoothed,
                stopped: true,
            };
        }
    }
    Trace {
        smoothed,
        stopped: false,
    }
}

/// The tool's suggestion from its own smoothed losses.
///
/// `learning_rates` are those of all planned steps. `method` picks among fastai's rules and means
/// nothing to the others.
///
/// # Errors
/// In words, where the tool suggests nothing or raises an error.
pub fn read_off(
    profile: Profile,
    method: Method,
    learning_rates: &[f64],
    smoothed: &[f64],
    skips: Skips,
) -> Outcome {
    let smoothed = &smoothed[..smoothed.len().min(learning_rates.len())];
    match profile {
        Profile::Lightning => lightning::over_learning_rate(learning_rates, smoothed, skips),
        Profile::Lightning076 => lightning::over_index(learning_rates, smoothed, skips),
        Profile::Fastai => fastai::read_off(method, learning_rates, smoothed, skips),
        Profile::TorchLrFinder => steepest::torch_lr_finder(learning_rates, smoothed, skips),
        Profile::Ignite => steepest::ignite(learning_rates, smoothed, skips),
    }
}

/// The rule that fastai is asked for by a method: its own default for those that it does not have.
#[must_use]
pub const fn fastai_method(method: Method) -> Method {
    match method {
        Method::Slide | Method::Minimum | Method::Steepest => method,
        _ => Method::Valley,
    }
}

/// The name of a suggestion of this profile, such as `lightning` or `fastai/valley`.
#[must_use]
pub fn label(profile: Profile, method: Method) -> String {
    match profile {
        Profile::Fastai => format!("{profile}/{}", fastai_method(method)),
        _ => profile.to_string(),
    }
}
