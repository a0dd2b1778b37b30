//! The centred smoothing that suggestions are read off: a Gaussian over log10 of the learning rate.
//!
//! Standard deviation and reach are those of the default rule in `docs/method.md`. On a grid that
//! is not uniform in log10 the same kernel stands on the real positions, and reaches as many steps
//! to each side as its decades take there.

/// Standard deviation of the kernel in decades.
const SIGMA: f64 = 0.3;
/// Decades to either side beyond which the kernel is cut.
const REACH: f64 = 1.2;
/// Share of a step by which a point may lie off a uniform grid: learning rates that were written
/// with four digits are still uniform.
const UNIFORM: f64 = 0.01;

/// Share of a step that the reach may pass a whole number of steps by and still be that number:
/// what the digits of written learning rates leave.
const ROUNDING: f64 = 1e-6;

/// Positions of the planned steps in decades: log10 of their learning rates, strictly increasing.
#[derive(Clone, Debug, PartialEq)]
pub struct LogGrid {
    x: Vec<f64>,
    /// Decades a step where it is the same everywhere.
    uniform: Option<f64>,
}

/// Why learning rates are no range test.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum GridError {
    /// A learning rate that has no logarithm.
    #[error(
        "the learning rate of step {step} is {lr}: learning rates have to be finite and above 0"
    )]
    NotPositive {
        /// The step, from 0.
        step: usize,
        /// Its learning rate.
        lr: f64,
    },
    /// A learning rate that is not above the one before.
    #[error(
        "the learning rate of step {step} is {lr:e}, not above the {before:e} of the step before: \
         sort the steps by learning rate, and average losses that share one"
    )]
    NotIncreasing {
        /// The step, from 0.
        step: usize,
        /// Its learning rate.
        lr: f64,
        /// The learning rate of the step before.
        before: f64,
    },
}

impl LogGrid {
    /// The grid of these learning rates, all planned ones.
    ///
    /// # Errors
    /// At the first step whose learning rate is not finite, not above 0, or not above the one
    /// before.
    pub fn new(learning_rates: &[f64]) -> Result<Self, GridError> {
        for (step, &lr) in learning_rates.iter().enumerate() {
            if !(lr.is_finite() && lr > 0.0) {
                return Err(GridError::NotPositive { step, lr });
            }
        }
        let x: Vec<f64> = learning_rates.iter().map(|lr| lr.log10()).collect();
        for (step, pair) in (1..).zip(x.windows(2)) {
            if pair[1] <= pair[0] {
                return Err(GridError::NotIncreasing {
                    step,
                    lr: learning_rates[step],
                    before: learning_rates[step - 1],
                });
            }
        }
        Ok(Self::of_positions(x))
    }

    /// The grid of positions that are known to increase.
    pub(crate) fn of_positions(x: Vec<f64>) -> Self {
        let uniform = mean_step(&x).filter(|h| {
            let off = |(i, at): (usize, &f64)| (at - x[0] - i as f64 * h).abs();
            x.iter().enumerate().map(off).all(|off| off <= UNIFORM * h)
        });
        Self { x, uniform }
    }

    /// The steps from `first` up to, not including, `end`.
    #[must_use]
    pub fn window(&self, first: usize, end: usize) -> Self {
        let end = end.min(self.x.len());
        Self {
            x: self.x[first.min(end)..end].to_vec(),
            uniform: self.uniform,
        }
    }

    /// Number of planned steps.
    #[must_use]
    pub fn len(&self) -> usize {
        self.x.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.x.is_empty()
    }

    /// Positions of the steps in decades.
    #[must_use]
    pub fn positions(&self) -> &[f64] {
        &self.x
    }

    /// Whether all steps are equally far apart.
    #[must_use]
    pub fn is_uniform(&self) -> bool {
        self.uniform.is_some()
    }

    /// Decades a step: the same everywhere, or the median where it is not. 0 for fewer than 2 steps.
    #[must_use]
    pub fn step(&self) -> f64 {
        self.uniform.unwrap_or_else(|| {
            let mut gaps: Vec<f64> = self.x.windows(2).map(|pair| pair[1] - pair[0]).collect();
            gaps.sort_by(f64::total_cmp);
            gaps.get(gaps.len() / 2).copied().unwrap_or(0.0)
        })
    }

    /// Decades a step around step i, or the last step before it: half of the way between its
    /// neighbours.
    #[must_use]
    pub fn step_at(&self, i: usize) -> f64 {
        self.uniform.unwrap_or_else(|| {
            let last = self.x.len().saturating_sub(1);
            let low = i.min(last).saturating_sub(1);
            let high = (i.min(last) + 1).min(last);
            if low < high {
                (self.x[high] - self.x[low]) / (high - low) as f64
            } else {
                0.0
            }
        })
    }

    /// The step whose position is nearest, the first of two as near; 0 for an empty grid.
    #[must_use]
    pub fn nearest(&self, position: f64) -> usize {
        first_lowest(self.x.iter().map(|x| (x - position).abs())).unwrap_or(0)
    }
}

/// The kernel over the first `n` steps of a grid.
#[derive(Clone, Debug)]
pub struct Gaussian<'a> {
    grid: &'a LogGrid,
    n: usize,
    /// The kernel at distances of 0, 1, ... steps on a uniform grid.
    kernel: Option<Vec<f64>>,
}

impl<'a> Gaussian<'a> {
    /// The kernel over the first `n` steps, at most as many as there are.
    #[must_use]
    pub fn new(grid: &'a LogGrid, n: usize) -> Self {
        let n = n.min(grid.len());
        let kernel = grid.uniform.map(|h| {
            (0..=reach(h, n))
                .map(|distance| bell(distance as f64 * h))
                .collect()
        });
        Self { grid, n, kernel }
    }

    /// Writes the weights of the losses in the smoothed loss of step i, which sum to 1, and returns
    /// the step of the first of them.
    pub fn row(&self, i: usize, weights: &mut Vec<f64>) -> usize {
        weights.clear();
        let x = &self.grid.x[..self.n];
        let first;
        if let Some(kernel) = &self.kernel {
            let r = kernel.len() - 1;
            first = i.saturating_sub(r);
            weights.extend((first..(i + r + 1).min(self.n)).map(|t| kernel[t.abs_diff(i)]));
        } else {
            // As on a uniform grid, the first step at or beyond the reach is the last that counts.
            first = x
                .partition_point(|at| *at <= x[i] - REACH)
                .saturating_sub(1);
            let end = x.partition_point(|at| *at < x[i] + REACH) + 1;
            weights.extend(x[first..end.min(self.n)].iter().map(|at| bell(at - x[i])));
        }
        let sum: f64 = weights.iter().sum();
        for weight in weights.iter_mut() {
            *weight /= sum;
        }
        first
    }

    /// The losses of the first `n` steps, smoothed.
    #[must_use]
    pub fn smooth(&self, losses: &[f64]) -> Vec<f64> {
        let mut weights = Vec::new();
        // On a uniform grid all rows that no end cuts off are the same, computed once.
        let reach = self.kernel.as_ref().map(|kernel| kernel.len() - 1);
        let mut whole = false;
        (0..self.n.min(losses.len()))
            .map(|i| {
                let inside = reach.filter(|&r| i >= r && i + r < self.n);
                let first = match inside {
                    Some(r) if whole => i - r,
                    _ => self.row(i, &mut weights),
                };
                whole = inside.is_some();
                dot(&weights, &losses[first..])
            })
            .collect()
    }
}

/// Sum of the products, as far as both go.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    // Four sums side by side, so that one addition need not wait for the one before.
    const LANES: usize = 4;
    let length = a.len().min(b.len());
    let (a, a_rest) = a[..length].as_chunks::<LANES>();
    let (b, b_rest) = b[..length].as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
}

/// Index of the lowest value, the first of equal ones; NaN is never the lowest.
pub(crate) fn first_lowest(values: impl IntoIterator<Item = f64>) -> Option<usize> {
    let mut lowest: Option<(usize, f64)> = None;
    for (index, value) in values.into_iter().enumerate() {
        if !value.is_nan() && lowest.is_none_or(|(_, least)| value < least) {
            lowest = Some((index, value));
        }
    }
    lowest.map(|(index, _)| index)
}

/// `value` as a number of steps: at least 0, at most `cap`, 0 for NaN.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the value lies between 0 and a number of steps"
)]
pub(crate) fn to_steps(value: f64, cap: usize) -> usize {
    value.max(0.0).min(cap as f64) as usize
}

fn mean_step(x: &[f64]) -> Option<f64> {
    match x {
        [first, .., last] => Some((last - first) / (x.len() - 1) as f64),
        _ => None,
    }
}

fn bell(distance: f64) -> f64 {
    (-distance * distance / (2.0 * SIGMA * SIGMA)).exp()
}

fn reach(step: f64, n: usize) -> usize {
    to_steps((REACH / step - ROUNDING).ceil(), n).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Grid, Mode, Range};

    fn grid(mode: Mode, grid: Grid, steps: u32) -> LogGrid {
        let range = Range {
            mode,
            grid,
            min_lr: 1e-6,
            max_lr: 1.0,
            steps,
        };
        LogGrid::new(&range.learning_rates()).unwrap()
    }

    #[test]
    fn constant_losses_stay_constant_on_every_grid_and_up_to_its_ends() {
        for mode in Mode::ALL {
            for kind in [Grid::BothEnds, Grid::Lightning] {
                let grid = grid(mode, kind, 100);
                assert_eq!(
                    grid.is_uniform(),
                    (mode, kind) == (Mode::Exponential, Grid::BothEnds)
                );
                for n in [1, 2, 50, 100] {
                    let smoothed = Gaussian::new(&grid, n).smooth(&[2.5; 100]);
                    assert_eq!(smoothed.len(), n);
                    assert!(smoothed.iter().all(|s| (s - 2.5).abs() < 1e-12));
                }
            }
        }
    }

    #[test]
    fn a_grid_that_is_almost_uniform_is_smoothed_almost_the_same() {
        let uniform = grid(Mode::Exponential, Grid::BothEnds, 121);
        let mut positions = uniform.positions().to_vec();
        positions[60] += 0.02 * uniform.step();
        let bent = LogGrid::of_positions(positions);
        assert!(!bent.is_uniform());
        let losses: Vec<f64> = (0..121).map(|i| (f64::from(i) * 0.1).sin()).collect();
        let a = Gaussian::new(&uniform, 121).smooth(&losses);
        let b = Gaussian::new(&bent, 121).smooth(&losses);
        for (a, b) in a.iter().zip(&b) {
            assert!((a - b).abs() < 5e-3, "{a} {b}");
        }
    }

    #[test]
    fn a_reach_of_a_whole_number_of_steps_is_that_number_whatever_the_last_digits() {
        // 1.2 decades are 15 steps of .08.
        for off in [-1e-12, 0.0, 1e-12] {
            let step = 0.08 * (1.0 + off);
            let grid = LogGrid::of_positions((0..101).map(|i| f64::from(i) * step).collect());
            let mut weights = Vec::new();
            assert_eq!(Gaussian::new(&grid, 101).row(50, &mut weights), 35, "{off}");
            assert_eq!(weights.len(), 31, "{off}");
        }
    }

    #[test]
    fn learning_rates_that_are_no_range_are_refused_with_the_step() {
        let error = LogGrid::new(&[1e-3, 1e-2, -1.0]).unwrap_err().to_string();
        assert!(error.contains("step 2 is -1"), "{error}");
        let error = LogGrid::new(&[1e-3, 1e-3]).unwrap_err().to_string();
        assert!(error.contains("step 1 is 1e-3, not above"), "{error}");
        assert!(LogGrid::new(&[f64::NAN]).is_err());
        assert!(LogGrid::new(&[]).is_ok());
    }
}
