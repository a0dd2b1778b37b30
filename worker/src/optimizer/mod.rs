//! Optimizers with PyTorch's meaning, step by step, on flat parameters.
//!
//! - `Algorithm`: which optimizer, with its hyperparameters; checked against the specification.
//! - [`Plan`]: the algorithm with its groups, the limits of gradients, the state to start from.
//! - [`Optimizer`]: its state over the parameters of one model.
//! - [`sgd`], [`adam`], [`rmsprop`]: the updates, by PyTorch's own operations in PyTorch's order, so
//!   that not even the rounding differs.

mod adam;
mod clip;
mod config;
mod plan;
pub(crate) mod restore;
mod rmsprop;
mod sgd;

#[cfg(test)]
mod pytorch_tests;
#[cfg(test)]
mod tests;

pub(crate) use config::Algorithm;
pub(crate) use plan::Plan;

use std::collections::HashMap;
use std::ops::Range;

use rangefinder_checkpoint::StoredTensor;
use tch::{TchError, Tensor};

use crate::flat::{self, Buffer, FlatParameters, Gradients};
use crate::foreign;

use clip::Clip;
use plan::Settings;
use restore::Memory;

/// An optimizer's state over the parameters of one model.
pub(crate) struct Optimizer {
    /// Of each parameter group, the reference group first.
    settings: Vec<Settings>,
    clip: Option<Clip>,
    /// Groups of each buffer, in the order of its slots.
    groups: Vec<Vec<Group>>,
}

/// Neighbouring parameters of one parameter group that have had gradients at the same steps, updated
/// as one tensor.
struct Group {
    slots: Range<usize>,
    /// Place in the optimizer's settings.
    settings: usize,
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
    pub(crate) fn new(plan: &Plan, parameters: &FlatParameters) -> Result<Self, TchError> {
        let groups = parameters
            .buffers
            .iter()
            .map(|buffer| {
                let whole = Group {
                    slots: 0..buffer.slots.len(),
                    settings: 0,
                    state: State::new(buffer.weights.shallow_clone()),
                };
                let settings = |slot: usize| plan.group_of(&buffer.slots[slot].name);
                let mut groups = cut(&[whole], buffer, |a, b| settings(a) == settings(b))?;
                for group in &mut groups {
                    group.settings = settings(group.slots.start);
                }
                Ok(groups)
            })
            .collect::<Result<_, TchError>>()?;
        Ok(Self {
            settings: plan.settings(),
            clip: plan.clip,
            groups,
        })
    }

    /// Goes on from what an optimizer remembered, by the names of the parameters.
    pub(crate) fn restore(
        &mut self,
        parameters: &FlatParameters,
        memories: &HashMap<String, Memory>,
    ) -> Result<(), TchError> {
        let fresh = Memory::default();
        for (groups, buffer) in self.groups.iter_mut().zip(&parameters.buffers) {
            let memory = |slot: usize| memories.get(&buffer.slots[slot].name).unwrap_or(&fresh);
            *groups = cut(groups, buffer, |a, b| {
                let (a, b) = (memory(a), memory(b));
                a.steps == b.steps
                    && a.first.is_some() == b.first.is_some()
                    && a.second.is_some() == b.second.is_some()
            })?;
            for group in groups {
                let memories = || group.slots.clone().map(memory);
                group.state.steps = memory(group.slots.start).steps;
                let like = &group.state.weights;
                group.state.first = side_by_side(memories().map(|m| m.first.as_ref()), like)?;
                group.state.second = side_by_side(memories().map(|m| m.second.as_ref()), like)?;
            }
        }
        Ok(())
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
        let mut flat = Vec::new();
        let buffers = parameters.buffers.iter().zip(gradients);
        for (groups, (buffer, gradients)) in self.groups.iter_mut().zip(buffers) {
            split_by_presence(groups, buffer, gradients)?;
            for group in groups {
                let present = gradients[group.slots.clone()].iter().flatten();
                let any = present.clone().next().is_some();
                flat.push(any.then(|| flat::flatten(present)).transpose()?);
            }
        }
        if let Some(clip) = self.clip {
            clip.apply(&mut flat)?;
        }
        for (group, gradient) in self.groups.iter_mut().flatten().zip(flat) {
            if let Some(gradient) = gradient {
                let settings = &self.settings[group.settings];
                group.state.steps += 1;
                settings
                    .algorithm
                    .update(&mut group.state, gradient, lr * settings.lr_ratio)?;
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
    let present = |slot: usize| gradients[slot].is_some();
    *groups = cut(groups, buffer, |a, b| present(a) == present(b))?;
    Ok(())
}

/// Cuts groups where neighbouring slots are not alike.
fn cut(
    groups: &[Group],
    buffer: &Buffer,
    alike: impl Fn(usize, usize) -> bool,
) -> Result<Vec<Group>, TchError> {
    let mut cut = Vec::with_capacity(groups.len() + 1);
    for group in groups {
        let mut start = group.slots.start;
        for slot in group.slots.clone() {
            let end = slot + 1;
            if end == group.slots.end || !alike(slot, end) {
                cut.push(group.narrow(buffer, start..end)?);
                start = end;
            }
        }
    }
    Ok(cut)
}

/// A checkpoint's tensors as one, of the type and on the device of `like`; `None` if there are none.
fn side_by_side<'a>(
    tensors: impl Iterator<Item = Option<&'a StoredTensor>>,
    like: &Tensor,
) -> Result<Option<Tensor>, TchError> {
    let tensors = tensors
        .flatten()
        .map(|stored| foreign::tensor(stored)?.f_reshape([-1]))
        .collect::<Result<Vec<_>, _>>()?;
    if tensors.is_empty() {
        return Ok(None);
    }
    let joined = Tensor::f_cat(&tensors, 0)?;
    joined
        .f_to_kind(like.kind())?
        .f_to_device(like.device())
        .map(Some)
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
        Ok(Self {
            slots,
            settings: self.settings,
            state,
        })
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
