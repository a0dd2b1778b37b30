//! The programs `coordinator` and `worker` together, as their users meet them.
//!
//! - `support`: runs of the program, with their processes marked.
//! - `whole`: a sweep from the command to its files, and what reads them.
//! - `plans`: what splits and numbers of workers may change, and what they may not.
//! - `kills`: workers that are killed.
//! - `signals`: the coordinator stopped and killed.
//! - `hparams`: the learning rate in a file of hyperparameters.
//! - `input`: what can be asked wrongly and only a worker can tell.
//! - `formats`: data of every format.
//! - `trainer`: models, groups, checkpoints, evaluation, batches, precision, memory.
//! - `failures`: curves without an answer, workers that fail.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what a test cannot do fails it"
)]

mod failures;
mod formats;
mod hparams;
mod input;
mod kills;
mod plans;
mod signals;
mod support;
mod trainer;
mod whole;
