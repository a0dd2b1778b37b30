//! Limits of gradients: `torch.nn.utils.clip_grad_norm_` and `clip_grad_value_`.

use rangefinder_errors::Code;
use rangefinder_proto::v1;
use rangefinder_session::trainer::Failure;
use tch::{Kind, TchError, Tensor};

use crate::failure;

/// Added to the norm by PyTorch before it divides.
const NORM_EPS: f64 = 1e-6;

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Clip {
    /// The Euclidean norm over all gradients of a step: larger ones are scaled down to it.
    Norm(f64),
    /// The magnitude of each element.
    Value(f64),
}

impl Clip {
    /// Reads and checks the specification.
    pub(super) fn parse(spec: &v1::Optimizer) -> Result<Option<Self>, Failure> {
        let checked = |field: &str, limit: f64| {
            if limit > 0.0 && limit.is_finite() {
                Ok(limit)
            } else {
                Err(failure::user(
                    Code::OutOfRange,
                    field,
                    format!("{field} is {limit}, expected a number above 0"),
                    "use a value such as 1, or remove it",
                ))
            }
        };
        match (spec.clip_norm, spec.clip_value) {
            (Some(_), Some(_)) => Err(failure::user(
                Code::DoesNotApply,
                "clip_value",
                "clip_value does not apply together with clip_norm",
                "clip by one of them",
            )),
            (Some(norm), None) => Ok(Some(Self::Norm(checked("clip_norm", norm)?))),
            (None, Some(value)) => Ok(Some(Self::Value(checked("clip_value", value)?))),
            (None, None) => Ok(None),
        }
    }

    /// Limits all gradients of a step together, in place and without waiting for a GPU.
    pub(super) fn apply(self, gradients: &mut [Option<Tensor>]) -> Result<(), TchError> {
        match self {
            Self::Value(limit) => {
                for gradient in gradients.iter_mut().flatten() {
                    let _ = gradient.f_clamp_(-limit, limit)?;
                }
                Ok(())
            }
            Self::Norm(limit) => {
                let kinds: Vec<Kind> = gradients.iter().flatten().map(Tensor::kind).collect();
                if kinds.is_empty() {
                    return Ok(());
                }
                let common = if kinds.contains(&Kind::Double) {
                    Kind::Double
                } else {
                    Kind::Float
                };
                let norms = gradients
                    .iter()
                    .flatten()
                    .map(|gradient| gradient.f_norm()?.f_to_kind(common))
                    .collect::<Result<Vec<_>, _>>()?;
                let total = Tensor::f_stack(&norms, 0)?.f_norm()?;
                let scale = total
                    .f_add_scalar(NORM_EPS)?
                    .f_reciprocal()?
                    .f_mul_scalar(limit)?
                    .f_clamp_max(1.0)?;
                for gradient in gradients.iter_mut().flatten() {
                    let scale = scale.f_to_kind(gradient.kind())?;
                    let _ = gradient.f_mul_(&scale)?;
                }
                Ok(())
            }
        }
    }
}
