//! The default rule: cut, smooth, find the fall, step back. Source: `docs/method.md`, "The default
//! rule".

use crate::curve::gaussian::{Gaussian, LogGrid, first_lowest};
use crate::curve::{StopDetector, StopReason};

/// Threshold of the rule's cut.
pub const CUT_THRESHOLD: f64 = 4.0;
/// Losses below which nothing is read off a curve.
pub const FEWEST_LOSSES: usize = 8;
/// Momentum that is assumed where it is unknown.
pub const UNKNOWN_BETA: f64 = 0.9;
/// Share of the drop at which the rule stands.
pub(crate) const SHARE: f64 = 0.9;
/// Decades that the suggestion stays below the minimum: a factor of 2.
const MARGIN: f64 = 0.3;

/// Number of losses that the rule uses: those before the first that is not finite, or up to and
/// with the one that explodes, or all.
#[must_use]
pub fn cut(raw: &[f64], threshold: f64) -> usize {
    cut_and_cause(raw, threshold).0
}

/// The same, and whether it is a loss that explodes.
pub(crate) fn cut_and_cause(raw: &[f64], threshold: f64) -> (usize, bool) {
    let mut detector = StopDetector::cut(threshold);
    for (step, &loss) in raw.iter().enumerate() {
        match detector.push(loss) {
            Some(StopReason::NonFinite) => return (step, false),
            Some(_) => return (step + 1, true),
            None => {}
        }
    }
    (raw.len(), false)
}

/// The fall of a smoothed curve: from its plateau to its minimum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fall {
    /// Steps of the plateau, K.
    pub plateau_steps: usize,
    /// Mean of the plateau, p.
    pub plateau: f64,
    /// Step of the minimum, m: the first of equal ones.
    pub minimum: usize,
    /// From the plateau down to the minimum, D; not above 0 where nothing falls.
    pub drop: f64,
}

impl Fall {
    /// The fall of a smoothed curve; `None` for an empty one or one of NaN.
    #[must_use]
    pub fn of(smoothed: &[f64]) -> Option<Self> {
        Self::with_plateau(smoothed, (smoothed.len() / 10).max(3))
    }

    /// The same with a plateau of so many steps.
    pub(crate) fn with_plateau(smoothed: &[f64], steps: usize) -> Option<Self> {
        let minimum = first_lowest(smoothed.iter().copied())?;
        let plateau_steps = steps.min(smoothed.len());
        // Divided first, so that huge losses do not overflow the sum.
        let plateau: f64 = smoothed[..plateau_steps]
            .iter()
            .map(|s| s / plateau_steps as f64)
            .sum();
        Some(Self {
            plateau_steps,
            plateau,
            minimum,
            drop: plateau - smoothed[minimum],
        })
    }

    /// First step, up to the minimum, at which this share of the drop is done; the minimum where
    /// nothing falls.
    #[must_use]
    pub fn done(&self, smoothed: &[f64], share: f64) -> usize {
        if self.drop > 0.0 {
            let level = self.plateau - share * self.drop;
            let reached = smoothed[..=self.minimum].iter().position(|&s| s <= level);
            reached.unwrap_or(self.minimum)
        } else {
            self.minimum
        }
    }
}

/// What the rule reads off one curve.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The smoothed losses, as many as are used.
    pub smoothed: Vec<f64>,
    /// The fall.
    pub fall: Fall,
    /// Step at which 90 % of the drop is done.
    pub drop_index: usize,
    /// The rule's value, log10 of a learning rate: off the grid, and whatever the verdict.
    pub log10_lr: f64,
}

/// Applies the rule to losses that are already cut.
///
/// `beta` is momentum or beta1, 0 to below 1. `None` for fewer than [`FEWEST_LOSSES`].
#[must_use]
pub fn read(grid: &LogGrid, losses: &[f64], beta: f64) -> Option<Reading> {
    if losses.len() < FEWEST_LOSSES || losses.len() > grid.len() {
        return None;
    }
    let smoothed = Gaussian::new(grid, losses.len()).smooth(losses);
    let fall = Fall::of(&smoothed)?;
    let drop_index = fall.done(&smoothed, SHARE);
    let log10_lr = position(grid, &fall, drop_index, beta, grid.step_at(drop_index));
    Some(Reading {
        smoothed,
        fall,
        drop_index,
        log10_lr,
    })
}

/// Step 4 of the rule: log10 of the learning rate, where `step` is that of the sweep in decades.
pub(crate) fn position(grid: &LogGrid, fall: &Fall, done: usize, beta: f64, step: f64) -> f64 {
    let x = grid.positions();
    x[done].min(x[fall.minimum] - MARGIN) - memory_steps(beta) * step
}

/// Half of the optimizer's memory in steps: by so much its weights lag behind the learning rate.
fn memory_steps(beta: f64) -> f64 {
    0.5 / (1.0 - beta)
}

/// The momentum to reckon with: the given one where it is one, else [`UNKNOWN_BETA`].
#[must_use]
pub fn effective_beta(beta: Option<f64>) -> f64 {
    beta.filter(|beta| (0.0..1.0).contains(beta))
        .unwrap_or(UNKNOWN_BETA)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(n: u32) -> LogGrid {
        LogGrid::of_positions((0..n).map(|i| -8.0 + 0.1 * f64::from(i)).collect())
    }

    #[test]
    fn the_exploding_loss_stays_and_the_one_that_is_not_finite_goes() {
        let mut raw = vec![1.0; 40];
        raw[20] = 1e3;
        assert_eq!(cut(&raw, CUT_THRESHOLD), 21);
        assert_eq!(cut(&raw, f64::INFINITY), 40);
        raw[15] = f64::NAN;
        assert_eq!(cut(&raw, CUT_THRESHOLD), 15);
        assert_eq!(cut(&[f64::INFINITY], CUT_THRESHOLD), 0);
        assert_eq!(cut(&[], CUT_THRESHOLD), 0);
    }

    #[test]
    fn a_best_of_zero_or_less_is_never_cut_on() {
        let mut raw = vec![0.0; 40];
        raw[30] = 1e9;
        assert_eq!(cut(&raw, CUT_THRESHOLD), 40);
    }

    #[test]
    fn the_first_of_equal_minima_wins() {
        let fall = Fall::of(&[3.0, 3.0, 3.0, 1.0, 2.0, 1.0]).unwrap();
        assert_eq!((fall.minimum, fall.drop), (3, 2.0));
        assert_eq!(fall.done(&[3.0, 3.0, 3.0, 1.0, 2.0, 1.0], 0.9), 3);
    }

    #[test]
    fn the_suggestion_moves_back_with_the_memory_and_stays_a_factor_two_below_the_minimum() {
        let losses: Vec<f64> = (0..80).map(|i| if i < 50 { 2.0 } else { 1.0 }).collect();
        let grid = grid(80);
        let plain = read(&grid, &losses, 0.0).unwrap();
        let x = grid.positions();
        let bound = x[plain.drop_index].min(x[plain.fall.minimum] - 0.3);
        assert!((plain.log10_lr - (bound - 0.05)).abs() < 1e-12);
        let momentum = read(&grid, &losses, 0.9).unwrap();
        assert!((momentum.log10_lr - (bound - 0.5)).abs() < 1e-12);
    }

    #[test]
    fn an_unknown_or_impossible_beta_counts_as_nine_tenths() {
        assert_eq!(effective_beta(Some(0.5)), 0.5);
        for beta in [None, Some(1.0), Some(-0.1), Some(f64::NAN)] {
            assert_eq!(effective_beta(beta), UNKNOWN_BETA);
        }
    }
}
