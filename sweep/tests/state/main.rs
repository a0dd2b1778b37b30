//! Promises of the state machine, over its public interface.
//!
//! - [`support`]: a small world around it, whose invariants are checked after every event.
//! - [`properties`]: random interleavings.
//! - [`leases`], [`observations`], [`stops`], [`failures`], [`stages`]: one promise a test.
//! - [`sharing`], [`service`], [`rebuild`]: many sweeps, months, and restarts.

#[cfg(test)]
mod failures;
#[cfg(test)]
mod leases;
#[cfg(test)]
mod observations;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod rebuild;
#[cfg(test)]
mod service;
#[cfg(test)]
mod sharing;
#[cfg(test)]
mod stages;
#[cfg(test)]
mod stops;
#[cfg(test)]
mod support;
