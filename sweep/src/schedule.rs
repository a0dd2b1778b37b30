//! The learning rate of each global step.

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
    /// i/N: fastai's; the upper end is never reached.
    UpperOpen,
    /// (i+1)/N: ignite's; the lower end is never seen.
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
    pub min_lr: f64,
    /// Highest learning rate, finite.
    pub max_lr: f64,
    /// Number of steps.
    pub steps: u32,
}
