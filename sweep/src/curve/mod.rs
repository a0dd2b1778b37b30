//! Merging, smoothing, the divergence stop, the self-check of overlaps.
//!
//! - [`ema`]: causal smoothing, as a running sweep and other tools do it.
//! - [`gaussian`]: the centred smoothing that suggestions are read off.
//! - [`overlap`]: how well neighbouring segments agree.
//! - [`stop`]: where a curve stops.

pub mod ema;
pub mod gaussian;
pub mod overlap;
pub mod stop;

pub use stop::StopDetector;

use serde::{Deserialize, Serialize};

/// Why a curve ends where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// All planned steps were run.
    Completed,
    /// The smoothed loss rose above the threshold.
    Diverged,
    /// A loss is NaN or infinite.
    NonFinite,
    /// The data ended first.
    DataExhausted,
    /// The sweep was cancelled.
    Cancelled,
    /// The sweep failed.
    Failed,
}

/// How a sweep decides to stop.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StopRule {
    /// Multiple of the best smoothed loss above which it stops; infinite: never.
    #[serde(with = "crate::number")]
    pub threshold: f64,
    /// Whose smoothing and order of checks; `None`: the rule's debiased EMA(.9).
    pub profile: Option<crate::suggest::Profile>,
    /// Steps that are planned.
    pub planned_steps: u32,
}
