//! What it takes to run a sweep.

use crate::observe::TraceParent;
use rangefinder_config::{AnswerSettings, Resolved, memory, reading};
use rangefinder_proto::v1;
use rangefinder_sweep::event::FieldError;
use rangefinder_sweep::state::SweepRequest;
use serde::{Deserialize, Deserializer, Serialize};
use std::path::PathBuf;

/// Version of the record.
const FORMAT: u32 = 1;

/// What it takes to run a sweep, decided once when it is created: a later release of the
/// coordinator goes on with the same plan, threads and trainer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Creation {
    /// Version of this record, now 1.
    pub format: u32,
    /// A name for people; may be empty.
    #[serde(default)]
    pub name: String,
    /// Workers that the plan counts on.
    pub workers: u32,
    /// When it was created, in milliseconds on the coordinator's clock.
    pub created_ms: u64,
    /// What is swept, every field that applies set.
    pub spec: v1::SweepSpec,
    /// What the state machine is asked to run.
    pub request: SweepRequest,
    /// What the workers are told to train.
    #[serde(with = "encoded")]
    pub trainer: v1::TrainerSpec,
    /// How the command that runs it and nothing else was called, so that it can be resumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub one_shot: Option<OneShot>,
    /// Where it stands in the trace of whoever asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<TraceParent>,
}

/// How a one-shot command was called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneShot {
    /// Program and arguments of a worker of the user's own; empty for ours.
    pub worker_command: Vec<String>,
    /// The program of our worker, where it was named.
    pub worker_program: Option<PathBuf>,
    /// Where the files go.
    pub out: Option<PathBuf>,
    /// The file of hyperparameters.
    pub hparams: Option<PathBuf>,
    /// Its field: absent: none is to be written; null: found by its name.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub auto_lr_find: Option<Option<String>>,
}

impl Creation {
    /// Of a resolved specification.
    #[must_use]
    pub fn new(resolved: &Resolved, name: &str, one_shot: Option<OneShot>) -> Self {
        Self {
            format: FORMAT,
            name: name.to_owned(),
            workers: resolved.workers,
            created_ms: 0,
            spec: resolved.spec.clone(),
            request: resolved.request.clone(),
            trainer: resolved.trainer.clone(),
            one_shot,
            traceparent: None,
        }
    }

    /// Its learning rates, one a planned step.
    #[must_use]
    pub fn learning_rates(&self) -> Vec<f64> {
        self.request.plan.range.learning_rates()
    }

    /// How a learning rate is read off its curve.
    ///
    /// # Errors
    /// When its specification, which was checked before, is refused now.
    pub fn answer(&self) -> Result<AnswerSettings, Vec<FieldError>> {
        reading(&self.spec, memory(&self.spec))
    }

    /// As the store keeps it.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self)
    }

    /// From what the store keeps.
    ///
    /// # Errors
    /// When it is not such a record, or of a newer release.
    pub fn from_json(json: &[u8]) -> serde_json::Result<Self> {
        let creation: Self = serde_json::from_slice(json)?;
        if creation.format > FORMAT {
            return Err(serde::de::Error::custom(format!(
                "it is of format {}, and this release knows formats up to {FORMAT}",
                creation.format
            )));
        }
        Ok(creation)
    }
}

/// What is there, null or not: of itself, null would count as absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A message of the wire within JSON: its bytes in base64.
mod encoded {
    use super::v1;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use prost::Message as _;
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(
        trainer: &v1::TrainerSpec,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(trainer.encode_to_vec()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<v1::TrainerSpec, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text).map_err(de::Error::custom)?;
        v1::TrainerSpec::decode(bytes.as_slice()).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_command_was_called_comes_back_as_it_was() {
        for auto_lr_find in [None, Some(None), Some(Some("model.lr".to_owned()))] {
            let called = OneShot {
                worker_command: vec!["python".to_owned(), "worker.py".to_owned()],
                worker_program: Some("worker".into()),
                out: Some("out".into()),
                hparams: Some("hparams.yaml".into()),
                auto_lr_find,
            };
            let json = serde_json::to_string(&called).unwrap();
            assert_eq!(serde_json::from_str::<OneShot>(&json).unwrap(), called);
        }
    }
}
