//! torch-lr-finder and ignite: the steepest fall over the index.

use super::Skips;
use crate::curve::ema::single;
use crate::suggest::found::{Outcome, argmin, at, gradient, window};

/// Points that torch-lr-finder leaves out at the start and at the end.
const TORCH_SKIPS: (usize, usize) = (10, 5);

/// torch-lr-finder: `numpy.gradient`, NaN counting as the steepest.
pub(super) fn torch_lr_finder(learning_rates: &[f64], smoothed: &[f64], skips: Skips) -> Outcome {
    let kept = window(
        smoothed.len(),
        skips.begin.unwrap_or(TORCH_SKIPS.0),
        skips.end.unwrap_or(TORCH_SKIPS.1),
    );
    let steepest = argmin(gradient(&smoothed[kept.clone()])).ok_or_else(|| {
        format!(
            "{} points are left after skipping: torch-lr-finder raises an error below 2",
            kept.len()
        )
    })?;
    at(learning_rates, kept.start + steepest)
}

/// ignite: the curve up to its minimum in single precision, central differences inside only.
pub(super) fn ignite(learning_rates: &[f64], smoothed: &[f64], skips: Skips) -> Outcome {
    let kept = window(
        smoothed.len(),
        skips.begin.unwrap_or(0),
        skips.end.unwrap_or(0),
    );
    let first = kept.start;
    let losses: Vec<f32> = smoothed[kept].iter().map(|&loss| single(loss)).collect();
    let minimum = argmin(losses.iter().copied().map(f64::from));
    let falling = &losses[..minimum.map_or(0, |minimum| minimum + 1)];
    let slopes: Vec<f64> = falling
        .windows(3)
        .map(|around| f64::from(0.5 * (around[2] - around[0])))
        .collect();
    let steepest = argmin(slopes).ok_or_else(|| {
        format!(
            "{} points up to the minimum: ignite raises an error below 3",
            falling.len()
        )
    })?;
    at(learning_rates, first + steepest + 1)
}
