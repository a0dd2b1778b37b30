//! The promises of the store, on real files.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests stop where a step fails"
)]

mod common;
mod damage;
mod full_disk;
mod killed;
mod listing;
mod opening;
mod writing;
