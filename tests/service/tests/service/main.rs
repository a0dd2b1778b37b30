//! The service as its clients see it: real processes, connections and tokens.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what a test cannot do fails it"
)]

mod artifacts;
mod create;
mod curves;
mod fields;
mod files;
mod isolation;
mod keep;
mod limits;
mod list;
mod operations;
mod reflection;
mod restart;
mod secrets;
mod sharing;
mod tls;
mod watch;
