//! Losses, and whether model and targets fit them.

use rangefinder_errors::Code;
use rangefinder_proto::v1;
use rangefinder_session::trainer::Failure;
use tch::{Kind, Reduction, TchError, Tensor};

use crate::failure;
use crate::model::Model;
use crate::samples::Batch;

/// Class index that takes no part in a cross-entropy, as in PyTorch, where no other is named.
const IGNORED_CLASS: i64 = -100;

/// The names that people write.
const NAMES: &str = "cross_entropy, nll, bce_with_logits, mse, l1, smooth_l1, module";

/// What is minimised, with its options.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Loss {
    pub criterion: Criterion,
    /// Share of a target that cross-entropy spreads over all classes.
    pub label_smoothing: f64,
    /// Class index that takes no part.
    pub ignore_index: i64,
}

/// What is minimised, always the mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Criterion {
    /// Cross-entropy of logits (N, C, ...) against class indices (N, ...), or of (N, T, C) against
    /// (N, T).
    CrossEntropy,
    /// The same of log-probabilities.
    Nll,
    /// Binary cross-entropy of logits and targets of one shape.
    BceWithLogits,
    /// Squared error of outputs and targets of one shape.
    Mse,
    /// Absolute error of outputs and targets of one shape.
    L1,
    /// Squared below an error of 1, absolute above (Girshick, 2015, PyTorch's `beta` of 1).
    SmoothL1,
    /// The model's own output for (inputs..., targets).
    Module,
}

/// Where the classes are in a model's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Classes {
    /// (N, C, ...), as PyTorch has it.
    Second,
    /// (N, T, C), as models of sequences put it out.
    Last,
}

impl Loss {
    pub(crate) fn parse(spec: &v1::TrainerSpec) -> Result<Self, Failure> {
        let criterion = match spec.loss.as_str() {
            "cross_entropy" => Criterion::CrossEntropy,
            "nll" => Criterion::Nll,
            "bce_with_logits" => Criterion::BceWithLogits,
            "mse" => Criterion::Mse,
            "l1" => Criterion::L1,
            "smooth_l1" => Criterion::SmoothL1,
            "module" => Criterion::Module,
            other => {
                return Err(failure::user(
                    Code::UnknownName,
                    "loss",
                    format!("unknown loss `{other}`"),
                    format!("use one of {NAMES}"),
                ));
            }
        };
        if !(0.0..1.0).contains(&spec.label_smoothing) {
            return Err(failure::user(
                Code::OutOfRange,
                "label_smoothing",
                format!(
                    "label_smoothing is {}, expected 0 to below 1",
                    spec.label_smoothing
                ),
                "use a value such as 0.1",
            ));
        }
        Ok(Self {
            criterion,
            label_smoothing: spec.label_smoothing,
            ignore_index: spec.ignore_index.unwrap_or(IGNORED_CLASS),
        })
    }

    /// The loss of one batch, a tensor of one element. May move the model's buffers.
    pub(crate) fn of(self, model: &Model, batch: &Batch) -> Result<Tensor, TchError> {
        if self.criterion == Criterion::Module {
            let arguments: Vec<&Tensor> = batch.inputs.iter().chain([&batch.targets]).collect();
            return model.forward(&arguments);
        }
        let inputs: Vec<&Tensor> = batch.inputs.iter().collect();
        let output = model.forward(&inputs)?;
        self.of_output(&output, &batch.targets, model.classes())
    }

    /// The loss of a model's output; `Module` passes it through. `classes` is where the model is
    /// known to put them.
    pub(crate) fn of_output(
        self,
        output: &Tensor,
        targets: &Tensor,
        classes: Option<Classes>,
    ) -> Result<Tensor, TchError> {
        let mean = Reduction::Mean;
        match self.criterion {
            Criterion::CrossEntropy | Criterion::Nll => {
                let known = classes.or_else(|| found(&output.size(), &targets.size()));
                if known == Some(Classes::Last) {
                    let count = output.size().last().copied().unwrap_or(1);
                    let flat = output.f_reshape([-1, count])?;
                    return self.of_classes(&flat, &targets.f_reshape([-1])?);
                }
                self.of_classes(output, targets)
            }
            Criterion::BceWithLogits => output.f_binary_cross_entropy_with_logits(
                targets,
                None::<&Tensor>,
                None::<&Tensor>,
                mean,
            ),
            Criterion::Mse => output.f_mse_loss(targets, mean),
            Criterion::L1 => output.f_l1_loss(targets, mean),
            Criterion::SmoothL1 => output.f_smooth_l1_loss(targets, mean, 1.0),
            Criterion::Module => Ok(output.shallow_clone()),
        }
    }

    fn of_classes(self, output: &Tensor, targets: &Tensor) -> Result<Tensor, TchError> {
        let (mean, ignored) = (Reduction::Mean, self.ignore_index);
        if self.criterion == Criterion::Nll {
            return output.f_nll_loss_nd(targets, None::<&Tensor>, mean, ignored);
        }
        output.f_cross_entropy_loss(
            targets,
            None::<&Tensor>,
            mean,
            ignored,
            self.label_smoothing,
        )
    }

    /// Whether targets are class indices.
    pub(crate) fn takes_classes(self) -> bool {
        matches!(self.criterion, Criterion::CrossEntropy | Criterion::Nll)
    }

    /// Whether outputs and targets have one shape.
    pub(crate) fn compares(self) -> bool {
        !self.takes_classes() && self.criterion != Criterion::Module
    }

    /// The loss's name, as in the specification.
    pub(crate) fn name(self) -> &'static str {
        match self.criterion {
            Criterion::CrossEntropy => "cross_entropy",
            Criterion::Nll => "nll",
            Criterion::BceWithLogits => "bce_with_logits",
            Criterion::Mse => "mse",
            Criterion::L1 => "l1",
            Criterion::SmoothL1 => "smooth_l1",
            Criterion::Module => "module",
        }
    }

    /// Whether a model's output of one batch fits the batch's targets; of classes, how many.
    pub(crate) fn check(
        self,
        output: &Tensor,
        targets: &Tensor,
        classes: Option<Classes>,
    ) -> Result<Option<i64>, Failure> {
        let (shape, wanted) = (output.size(), targets.size());
        let name = self.name();
        match self.criterion {
            Criterion::CrossEntropy | Criterion::Nll => {
                let sequence = shape.len() == 3 && shape[..2] == wanted[..];
                if classes.is_none() && sequence && second(&shape, &wanted) {
                    return Err(failure::user(
                        Code::LossShapes,
                        "loss",
                        format!(
                            "{name} cannot tell the classes: the model's output of one batch has shape \
                             {shape:?} and the targets have shape {wanted:?}, so that the second or the \
                             last dimension may be the classes"
                        ),
                        "use sequences of another length than there are classes, or the loss `module`",
                    ));
                }
                match classes.or_else(|| found(&shape, &wanted)) {
                    Some(Classes::Second) => Ok(shape.get(1).copied()),
                    Some(Classes::Last) => Ok(shape.last().copied()),
                    None => Err(failure::user(
                        Code::LossShapes,
                        "loss",
                        format!(
                            "{name} does not fit: the model's output of one batch has shape {shape:?} \
                             and the targets have shape {wanted:?}"
                        ),
                        "let the model return logits of shape (batch, classes, ...) and save the targets \
                         as class indices of shape (batch, ...), or logits of shape (batch, tokens, \
                         classes) and indices of shape (batch, tokens)",
                    )),
                }
            }
            Criterion::Module if output.numel() == 1 && output.is_floating_point() => Ok(None),
            Criterion::Module => Err(failure::user(
                Code::LossAndModel,
                "model",
                format!(
                    "the loss `module` needs a model that returns its loss, a single number, but it \
                     returned a tensor of shape {shape:?} and type {:?}",
                    output.kind()
                ),
                "let forward(inputs..., targets) return the mean loss of the batch, or use another loss",
            )),
            _ if shape == wanted => Ok(None),
            _ => Err(failure::user(
                Code::LossShapes,
                "loss",
                format!(
                    "{name} does not fit: the model's output of one batch has shape {shape:?} and the \
                     targets have shape {wanted:?}"
                ),
                "let the model's output and the targets have the same shape",
            )),
        }
    }

    /// The type that targets are given to the loss in, and what is wrong with theirs.
    pub(crate) fn target_kind(self, stored: Kind, float: Kind) -> Result<Kind, Failure> {
        let is_float = matches!(
            stored,
            Kind::Double | Kind::Float | Kind::Half | Kind::BFloat16
        );
        let name = self.name();
        match self.criterion {
            Criterion::CrossEntropy | Criterion::Nll if is_float || stored == Kind::Bool => {
                Err(failure::user(
                    Code::LossAndTargets,
                    "loss",
                    format!("{name} needs class indices, but the targets have type {stored:?}"),
                    "save the targets as integers from 0 to classes - 1, or use the loss mse",
                ))
            }
            // Zeros and ones may be of any type.
            Criterion::BceWithLogits => Ok(float),
            Criterion::Mse | Criterion::L1 | Criterion::SmoothL1 if !is_float => {
                Err(failure::user(
                    Code::LossAndTargets,
                    "loss",
                    format!("{name} needs real targets, but the targets have type {stored:?}"),
                    "save the targets as float32, or use the loss cross_entropy",
                ))
            }
            Criterion::Module if stored == Kind::Bool => Ok(Kind::Bool),
            _ if is_float => Ok(float),
            _ => Ok(Kind::Int64),
        }
    }
}

/// Where the classes must be, from the shapes of output and targets alone.
fn found(output: &[i64], targets: &[i64]) -> Option<Classes> {
    if second(output, targets) {
        Some(Classes::Second)
    } else if output.len() == 3 && output[..2] == *targets {
        Some(Classes::Last)
    } else {
        None
    }
}

fn second(output: &[i64], targets: &[i64]) -> bool {
    output.len() == targets.len() + 1
        && output.first() == targets.first()
        && output[2..] == targets[1..]
}
