//! A trainer's specification, read and checked as far as that goes without opening a file.

use rangefinder_errors::Code;
use std::path::PathBuf;

use rangefinder_data::{Augmentation, Source};
use rangefinder_proto::v1;
use rangefinder_session::trainer::Failure;
use tch::TchError;

use crate::failure;
use crate::loss::{Criterion, Loss};
use crate::model::gpt;
use crate::optimizer::Plan;
use crate::precision::Precision;

/// What to train, on what, and how.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Recipe {
    pub model: ModelSource,
    pub data: Source,
    pub loss: Loss,
    pub optimizer: Plan,
    pub batch_size: u32,
    /// Batches that one update of the weights accumulates, at least 1.
    pub accumulate: u32,
    pub precision: Precision,
    pub shuffle: bool,
    pub drop_last: bool,
    pub seed: u64,
    pub threads: u32,
    pub deterministic: bool,
    /// How images are varied while training.
    pub augmentation: Augmentation,
    /// Weights to start from.
    pub weights: Option<PathBuf>,
    /// Patterns of parameters that are not trained.
    pub freeze: Vec<String>,
    pub evaluation: Option<Evaluation>,
}

/// What is observed instead of the training loss.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Evaluation {
    pub data: Source,
    pub batches: u32,
    /// Optimizer steps in a global step.
    pub every: u32,
}

/// Where a model comes from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ModelSource {
    /// Fully connected layers of these widths between inputs and outputs.
    Mlp { hidden: Vec<i64> },
    /// Blocks of convolutions with these numbers of channels.
    Cnn { channels: Vec<i64> },
    /// torchvision's, with this many channels in the first stage.
    ResNet18 { width: i64 },
    /// A decoder of these sizes.
    Gpt(gpt::Sizes),
    /// A file that PyTorch saved.
    TorchScript { path: PathBuf },
}

impl Recipe {
    /// Reads and checks the specification.
    pub(crate) fn parse(spec: &v1::TrainerSpec) -> Result<Self, Failure> {
        // Before all else: a training loop of its own has no other field either.
        let model = ModelSource::parse(spec.trainer.as_ref())?;
        if spec.batch_size == 0 {
            return Err(failure::user(
                Code::OutOfRange,
                "batch_size",
                "batch_size is 0",
                "use a batch of at least one sample",
            ));
        }
        let data = spec.data.clone().unwrap_or_default();
        let optimizer = spec.optimizer.clone().unwrap_or_default();
        let recipe = Self {
            model,
            data: source(data),
            loss: Loss::parse(spec)?,
            optimizer: Plan::parse(&optimizer)?,
            batch_size: spec.batch_size,
            accumulate: spec.accumulate.max(1),
            precision: Precision::parse(&spec.precision)?,
            shuffle: spec.shuffle,
            drop_last: spec.drop_last,
            seed: spec.seed,
            threads: spec.threads,
            deterministic: spec.deterministic,
            weights: (!spec.weights.is_empty()).then(|| PathBuf::from(&spec.weights)),
            freeze: spec.freeze.clone(),
            augmentation: augmentation(spec.data.as_ref()),
            evaluation: spec
                .evaluation
                .as_ref()
                .map(Evaluation::parse)
                .transpose()?,
        };
        let builtin = !matches!(recipe.model, ModelSource::TorchScript { .. });
        if builtin && recipe.loss.criterion == Criterion::Nll {
            return Err(failure::user(
                Code::LossAndModel,
                "loss",
                "nll needs a model that returns log-probabilities, which a built-in model does not",
                "use cross_entropy, which takes logits",
            ));
        }
        if builtin && recipe.loss.criterion == Criterion::Module {
            return Err(failure::user(
                Code::LossAndModel,
                "loss",
                "the loss `module` needs a model that returns its loss, which a built-in model does not",
                "use cross_entropy or mse, or a TorchScript model whose forward takes inputs and targets",
            ));
        }
        Ok(recipe)
    }
}

impl Recipe {
    /// Samples in an update of the weights.
    pub(crate) fn effective_batch_size(&self) -> u64 {
        u64::from(self.batch_size) * u64::from(self.accumulate)
    }

    /// An error of libtorch while training with these batches.
    pub(crate) fn trouble(&self, error: &TchError) -> Failure {
        failure::training(error, self.batch_size, self.accumulate)
    }

    /// An error of libtorch before any batch.
    pub(crate) fn trouble_before(&self, error: &TchError) -> Failure {
        failure::building(error, self.batch_size)
    }
}

fn augmentation(data: Option<&v1::Data>) -> Augmentation {
    let asked = data.and_then(|data| data.augmentation).unwrap_or_default();
    Augmentation {
        crop: (asked.crop > 0).then_some(asked.crop),
        flip: asked.flip,
    }
}

fn source(data: v1::Data) -> Source {
    Source {
        source: data.source,
        targets: data.targets,
        input_keys: data.input_keys,
        target_key: data.target_key,
        token_dtype: data.token_dtype,
        context: data.context,
        target_column: data.target_column,
        target_type: data.target_type,
    }
}

impl Evaluation {
    fn parse(spec: &v1::Evaluation) -> Result<Self, Failure> {
        for (field, value) in [("eval_batches", spec.batches), ("eval_every", spec.every)] {
            if value == 0 {
                return Err(failure::user(
                    Code::OutOfRange,
                    field,
                    format!("{field} is 0"),
                    "use a value of at least 1",
                ));
            }
        }
        Ok(Self {
            data: source(spec.data.clone().unwrap_or_default()),
            batches: spec.batches,
            every: spec.every,
        })
    }
}

/// A size, or the default for 0.
fn or(size: u32, default: i64) -> i64 {
    match size {
        0 => default,
        size => size.into(),
    }
}

fn gpt_sizes(builtin: &v1::Builtin) -> Result<gpt::Sizes, Failure> {
    let (heads, width) = (or(builtin.heads, 6), or(builtin.width, 384));
    if width % heads != 0 {
        return Err(failure::user(
            Code::ModelSizes,
            "heads",
            format!("{heads} heads cannot share a width of {width} evenly"),
            "use a width that is a multiple of the heads",
        ));
    }
    Ok(gpt::Sizes {
        layers: or(builtin.layers, 6),
        heads,
        width,
        vocabulary: (builtin.vocabulary > 0).then(|| builtin.vocabulary.into()),
    })
}

impl ModelSource {
    fn parse(trainer: Option<&v1::trainer_spec::Trainer>) -> Result<Self, Failure> {
        use v1::trainer_spec::Trainer;
        match trainer {
            Some(Trainer::Builtin(builtin)) => {
                let sizes = |default: &[i64]| match builtin.hidden_sizes.as_slice() {
                    [] => Ok(default.to_vec()),
                    given if given.contains(&0) => Err(failure::user(
                        Code::OutOfRange,
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
                    "resnet18" => Ok(Self::ResNet18 {
                        width: or(builtin.width, 64),
                    }),
                    "gpt" => gpt_sizes(builtin).map(Self::Gpt),
                    other => Err(failure::user(
                        Code::UnknownName,
                        "model",
                        format!("there is no built-in model `{other}`"),
                        "use mlp, cnn, resnet18, gpt, or the path of a TorchScript file",
                    )),
                }
            }
            Some(Trainer::Torchscript(script)) if !script.path.is_empty() => {
                Ok(Self::TorchScript {
                    path: PathBuf::from(&script.path),
                })
            }
            Some(Trainer::Custom(custom)) => Err(failure::user(
                Code::EntryWithoutWorker,
                "entry",
                format!(
                    "Rangefinder's own worker cannot run the training loop `{}`",
                    custom.entry
                ),
                "name the program that can with `--worker-command`, or remove `entry` and name a model",
            )),
            Some(Trainer::Torchscript(_)) | None => Err(failure::user(
                Code::Missing,
                "model",
                "no model was given",
                "use mlp, cnn, resnet18, gpt, or the path of a TorchScript file",
            )),
        }
    }
}
