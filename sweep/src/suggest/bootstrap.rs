//! The interval of a single sweep: a wild residual bootstrap. Source: `docs/method.md`, "The
//! interval".
//!
//! Each replicate is the smoothed curve plus the residuals with random signs, smoothed again and
//! read by the rule. Both steps are linear up to the reading, so the weights are computed once.
//! Of more than a thousand steps, as many as fit into .01 decades are taken together: the work is
//! then bounded by the decades of the range and not by the number of steps. Fewer are read one by
//! one, since together they stand on coarser positions, which moves a narrow interval by a fifth.

use super::random::SplitMix64;
use super::rule::{self, Fall, Reading};
use super::{Interval, IntervalMethod, interval::LEVEL};
use crate::curve::gaussian::{Gaussian, LogGrid, dot, to_steps};

/// Number of replicates, four times the study's. Three draws on each of 337 curves differed from one
/// of 4,000 by more than 15 % and more than a step 5 times with 400, and never with 1,600.
const REPLICATES: usize = 1600;
/// Decades within which steps are taken together where there are many.
const BLOCK: f64 = 0.01;
/// Number of steps up to which each stands for itself.
const SINGLE: usize = 1000;
/// Least share of a loss's variance that a residual is taken to have.
const LEAST_SHARE: f64 = 0.05;

/// The interval around a suggestion of the rule: half of the width between the 5th and the 95th
/// percentile of the replicates to both sides, at least half a step.
///
/// `losses` are the cut ones that `reading` was read off, `beta` the momentum that was used. The
/// same input and seed give the same interval, bit for bit.
#[must_use]
pub fn interval(
    grid: &LogGrid,
    losses: &[f64],
    reading: &Reading,
    beta: f64,
    seed: u64,
) -> Interval {
    let half = half_width(grid, losses, reading, beta, seed);
    Interval {
        low: 10_f64.powf(reading.log10_lr - half),
        high: 10_f64.powf(reading.log10_lr + half),
        level: LEVEL,
        method: IntervalMethod::Bootstrap,
    }
}

/// Half of the interval's width in decades.
#[must_use]
pub fn half_width(grid: &LogGrid, losses: &[f64], reading: &Reading, beta: f64, seed: u64) -> f64 {
    let least = grid.step_at(reading.drop_index) / 2.0;
    let residuals = residuals(grid, losses, &reading.smoothed);
    let blocks = Blocks::of(grid, residuals.len());
    let base = blocks.smooth(&blocks.average(&reading.smoothed));
    let mut random = SplitMix64::new(seed);
    let mut signed = residuals.clone();
    let mut found: Vec<f64> = (0..REPLICATES)
        .filter_map(|_| {
            for ((signed, residual), sign) in signed.iter_mut().zip(&residuals).zip(random.signs())
            {
                *signed = sign * residual;
            }
            let mut curve = blocks.smooth(&blocks.average(&signed));
            for (sum, base) in curve.iter_mut().zip(&base) {
                *sum += base;
            }
            blocks.read(&curve, grid, beta)
        })
        .collect();
    found.sort_by(f64::total_cmp);
    let tail = (1.0 - LEVEL) / 2.0;
    let half = (quantile(&found, 1.0 - tail) - quantile(&found, tail)) / 2.0;
    half.max(least)
}

/// What the smoothed curve leaves of each loss, enlarged by the share that smoothing takes away:
/// that of a loss in the middle of the curve.
fn residuals(grid: &LogGrid, losses: &[f64], smoothed: &[f64]) -> Vec<f64> {
    let n = smoothed.len();
    let center = n / 2;
    let mut weights = Vec::new();
    let first = Gaussian::new(grid, n).row(center, &mut weights);
    let own = weights.get(center - first).copied().unwrap_or(0.0);
    let share = 1.0 - 2.0 * own + dot(&weights, &weights);
    let scale = share.max(LEAST_SHARE).sqrt();
    losses
        .iter()
        .zip(smoothed)
        .map(|(loss, s)| (loss - s) / scale)
        .collect()
}

/// Steps taken together, and the weights that smooth them.
struct Blocks {
    /// First step of each block, and the number of steps after the last.
    starts: Vec<usize>,
    /// Mean positions.
    grid: LogGrid,
    /// Blocks of the plateau.
    plateau: usize,
    /// For each block, the first block of its row.
    firsts: Vec<usize>,
    /// The weights of all rows, one after the other; row i is `rows[ends[i-1]..ends[i]]`.
    rows: Vec<f64>,
    ends: Vec<usize>,
}

impl Blocks {
    fn of(grid: &LogGrid, n: usize) -> Self {
        let x = &grid.positions()[..n];
        let mut starts = vec![0];
        let mut start = 0;
        for (step, at) in x.iter().enumerate() {
            if step > 0 && (n <= SINGLE || at + grid.step_at(step) - x[start] > BLOCK) {
                start = step;
                starts.push(step);
            }
        }
        let plateau_steps = (n / 10).max(3);
        let plateau = starts.partition_point(|&start| start < plateau_steps);
        starts.push(n);
        let counts: Vec<f64> = starts
            .windows(2)
            .map(|pair| (pair[1] - pair[0]) as f64)
            .collect();
        let single = counts.len() == n;
        let blocks = if single {
            grid.window(0, n)
        } else {
            LogGrid::of_positions(average(&starts, x))
        };
        let (mut firsts, mut rows, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        let gaussian = Gaussian::new(&blocks, counts.len());
        let mut weights = Vec::new();
        for row in 0..counts.len() {
            let first = gaussian.row(row, &mut weights);
            if !single {
                let total = dot(&weights, &counts[first..]);
                for (weight, count) in weights.iter_mut().zip(&counts[first..]) {
                    *weight *= count / total;
                }
            }
            firsts.push(first);
            rows.extend_from_slice(&weights);
            ends.push(rows.len());
        }
        Self {
            starts,
            grid: blocks,
            plateau,
            firsts,
            rows,
            ends,
        }
    }

    fn average(&self, steps: &[f64]) -> Vec<f64> {
        average(&self.starts, steps)
    }

    fn smooth(&self, blocks: &[f64]) -> Vec<f64> {
        let mut start = 0;
        self.firsts
            .iter()
            .zip(&self.ends)
            .map(|(&first, &end)| {
                let row = &self.rows[start..end];
                start = end;
                dot(row, &blocks[first..])
            })
            .collect()
    }

    /// The rule on a smoothed replicate, with the memory in the steps of the whole grid.
    fn read(&self, curve: &[f64], grid: &LogGrid, beta: f64) -> Option<f64> {
        let fall = Fall::with_plateau(curve, self.plateau)?;
        let done = fall.done(curve, rule::SHARE);
        let step = grid.step_at(self.starts[done]);
        Some(rule::position(&self.grid, &fall, done, beta, step))
    }
}

/// The mean over the steps of each block.
fn average(starts: &[usize], steps: &[f64]) -> Vec<f64> {
    starts
        .windows(2)
        .map(|pair| steps[pair[0]..pair[1]].iter().sum::<f64>() / (pair[1] - pair[0]) as f64)
        .collect()
}

/// A quantile of sorted values with linear interpolation, as numpy's; 0 for none.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return 0.0;
    };
    let at = share * last as f64;
    let below = to_steps(at, last);
    let above = (below + 1).min(last);
    sorted[below] + (at - below as f64) * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_to_a_thousand_steps_are_read_one_by_one_and_more_are_bounded_by_their_decades() {
        // Two decades: their steps are far finer than a block.
        let rows = |steps: u32| {
            let x = (0..steps).map(|i| 2.0 * f64::from(i) / f64::from(steps - 1));
            let grid = LogGrid::of_positions(x.collect());
            Blocks::of(&grid, grid.len()).ends.len()
        };
        assert_eq!(rows(100), 100);
        assert_eq!(rows(1000), 1000);
        assert!((190..=260).contains(&rows(5000)), "{}", rows(5000));
        assert!((190..=260).contains(&rows(50_000)), "{}", rows(50_000));
    }
}
