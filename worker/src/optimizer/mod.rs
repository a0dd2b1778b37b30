//! Optimizers with PyTorch's meaning, step by step, on flat parameters.
//!
//! - `Algorithm`: which optimizer, with its hyperparameters; checked against the specification.
//! - [`Optimizer`]: its state over the parameters of one model.
//! - [`sgd`], [`adam`], [`rmsprop`]: the updates, by PyTorch's own operations in PyTorch's order, so
//!   that not even the rounding differs.

mod adam;
mod config;
mod rmsprop;
mod sgd;

#[cfg(test)]
mod tests;

pub(crate) use config::Algorithm;

use std::ops::Range;

use tch::{TchError, Tensor};

use crate::flat::{self, Buffer, FlatParameters, Gradients};
use crate::foreign;

/// An optimizer's state over the parameters of one model.
pub(crate) struct Optimizer {
    algorithm: Algorithm,
    /// Groups of each buffer, in the order of its slots.
    groups: Vec<Vec<Group>>,
}

/// Neighbouring parameters that have had gradients at the same steps, updated as one tensor.
struct Group {
    slots: Range<usize>,
    state: State,
}

/// Weights and what the optimizer remembers about them.
struct State {
    weights: Tensor,
    /// Updates so far.
    steps: u32,
    /// Momentum, or the average of the gradient.
    first: Option<Tensor>,
    /// Average of the squared gradient.
    second: Option<Tensor>,
    /// Memory for intermediate values; its contents mean nothing between steps.
    scratch: Option<Tensor>,
}

impl Optimizer {
    /// A fresh optimizer.
    pub(crate) fn new(algorithm: Algorithm, parameters: &FlatParameters) -> Self {
        let groups = parameters
            .buffers
            .iter()
            .map(|buffer| {
                vec![Group {
                    slots: 0..buffer.slots.len(),
                    state: State::new(buffer.weights.shallow_clone()),
                }]
            })
            .collect();
        Self { algorithm, groups }
    }

    /// One step at a learning rate. As in PyTorch, a parameter without a gradient is left alone:
    /// no weight decay, no change of its state.
    pub(crate) fn step(
        &mut self,
        parameters: &FlatParameters,
        gradients: &[Gradients],
        lr: f64,
    ) -> Result<(), TchError> {
        let _guard = tch::no_grad_guard();
        let buffers = parameters.buffers.iter().zip(gradients);
        for (groups, (buffer, gradients)) in self.groups.iter_mut().zip(buffers) {
            split_by_presence(groups, buffer, gradients)?;
            for group in groups {
                let present = gradients[group.slots.clone()].iter().flatten();
                if present.clone().next().is_some() {
                    group.state.steps += 1;
                    self.algorithm
                        .update(&mut group.state, flat::flatten(present)?, lr)?;
                }
            }
        }
        Ok(())
    }
}

/// Cuts groups in which some parameters have a gradient at this step and others have none.
fn split_by_presence(
    groups: &mut Vec<Group>,
    buffer: &Buffer,
    gradients: &Gradients,
) -> Result<(), TchError> {
    let uniform = |group: &Group| {
        let mut present = gradients[group.slots.clone()].iter().map(Option::is_some);
        let first = present.next();
        present.all(|p| Some(p) == first)
    };
    if groups.iter().all(uniform) {
        return Ok(());
    }
    let mut split = Vec::with_capacity(groups.len() + 1);
    for group in groups.iter() {
        let mut start = group.slots.start;
        while start < group.slots.end {
            let present = gradients[start].is_some();
            let len = gradients[start..group.slots.end]
                .iter()
                .take_while(|g| g.is_some() == present)
                .count();
            split.push(group.narrow(buffer, start..start + len)?);
            start += len;
        }
    }
    *groups = split;
    Ok(())
}

impl Group {
    fn narrow(&self, buffer: &Buffer, slots: Range<usize>) -> Result<Self, TchError> {
        let origin = buffer.slots[self.slots.start].offset;
        let offset = buffer.slots[slots.start].offset - origin;
        let len = buffer.slots[slots.clone()].iter().map(|s| s.len).sum();
        let cut = |tensor: &Tensor| tensor.f_narrow(0, offset, len);
        let state = State {
            weights: cut(&self.state.weights)?,
            steps: self.state.steps,
            first: self.state.first.as_ref().map(cut).transpose()?,
            second: self.state.second.as_ref().map(cut).transpose()?,
            scratch: None,
        };
        Ok(Self { slots, state })
    }
}

impl State {
    fn new(weights: Tensor) -> Self {
        Self {
            weights,
            steps: 0,
            first: None,
            second: None,
            scratch: None,
        }
    }
}

/// The tensor in `place`, put there as zeros like `example` when there is none yet.
fn zeros<'a>(place: &'a mut Option<Tensor>, example: &Tensor) -> Result<&'a mut Tensor, TchError> {
    if place.is_none() {
        *place = Some(example.f_zeros_like()?);
    }
    place
        .as_mut()
        .ok_or_else(|| TchError::Shape("an optimizer's state is missing".to_owned()))
}

/// Adds `weight_decay * weights` to the gradient, as PyTorch's coupled weight decay.
fn decay_into(gradient: &mut Tensor, weights: &Tensor, weight_decay: f64) -> Result<(), TchError> {
    if weight_decay == 0.0 {
        return Ok(());
    }
    foreign::add_scaled(gradient, weights, weight_decay)
}
