//! Sweeps on one machine that are interrupted and gone on with: the program itself, its workers
//! with the mock trainer, its folder.
//!
//! - `bench`: where they run.
//! - `killed`: the coordinator is killed.
//! - `parked`: it is told to stop.
//! - `full_disk`: its disk is full for a while.
//! - `folders`: what folders are taken, and what is refused.

#![expect(clippy::unwrap_used, reason = "what a test cannot do fails it")]

mod bench;
mod folders;
mod full_disk;
mod killed;
mod parked;
