//! `torch.optim.SGD`.

use tch::{TchError, Tensor};

use super::{State, decay_into};
use crate::{flat, foreign};

/// Stochastic gradient descent with PyTorch's momentum (Sutskever et al., 2013, in PyTorch's form:
/// the learning rate multiplies the momentum buffer).
#[derive(Clone, Debug, PartialEq)]
pub struct Sgd {
    /// 0 to below 1.
    pub momentum: f64,
    /// Share of the gradient that is kept out of the momentum buffer.
    pub dampening: f64,
    /// Looks one step ahead.
    pub nesterov: bool,
    /// Added to the gradient.
    pub weight_decay: f64,
}

impl Sgd {
    pub(super) fn update(
        &self,
        state: &mut State,
        mut gradient: Tensor,
        lr: f64,
    ) -> Result<(), TchError> {
        decay_into(&mut gradient, &state.weights, self.weight_decay)?;
        if self.momentum == 0.0 {
            return foreign::add_scaled(&mut state.weights, &gradient, -lr);
        }
        // The first gradient enters undampened, as PyTorch does it.
        let buffer = match &mut state.first {
            None => state.first.insert(flat::copy(&gradient)?),
            Some(buffer) => {
                let _ = buffer.f_mul_scalar_(self.momentum)?;
                foreign::add_scaled(buffer, &gradient, 1.0 - self.dampening)?;
                buffer
            }
        };
        if self.nesterov {
            foreign::add_scaled(&mut gradient, buffer, self.momentum)?;
            foreign::add_scaled(&mut state.weights, &gradient, -lr)
        } else {
            foreign::add_scaled(&mut state.weights, buffer, -lr)
        }
    }
}
