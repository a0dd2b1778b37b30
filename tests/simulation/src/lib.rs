//! The real state machine among modelled workers, networks, disks and clocks, driven by a seed.
//!
//! One number decides everything: which sweeps are run, when each message arrives, what is on disk
//! when the coordinator dies, and what else goes wrong. [`run`] checks after every event what must
//! always hold, and in the end that each sweep resulted in what an undisturbed run gives, bit for
//! bit.
//!
//! - `world`: the agenda, and what happens. `faults`: what goes wrong.
//! - `network`: streams. `clients`: what they want, and whether they got it.
//! - `coordinator`: the state, its store, and the [`Mutation`]s by which the simulation is tested.
//! - `fleet`: the workers; `worker`: a process of one. `sweeps`: what is run, and what comes of it undisturbed.
//! - `invariants`: what must hold.

mod clients;
mod coordinator;
mod faults;
mod fleet;
mod invariants;
mod network;
mod sweeps;
mod worker;
mod world;

pub use coordinator::Mutation;
pub use world::Summary;

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs the schedule of a seed to its end; `trace` prints what happens.
///
/// # Errors
/// What did not hold, or the words of a panic.
pub fn run(seed: u64, mutation: Option<Mutation>, trace: bool) -> Result<Summary, String> {
    let world = || world::World::new(seed, mutation, trace).run();
    catch_unwind(AssertUnwindSafe(world)).unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().cloned();
        let word = panic.downcast_ref::<&str>().map(|word| (*word).to_owned());
        Err(words.or(word).unwrap_or_else(|| "a panic".to_owned()))
    })
}
