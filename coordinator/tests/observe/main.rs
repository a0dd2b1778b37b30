//! What an operator sees of a service: its pages, its log, its traces, its units.
//!
//! - `pages`: health, readiness and metrics.
//! - `logs`: what it writes to stderr.
//! - `traces`: what a collector is sent.
//! - `units`: that the units of systemd name what there is.
//! - `service`: a service in this process, with workers that train nothing.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod logs;
mod pages;
mod service;
#[cfg(feature = "otlp")]
mod traces;
mod units;
