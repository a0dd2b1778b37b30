//! A trainer of analytic losses that behaves as it is told to: for tests, load and chaos.
//!
//! - [`Config`]: the script, from `TrainerSpec.custom.config` (JSON) and, key by key above it, from
//!   the environment variable [`SCRIPT`]: so one worker of several can be the broken one.
//! - `curve`: the losses, deterministic functions of (seed, replica, step, learning rates).
//! - [`gates`]: files by which a test holds a task at a step, and learns where it is.
//! - [`MockTrainer`]: the trainer.

mod config;
mod curve;
pub mod gates;
mod trainer;

pub use config::{Config, Fault, FieldMistake, Misdeed, SCRIPT, ScriptError};
pub use trainer::MockTrainer;
