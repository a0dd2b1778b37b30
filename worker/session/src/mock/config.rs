//! The script of a mock trainer.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Environment variable with a JSON object of [`Config`]'s keys, which win over the task's own.
pub const SCRIPT: &str = "RANGEFINDER_MOCK";

/// What a mock trainer is and does. All keys are optional in JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Milliseconds that a step takes.
    pub step_ms: f64,
    /// Milliseconds that loading model and data takes.
    pub describe_ms: f64,
    /// Loss of the plateau.
    pub initial_loss: f64,
    /// Loss that the fall leads to.
    pub lowest_loss: f64,
    /// Learning rate at the middle of the fall.
    pub fall_lr: f64,
    /// Decades that the fall takes.
    pub fall_decades: f64,
    /// Learning rate at which the loss begins to rise.
    pub divergence_lr: f64,
    /// Standard deviation of the loss, relative to it.
    pub noise: f64,
    /// Whether a task that does not begin at step 0 deviates from the whole sweep by 10^-d, where d
    /// is the number of decades since its beginning.
    pub memory: bool,
    /// Samples in the data.
    pub samples: u64,
    /// Whether the data can be sought by step.
    pub seekable: bool,
    /// Whether randomness can be replayed.
    pub replayable: bool,
    /// Steps whose losses are kept back, as on a GPU; 1 keeps none.
    pub losses_every: u64,
    /// The user's mistakes that loading finds.
    pub mistakes: Vec<FieldMistake>,
    /// Whether the probe runs out of memory.
    pub out_of_memory: bool,
    /// What goes wrong at which step.
    pub faults: Vec<Fault>,
    /// Folder of gates, by which a test holds a task at a step: see [`gates`](super::gates).
    pub gates: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            step_ms: 0.0,
            describe_ms: 0.0,
            initial_loss: 2.3,
            lowest_loss: 0.3,
            fall_lr: 1e-3,
            fall_decades: 1.5,
            divergence_lr: 0.1,
            noise: 0.02,
            memory: true,
            samples: 1797,
            seekable: true,
            replayable: true,
            losses_every: 1,
            mistakes: Vec::new(),
            out_of_memory: false,
            faults: Vec::new(),
            gates: None,
        }
    }
}

/// A mistake in a field of the specification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldMistake {
    /// Name of the field.
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

/// Something that goes wrong at a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The global step.
    pub step: u64,
    /// What happens there.
    pub what: Misdeed,
    /// How often this process does it; without it, always.
    #[serde(default)]
    pub times: Option<u32>,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Misdeed {
    /// The step never returns.
    Hang,
    /// The step fails.
    Fail,
    /// The step panics.
    Panic,
    /// The loss is NaN.
    Nan,
    /// The loss is infinite.
    Infinity,
    /// The data ends before this step.
    Exhausted,
    /// The process ends at once, as if killed.
    Exit,
}

/// A script that makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("the mock's script in {origin} cannot be used ({problem}): see rangefinder_session::mock")]
pub struct ScriptError {
    /// Where it came from.
    pub origin: &'static str,
    /// What is wrong.
    pub problem: String,
}

impl Config {
    /// The script of a task: `task` is the JSON of its custom configuration or empty, `process`
    /// that of the environment, whose keys win.
    ///
    /// # Errors
    /// When either is not a JSON object of known keys.
    pub fn merged(task: &[u8], process: Option<&str>) -> Result<Self, ScriptError> {
        let mut keys = object("TrainerSpec.custom.config", task)?;
        keys.extend(object(SCRIPT, process.unwrap_or_default().as_bytes())?);
        serde_json::from_value(keys.into()).map_err(|error| ScriptError {
            origin: "TrainerSpec.custom.config and RANGEFINDER_MOCK",
            problem: error.to_string(),
        })
    }
}

fn object(
    origin: &'static str,
    json: &[u8],
) -> Result<serde_json::Map<String, serde_json::Value>, ScriptError> {
    if json.is_empty() {
        return Ok(serde_json::Map::new());
    }
    serde_json::from_slice(json).map_err(|error| ScriptError {
        origin,
        problem: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_wins_key_by_key() {
        let config = Config::merged(
            br#"{"step_ms": 5, "noise": 0.5}"#,
            Some(r#"{"noise": 0.1, "faults": [{"step": 3, "what": "panic", "times": 1}]}"#),
        )
        .expect("valid");
        assert_eq!((config.step_ms, config.noise), (5.0, 0.1));
        assert_eq!(config.faults[0].what, Misdeed::Panic);
        assert_eq!(config.samples, Config::default().samples);
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = Config::merged(br#"{"stepms": 5}"#, None).expect_err("accepted");
        assert!(error.to_string().contains("stepms"), "{error}");
    }
}
