//! Models: what maps a batch of inputs to an output, and its trainable parameters.
//!
//! - [`Blueprint`]: all that is needed to build a model again and again, read once.
//! - [`Model`]: one built model; building it anew resets weights and buffers alike.
//! - [`mlp`], [`cnn`], [`resnet`], [`gpt`]: the built-ins; [`script`]: TorchScript files;
//!   [`mistaken`]: what is taken for them.
//! - [`init`]: PyTorch's initial weights; [`initial`]: those of a checkpoint.
//! - [`images`], [`norm`]: what the models of images share.

mod cnn;
pub(crate) mod gpt;
mod images;
mod init;
mod initial;
mod mistaken;
mod mlp;
mod norm;
#[cfg(test)]
mod reference_tests;
mod resnet;
mod script;

use rangefinder_errors::Code;
use std::path::Path;

use rangefinder_session::trainer::Failure;
use tch::{Device, Kind, TchError, Tensor};

use crate::failure;
use crate::loss::Classes;
use crate::names;
use crate::parameters::{Parameters, Slot};
use crate::recipe::{ModelSource, Recipe};
use crate::samples::Samples;

use init::Made;
use initial::{Initial, State};

/// All that is needed to build a model.
pub(crate) struct Blueprint {
    plan: Plan,
    /// Weights and buffers of a checkpoint for a built-in; a TorchScript file has them within it.
    initial: Option<Initial>,
    freeze: Vec<String>,
}

enum Plan {
    Mlp(mlp::Plan),
    Cnn(cnn::Plan),
    ResNet(resnet::Plan),
    Gpt(gpt::Plan),
    TorchScript(script::File),
}

/// A model, in training mode unless it is told otherwise.
pub(crate) struct Model {
    network: Network,
    training: bool,
    /// Those that are trained, in the order of PyTorch's `named_parameters`.
    pub parameters: Parameters,
    /// Names of all parameters in that order, the frozen ones too.
    pub all_names: Vec<String>,
}

enum Network {
    Mlp(mlp::Mlp),
    Cnn(cnn::Cnn),
    ResNet(resnet::ResNet),
    Gpt(gpt::Gpt),
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
    /// Reads the files of model and weights, or derives a built-in's shape from the data.
    ///
    /// # Errors
    /// A user's failure when a file is not what it should be or the data does not suit the built-in.
    pub(crate) fn read(recipe: &Recipe, samples: &Samples) -> Result<Self, Failure> {
        let shape = |model: &str| one_input(model, samples);
        let plan = match &recipe.model {
            ModelSource::TorchScript { path } => {
                Plan::TorchScript(script::File::read(path, recipe)?)
            }
            ModelSource::Mlp { hidden } => Plan::Mlp(mlp::Plan::new(
                hidden,
                &shape("mlp")?,
                outputs(recipe, samples)?,
            )?),
            ModelSource::Cnn { channels } => Plan::Cnn(cnn::Plan::new(
                channels,
                &shape("cnn")?,
                outputs(recipe, samples)?,
            )?),
            ModelSource::ResNet18 { width } => Plan::ResNet(resnet::Plan::new(
                *width,
                &shape("resnet18")?,
                outputs(recipe, samples)?,
            )?),
            ModelSource::Gpt(sizes) => Plan::Gpt(gpt::Plan::new(sizes, recipe.loss, samples)?),
        };
        let mut blueprint = Self {
            plan,
            initial: None,
            freeze: recipe.freeze.clone(),
        };
        if let Some(path) = &recipe.weights {
            blueprint.start_from(path, recipe)?;
        }
        Ok(blueprint)
    }

    fn start_from(&mut self, path: &Path, recipe: &Recipe) -> Result<(), Failure> {
        if let Plan::TorchScript(file) = &mut self.plan {
            return file.start_from(path, recipe);
        }
        let (_, made) = self
            .make(recipe.seed, Device::Cpu)
            .map_err(|error| recipe.trouble_before(&error))?;
        self.initial = Some(Initial::read(path, &made.state(), recipe)?);
        Ok(())
    }

    /// Builds the model with its initial weights: a checkpoint's, or those of a built-in from `seed`
    /// alone.
    ///
    /// # Errors
    /// A user's failure when a pattern of frozen parameters fits none; libtorch's own.
    pub(crate) fn build(&self, recipe: &Recipe, device: Device) -> Result<Model, Failure> {
        let trouble = |error: TchError| recipe.trouble_before(&error);
        let (network, made) = self.make(recipe.seed, device).map_err(trouble)?;
        if let Some(initial) = &self.initial {
            initial.fill(&made.state()).map_err(trouble)?;
        }
        let mut parameters = Parameters::new(&made.parameters).map_err(trouble)?;
        let all_names = parameters.names();
        for pattern in &self.freeze {
            names::require_fit("freeze", pattern, &all_names)?;
        }
        parameters
            .freeze(|name| self.freeze.iter().any(|pattern| names::fits(pattern, name)))
            .map_err(trouble)?;
        require_dense(&parameters)?;
        Ok(Model {
            network,
            training: true,
            parameters,
            all_names,
        })
    }

    fn make(&self, seed: u64, device: Device) -> Result<(Network, Made), TchError> {
        Ok(match &self.plan {
            Plan::Mlp(plan) => {
                let (mlp, made) = plan.build(seed, device)?;
                (Network::Mlp(mlp), made)
            }
            Plan::Cnn(plan) => {
                let (cnn, made) = plan.build(seed, device)?;
                (Network::Cnn(cnn), made)
            }
            Plan::ResNet(plan) => {
                let (resnet, made) = plan.build(seed, device)?;
                (Network::ResNet(resnet), made)
            }
            Plan::Gpt(plan) => {
                let (gpt, made) = plan.build(seed, device)?;
                (Network::Gpt(gpt), made)
            }
            Plan::TorchScript(file) => {
                let (script, made) = file.build(device)?;
                (Network::TorchScript(script), made)
            }
        })
    }
}

impl Made {
    fn state(&self) -> State<'_> {
        State {
            parameters: self.parameters.iter().collect(),
            buffers: self.buffers.iter().collect(),
            aliases: self.aliases.iter().collect(),
        }
    }
}

impl Model {
    /// Training mode, or evaluation mode: no dropout, running statistics in batch norm.
    pub(crate) fn set_training(&mut self, on: bool) -> Result<(), TchError> {
        self.training = on;
        match &mut self.network {
            Network::TorchScript(script) => script.set_training(on),
            _ => Ok(()),
        }
    }

    /// Where the model puts the classes, if that is known.
    pub(crate) fn classes(&self) -> Option<Classes> {
        match self.network {
            Network::Gpt(_) => Some(Classes::Last),
            Network::TorchScript(_) => None,
            _ => Some(Classes::Second),
        }
    }

    /// Type of the weights, which real inputs are given in.
    pub(crate) fn float_kind(&self) -> Kind {
        self.parameters
            .slots()
            .iter()
            .map(Slot::kind)
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
            (Network::Cnn(cnn), [inputs]) => cnn.forward(inputs, self.training),
            (Network::ResNet(resnet), [inputs]) => resnet.forward(inputs, self.training),
            (Network::Gpt(gpt), [inputs]) => gpt.forward(inputs),
            _ => Err(TchError::Shape(format!(
                "a built-in model takes one input, not {}",
                arguments.len()
            ))),
        }
    }
}

/// Makes sure that the fused optimizers can walk the memory of the parameters.
fn require_dense(parameters: &Parameters) -> Result<(), Failure> {
    let Some(slot) = parameters.slots().iter().find(|slot| !slot.is_dense()) else {
        return Ok(());
    };
    let (name, weights) = (slot.name(), slot.weights());
    Err(failure::user(
        Code::ParameterWithGaps,
        "model",
        format!(
            "the parameter `{name}` of shape {:?} is a part of a larger tensor, with the strides {:?}: \
             its memory has gaps",
            weights.size(),
            weights.stride()
        ),
        "make it with torch.nn.Parameter(tensor.contiguous()), or freeze it",
    ))
}

/// The shape of a sample of the only input.
fn one_input(model: &str, samples: &Samples) -> Result<Vec<i64>, Failure> {
    match samples.inputs() {
        [input] => Ok(dimensions(&input.shape()[1..])),
        several => Err(failure::user(
            Code::BuiltinModel,
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
    if recipe.loss.compares() {
        return Ok(Outputs {
            width: shape.iter().product(),
            shape,
        });
    }
    if !shape.is_empty() {
        return Err(failure::user(
            Code::BuiltinModel,
            "data",
            format!(
                "a built-in model with cross_entropy needs one class index a sample, but `{}` has shape {:?}",
                targets.name(),
                targets.shape()
            ),
            "save class indices of shape (samples,)",
        ));
    }
    let classes = samples
        .check_labels(None, recipe.loss.ignore_index)?
        .map_or(1, |largest| largest + 1);
    let limit = i64::try_from(samples.count())
        .unwrap_or(i64::MAX)
        .max(65_536);
    if classes > limit {
        return Err(failure::user(
            Code::LabelOutOfRange,
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
