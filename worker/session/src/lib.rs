//! A worker's side of the protocol, driving any trainer. Does not link libtorch.
//!
//! The map:
//! - [`trainer`]: what a trainer must be able to do.
//! - [`options`]: how a worker is told whom to join; one contract for every way to start it.
//! - [`Session`]: the whole, `Options` and a trainer in, [`End`] or [`Error`] out. It collects what
//!   happens, lets `machine` decide, and does what that says.
//! - `machine`: the decisions, sans-IO. `phase`: how it stands.
//!   `turn`: what comes into it and goes out. `ledger`: leases
//!   held and what is not acknowledged. `work`: orders, checked. `pace`: jitter and back-off.
//! - `runner`: the trainer's thread. `mailbox`: what it leaves for the session. `panics`: what
//!   becomes of its panics.
//! - `dial`: reaching the coordinator. `link`: one stream with it.
//! - `files`: the files that an order names, found or downloaded before the trainer hears of it.
//! - [`shutdown`]: how a process learns that it should end.
//! - `fuzzing` (feature `fuzzing`): the decisions in a fuzzer's hands.
//! - `mock` (feature `mock`): a trainer of analytic losses that behaves as it is told to.

mod dial;
mod error;
mod files;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod ledger;
mod lines;
mod link;
mod machine;
mod mailbox;
#[cfg(feature = "mock")]
pub mod mock;
pub mod options;
mod pace;
mod panics;
mod phase;
mod runner;
mod session;
pub mod shutdown;
pub mod trainer;
mod turn;
mod work;

pub use error::{End, Error, OptionsError};
pub use options::{Credential, Files, Options, Timing};
pub use session::Session;
