//! The suggestion, its verdict and interval; other tools' methods and profiles.
//!
//! [`suggest`] is the way in; [`suggest_smoothed`] where losses are smoothed already. Formulas and
//! what they are worth: `docs/method.md`.
//!
//! - [`ending`]: where a finished curve ends, and why.
//! - [`rule`]: cut, smooth, find the fall, step back.
//! - [`verdict`]: whether a learning rate may be read off; `noise` measures single losses.
//! - [`bootstrap`], [`interval`]: where the learning rate lies, for one sweep and for replicas.
//! - [`methods`]: the other methods on our own smoothing.
//! - [`profiles`]: other tools, number for number.
//! - `answer` puts them together, `sentence` says it in words, `names` reads and writes names.

mod answer;
pub mod bootstrap;
mod ending;
mod found;
pub mod interval;
pub mod methods;
mod names;
mod noise;
pub mod profiles;
mod random;
pub mod rule;
mod sentence;
pub mod verdict;

pub use answer::{suggest, suggest_smoothed};
pub use ending::ending;
pub use found::{Found, Outcome};
pub use names::UnknownName;
pub use noise::seem_smoothed;
pub use sentence::not_measured;

use crate::plan::Warning;
use serde::{Deserialize, Serialize};

/// How a learning rate is read off a curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The default rule: where 90 % of the drop is done, with two safety margins.
    Auto,
    /// Where 50 % of the drop is done.
    Drop50,
    /// Where 80 % of the drop is done.
    Drop80,
    /// Where 95 % of the drop is done.
    Drop95,
    /// Where the smoothed loss falls fastest.
    Steepest,
    /// Geometric mean of steepest and minimum.
    Gmean,
    /// A tenth of the learning rate at the minimum.
    Minimum,
    /// fastai's longest valley.
    Valley,
    /// fastai's sliding window.
    Slide,
}

/// A tool that is reproduced number for number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Profile {
    /// Lightning since 2.5.3.
    #[serde(rename = "lightning")]
    Lightning,
    /// Lightning as documented, 0.7.6 to 2.5.2.
    #[serde(rename = "lightning-0.7.6")]
    Lightning076,
    /// fastai.
    #[serde(rename = "fastai")]
    Fastai,
    /// torch-lr-finder.
    #[serde(rename = "torch-lr-finder")]
    TorchLrFinder,
    /// pytorch-ignite.
    #[serde(rename = "ignite")]
    Ignite,
}

/// Why a curve is not usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Too few steps, or too few a decade.
    TooFewPoints,
    /// Diverged within the first steps.
    DivergedAtOnce,
    /// Rises without having fallen.
    RisesWithoutFalling,
    /// Diverged without having fallen.
    DivergedWithoutFalling,
    /// No drop above the noise.
    Flat,
    /// No plateau followed by one fall.
    Wanders,
    /// Still falling at the upper end of the range.
    StillFalling,
    /// The suggestion lies below the range.
    RangeTooHigh,
}

/// Whether a learning rate may be read off the curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether it may.
    pub usable: bool,
    /// Why not; `None` when usable.
    pub reason: Option<Reason>,
    /// One sentence: what was seen, and the remedy.
    pub message: String,
}

/// How an interval was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntervalMethod {
    /// Wild residual bootstrap of one sweep.
    Bootstrap,
    /// Student's t over replicas, on log10 of the learning rate.
    StudentT,
}

/// Where the learning rate lies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Nominal coverage, such as 0.9.
    pub level: f64,
    /// How it was made.
    pub method: IntervalMethod,
}

/// A learning rate read off a curve, whatever the verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Value {
    /// The learning rate; for `auto` it may lie between grid points or outside of the range.
    pub lr: f64,
    /// Step whose learning rate is nearest.
    pub index: u32,
    /// Name of the method, or of the profile with its method, such as `fastai/valley`.
    pub method: String,
}

/// A learning rate that may be trained with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suggestion {
    /// The learning rate.
    pub lr: f64,
    /// Step whose learning rate is nearest.
    pub index: u32,
    /// As in [`Value`].
    pub method: String,
    /// Where it lies; `None` for methods for which no fair interval is known.
    pub interval: Option<Interval>,
}

/// What every method makes of a curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MethodValue {
    /// As in [`Value::method`].
    pub method: String,
    /// What it gives; `None` where it gives nothing.
    pub value: Option<Value>,
    /// Why it gives nothing, else empty.
    pub why: String,
}

/// Raw curves and what is asked of them.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// Learning rates of all planned steps, also of those that were not reached.
    pub learning_rates: &'a [f64],
    /// Raw losses of each replica in step order, each at most as long as `learning_rates`; at least one.
    pub replicas: &'a [Vec<f64>],
    /// Momentum or beta1, 0 to below 1; `None` when unknown.
    pub beta: Option<f64>,
    /// Which method.
    pub method: Method,
    /// Which tool to do as; then `method` picks among the tool's own where it has several.
    pub profile: Option<Profile>,
    /// Points left out at the start; `None`: the method's own.
    pub skip_begin: Option<usize>,
    /// Points left out at the end; `None`: the method's own.
    pub skip_end: Option<usize>,
    /// Stop threshold of the profile's or the rule's cut; `None`: the profile's own.
    pub threshold: Option<f64>,
    /// Seed of the bootstrap.
    pub seed: u64,
}

/// A curve that is already smoothed and what is asked of it.
#[derive(Clone, Copy, Debug)]
pub struct SmoothedRequest<'a> {
    /// Learning rates of all planned steps.
    pub learning_rates: &'a [f64],
    /// Smoothed losses in step order, at most as many.
    pub smoothed: &'a [f64],
    /// Which method; [`Method::Auto`] gives nothing, since it needs raw losses.
    pub method: Method,
    /// As in [`Request::profile`].
    pub profile: Option<Profile>,
    /// As in [`Request::skip_begin`].
    pub skip_begin: Option<usize>,
    /// As in [`Request::skip_end`].
    pub skip_end: Option<usize>,
}

/// What is made of a curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Whether the curve is usable.
    pub verdict: Verdict,
    /// The suggestion: for `auto` and our methods only with a usable verdict; a profile's is that
    /// tool's own, whatever the verdict.
    pub suggestion: Option<Suggestion>,
    /// What the chosen method gives, whatever the verdict.
    pub rule_value: Option<Value>,
    /// What every other method and profile gives.
    pub methods: Vec<MethodValue>,
    /// Smoothed losses that the chosen method read, of each replica, in step order.
    #[serde(skip)]
    pub smoothed: Vec<Vec<f64>>,
    /// The smoothed mean curve that the verdict was read off; for one replica its smoothed curve.
    #[serde(skip)]
    pub mean: Vec<f64>,
    /// Notices, such as `minimum_at_end` and `not_measured_here`.
    pub warnings: Vec<Warning>,
}
