//! What the models of images share.

use rangefinder_errors::Code;
use rangefinder_session::trainer::Failure;
use tch::{Kind, TchError, Tensor};

use crate::failure;

/// Channels of an image of this shape.
///
/// # Errors
/// A user's failure when a sample is no image.
pub(super) fn channels_of(model: &str, sample: &[i64]) -> Result<i64, Failure> {
    match sample {
        [_, _] => Ok(1),
        [channels, _, _] => Ok(*channels),
        other => Err(failure::user(
            Code::BuiltinModel,
            "model",
            format!("`{model}` needs images, but a sample has shape {other:?}"),
            "save inputs of shape (samples, channels, height, width) or (samples, height, width), \
             or use mlp",
        )),
    }
}

/// A batch of images as convolutions take it; those without a dimension of channels get one.
pub(super) fn batch(inputs: &Tensor, channels: i64) -> Result<Tensor, TchError> {
    let x = inputs.f_to_kind(Kind::Float)?;
    match x.size()[..] {
        [batch, height, width] => x.f_reshape([batch, channels, height, width]),
        _ => Ok(x),
    }
}
