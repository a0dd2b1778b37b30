//! The session over real gRPC on loopback, against a coordinator that each test scripts.
//!
//! - `support`: the scripted coordinator and the worker under test; `shelf`: its artifacts.
//! - `work`: describe, probe, tasks, and how they end.
//! - `connection`: connections that drop, stay silent or refuse.
//! - `leases`: what is held, stopped, handed back.
//! - `artifacts`: files that are downloaded first. `tls`: coordinators with TLS.
//! - `process`: the mock worker as a process.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

mod artifacts;
mod connection;
mod leases;
mod process;
mod shelf;
mod support;
mod tls;
mod work;
