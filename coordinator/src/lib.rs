//! The coordinator: splits a sweep over workers, merges their losses, suggests a learning rate.
//!
//! From the outside in:
//! - [`cli`]: the command line; [`exit`]: its exit codes.
//! - [`client`]: what the command line asks of a service.
//! - [`run`]: a whole sweep on this machine, from workers' start to their end.
//! - [`serve`]: the service. [`client`]: those who ask it.
//! - [`launch`]: worker processes, and what becomes of them.
//! - [`devices`]: which worker trains on which device.
//! - [`services`]: gRPC: credentials, streams of workers, health.
//! - [`wire`]: between messages and values.
//! - [`engine`]: the actor that owns the state machine of `rangefinder-sweep`.
//! - [`catalogue`]: all sweeps of a service, running and ended. [`pins`]: the artifacts that they need.
//! - [`observe`]: what an operator sees: logs, metrics, traces.
//! - [`record`]: what is kept of a sweep, and what is made of it when it has ended.

pub mod catalogue;
pub mod cli;
pub mod client;
pub mod devices;
pub mod engine;
pub mod exit;
pub mod launch;
pub mod observe;
pub mod pins;
pub mod record;
pub mod run;
pub mod serve;
pub mod services;
pub mod wire;
