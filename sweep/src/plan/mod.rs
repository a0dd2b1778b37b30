//! How a sweep is split into tasks, and what that costs.
//!
//! The laws and tables used here are those of `docs/method.md`: a segment that starts d decades
//! before its boundary forgets its start to 10^-d; momentum adds 1/(1-beta) steps.
//!
//! - `model`: requests, tasks, plans.
//! - `split`: the names of the modes.
//! - `warm_up`: where a segment must start, and what the probe lets it leave out.
//! - `boundaries`: where to cut, so that the longest task is as short as it can be.
//! - `shape`: how many segments and replicas.
//! - `makespan`: in which order tasks are given out, and how long that takes.
//! - `fidelity`: the error that was measured for such splits.
//! - `warnings`: what people should know.

mod boundaries;
mod fidelity;
mod makespan;
mod model;
mod shape;
mod split;
mod warm_up;
mod warnings;

pub use model::{Plan, PlanRequest, Probe, Split, Task, Trainability, Warning};
pub use shape::{could_use_probe, plan};
pub use split::UnknownSplit;
