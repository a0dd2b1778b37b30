//! The trainer's promises, through the interface that the session drives.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests panic as tests do"
)]

mod accumulation;
mod augmentation;
mod cases;
mod describe;
mod determinism;
mod evaluation;
mod gpu;
mod groups;
mod losses;
mod models;
mod probe;
mod pytorch;
mod resume;
mod support;
mod unusual;
