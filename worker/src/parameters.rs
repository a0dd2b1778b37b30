//! The parameters of a model, which of them are trained, and their gradients.

use tch::{Kind, TchError, Tensor};

use crate::foreign;

/// A tensor as the model names it.
pub(crate) struct Named {
    /// PyTorch's dotted name.
    pub name: String,
    /// The very one that the model's forward reads.
    pub tensor: Tensor,
}

/// One parameter, and the memory that it has.
pub(crate) struct Slot {
    /// The first name that the model has for it.
    name: String,
    /// The variables over that memory. More than one where a model ties weights: libtorch may load
    /// them as two variables over the same memory, and their gradients then add up.
    leaves: Vec<Tensor>,
    kind: Kind,
    len: u64,
}

/// The parameters of a model; tied ones count once, under their first name, as in PyTorch's
/// `named_parameters`.
pub(crate) struct Parameters {
    slots: Vec<Slot>,
}

/// One gradient per slot, or none where a parameter took no part in the loss.
pub(crate) type Gradients = Vec<Option<Tensor>>;

impl Parameters {
    /// The parameters that a model names.
    pub(crate) fn new(named: &[Named]) -> Result<Self, TchError> {
        let mut slots: Vec<Slot> = Vec::new();
        for Named { name, tensor: leaf } in named {
            let place = leaf.data_ptr();
            let tied = slots.iter_mut().find(|slot| {
                slot.leaves
                    .iter()
                    .any(|l| l.data_ptr() == place && l.size() == leaf.size() && l.numel() > 0)
            });
            match tied {
                Some(slot) if slot.contains(leaf)? => {}
                Some(slot) => slot.leaves.push(leaf.shallow_clone()),
                None => slots.push(Slot {
                    name: name.clone(),
                    leaves: vec![leaf.shallow_clone()],
                    kind: leaf.f_kind()?,
                    len: leaf.numel() as u64,
                }),
            }
        }
        Ok(Self { slots })
    }

    /// Keeps those to be trained: the ones that require a gradient, but for those that are to be frozen,
    /// which stop to.
    pub(crate) fn freeze(&mut self, frozen: impl Fn(&str) -> bool) -> Result<(), TchError> {
        for slot in &mut self.slots {
            if frozen(&slot.name) {
                for leaf in &slot.leaves {
                    let _ = leaf.f_set_requires_grad(false)?;
                }
            }
            slot.leaves.retain(Tensor::requires_grad);
        }
        self.slots.retain(|slot| !slot.leaves.is_empty());
        Ok(())
    }

    /// Their names.
    pub(crate) fn names(&self) -> Vec<String> {
        self.slots.iter().map(|slot| slot.name.clone()).collect()
    }

    /// One slot for each parameter, in the order of the model's names.
    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Weights in all; tied ones count once.
    pub(crate) fn count(&self) -> u64 {
        self.slots.iter().map(|slot| slot.len).sum()
    }

    /// Forgets the gradients; the next backward pass sets them.
    pub(crate) fn clear_gradients(&self) -> Result<(), TchError> {
        let leaves: Vec<&Tensor> = self.slots.iter().flat_map(|slot| &slot.leaves).collect();
        foreign::clear_gradients(&leaves)
    }

    /// What the backward passes since the last clearing have left, one for each slot.
    pub(crate) fn gradients(&self) -> Result<Gradients, TchError> {
        self.slots.iter().map(Slot::gradient).collect()
    }
}

impl Slot {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The weights. Written only where no gradient is recorded.
    pub(crate) fn weights(&self) -> &Tensor {
        // A slot is made with one leaf and none is ever taken away.
        &self.leaves[0]
    }

    /// Type of the weights.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether all of the memory from the first weight to the last is theirs, in whatever order. The
    /// fused optimizers walk the memory.
    pub(crate) fn is_dense(&self) -> bool {
        let weights = self.weights();
        let mut steps: Vec<(i64, i64)> = weights.stride().into_iter().zip(weights.size()).collect();
        steps.retain(|&(_, size)| size != 1);
        steps.sort_unstable();
        let mut expected = 1;
        weights.numel() == 0
            || steps.into_iter().all(|(stride, size)| {
                let fits = stride == expected;
                expected *= size;
                fits
            })
    }

    /// Whether `leaf` is one of the variables themselves, not another one over the same memory: a
    /// flag that is changed through one handle then shows through the other.
    fn contains(&self, leaf: &Tensor) -> Result<bool, TchError> {
        if !leaf.requires_grad() {
            return Ok(false);
        }
        let _ = leaf.f_set_requires_grad(false)?;
        let shared = self.leaves.iter().any(|known| !known.requires_grad());
        let _ = leaf.f_set_requires_grad(true)?;
        Ok(shared)
    }

    fn gradient(&self) -> Result<Option<Tensor>, TchError> {
        let mut total: Option<Tensor> = None;
        for leaf in &self.leaves {
            let mut gradient = leaf.f_grad()?;
            if gradient.defined() {
                // Those of an embedding may be. What is not there is zero in every optimizer here.
                if gradient.is_sparse() {
                    gradient = gradient.f_to_dense(None, false)?;
                }
                total = Some(match total {
                    None => gradient,
                    Some(sum) => sum.f_add(&gradient)?,
                });
            }
        }
        Ok(total)
    }
}
