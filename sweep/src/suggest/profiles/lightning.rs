//! Lightning's rules.

use super::Skips;
use crate::curve::ema::single;
use crate::suggest::found::{Outcome, argmin, at, gradient, window};

/// Points left out at the start and at the end.
const SKIPS: (usize, usize) = (10, 1);

/// Since 2.5.3: the steepest fall over the learning rate itself, not its logarithm, among the
/// finite losses.
pub(super) fn over_learning_rate(
    learning_rates: &[f64],
    smoothed: &[f64],
    skips: Skips,
) -> Outcome {
    let kept = kept(smoothed, skips);
    let points: Vec<(usize, f32, f32)> = kept
        .map(|i| (i, single(learning_rates[i]), single(smoothed[i])))
        .filter(|(_, _, loss)| loss.is_finite())
        .collect();
    if points.len() < 2 {
        return Err(too_few(points.len()));
    }
    let rates: Vec<f32> = points.iter().map(|&(_, lr, _)| lr).collect();
    let losses: Vec<f32> = points.iter().map(|&(_, _, loss)| loss).collect();
    let slopes = torch_gradient(&losses, &rates);
    let steepest = argmin(slopes.into_iter().map(f64::from).collect::<Vec<_>>());
    let index = steepest.ok_or_else(|| too_few(0))?;
    at(learning_rates, points[index].0)
}

/// 0.7.6: the steepest fall over the index; NaN counts as the steepest.
pub(super) fn over_index(learning_rates: &[f64], smoothed: &[f64], skips: Skips) -> Outcome {
    let kept = kept(smoothed, skips);
    let slopes = gradient(&smoothed[kept.clone()]);
    let steepest = argmin(slopes).ok_or_else(|| too_few(kept.len()))?;
    at(learning_rates, kept.start + steepest)
}

fn kept(smoothed: &[f64], skips: Skips) -> std::ops::Range<usize> {
    window(
        smoothed.len(),
        skips.begin.unwrap_or(SKIPS.0),
        skips.end.unwrap_or(SKIPS.1),
    )
}

fn too_few(left: usize) -> String {
    format!("{left} points are left after skipping: lightning needs 2")
}

/// `torch.gradient` with coordinates: second order inside, one-sided at the ends, each operation
/// rounded to single precision in PyTorch's order. For at least two values.
fn torch_gradient(values: &[f32], coordinates: &[f32]) -> Vec<f32> {
    let n = values.len();
    let gap = |i: usize| coordinates[i + 1] - coordinates[i];
    let one_sided = |i: usize| (values[i + 1] - values[i]) / gap(i);
    (0..n)
        .map(|i| match i {
            0 => one_sided(0),
            i if i == n - 1 => one_sided(n - 2),
            i => {
                let (before, after) = (gap(i - 1), gap(i));
                let a = -after / (before * (before + after));
                let b = (after - before) / (before * after);
                let c = before / (after * (before + after));
                a * values[i - 1] + b * values[i] + c * values[i + 1]
            }
        })
        .collect()
}
