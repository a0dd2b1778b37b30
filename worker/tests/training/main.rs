//! The trainer's promises, through the interface that the session drives.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests panic as tests do"
)]

mod describe;
mod determinism;
mod gpu;
mod probe;
mod pytorch;
mod support;
