//! The built-in `resnet18` (He et al., 2016), layer by layer torchvision's, with its names.

use rangefinder_session::trainer::Failure;
use tch::{Device, TchError, Tensor};

use super::Outputs;
use super::images::{self, channels_of};
use super::init::{Drawer, Made, fan};
use super::norm::BatchNorm;

/// Stages, and blocks in each.
const STAGES: i64 = 4;
const BLOCKS: i64 = 2;

/// The numbers of channels.
pub(crate) struct Plan {
    image_channels: i64,
    /// Channels of the first stage; each later one has twice those of the one before.
    width: i64,
    outputs: i64,
    output_shape: Vec<i64>,
}

/// The built model.
pub(crate) struct ResNet {
    stem: Convolution,
    blocks: Vec<Block>,
    head: (Tensor, Tensor),
    image_channels: i64,
    /// Shape of a batch of outputs, -1 for the batch.
    output_shape: Vec<i64>,
}

/// A convolution without bias, and the batch norm after it.
struct Convolution {
    weight: Tensor,
    stride: i64,
    padding: i64,
    norm: BatchNorm,
}

/// torchvision's `BasicBlock`.
struct Block {
    first: Convolution,
    second: Convolution,
    /// Brings the input to the shape of the output.
    downsample: Option<Convolution>,
}

impl Plan {
    pub(super) fn new(width: i64, input: &[i64], outputs: Outputs) -> Result<Self, Failure> {
        Ok(Self {
            image_channels: channels_of("resnet18", input)?,
            width,
            outputs: outputs.width,
            output_shape: [vec![-1], outputs.shape].concat(),
        })
    }

    pub(super) fn build(&self, seed: u64, device: Device) -> Result<(ResNet, Made), TchError> {
        let mut drawer = Drawer::new(seed, device);
        let names = ("conv1".to_owned(), "bn1".to_owned());
        let stem = Convolution::new(
            &mut drawer,
            &names,
            (self.image_channels, self.width),
            (7, 2),
        )?;
        let mut blocks = Vec::new();
        let mut input = self.width;
        for stage in 0..STAGES {
            let output = self.width << stage;
            for index in 0..BLOCKS {
                let stride = if stage > 0 && index == 0 { 2 } else { 1 };
                let name = format!("layer{}.{index}", stage + 1);
                blocks.push(Block::new(&mut drawer, &name, (input, output), stride)?);
                input = output;
            }
        }
        let head = (
            drawer.weight("fc.weight".to_owned(), &[self.outputs, input], fan(input))?,
            drawer.bias("fc.bias".to_owned(), self.outputs, fan(input))?,
        );
        let resnet = ResNet {
            stem,
            blocks,
            head,
            image_channels: self.image_channels,
            output_shape: self.output_shape.clone(),
        };
        Ok((resnet, drawer.made))
    }
}

impl ResNet {
    pub(super) fn forward(&self, inputs: &Tensor, training: bool) -> Result<Tensor, TchError> {
        let x = images::batch(inputs, self.image_channels)?;
        let mut x = self
            .stem
            .forward(&x, training)?
            .f_relu()?
            .f_max_pool2d(3, 2, 1, 1, false)?;
        for block in &self.blocks {
            x = block.forward(&x, training)?;
        }
        x.f_mean_dim([2_i64, 3].as_slice(), false, None)?
            .f_linear(&self.head.0, Some(&self.head.1))?
            .f_reshape(&self.output_shape)
    }
}

impl Convolution {
    /// `(convolution, norm)` names, `(input, output)` channels, `(kernel, stride)`.
    fn new(
        drawer: &mut Drawer,
        names: &(String, String),
        (input, output): (i64, i64),
        (kernel, stride): (i64, i64),
    ) -> Result<Self, TchError> {
        let deviation = (2.0 / fan(output * kernel * kernel)).sqrt();
        Ok(Self {
            weight: drawer.normal(
                format!("{}.weight", names.0),
                &[output, input, kernel, kernel],
                deviation,
            )?,
            stride,
            padding: kernel / 2,
            norm: BatchNorm::new(drawer, &names.1, output)?,
        })
    }

    fn forward(&self, x: &Tensor, training: bool) -> Result<Tensor, TchError> {
        let (stride, padding) = (self.stride, self.padding);
        let x = x.f_conv2d(&self.weight, None::<&Tensor>, stride, padding, 1, 1)?;
        self.norm.forward(&x, training)
    }
}

impl Block {
    fn new(
        drawer: &mut Drawer,
        name: &str,
        (input, output): (i64, i64),
        stride: i64,
    ) -> Result<Self, TchError> {
        let pair = |convolution: &str, norm: &str| {
            (format!("{name}.{convolution}"), format!("{name}.{norm}"))
        };
        let first = Convolution::new(drawer, &pair("conv1", "bn1"), (input, output), (3, stride))?;
        let second = Convolution::new(drawer, &pair("conv2", "bn2"), (output, output), (3, 1))?;
        let downsample = if stride != 1 || input != output {
            let names = pair("downsample.0", "downsample.1");
            Some(Convolution::new(
                drawer,
                &names,
                (input, output),
                (1, stride),
            )?)
        } else {
            None
        };
        Ok(Self {
            first,
            second,
            downsample,
        })
    }

    fn forward(&self, x: &Tensor, training: bool) -> Result<Tensor, TchError> {
        let inner = self.first.forward(x, training)?.f_relu()?;
        let inner = self.second.forward(&inner, training)?;
        let sum = match &self.downsample {
            Some(downsample) => inner.f_add(&downsample.forward(x, training)?)?,
            None => inner.f_add(x)?,
        };
        sum.f_relu()
    }
}
