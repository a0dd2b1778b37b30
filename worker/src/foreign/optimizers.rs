//! The optimizers' updates through the shim: all parameters of a group in one call.

use std::ffi::{c_char, c_int};

use tch::{TchError, Tensor};

use super::{AtTensor, checked};
use crate::optimizer::{Adam, RmsProp, Sgd};

/// Pointers to tensors, for the shim.
type List = *const AtTensor;

unsafe extern "C" {
    fn rangefinder_sgd(
        weights: List,
        gradients: List,
        buffers: List,
        count: usize,
        first: bool,
        lr: f64,
        momentum: f64,
        dampening: f64,
        nesterov: bool,
        weight_decay: f64,
        error: *mut c_char,
        length: usize,
    ) -> c_int;
    fn rangefinder_adam(
        weights: List,
        gradients: List,
        first: List,
        second: List,
        steps: List,
        count: usize,
        decoupled: bool,
        lr: f64,
        beta1: f64,
        beta2: f64,
        weight_decay: f64,
        eps: f64,
        error: *mut c_char,
        length: usize,
    ) -> c_int;
    fn rangefinder_rmsprop(
        weights: List,
        gradients: List,
        second: List,
        buffers: List,
        count: usize,
        lr: f64,
        alpha: f64,
        eps: f64,
        momentum: f64,
        weight_decay: f64,
        error: *mut c_char,
        length: usize,
    ) -> c_int;
    fn rangefinder_clear_gradients(
        leaves: List,
        count: usize,
        error: *mut c_char,
        length: usize,
    ) -> c_int;
}

fn pointers(tensors: &[&Tensor]) -> Vec<AtTensor> {
    tensors
        .iter()
        .map(|tensor| tensor.as_ptr().cast_mut())
        .collect()
}

/// The lists that an optimizer updates must be as long as the list of weights.
fn same_length(weights: &[&Tensor], others: &[&[&Tensor]]) -> Result<(), TchError> {
    if others.iter().all(|other| other.len() == weights.len()) {
        Ok(())
    } else {
        Err(TchError::Shape(
            "an optimizer's lists differ in length".to_owned(),
        ))
    }
}

/// One step of SGD; `buffers` are the momenta, empty without momentum, whose contents mean nothing
/// yet where `first`.
pub(crate) fn sgd(
    weights: &[&Tensor],
    gradients: &[&Tensor],
    buffers: &[&Tensor],
    first: bool,
    sgd: &Sgd,
    lr: f64,
) -> Result<(), TchError> {
    let momenta = if buffers.is_empty() { weights } else { buffers };
    same_length(weights, &[gradients, momenta])?;
    let (weights, gradients) = (pointers(weights), pointers(gradients));
    let (buffers, has_buffers) = (pointers(buffers), !buffers.is_empty());
    let buffers = list(&buffers, has_buffers);
    // SAFETY: the lists hold live tensors and are as long as `weights`, which was checked; the shim
    // keeps none of them. The same for the other optimizers.
    checked(|error, length| unsafe {
        rangefinder_sgd(
            weights.as_ptr(),
            gradients.as_ptr(),
            buffers,
            weights.len(),
            first,
            lr,
            sgd.momentum,
            sgd.dampening,
            sgd.nesterov,
            sgd.weight_decay,
            error,
            length,
        )
    })
}

/// One step of Adam or AdamW; counts `steps` up.
pub(crate) fn adam(
    weights: &[&Tensor],
    gradients: &[&Tensor],
    [first, second, steps]: [&[&Tensor]; 3],
    adam: &Adam,
    lr: f64,
) -> Result<(), TchError> {
    same_length(weights, &[gradients, first, second, steps])?;
    let (weights, gradients) = (pointers(weights), pointers(gradients));
    let (first, second, steps) = (pointers(first), pointers(second), pointers(steps));
    // SAFETY: as in `sgd`.
    checked(|error, length| unsafe {
        rangefinder_adam(
            weights.as_ptr(),
            gradients.as_ptr(),
            first.as_ptr(),
            second.as_ptr(),
            steps.as_ptr(),
            weights.len(),
            adam.decoupled,
            lr,
            adam.beta1,
            adam.beta2,
            adam.weight_decay,
            adam.eps,
            error,
            length,
        )
    })
}

/// One step of `RMSprop`; `buffers` are the momenta, empty without momentum.
pub(crate) fn rmsprop(
    weights: &[&Tensor],
    gradients: &[&Tensor],
    second: &[&Tensor],
    buffers: &[&Tensor],
    rmsprop: &RmsProp,
    lr: f64,
) -> Result<(), TchError> {
    let momenta = if buffers.is_empty() { weights } else { buffers };
    same_length(weights, &[gradients, second, momenta])?;
    let (weights, gradients) = (pointers(weights), pointers(gradients));
    let (second, has_buffers) = (pointers(second), !buffers.is_empty());
    let buffers = pointers(buffers);
    let buffers = list(&buffers, has_buffers);
    // SAFETY: as in `sgd`.
    checked(|error, length| unsafe {
        rangefinder_rmsprop(
            weights.as_ptr(),
            gradients.as_ptr(),
            second.as_ptr(),
            buffers,
            weights.len(),
            lr,
            rmsprop.alpha,
            rmsprop.eps,
            rmsprop.momentum,
            rmsprop.weight_decay,
            error,
            length,
        )
    })
}

fn list(pointers: &[AtTensor], present: bool) -> List {
    if present {
        pointers.as_ptr()
    } else {
        std::ptr::null()
    }
}

/// Forgets the gradients of leaves, so that the next backward pass sets them.
pub(crate) fn clear_gradients(leaves: &[&Tensor]) -> Result<(), TchError> {
    let leaves = pointers(leaves);
    // SAFETY: the list holds live tensors.
    checked(|error, length| unsafe {
        rangefinder_clear_gradients(leaves.as_ptr(), leaves.len(), error, length)
    })
}
