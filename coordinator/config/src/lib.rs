//! What a sweep is asked to be.
//!
//! - [`fields`]: the fields of the specification, as its definition lists them.
//! - [`mod@file`]: configuration files; flags over them. [`files`]: the fields that name files.
//! - [`hparams`]: hyperparameter files, into which the learning rate is written.
//! - [`manual`]: the whole configuration with its comments.
//! - [`names`]: the names that people may write, and the nearest to what they wrote.
//! - [`Resolved`], [`resolve`], [`resolve_elsewhere`]: a specification checked and completed, all
//!   mistakes at once, for this machine or for a service.
//! - [`trainability`]: what the planner knows of it before a worker has described it.
//! - [`reading`]: the same for a curve from elsewhere.
//! - `tree`: TOML, YAML and JSON as one kind of tree that knows the place of each value.

pub mod fields;
pub mod file;
pub mod files;
pub mod hparams;
pub mod manual;
pub mod names;
mod resolve;
mod resolved;
mod tree;

pub use resolve::{
    MAX_STEPS, MOST_WORKERS_ELSEWHERE, memory, most_workers, placement, reading, reread, resolve,
    resolve_elsewhere, trainability,
};
pub use resolved::{AnswerSettings, Device, Resolved};
pub use tree::Format;
