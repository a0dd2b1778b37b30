//! Gives an optimizer that starts in the middle of a sweep the memory of the steps before.
//!
//! Adam remembers 1/(1-beta2), a thousand updates of squared gradients, far more than any warm-up
//! has: a fresh Adam at step *s* follows the gradients of its few updates, where the unsplit sweep
//! goes by the mean of *s* and more. Those were taken at learning rates too small to move the
//! weights, and so looked like the first ones of the warm-up. After [`SAMPLE`] updates the averages
//! over these are therefore made averages over all, and the updates are counted from the start of the
//! sweep. SGD's momentum is forgotten within a warm-up and is left alone.

use tch::{TchError, Tensor};

use super::State;
use super::config::Algorithm;

/// Updates from which the missed ones are told: few, since an optimizer is fresh until then, and
/// enough for a mean of squares. Fewer and more (5, 10, 16, 20) are no better.
pub(super) const SAMPLE: u32 = 8;

/// What an optimizer has missed, until it has seen enough to make up for it.
pub(super) struct Ageing {
    /// Updates of the sweep before this optimizer's first one.
    missed: u64,
    /// Updates that are still to be seen.
    remaining: u32,
    /// What each state remembered at the start, if it went on from a saved one.
    initial: Vec<Initial>,
}

struct Initial {
    first: Option<Tensor>,
    second: Option<Tensor>,
}

impl Ageing {
    /// An optimizer with these states that comes `missed` updates late.
    pub(super) fn new(missed: u64, states: &[State]) -> Self {
        let copied = |average: &Option<Tensor>| average.as_ref().map(Tensor::copy);
        Self {
            missed,
            remaining: SAMPLE,
            initial: states
                .iter()
                .map(|state| Initial {
                    first: copied(&state.first),
                    second: copied(&state.second),
                })
                .collect(),
        }
    }

    /// Notes an update; whether it was the last one that had to be seen.
    pub(super) fn seen(&mut self) -> bool {
        self.remaining = self.remaining.saturating_sub(1);
        self.remaining == 0
    }

    /// Makes states of [`SAMPLE`] updates those of all.
    pub(super) fn apply<'a>(
        &self,
        states: &mut [State],
        algorithm: impl Fn(&State) -> &'a Algorithm,
    ) -> Result<(), TchError> {
        for (state, initial) in states.iter_mut().zip(&self.initial) {
            match algorithm(state) {
                Algorithm::Adam(adam) => {
                    self.age(&mut state.first, initial.first.as_ref(), adam.beta1)?;
                    self.age(&mut state.second, initial.second.as_ref(), adam.beta2)?;
                    if let Some(steps) = &mut state.steps {
                        let _ = steps.f_add_scalar_(self.missed as f64)?;
                    }
                }
                Algorithm::RmsProp(rmsprop) => {
                    self.age(&mut state.second, initial.second.as_ref(), rmsprop.alpha)?;
                }
                Algorithm::Sgd(_) => {}
            }
        }
        Ok(())
    }

    /// An average that started from `initial`, zeros if there was none, and saw [`SAMPLE`] values of
    /// the same mean as the missed ones.
    fn age(
        &self,
        average: &mut Option<Tensor>,
        initial: Option<&Tensor>,
        decay: f64,
    ) -> Result<(), TchError> {
        let Some(average) = average else {
            return Ok(());
        };
        // Shares of the initial average: now, and when all updates were seen.
        let now = decay.powf(f64::from(SAMPLE));
        let then = now * decay.powf(self.missed as f64);
        let growth = (1.0 - then) / (1.0 - now);
        let _ = average.f_mul_scalar_(growth)?;
        if let Some(initial) = initial {
            let _ = average.f_add_(&initial.f_mul_scalar(then - now * growth)?)?;
        }
        Ok(())
    }
}
