//! `torch.optim.Adam` and `torch.optim.AdamW`.

use tch::{TchError, Tensor};

use super::{State, decay_into, zeros};
use crate::foreign;

/// Adam (Kingma and Ba, 2015) and AdamW (Loshchilov and Hutter, 2019).
#[derive(Clone, Debug, PartialEq)]
pub struct Adam {
    /// First moment's decay, 0 to below 1.
    pub beta1: f64,
    /// Second moment's decay, 0 to below 1.
    pub beta2: f64,
    /// Added to the denominator.
    pub eps: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// Whether weight decay shrinks the weights (AdamW) instead of entering the gradient (Adam).
    pub decoupled: bool,
}

impl Adam {
    pub(super) fn update(
        &self,
        state: &mut State,
        mut gradient: Tensor,
        lr: f64,
    ) -> Result<(), TchError> {
        let steps = f64::from(state.steps);
        let weights = &mut state.weights;
        if !self.decoupled {
            decay_into(&mut gradient, weights, self.weight_decay)?;
        } else if self.weight_decay != 0.0 {
            let _ = weights.f_mul_scalar_(1.0 - lr * self.weight_decay)?;
        }
        let first = zeros(&mut state.first, &gradient)?;
        let _ = first.f_lerp_(&gradient, 1.0 - self.beta1)?;

        let second = zeros(&mut state.second, &gradient)?;
        let _ = second.f_mul_scalar_(self.beta2)?;
        foreign::addcmul(second, &gradient, &gradient, 1.0 - self.beta2)?;

        let correction1 = 1.0 - self.beta1.powf(steps);
        let correction2 = 1.0 - self.beta2.powf(steps);
        let denominator = zeros(&mut state.scratch, &gradient)?;
        let _ = second.f_sqrt_out(denominator)?;
        let _ = denominator.f_div_scalar_(correction2.sqrt())?;
        let _ = denominator.f_add_scalar_(self.eps)?;
        foreign::addcdiv(weights, first, denominator, -(lr / correction1))?;
        Ok(())
    }
}
