//! The built-in `cnn`: blocks of 3x3 convolution, batch norm, ReLU and 2x2 max pooling, then the
//! mean over what is left of the image and a fully connected layer.

use rangefinder_session::trainer::Failure;
use tch::{Device, Kind, TchError, Tensor};

use super::Outputs;
use super::init::Drawer;
use crate::failure;
use crate::flat::Named;

/// The numbers of channels.
pub(crate) struct Plan {
    /// Of the image, then of each block.
    channels: Vec<i64>,
    width: i64,
    output_shape: Vec<i64>,
}

/// The built model.
pub(crate) struct Cnn {
    blocks: Vec<Block>,
    head: (Tensor, Tensor),
    /// Channels of the image; images without a dimension of channels have one.
    channels: i64,
    /// Shape of a batch of outputs, -1 for the batch.
    output_shape: Vec<i64>,
}

/// Training needs no running statistics: a batch is normalised by its own.
struct Block {
    convolution: Tensor,
    scale: Tensor,
    shift: Tensor,
}

/// Added to the variance by PyTorch's `BatchNorm2d`.
const NORM_EPS: f64 = 1e-5;

impl Plan {
    pub(super) fn new(
        channels: &[i64],
        input: Vec<i64>,
        outputs: Outputs,
    ) -> Result<Self, Failure> {
        let image_channels = match input.as_slice() {
            [_, _] => 1,
            [channels, _, _] => *channels,
            other => {
                return Err(failure::user(
                    "model",
                    format!("`cnn` needs images, but a sample has shape {other:?}"),
                    "save inputs of shape (samples, channels, height, width) or (samples, height, width), \
                     or use mlp",
                ));
            }
        };
        Ok(Self {
            channels: [&[image_channels], channels].concat(),
            width: outputs.width,
            output_shape: [vec![-1], outputs.shape].concat(),
        })
    }

    pub(super) fn build(&self, seed: u64, device: Device) -> Result<(Cnn, Vec<Named>), TchError> {
        let mut drawer = Drawer::new(seed, device);
        let mut blocks = Vec::with_capacity(self.channels.len());
        for (index, pair) in self.channels.windows(2).enumerate() {
            let (input, output) = (pair[0], pair[1]);
            let convolution = drawer.weight(
                format!("blocks.{index}.conv.weight"),
                &[output, input, 3, 3],
                fan_in(input * 9),
            )?;
            blocks.push(Block {
                convolution,
                scale: drawer.constant(format!("blocks.{index}.norm.weight"), output, 1.0)?,
                shift: drawer.constant(format!("blocks.{index}.norm.bias"), output, 0.0)?,
            });
        }
        let last = self.channels.last().copied().unwrap_or(1);
        let head = (
            drawer.weight("head.weight".to_owned(), &[self.width, last], fan_in(last))?,
            drawer.bias("head.bias".to_owned(), self.width, fan_in(last))?,
        );
        let cnn = Cnn {
            blocks,
            head,
            channels: self.channels.first().copied().unwrap_or(1),
            output_shape: self.output_shape.clone(),
        };
        Ok((cnn, drawer.parameters))
    }
}

impl Cnn {
    pub(super) fn forward(&self, inputs: &Tensor) -> Result<Tensor, TchError> {
        let mut x = inputs.f_to_kind(Kind::Float)?;
        if let [batch, height, width] = x.size()[..] {
            x = x.f_reshape([batch, self.channels, height, width])?;
        }
        for block in &self.blocks {
            x = x
                .f_conv2d(&block.convolution, None::<&Tensor>, 1, 1, 1, 1)?
                .f_batch_norm(
                    Some(&block.scale),
                    Some(&block.shift),
                    None,
                    None,
                    true,
                    0.1,
                    NORM_EPS,
                    true,
                )?
                .f_relu()?;
            // A side of one pixel cannot be halved any more.
            if let [_, _, height, width] = x.size()[..]
                && height >= 2
                && width >= 2
            {
                x = x.f_max_pool2d(2, 2, 0, 1, false)?;
            }
        }
        let x = x.f_mean_dim([2_i64, 3].as_slice(), false, None)?;
        x.f_linear(&self.head.0, Some(&self.head.1))?
            .f_reshape(&self.output_shape)
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn fan_in(weights: i64) -> f64 {
    weights as f64
}
