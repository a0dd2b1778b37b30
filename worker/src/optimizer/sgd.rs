//! `torch.optim.SGD`.

use tch::TchError;

use super::{Member, State};
use crate::foreign;

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
    pub(super) fn update(&self, members: &mut [Member], lr: f64) -> Result<(), TchError> {
        if self.momentum == 0.0 {
            let (weights, gradients) = super::lists(members);
            return foreign::sgd(&weights, &gradients, &[], true, self, lr);
        }
        // The first gradient of a parameter enters its buffer undampened.
        let (mut fresh, mut known): (Vec<_>, Vec<_>) = members
            .iter_mut()
            .partition(|member| member.state.is_fresh());
        for (members, first) in [(&mut fresh, true), (&mut known, false)] {
            if members.is_empty() {
                continue;
            }
            for member in members.iter_mut() {
                State::zeros(&mut member.state.first, member.weights)?;
            }
            let weights: Vec<_> = members.iter().map(|member| member.weights).collect();
            let gradients: Vec<_> = members.iter().map(|member| member.gradient).collect();
            let buffers: Vec<_> = members
                .iter()
                .filter_map(|member| member.state.first.as_ref())
                .collect();
            foreign::sgd(&weights, &gradients, &buffers, first, self, lr)?;
        }
        Ok(())
    }
}
