//! Which optimizer, with its hyperparameters.

use rangefinder_errors::Code;
use rangefinder_proto::v1;
use rangefinder_session::trainer::Failure;
use tch::TchError;

use super::{Member, adam, rmsprop, sgd};
use crate::failure;

/// An optimizer and its hyperparameters, without the learning rate, which comes with each step.
#[derive(Clone, Debug, PartialEq)]
pub enum Algorithm {
    /// `torch.optim.SGD`.
    Sgd(sgd::Sgd),
    /// `torch.optim.Adam` and `torch.optim.AdamW`.
    Adam(adam::Adam),
    /// `torch.optim.RMSprop`.
    RmsProp(rmsprop::RmsProp),
}

impl Algorithm {
    /// Reads and checks the specification.
    ///
    /// # Errors
    /// A user's failure that names the hyperparameter, where PyTorch would refuse it too.
    pub fn parse(spec: &v1::Optimizer) -> Result<Self, Failure> {
        at_least_zero("weight_decay", spec.weight_decay)?;
        match spec.name.as_str() {
            "sgd" => {
                below_one("momentum", spec.momentum)?;
                if !spec.dampening.is_finite() {
                    return Err(out_of_range("dampening", spec.dampening, "a finite number"));
                }
                if spec.nesterov && (spec.momentum <= 0.0 || spec.dampening != 0.0) {
                    return Err(failure::user(
                        Code::Nesterov,
                        "nesterov",
                        format!(
                            "nesterov with momentum {} and dampening {}: it needs a momentum above 0 and no dampening",
                            spec.momentum, spec.dampening
                        ),
                        "set a momentum such as 0.9 and leave dampening at 0, or switch nesterov off",
                    ));
                }
                Ok(Self::Sgd(sgd::Sgd {
                    momentum: spec.momentum,
                    dampening: spec.dampening,
                    nesterov: spec.nesterov,
                    weight_decay: spec.weight_decay,
                }))
            }
            "adam" | "adamw" => {
                below_one("beta1", spec.beta1)?;
                below_one("beta2", spec.beta2)?;
                at_least_zero("eps", spec.eps)?;
                Ok(Self::Adam(adam::Adam {
                    beta1: spec.beta1,
                    beta2: spec.beta2,
                    eps: spec.eps,
                    weight_decay: spec.weight_decay,
                    decoupled: spec.name == "adamw",
                }))
            }
            "rmsprop" => {
                below_one("momentum", spec.momentum)?;
                below_one("alpha", spec.alpha)?;
                at_least_zero("eps", spec.eps)?;
                Ok(Self::RmsProp(rmsprop::RmsProp {
                    alpha: spec.alpha,
                    eps: spec.eps,
                    momentum: spec.momentum,
                    weight_decay: spec.weight_decay,
                }))
            }
            other => Err(failure::user(
                Code::UnknownName,
                "optimizer",
                format!("unknown optimizer `{other}`"),
                "use one of sgd, adam, adamw, rmsprop",
            )),
        }
    }

    /// The family's name, as in the specification.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sgd(_) => "sgd",
            Self::Adam(adam) if adam.decoupled => "adamw",
            Self::Adam(_) => "adam",
            Self::RmsProp(_) => "rmsprop",
        }
    }

    /// How much of the direction of a step comes from the steps before: momentum or beta1.
    #[must_use]
    pub fn beta(&self) -> f64 {
        match self {
            Self::Sgd(sgd) => sgd.momentum,
            Self::Adam(adam) => adam.beta1,
            Self::RmsProp(rmsprop) => rmsprop.momentum,
        }
    }

    /// Updates the weights of parameters of one type.
    pub(super) fn update(&self, members: &mut [Member], lr: f64) -> Result<(), TchError> {
        match self {
            Self::Sgd(sgd) => sgd.update(members, lr),
            Self::Adam(adam) => adam.update(members, lr),
            Self::RmsProp(rmsprop) => rmsprop.update(members, lr),
        }
    }
}

fn below_one(field: &str, value: f64) -> Result<(), Failure> {
    if (0.0..1.0).contains(&value) {
        Ok(())
    } else {
        Err(out_of_range(field, value, "at least 0 and below 1"))
    }
}

fn at_least_zero(field: &str, value: f64) -> Result<(), Failure> {
    if value >= 0.0 && value.is_finite() {
        Ok(())
    } else {
        Err(out_of_range(field, value, "at least 0 and finite"))
    }
}

fn out_of_range(field: &str, value: f64, expected: &str) -> Failure {
    failure::user(
        Code::OutOfRange,
        field,
        format!("{field} is {value}, expected {expected}"),
        format!("set {field} to a value {expected}"),
    )
}
