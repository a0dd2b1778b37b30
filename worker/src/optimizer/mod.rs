//! Optimizers with PyTorch's meaning, step by step.
//!
//! - `Algorithm`: which optimizer, with its hyperparameters; checked against the specification.
//! - [`Plan`]: the algorithm with its groups, the limits of gradients, the state to start from.
//! - [`Optimizer`]: its state over the parameters of one model. [`restore`]: a saved one.
//! - [`sgd`], [`adam`], [`rmsprop`]: the updates, by libtorch's fused kernels where it has them: all
//!   parameters of a group in one call, as PyTorch does with `fused=True`.
//! - [`ageing`]: the memory of the steps that a segment leaves out.
//! - [`clip`]: limits of gradients.

mod adam;
mod ageing;
mod clip;
mod config;
mod plan;
pub(crate) mod restore;
mod rmsprop;
mod sgd;

#[cfg(test)]
mod tests;

pub use adam::Adam;
pub(crate) use plan::Plan;
pub use rmsprop::RmsProp;
pub use sgd::Sgd;

use std::collections::HashMap;

use tch::{Kind, TchError, Tensor};

use crate::foreign;
use crate::parameters::{Gradients, Parameters};
use ageing::Ageing;
use clip::Clip;
use plan::Settings;
use restore::Memory;

/// An optimizer's state over the parameters of one model.
pub(crate) struct Optimizer {
    /// Of each parameter group, the reference group first.
    settings: Vec<Settings>,
    clip: Option<Clip>,
    /// One for each slot of the parameters.
    states: Vec<State>,
    /// Where it started late, until it has made up for that.
    ageing: Option<Ageing>,
}

/// What the optimizer remembers about one parameter.
#[derive(Default)]
struct State {
    /// Place of the parameter's group in the optimizer's settings.
    group: usize,
    /// Momentum, or the average of the gradient.
    first: Option<Tensor>,
    /// Average of the squared gradient.
    second: Option<Tensor>,
    /// Updates so far, a number in float32, where the optimizer needs it.
    steps: Option<Tensor>,
}

/// A parameter in one update.
struct Member<'a> {
    weights: &'a Tensor,
    gradient: &'a Tensor,
    state: &'a mut State,
}

impl Optimizer {
    /// A fresh optimizer.
    pub(crate) fn new(plan: &Plan, parameters: &Parameters) -> Self {
        let states = parameters.slots().iter().map(|slot| State {
            group: plan.group_of(slot.name()),
            ..State::default()
        });
        Self {
            settings: plan.settings(),
            clip: plan.clip,
            states: states.collect(),
            ageing: None,
        }
    }

    /// Lets an optimizer that starts late in a sweep remember the `missed` updates before, as well as
    /// the first ones that it sees tell them. After `restore`.
    pub(crate) fn start_late(&mut self, missed: u64) {
        self.ageing = (missed > 0).then(|| Ageing::new(missed, &self.states));
    }

    /// Goes on from what an optimizer remembered, by the names of the parameters.
    pub(crate) fn restore(
        &mut self,
        parameters: &Parameters,
        memories: &HashMap<String, Memory>,
    ) -> Result<(), TchError> {
        let _guard = tch::no_grad_guard();
        for (slot, state) in parameters.slots().iter().zip(&mut self.states) {
            let Some(memory) = memories.get(slot.name()) else {
                continue;
            };
            let weights = slot.weights();
            // Of the weights' type, on their device, and in the order of their memory.
            let like = |stored| -> Result<Tensor, TchError> {
                let mut tensor = weights.f_zeros_like()?;
                tensor.f_copy_(&foreign::tensor(stored)?)?;
                Ok(tensor)
            };
            state.first = memory.first.as_ref().map(like).transpose()?;
            state.second = memory.second.as_ref().map(like).transpose()?;
            state.steps = memory
                .steps
                .map(|steps| Tensor::f_full([], f64::from(steps), (Kind::Float, weights.device())))
                .transpose()?;
        }
        Ok(())
    }

    /// One step at a learning rate, that of the reference group. As in PyTorch, a parameter without a
    /// gradient is left alone: no weight decay, no change of its state. Clips the gradients in place.
    pub(crate) fn step(
        &mut self,
        parameters: &Parameters,
        gradients: &mut Gradients,
        lr: f64,
    ) -> Result<(), TchError> {
        let _guard = tch::no_grad_guard();
        if let Some(clip) = self.clip {
            clip.apply(gradients)?;
        }
        // The kernels take tensors of one type at a time.
        let mut members: Vec<((usize, Kind), Member)> = Vec::with_capacity(gradients.len());
        let slots = parameters.slots().iter().zip(&mut self.states);
        for ((slot, state), gradient) in slots.zip(gradients) {
            if let Some(gradient) = gradient {
                let together = (state.group, slot.kind());
                let member = Member {
                    weights: slot.weights(),
                    gradient,
                    state,
                };
                members.push((together, member));
            }
        }
        while let Some(&(together, _)) = members.first() {
            let (now, later): (Vec<_>, Vec<_>) =
                members.into_iter().partition(|(key, _)| *key == together);
            let mut now: Vec<Member> = now.into_iter().map(|(_, member)| member).collect();
            let settings = &self.settings[together.0];
            settings
                .algorithm
                .update(&mut now, lr * settings.lr_ratio)?;
            members = later;
        }
        if let Some(ageing) = self.ageing.take_if(|ageing| ageing.seen()) {
            let settings = &self.settings;
            ageing.apply(&mut self.states, |state| &settings[state.group].algorithm)?;
        }
        Ok(())
    }
}

impl State {
    /// Whether the parameter has no momentum yet.
    fn is_fresh(&self) -> bool {
        self.first.is_none()
    }

    /// Puts zeros like the weights in `place` when there is nothing yet.
    fn zeros(place: &mut Option<Tensor>, weights: &Tensor) -> Result<(), TchError> {
        if place.is_none() {
            *place = Some(weights.f_zeros_like()?);
        }
        Ok(())
    }

    /// Puts a count of 0 in `place` when there is nothing yet.
    fn count(place: &mut Option<Tensor>, weights: &Tensor) -> Result<(), TchError> {
        if place.is_none() {
            *place = Some(Tensor::f_zeros([], (Kind::Float, weights.device()))?);
        }
        Ok(())
    }
}

/// Weights and gradients.
fn lists<'a>(members: &'a [Member]) -> (Vec<&'a Tensor>, Vec<&'a Tensor>) {
    members
        .iter()
        .map(|member| (member.weights, member.gradient))
        .unzip()
}

/// One part of the state of all members that have it.
fn list<'a>(members: &'a [Member], part: impl Fn(&State) -> &Option<Tensor>) -> Vec<&'a Tensor> {
    members
        .iter()
        .filter_map(|member| part(member.state).as_ref())
        .collect()
}
