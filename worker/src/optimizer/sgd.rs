//! `torch.optim.SGD`.

use tch::{TchError, Tensor};

use super::{State, decay_into};
use crate::flat;

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
        let mut direction = if self.momentum == 0.0 {
            gradient
        } else {
            self.with_momentum(state, gradient)?
        };
        let _ = direction.f_mul_scalar_(-lr)?;
        let _ = state.weights.f_add_(&direction)?;
        Ok(())
    }

    /// Updates the momentum buffer and gives the direction in memory of its own.
    fn with_momentum(&self, state: &mut State, mut gradient: Tensor) -> Result<Tensor, TchError> {
        // The first gradient enters undampened, as PyTorch does it.
        let buffer = match &mut state.first {
            None => state.first.insert(flat::copy(&gradient)?),
            Some(buffer) => {
                let _ = buffer.f_mul_scalar_(self.momentum)?;
                if self.dampening == 0.0 {
                    let _ = buffer.f_add_(&gradient)?;
                } else {
                    let _ = buffer.f_add_(&gradient.f_mul_scalar(1.0 - self.dampening)?)?;
                }
                buffer
            }
        };
        if self.nesterov {
            let _ = gradient.f_add_(&buffer.f_mul_scalar(self.momentum)?)?;
        } else {
            gradient.f_copy_(buffer)?;
        }
        Ok(gradient)
    }
}
