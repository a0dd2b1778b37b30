//! What the tests over real processes share.
//!
//! - [`sweep`]: sweeps of the mock trainer, and how they are run.
//! - [`processes`]: a process's children, and what is done to them.

pub mod processes;
pub mod sweep;
