//! fastai's rules, in the single precision in which it holds losses and learning rates.

use super::{Skips, fastai_method};
use crate::curve::ema::single;
use crate::suggest::Method;
use crate::suggest::found::{Found, Outcome, SLIDE_THRESHOLD, argmin, near, slide, valley, window};

/// Points left out at the end.
const SKIP_END: usize = 5;
/// The fewest steps that fastai plans.
const FEWEST_STEPS: usize = 6;

pub(super) fn read_off(
    method: Method,
    learning_rates: &[f64],
    smoothed: &[f64],
    skips: Skips,
) -> Outcome {
    let planned = learning_rates.len().max(FEWEST_STEPS);
    let kept = window(
        smoothed.len(),
        skips.begin.unwrap_or(planned / 10),
        skips.end.unwrap_or(SKIP_END),
    );
    let first = kept.start;
    let losses: Vec<f32> = smoothed[kept.clone()]
        .iter()
        .map(|&loss| single(loss))
        .take_while(|loss| !loss.is_nan())
        .collect();
    let rates: Vec<f32> = learning_rates[kept].iter().map(|&lr| single(lr)).collect();
    let wide: Vec<f64> = losses.iter().copied().map(f64::from).collect();
    let left = losses.len();
    let on_grid = |index: usize| Found {
        lr: f64::from(rates[index]),
        index: index + first,
    };
    match fastai_method(method) {
        Method::Slide => {
            let slopes = numpy_gradient(&losses);
            slide(slopes.len(), |left, right| {
                (slopes[right] - slopes[left]).abs() > single(SLIDE_THRESHOLD)
            })
            .map(on_grid)
            .ok_or_else(|| too_few(left, 16))
        }
        Method::Minimum => {
            let lowest = argmin(wide).ok_or_else(|| too_few(left, 1))?;
            Ok(near(learning_rates, f64::from(rates[lowest]) / 10.0))
        }
        Method::Steepest => {
            let slopes: Vec<f64> = (1..left)
                .map(|i| (losses[i] - losses[i - 1]) / (rates[i].ln() - rates[i - 1].ln()))
                .map(f64::from)
                .collect();
            let steepest = argmin(slopes).ok_or_else(|| too_few(left, 2))?;
            Ok(on_grid(steepest))
        }
        _ => valley(&wide).map(on_grid).ok_or_else(|| too_few(left, 1)),
    }
}

fn too_few(left: usize, needed: usize) -> String {
    format!("{left} points are left after skipping: fastai raises an error below {needed}")
}

/// `numpy.gradient` in single precision.
fn numpy_gradient(values: &[f32]) -> Vec<f32> {
    let n = values.len();
    if n < 2 {
        return Vec::new();
    }
    (0..n)
        .map(|i| match i {
            0 => values[1] - values[0],
            i if i == n - 1 => values[i] - values[i - 1],
            i => (values[i + 1] - values[i - 1]) / 2.0,
        })
        .collect()
}
