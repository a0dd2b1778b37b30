//! Requests and trainers to plan for.

use rangefinder_sweep::plan::{PlanRequest, Probe, Split, Trainability};
use rangefinder_sweep::schedule::{Grid, Mode, Range};

/// An exponential range up to 1 over so many decades, with an overlap of 1 decade.
pub fn request(split: Split, workers: u32, steps: u32, decades: i32) -> PlanRequest {
    PlanRequest {
        range: Range {
            mode: Mode::Exponential,
            grid: Grid::BothEnds,
            min_lr: 10f64.powi(-decades),
            max_lr: 1.0,
            steps,
        },
        split,
        segments: None,
        replicas: None,
        overlap_decades: 1.0,
        workers,
        updates_per_step: 1,
        largest_lr_ratio: 1.0,
    }
}

pub const ADAM: Trainability = Trainability {
    beta: Some(0.9),
    adaptive: true,
    seekable: true,
    replayable: true,
};

pub const SGD: Trainability = Trainability {
    beta: Some(0.0),
    adaptive: false,
    ..ADAM
};

/// The fall begins where the cumulative learning rate reaches `mass` (Adam, or SGD without memory).
pub fn falls_at(mass: f64) -> Probe {
    Probe {
        initial_loss: 2.3,
        gradient_squared: 0.023 / mass,
        gradient_l1: 0.023 / mass,
        seconds_per_step: 0.01,
        peak_memory_bytes: 0,
    }
}
