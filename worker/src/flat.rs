//! Trainable parameters laid out in one flat tensor per dtype.
//!
//! The model's own parameters become views of it, so that an optimizer step costs a few operations
//! whatever the number of parameters.

use tch::{Kind, TchError, Tensor};

/// A trainable parameter as the model names it.
pub struct Named {
    /// PyTorch's dotted name.
    pub name: String,
    /// The leaf that the model's forward reads; requires a gradient.
    pub tensor: Tensor,
}

/// One parameter's place in a [`Buffer`].
pub(crate) struct Slot {
    /// The parameter's name; of tied ones the first.
    pub name: String,
    pub offset: i64,
    pub len: i64,
    /// The variables that read this range. More than one where a model ties weights: libtorch may
    /// load them as two variables over the same memory, and their gradients then add up.
    leaves: Vec<Tensor>,
}

/// All parameters of one dtype.
pub(crate) struct Buffer {
    pub weights: Tensor,
    pub slots: Vec<Slot>,
}

/// All trainable parameters of a model.
pub(crate) struct FlatParameters {
    pub buffers: Vec<Buffer>,
}

/// One gradient per slot, or none where a parameter took no part in the loss.
pub(crate) type Gradients = Vec<Option<Tensor>>;

impl FlatParameters {
    /// Moves the parameters into flat tensors. From now on the leaves are views of these.
    pub(crate) fn adopt(parameters: &[&Named]) -> Result<Self, TchError> {
        let _guard = tch::no_grad_guard();
        let mut kinds: Vec<Kind> = Vec::new();
        for parameter in parameters {
            let kind = parameter.tensor.f_kind()?;
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        let buffers = kinds
            .into_iter()
            .map(|kind| {
                let same = parameters
                    .iter()
                    .copied()
                    .filter(|p| p.tensor.kind() == kind);
                Buffer::adopt(same)
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { buffers })
    }

    /// Trainable weights in all; tied ones count once.
    pub(crate) fn count(&self) -> u64 {
        let slots = self.buffers.iter().flat_map(|buffer| &buffer.slots);
        slots.map(|slot| slot.len.unsigned_abs()).sum()
    }

    /// The gradients of `loss`, one list per buffer.
    pub(crate) fn gradients(&self, loss: &Tensor) -> Result<Vec<Gradients>, TchError> {
        let leaves: Vec<&Tensor> = self
            .buffers
            .iter()
            .flat_map(|buffer| buffer.slots.iter().flat_map(|slot| &slot.leaves))
            .collect();
        let mut gradients = Tensor::f_run_backward(&[loss], &leaves, false, false)?.into_iter();
        let _guard = tch::no_grad_guard();
        self.buffers
            .iter()
            .map(|buffer| {
                buffer
                    .slots
                    .iter()
                    .map(|slot| slot.sum(&mut gradients))
                    .collect()
            })
            .collect()
    }
}

impl Buffer {
    fn adopt<'a>(parameters: impl Iterator<Item = &'a Named>) -> Result<Self, TchError> {
        let mut slots: Vec<Slot> = Vec::new();
        let mut offset = 0;
        for Named { name, tensor: leaf } in parameters {
            let place = leaf.data_ptr();
            let tied = slots.iter_mut().find(|slot| {
                slot.leaves
                    .iter()
                    .any(|l| l.data_ptr() == place && l.size() == leaf.size() && l.numel() > 0)
            });
            if let Some(slot) = tied {
                if !slot.contains(leaf)? {
                    slot.leaves.push(leaf.shallow_clone());
                }
                continue;
            }
            let len = leaf.size().iter().product();
            slots.push(Slot {
                name: name.clone(),
                offset,
                len,
                leaves: vec![leaf.shallow_clone()],
            });
            offset += len;
        }
        let flattened = slots
            .iter()
            .filter_map(|slot| slot.leaves.first())
            .map(|leaf| leaf.f_detach()?.f_reshape([-1]))
            .collect::<Result<Vec<_>, _>>()?;
        let weights = Tensor::f_cat(&flattened, 0)?;
        for slot in &mut slots {
            for leaf in &mut slot.leaves {
                let view = weights
                    .f_narrow(0, slot.offset, slot.len)?
                    .f_view_(leaf.size())?;
                leaf.f_set_data(&view)?;
            }
        }
        Ok(Self { weights, slots })
    }
}

impl Slot {
    /// Whether `leaf` is one of the variables themselves, not another one over the same memory: a
    /// flag that is changed through one handle then shows through the other.
    fn contains(&self, leaf: &Tensor) -> Result<bool, TchError> {
        let _ = leaf.f_set_requires_grad(false)?;
        let shared = self.leaves.iter().any(|known| !known.requires_grad());
        let _ = leaf.f_set_requires_grad(true)?;
        Ok(shared)
    }

    fn sum(
        &self,
        gradients: &mut impl Iterator<Item = Tensor>,
    ) -> Result<Option<Tensor>, TchError> {
        let mut total: Option<Tensor> = None;
        for gradient in gradients.take(self.leaves.len()) {
            if gradient.defined() {
                total = Some(match total {
                    None => gradient,
                    Some(sum) => sum.f_add(&gradient)?,
                });
            }
        }
        Ok(total)
    }
}

/// Gradients side by side in a tensor of their own, which may be written.
pub(crate) fn flatten<'a>(gradients: impl Iterator<Item = &'a Tensor>) -> Result<Tensor, TchError> {
    let gradients: Vec<&Tensor> = gradients.collect();
    match gradients.as_slice() {
        // The flattening of a single tensor is the tensor itself.
        [one] => copy(&one.f_reshape([-1])?),
        several => Tensor::f_flatten_dense_tensors(several),
    }
}

/// The tensor's values in memory of their own.
pub(crate) fn copy(tensor: &Tensor) -> Result<Tensor, TchError> {
    let mut copy = tensor.f_empty_like()?;
    copy.f_copy_(tensor)?;
    Ok(copy)
}
