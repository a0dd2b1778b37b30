//! A specification with nothing left open.

use rangefinder_proto::v1;
use rangefinder_sweep::state::SweepRequest;
use rangefinder_sweep::suggest::{Method, Profile};

/// A checked and completed specification, and what each part of the coordinator needs of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// The specification: every field that applies is set, every field that does not is absent.
    pub spec: v1::SweepSpec,
    /// What the state machine is asked to run.
    pub request: SweepRequest,
    /// What the workers are told to train; paths of files are absolute.
    pub trainer: v1::TrainerSpec,
    /// How a learning rate is read off the curve.
    pub answer: AnswerSettings,
    /// Where the workers train.
    pub device: Device,
    /// Workers to run, at least 1.
    pub workers: u32,
    /// Workers that may share one GPU, at least 1.
    pub workers_per_gpu: u32,
}

/// How a learning rate is read off a finished curve.
#[derive(Clone, Debug, PartialEq)]
pub struct AnswerSettings {
    /// Which method; with a profile, which of the tool's own.
    pub method: Method,
    /// Which tool to do as.
    pub profile: Option<Profile>,
    /// Points left out at the start; `None`: the method's own.
    pub skip_begin: Option<usize>,
    /// Points left out at the end; `None`: the method's own.
    pub skip_end: Option<usize>,
    /// Stop threshold of the profile; `None`: the method's own cut.
    pub threshold: Option<f64>,
    /// Momentum or beta1 of the optimizer, 0 for one without memory.
    pub beta: Option<f64>,
    /// Seed of the bootstrap.
    pub seed: u64,
}

/// Where workers train.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// On the visible GPUs where there are any, else on the CPU.
    Auto,
    /// On the CPU.
    Cpu,
    /// On one GPU, by its index among the visible ones.
    Cuda(u32),
}
