//! The learning rate of each global step.

use crate::suggest::Profile;
use serde::{Deserialize, Serialize};

/// How the learning rate grows over a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// `min * (max / min)^r`.
    Exponential,
    /// `min + r * (max - min)`.
    Linear,
}

/// Where `r` stands at step i of N.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grid {
    /// i/(N-1): both ends are hit. Also torch-lr-finder's.
    BothEnds,
    /// 0, then (i+1)/N: Lightning's.
    Lightning,
    /// i/N: fastai's, and ignite's linear one; the upper end is never reached.
    UpperOpen,
    /// (i+1)/N: ignite's exponential one; the lower end is never seen.
    LowerOpen,
}

/// The range of learning rates of a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// How the learning rate grows.
    pub mode: Mode,
    /// Where the steps stand in the range.
    pub grid: Grid,
    /// Lowest learning rate, above 0 and below `max_lr`.
    #[serde(with = "crate::number")]
    pub min_lr: f64,
    /// Highest learning rate, finite.
    #[serde(with = "crate::number")]
    pub max_lr: f64,
    /// Number of steps.
    pub steps: u32,
}

/// What is wrong with a [`Range`].
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum RangeError {
    /// The lowest learning rate is no learning rate.
    #[error(
        "the lowest learning rate is {0}: expected a finite number above 0, such as 1e-8 (`min_lr`)"
    )]
    MinLr(f64),
    /// The highest learning rate is no learning rate.
    #[error(
        "the highest learning rate is {0}: expected a finite number above `min_lr`, such as 1 (`max_lr`)"
    )]
    MaxLr(f64),
    /// The range is empty.
    #[error("the range from {min_lr:e} to {max_lr:e} is empty: `min_lr` has to be below `max_lr`")]
    Empty {
        /// Its lower end.
        min_lr: f64,
        /// Its upper end.
        max_lr: f64,
    },
    /// There are too few steps to have two ends.
    #[error(
        "{0} steps cannot span a range: at least 2 are needed, 20 for a suggestion, and 200 to 500 \
         are best (`num_training`)"
    )]
    Steps(u32),
    /// The steps are so close that neighbours have the same learning rate.
    #[error(
        "the range from {min_lr:e} to {max_lr:e} is too narrow for {steps} steps: neighbours have \
         the same learning rate; widen it or take fewer steps (`num_training`)"
    )]
    Narrow {
        /// Its lower end.
        min_lr: f64,
        /// Its upper end.
        max_lr: f64,
        /// Its steps.
        steps: u32,
    },
}

impl Range {
    /// Checks that the range can be swept: both ends are finite and positive, in order, with at
    /// least 2 steps of different learning rates between them.
    ///
    /// # Errors
    /// The first of these that does not hold.
    pub fn validate(&self) -> Result<(), RangeError> {
        let Self { min_lr, max_lr, .. } = *self;
        if !(min_lr.is_finite() && min_lr > 0.0) {
            return Err(RangeError::MinLr(min_lr));
        }
        if !(max_lr.is_finite() && max_lr > 0.0) {
            return Err(RangeError::MaxLr(max_lr));
        }
        if min_lr >= max_lr {
            return Err(RangeError::Empty { min_lr, max_lr });
        }
        if self.steps < 2 {
            return Err(RangeError::Steps(self.steps));
        }
        if !self.learning_rates().is_sorted_by(|a, b| a < b) {
            return Err(RangeError::Narrow {
                min_lr,
                max_lr,
                steps: self.steps,
            });
        }
        Ok(())
    }

    /// The learning rate of each step, `steps` of them.
    ///
    /// An end that the grid reaches is hit bit for bit. A grid of one step has the lower end, or
    /// the upper one where the lower is never seen; a grid of none is empty.
    #[must_use]
    pub fn learning_rates(&self) -> Vec<f64> {
        (0..self.steps)
            .map(|step| self.at(self.share(step)))
            .collect()
    }

    /// Where the step stands between the ends, 0 to 1.
    fn share(&self, step: u32) -> f64 {
        let (step, steps) = (f64::from(step), f64::from(self.steps));
        match self.grid {
            Grid::BothEnds => step / (steps - 1.0).max(1.0),
            Grid::Lightning if step == 0.0 => 0.0,
            Grid::Lightning | Grid::LowerOpen => (step + 1.0) / steps,
            Grid::UpperOpen => step / steps,
        }
    }

    fn at(&self, share: f64) -> f64 {
        let (low, high) = (self.min_lr, self.max_lr);
        if share <= 0.0 {
            return low;
        }
        if share >= 1.0 {
            return high;
        }
        match self.mode {
            Mode::Exponential => {
                let ratio = high / low;
                if ratio.is_finite() {
                    low * ratio.powf(share)
                } else {
                    (low.ln() * (1.0 - share) + high.ln() * share).exp()
                }
            }
            Mode::Linear => low + share * (high - low),
        }
    }
}

impl Profile {
    /// The grid on which the tool sweeps in a mode: ignite's two modes differ.
    #[must_use]
    pub const fn grid(self, mode: Mode) -> Grid {
        match (self, mode) {
            (Self::Lightning | Self::Lightning076, _) => Grid::Lightning,
            (Self::Fastai, _) | (Self::Ignite, Mode::Linear) => Grid::UpperOpen,
            (Self::TorchLrFinder, _) => Grid::BothEnds,
            (Self::Ignite, Mode::Exponential) => Grid::LowerOpen,
        }
    }

    /// The tool's default range, lowest and highest learning rate. `None` for the lowest: that of
    /// the user's optimizer.
    #[must_use]
    pub const fn default_range(self) -> (Option<f64>, f64) {
        match self {
            Self::Lightning | Self::Lightning076 => (Some(1e-8), 1.0),
            Self::Fastai => (Some(1e-7), 10.0),
            Self::TorchLrFinder | Self::Ignite => (None, 10.0),
        }
    }

    /// The tool's default number of steps; `None`: the whole run.
    #[must_use]
    pub const fn default_steps(self) -> Option<u32> {
        match self {
            Self::Ignite => None,
            _ => Some(100),
        }
    }

    /// Multiple of the best smoothed loss above which the tool stops by default.
    #[must_use]
    pub const fn default_threshold(self) -> f64 {
        match self {
            Self::Lightning | Self::Lightning076 | Self::Fastai => 4.0,
            Self::TorchLrFinder | Self::Ignite => 5.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GRIDS: [Grid; 4] = [
        Grid::BothEnds,
        Grid::Lightning,
        Grid::UpperOpen,
        Grid::LowerOpen,
    ];

    fn range(mode: Mode, grid: Grid, steps: u32) -> Range {
        Range {
            mode,
            grid,
            min_lr: 3e-7,
            max_lr: 0.7,
            steps,
        }
    }

    #[test]
    fn the_ends_are_hit_bit_for_bit_where_the_grid_reaches_them() {
        for mode in Mode::ALL {
            for steps in [2, 3, 7, 49, 100, 333, 1000] {
                for grid in GRIDS {
                    let rates = range(mode, grid, steps).learning_rates();
                    assert_eq!(rates.len(), steps as usize);
                    assert_eq!(rates[0] == 3e-7, grid != Grid::LowerOpen);
                    assert_eq!(
                        rates[rates.len() - 1] == 0.7,
                        grid != Grid::UpperOpen,
                        "{mode:?} {grid:?} {steps}"
                    );
                }
            }
        }
    }

    #[test]
    fn no_step_and_one_step_are_no_accident() {
        for mode in Mode::ALL {
            for grid in GRIDS {
                assert_eq!(range(mode, grid, 0).learning_rates(), Vec::<f64>::new());
                let only = if grid == Grid::LowerOpen { 0.7 } else { 3e-7 };
                assert_eq!(range(mode, grid, 1).learning_rates(), [only]);
            }
        }
    }

    #[test]
    fn a_range_that_cannot_be_swept_is_refused_with_its_numbers() {
        let good = range(Mode::Exponential, Grid::BothEnds, 100);
        assert_eq!(good.validate(), Ok(()));
        let refused = |range: Range, part: &str| {
            let message = range.validate().unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        };
        refused(
            Range {
                min_lr: 0.0,
                ..good
            },
            "lowest learning rate is 0",
        );
        refused(
            Range {
                min_lr: f64::NAN,
                ..good
            },
            "NaN",
        );
        refused(
            Range {
                max_lr: f64::INFINITY,
                ..good
            },
            "inf",
        );
        refused(
            Range {
                max_lr: 1e-9,
                ..good
            },
            "from 3e-7 to 1e-9 is empty",
        );
        refused(
            Range {
                max_lr: 3e-7,
                ..good
            },
            "empty",
        );
        refused(Range { steps: 1, ..good }, "1 steps");
        let narrow = Range {
            min_lr: 1.0,
            max_lr: 1.0 + 4.0 * f64::EPSILON,
            ..good
        };
        refused(narrow, "too narrow");
    }

    proptest! {
        #[test]
        fn any_valid_range_grows_within_its_ends(
            linear in any::<bool>(),
            grid in 0..4_usize,
            low in -300.0..300.0_f64,
            decades in 0.01..600.0_f64,
            steps in 2..400_u32,
        ) {
            let range = Range {
                mode: if linear { Mode::Linear } else { Mode::Exponential },
                grid: GRIDS[grid],
                min_lr: 10_f64.powf(low),
                max_lr: 10_f64.powf((low + decades).min(308.0)),
                steps,
            };
            let rates = range.learning_rates();
            if range.validate().is_ok() {
                prop_assert!(rates.is_sorted_by(|a, b| a < b));
                prop_assert!(rates.iter().all(|&rate| range.min_lr <= rate && rate <= range.max_lr));
            }
        }
    }
}
