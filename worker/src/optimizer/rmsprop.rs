//! `torch.optim.RMSprop`.

use tch::{TchError, Tensor};

use super::{State, decay_into, zeros};
use crate::foreign;

/// RMSprop (Hinton's lecture, 2012), not centred, in PyTorch's form.
#[derive(Clone, Debug, PartialEq)]
pub struct RmsProp {
    /// Smoothing constant of the squared gradient, 0 to below 1.
    pub alpha: f64,
    /// Added to the denominator.
    pub eps: f64,
    /// 0 to below 1.
    pub momentum: f64,
    /// Added to the gradient.
    pub weight_decay: f64,
}

impl RmsProp {
    pub(super) fn update(
        &self,
        state: &mut State,
        mut gradient: Tensor,
        lr: f64,
    ) -> Result<(), TchError> {
        decay_into(&mut gradient, &state.weights, self.weight_decay)?;
        let second = zeros(&mut state.second, &gradient)?;
        let _ = second.f_mul_scalar_(self.alpha)?;
        foreign::addcmul(second, &gradient, &gradient, 1.0 - self.alpha)?;

        let denominator = zeros(&mut state.scratch, &gradient)?;
        let _ = second.f_sqrt_out(denominator)?;
        let _ = denominator.f_add_scalar_(self.eps)?;
        if self.momentum == 0.0 {
            foreign::addcdiv(&mut state.weights, &gradient, denominator, -lr)?;
        } else {
            let buffer = zeros(&mut state.first, &gradient)?;
            let _ = buffer.f_mul_scalar_(self.momentum)?;
            foreign::addcdiv(buffer, &gradient, denominator, 1.0)?;
            foreign::add_scaled(&mut state.weights, buffer, -lr)?;
        }
        Ok(())
    }
}
