//! A trainer's specification, read and checked as far as that goes without opening a file.

use std::path::PathBuf;

use rangefinder_data::Source;
use rangefinder_proto::v1;
use rangefinder_session::trainer::Failure;

use crate::failure;
use crate::loss::Loss;
use crate::optimizer::Algorithm;

/// What to train, on what, and how.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Recipe {
    pub model: ModelSource,
    pub data: Source,
    pub loss: Loss,
    pub optimizer: Algorithm,
    pub batch_size: u32,
    pub shuffle: bool,
    pub drop_last: bool,
    pub seed: u64,
    pub threads: u32,
    pub deterministic: bool,
}

/// Where a model comes from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ModelSource {
    /// Fully connected layers of these widths between inputs and outputs.
    Mlp { hidden: Vec<i64> },
    /// Blocks of convolutions with these numbers of channels.
    Cnn { channels: Vec<i64> },
    /// A file that PyTorch saved.
    TorchScript { path: PathBuf },
}

impl Recipe {
    /// Reads and checks the specification.
    pub(crate) fn parse(spec: &v1::TrainerSpec) -> Result<Self, Failure> {
        if spec.batch_size == 0 {
            return Err(failure::user(
                "batch_size",
                "batch_size is 0",
                "use a batch of at least one sample",
            ));
        }
        let data = spec.data.clone().unwrap_or_default();
        let optimizer = spec.optimizer.clone().unwrap_or_default();
        let recipe = Self {
            model: ModelSource::parse(spec.trainer.as_ref())?,
            data: Source {
                source: data.source,
                targets: data.targets,
                input_keys: data.input_keys,
                target_key: data.target_key,
            },
            loss: Loss::parse(&spec.loss)?,
            optimizer: Algorithm::parse(&optimizer)?,
            batch_size: spec.batch_size,
            shuffle: spec.shuffle,
            drop_last: spec.drop_last,
            seed: spec.seed,
            threads: spec.threads,
            deterministic: spec.deterministic,
        };
        let builtin = !matches!(recipe.model, ModelSource::TorchScript { .. });
        if builtin && recipe.loss == Loss::Module {
            return Err(failure::user(
                "loss",
                "the loss `module` needs a model that returns its loss, which a built-in model does not",
                "use cross_entropy or mse, or a TorchScript model whose forward takes inputs and targets",
            ));
        }
        Ok(recipe)
    }
}

impl ModelSource {
    fn parse(trainer: Option<&v1::trainer_spec::Trainer>) -> Result<Self, Failure> {
        use v1::trainer_spec::Trainer;
        match trainer {
            Some(Trainer::Builtin(builtin)) => {
                let sizes = |default: &[i64]| match builtin.hidden_sizes.as_slice() {
                    [] => Ok(default.to_vec()),
                    given if given.contains(&0) => Err(failure::user(
                        "hidden_sizes",
                        format!("hidden_sizes is {given:?}: a layer cannot have width 0"),
                        "give widths of at least 1",
                    )),
                    given => Ok(given.iter().map(|&width| i64::from(width)).collect()),
                };
                match builtin.name.as_str() {
                    "mlp" => Ok(Self::Mlp {
                        hidden: sizes(&[256, 256])?,
                    }),
                    "cnn" => Ok(Self::Cnn {
                        channels: sizes(&[32, 64])?,
                    }),
                    other => Err(failure::user(
                        "model",
                        format!("there is no built-in model `{other}`"),
                        "use mlp, cnn, or the path of a TorchScript file",
                    )),
                }
            }
            Some(Trainer::Torchscript(script)) if !script.path.is_empty() => {
                Ok(Self::TorchScript {
                    path: PathBuf::from(&script.path),
                })
            }
            Some(Trainer::Custom(custom)) => Err(failure::user(
                "model",
                format!("this worker has no training loop `{}`", custom.entry),
                "use mlp, cnn, or the path of a TorchScript file",
            )),
            Some(Trainer::Torchscript(_)) | None => Err(failure::user(
                "model",
                "no model was given",
                "use mlp, cnn, or the path of a TorchScript file",
            )),
        }
    }
}
