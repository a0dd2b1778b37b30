//! A service of real processes, for tests of what its clients see.
//!
//! - [`Service`]: `coordinator serve` in a folder of its own, with tokens for [`ANN`] and [`BEN`]
//!   (clients), [`ROOT`] (an admin) and [`RACK`] (workers).
//! - [`Worker`]: a worker with the mock trainer.
//! - [`calls`]: what is asked of it, and what refusals say.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests panic as tests do"
)]

pub mod calls;
mod process;
mod service;

pub use process::{Ended, Process, eventually, program, within};
pub use service::{Builder, Service, Worker};

/// A client.
pub const ANN: &str = "ann";
/// Another client.
pub const BEN: &str = "ben";
/// An admin.
pub const ROOT: &str = "root";
/// Whoever runs the workers.
pub const RACK: &str = "rack";
