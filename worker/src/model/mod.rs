//! Models: what maps a batch of inputs to an output, and its trainable parameters.
//!
//! - [`Blueprint`]: all that is needed to build a model again and again, read once.
//! - [`Model`]: one built model; building it anew resets weights and buffers alike.
//! - [`mlp`], [`cnn`]: the built-ins; [`script`]: TorchScript files; [`mistaken`]: what is taken
//!   for them; [`init`]: PyTorch's initial weights.

mod cnn;
mod init;
mod mistaken;
mod mlp;
mod script;

use rangefinder_session::trainer::Failure;
use tch::{Device, Kind, TchError, Tensor};

use crate::failure;
use crate::flat::Named;
use crate::loss::Loss;
use crate::recipe::{ModelSource, Recipe};
use crate::samples::Samples;

/// All that is needed to build a model.
pub(crate) enum Blueprint {
    Mlp(mlp::Plan),
    Cnn(cnn::Plan),
    TorchScript(script::File),
}

/// A model in training mode.
pub(crate) struct Model {
    network: Network,
    /// Trainable parameters, in the order of PyTorch's `named_parameters`.
    pub parameters: Vec<Named>,
}

enum Network {
    Mlp(mlp::Mlp),
    Cnn(cnn::Cnn),
    TorchScript(script::Script),
}

/// What a built-in model must put out.
struct Outputs {
    /// Outputs of a sample in all.
    width: i64,
    /// Shape of a sample's output.
    shape: Vec<i64>,
}

impl Blueprint {
    /// Reads the model's file, or derives a built-in's shape from the data.
    ///
    /// # Errors
    /// A user's failure when the file is not a TorchScript model or the data does not suit the built-in.
    pub(crate) fn read(recipe: &Recipe, samples: &Samples) -> Result<Self, Failure> {
        match &recipe.model {
            ModelSource::TorchScript { path } => script::File::read(path).map(Self::TorchScript),
            ModelSource::Mlp { hidden } => mlp::Plan::new(
                hidden,
                one_input("mlp", samples)?,
                outputs(recipe, samples)?,
            )
            .map(Self::Mlp),
            ModelSource::Cnn { channels } => cnn::Plan::new(
                channels,
                one_input("cnn", samples)?,
                outputs(recipe, samples)?,
            )
            .map(Self::Cnn),
        }
    }

    /// Builds the model with its initial weights, those of a built-in from `seed` alone.
    pub(crate) fn build(&self, seed: u64, device: Device) -> Result<Model, TchError> {
        let (network, parameters) = match self {
            Self::Mlp(plan) => {
                let (mlp, parameters) = plan.build(seed, device)?;
                (Network::Mlp(mlp), parameters)
            }
            Self::Cnn(plan) => {
                let (cnn, parameters) = plan.build(seed, device)?;
                (Network::Cnn(cnn), parameters)
            }
            Self::TorchScript(file) => {
                let (script, parameters) = file.build(device)?;
                (Network::TorchScript(script), parameters)
            }
        };
        Ok(Model {
            network,
            parameters,
        })
    }
}

impl Model {
    /// Type of the weights, which real inputs are given in.
    pub(crate) fn float_kind(&self) -> Kind {
        self.parameters
            .iter()
            .map(|parameter| parameter.tensor.kind())
            .find(|kind| {
                matches!(
                    kind,
                    Kind::Double | Kind::Half | Kind::BFloat16 | Kind::Float
                )
            })
            .unwrap_or(Kind::Float)
    }

    /// The output for arguments of one batch.
    pub(crate) fn forward(&self, arguments: &[&Tensor]) -> Result<Tensor, TchError> {
        match (&self.network, arguments) {
            (Network::TorchScript(script), arguments) => script.forward(arguments),
            (Network::Mlp(mlp), [inputs]) => mlp.forward(inputs),
            (Network::Cnn(cnn), [inputs]) => cnn.forward(inputs),
            _ => Err(TchError::Shape(format!(
                "a built-in model takes one input, not {}",
                arguments.len()
            ))),
        }
    }
}

/// The shape of a sample of the only input.
fn one_input(model: &str, samples: &Samples) -> Result<Vec<i64>, Failure> {
    match samples.inputs() {
        [input] => Ok(dimensions(&input.shape()[1..])),
        several => Err(failure::user(
            "input_keys",
            format!("`{model}` takes one input, but {} are named", several.len()),
            "name one input array, or bring a TorchScript model with as many arguments",
        )),
    }
}

/// What a built-in must put out for these targets.
fn outputs(recipe: &Recipe, samples: &Samples) -> Result<Outputs, Failure> {
    let targets = samples.targets();
    recipe
        .loss
        .target_kind(crate::foreign::kind(targets.dtype()), Kind::Float)?;
    let shape = dimensions(&targets.shape()[1..]);
    if recipe.loss == Loss::Mse {
        return Ok(Outputs {
            width: shape.iter().product(),
            shape,
        });
    }
    if !shape.is_empty() {
        return Err(failure::user(
            "data",
            format!(
                "a built-in model with cross_entropy needs one class index a sample, but `{}` has shape {:?}",
                targets.name(),
                targets.shape()
            ),
            "save class indices of shape (samples,)",
        ));
    }
    let classes = samples.check_labels(None)?.map_or(1, |largest| largest + 1);
    let limit = i64::try_from(samples.count())
        .unwrap_or(i64::MAX)
        .max(65_536);
    if classes > limit {
        return Err(failure::user(
            "data",
            format!(
                "`{}` has the label {}, which makes {classes} classes of {} samples",
                targets.name(),
                classes - 1,
                samples.count()
            ),
            "number the classes from 0 without gaps",
        ));
    }
    Ok(Outputs {
        width: classes,
        shape: vec![classes],
    })
}

fn dimensions(shape: &[usize]) -> Vec<i64> {
    // Arrays hold at most isize::MAX bytes, so no dimension is cut.
    shape.iter().map(|&n| n.cast_signed() as i64).collect()
}
