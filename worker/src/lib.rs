//! The trainer on libtorch: the only crate that names tch.
//!
//! - [`trainer`]: [`TorchTrainer`], which the session drives.
//! - [`device`]: where to train; opens libtorch's CUDA half where a GPU is used.
//! - `recipe`: a specification, read and checked. `check`: the user's mistakes that only a batch shows.
//! - `model`: TorchScript files and the built-ins. `loss`.
//! - `samples`: the data as tensors. `column`: one array of them. `augment`: varied images.
//! - `parameters`: what is trained. `optimizer`: PyTorch's optimizers on it. `names`: of parameters.
//! - `precision`: in which numbers a model computes.
//! - `evaluation`: the loss on other data.
//! - `run`: one task in training. `probe`: a few batches at the initial weights. `noise`: its seeds.
//! - `failure`: errors in the user's words. `foreign`: the only unsafe code.

mod augment;
mod check;
mod column;
pub mod device;
mod evaluation;
mod failure;
mod foreign;
mod loss;
mod model;
mod names;
mod noise;
mod optimizer;
mod parameters;
mod precision;
mod probe;
mod recipe;
mod run;
mod samples;
pub mod trainer;

pub use foreign::{keep_freed_memory, leave};
pub use trainer::TorchTrainer;
