//! `torch.optim.Adam` and `torch.optim.AdamW`.

use tch::TchError;

use super::{Member, State};
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
    pub(super) fn update(&self, members: &mut [Member], lr: f64) -> Result<(), TchError> {
        for member in members.iter_mut() {
            State::zeros(&mut member.state.first, member.weights)?;
            State::zeros(&mut member.state.second, member.weights)?;
            State::count(&mut member.state.steps, member.weights)?;
        }
        let (weights, gradients) = super::lists(members);
        let first = super::list(members, |state| &state.first);
        let second = super::list(members, |state| &state.second);
        let steps = super::list(members, |state| &state.steps);
        foreign::adam(&weights, &gradients, [&first, &second, &steps], self, lr)
    }
}
