//! What is fuzzed, and what must hold of each.
//!
//! - `worker_messages`: what workers say, up to what the state machine makes of it.
//! - `coordinator_messages`: what a coordinator says, up to what a session makes of it.
//! - `settings`: specifications, configuration and hyperparameter files.
//! - `results`: sweep.json, curves from elsewhere, the log of a sweep.
//! - `data`: files of samples.
//! - `checkpoints`: files of weights and of optimizers.

mod checkpoints;
mod coordinator_messages;
mod data;
mod results;
mod settings;
mod worker_messages;

use crate::Target;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// All targets.
pub const TARGETS: &[Target] = &[
    made(
        "worker_messages",
        worker_messages::run,
        worker_messages::seeds,
    ),
    made(
        "coordinator_messages",
        coordinator_messages::run,
        coordinator_messages::seeds,
    ),
    made("specification", settings::specification, settings::seeds),
    kept("toml", settings::toml),
    kept("yaml", settings::yaml),
    kept("json", settings::json),
    kept("sweep_json", results::document),
    kept("curve", results::curve),
    made("events", results::events, worker_messages::logs),
    kept("npz", data::npz),
    kept("npy", data::npy),
    kept("idx", data::idx),
    kept("safetensors", data::safetensors),
    kept("tokens", data::tokens),
    kept("csv", data::csv),
    kept("weights", checkpoints::weights),
    kept("torch", checkpoints::torch),
    made("pickle", checkpoints::pickle, checkpoints::seeds),
];

/// A target whose inputs are all kept.
const fn kept(name: &'static str, run: fn(&[u8]) -> bool) -> Target {
    made(name, run, Vec::new)
}

/// A target that makes some of its inputs.
const fn made(name: &'static str, run: fn(&[u8]) -> bool, seeds: fn() -> Vec<Vec<u8>>) -> Target {
    Target { name, run, seeds }
}

/// A file with an input, for readers of files. It goes with its folder.
struct File {
    _folder: TempDir,
    path: PathBuf,
}

impl File {
    fn new(name: &str, content: &[u8]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("a temporary file");
        Self {
            _folder: folder,
            path,
        }
    }

    fn path(&self) -> &Path {
        &self.path
    }
}
