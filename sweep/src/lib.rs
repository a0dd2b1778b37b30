//! The pure core of Rangefinder: what a sweep *is*.
//!
//! No async runtime, no wire, no files, no clock, no random source: time and seeds come in as
//! arguments, decisions go out as values.
//!
//! - [`ids`]: names of sweeps, tasks, workers, attempts and leases.
//! - [`code`]: the codes of errors as text in JSON.
//! - [`number`]: non-finite numbers as the strings `"NaN"`, `"Infinity"`, `"-Infinity"` in JSON.
//! - [`schedule`]: the learning rate of each global step.
//! - [`plan`]: how a sweep is split into tasks, and what that costs.
//! - [`curve`]: merging, smoothing, the divergence stop, the self-check of overlaps.
//! - [`suggest`]: the suggestion, its verdict and interval; other tools' methods and profiles.
//! - [`event`]: what happens in a sweep, for whoever watches.
//! - [`state`]: the state machine: events in, actions out.

pub mod code;
pub mod curve;
pub mod event;
pub mod ids;
pub mod number;
pub mod plan;
pub mod schedule;
pub mod state;
pub mod suggest;
