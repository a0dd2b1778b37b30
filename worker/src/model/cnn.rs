//! The built-in `cnn`: blocks of 3x3 convolution, batch norm, ReLU and 2x2 max pooling, then the
//! mean over what is left of the image and a fully connected layer.

use rangefinder_session::trainer::Failure;
use tch::{Device, TchError, Tensor};

use super::Outputs;
use super::images::{self, channels_of};
use super::init::{Drawer, Made, fan};
use super::norm::BatchNorm;

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

struct Block {
    convolution: Tensor,
    norm: BatchNorm,
}

impl Plan {
    pub(super) fn new(channels: &[i64], input: &[i64], outputs: Outputs) -> Result<Self, Failure> {
        let image_channels = channels_of("cnn", input)?;
        Ok(Self {
            channels: [&[image_channels], channels].concat(),
            width: outputs.width,
            output_shape: [vec![-1], outputs.shape].concat(),
        })
    }

    pub(super) fn build(&self, seed: u64, device: Device) -> Result<(Cnn, Made), TchError> {
        let mut drawer = Drawer::new(seed, device);
        let mut blocks = Vec::with_capacity(self.channels.len());
        for (index, pair) in self.channels.windows(2).enumerate() {
            let (input, output) = (pair[0], pair[1]);
            let convolution = drawer.weight(
                format!("blocks.{index}.conv.weight"),
                &[output, input, 3, 3],
                fan(input * 9),
            )?;
            blocks.push(Block {
                convolution,
                norm: BatchNorm::new(&mut drawer, &format!("blocks.{index}.norm"), output)?,
            });
        }
        let last = self.channels.last().copied().unwrap_or(1);
        let head = (
            drawer.weight("head.weight".to_owned(), &[self.width, last], fan(last))?,
            drawer.bias("head.bias".to_owned(), self.width, fan(last))?,
        );
        let cnn = Cnn {
            blocks,
            head,
            channels: self.channels.first().copied().unwrap_or(1),
            output_shape: self.output_shape.clone(),
        };
        Ok((cnn, drawer.made))
    }
}

impl Cnn {
    pub(super) fn forward(&self, inputs: &Tensor, training: bool) -> Result<Tensor, TchError> {
        let mut x = images::batch(inputs, self.channels)?;
        for block in &self.blocks {
            x = x.f_conv2d(&block.convolution, None::<&Tensor>, 1, 1, 1, 1)?;
            x = block.norm.forward(&x, training)?.f_relu()?;
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
