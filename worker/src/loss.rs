//! Losses, and whether model and targets fit them.

use rangefinder_session::trainer::Failure;
use tch::{Kind, Reduction, TchError, Tensor};

use crate::failure;
use crate::model::Model;
use crate::samples::Batch;

/// Class index that takes no part in a cross-entropy, as in PyTorch.
pub(crate) const IGNORED_CLASS: i64 = -100;

/// What is minimised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Mean cross-entropy of logits (N, C, ...) against class indices (N, ...).
    CrossEntropy,
    /// Mean squared error of outputs and targets of one shape.
    Mse,
    /// The model's own output for (inputs..., targets).
    Module,
}

impl Loss {
    pub(crate) fn parse(name: &str) -> Result<Self, Failure> {
        match name {
            "cross_entropy" => Ok(Self::CrossEntropy),
            "mse" => Ok(Self::Mse),
            "module" => Ok(Self::Module),
            other => Err(failure::user(
                "loss",
                format!("unknown loss `{other}`"),
                "use one of cross_entropy, mse, module",
            )),
        }
    }

    /// The loss of one batch, a tensor of one element. May move the model's buffers.
    pub(crate) fn of(self, model: &Model, batch: &Batch) -> Result<Tensor, TchError> {
        if self == Self::Module {
            let arguments: Vec<&Tensor> = batch.inputs.iter().chain([&batch.targets]).collect();
            return model.forward(&arguments);
        }
        let inputs: Vec<&Tensor> = batch.inputs.iter().collect();
        self.of_output(&model.forward(&inputs)?, &batch.targets)
    }

    /// The loss of a model's output; `Module` passes it through.
    pub(crate) fn of_output(self, output: &Tensor, targets: &Tensor) -> Result<Tensor, TchError> {
        match self {
            Self::CrossEntropy => output.f_cross_entropy_loss(
                targets,
                None::<&Tensor>,
                Reduction::Mean,
                IGNORED_CLASS,
                0.0,
            ),
            Self::Mse => output.f_mse_loss(targets, Reduction::Mean),
            Self::Module => Ok(output.shallow_clone()),
        }
    }

    /// Whether a model's output of one batch fits the batch's targets.
    pub(crate) fn check(self, output: &Tensor, targets: &Tensor) -> Result<(), Failure> {
        let (shape, wanted) = (output.size(), targets.size());
        match self {
            Self::CrossEntropy => {
                let classes_first = shape.len() == wanted.len() + 1
                    && shape[0] == wanted[0]
                    && shape[2..] == wanted[1..];
                if classes_first {
                    return Ok(());
                }
                Err(failure::user(
                    "loss",
                    format!(
                        "cross_entropy does not fit: the model's output of one batch has shape {shape:?} \
                         and the targets have shape {wanted:?}"
                    ),
                    "let the model return logits of shape (batch, classes, ...) and save the targets as \
                     class indices of shape (batch, ...)",
                ))
            }
            Self::Mse if shape == wanted => Ok(()),
            Self::Mse => Err(failure::user(
                "loss",
                format!(
                    "mse does not fit: the model's output of one batch has shape {shape:?} and the \
                     targets have shape {wanted:?}"
                ),
                "let the model's output and the targets have the same shape; for a single output, save \
                 targets[:, None]",
            )),
            Self::Module if output.numel() == 1 && output.is_floating_point() => Ok(()),
            Self::Module => Err(failure::user(
                "model",
                format!(
                    "the loss `module` needs a model that returns its loss, a single number, but it \
                     returned a tensor of shape {shape:?} and type {:?}",
                    output.kind()
                ),
                "let forward(inputs..., targets) return the mean loss of the batch, or use another loss",
            )),
        }
    }

    /// The type that targets are given to the loss in, and what is wrong with theirs.
    pub(crate) fn target_kind(self, stored: Kind, float: Kind) -> Result<Kind, Failure> {
        let is_float = matches!(
            stored,
            Kind::Double | Kind::Float | Kind::Half | Kind::BFloat16
        );
        match self {
            Self::CrossEntropy if is_float || stored == Kind::Bool => Err(failure::user(
                "loss",
                format!("cross_entropy needs class indices, but the targets have type {stored:?}"),
                "save the targets as integers from 0 to classes - 1, or use the loss mse",
            )),
            Self::Mse if !is_float => Err(failure::user(
                "loss",
                format!("mse needs real targets, but the targets have type {stored:?}"),
                "save the targets as float32, or use the loss cross_entropy",
            )),
            Self::Module if stored == Kind::Bool => Ok(Kind::Bool),
            _ if is_float => Ok(float),
            _ => Ok(Kind::Int64),
        }
    }
}
