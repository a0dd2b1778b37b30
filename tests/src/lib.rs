//! What the tests over real processes share.
//!
//! - [`processes`]: what lives, and what is done to it.
//! - [`programs`]: where the programs are.
//! - [`sweep`]: sweeps of the mock trainer, and how they are run.

pub mod processes;
pub mod programs;
pub mod sweep;
