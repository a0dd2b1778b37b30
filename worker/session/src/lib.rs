//! A worker's side of the protocol, driving any trainer. Does not link libtorch.
//!
//! - [`trainer`]: what a trainer must be able to do.

pub mod trainer;
