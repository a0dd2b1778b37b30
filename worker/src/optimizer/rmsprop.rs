//! `torch.optim.RMSprop`.

use tch::TchError;

use super::{Member, State};
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
    pub(super) fn update(&self, members: &mut [Member], lr: f64) -> Result<(), TchError> {
        for member in members.iter_mut() {
            State::zeros(&mut member.state.second, member.weights)?;
            if self.momentum != 0.0 {
                State::zeros(&mut member.state.first, member.weights)?;
            }
        }
        let (weights, gradients) = super::lists(members);
        let second = super::list(members, |state| &state.second);
        let buffers = match self.momentum {
            0.0 => Vec::new(),
            _ => super::list(members, |state| &state.first),
        };
        foreign::rmsprop(&weights, &gradients, &second, &buffers, self, lr)
    }
}
