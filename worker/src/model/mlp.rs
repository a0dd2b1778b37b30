//! The built-in `mlp`: fully connected layers with ReLU between them, on flattened inputs.

use rangefinder_session::trainer::Failure;
use tch::{Device, Kind, TchError, Tensor};

use super::Outputs;
use super::init::{Drawer, Made, fan};

/// The widths of all layers.
pub(crate) struct Plan {
    widths: Vec<i64>,
    output_shape: Vec<i64>,
}

/// The built model.
pub(crate) struct Mlp {
    /// Weight (out, in) and bias (out) of each layer.
    layers: Vec<(Tensor, Tensor)>,
    /// Shape of a batch of outputs, -1 for the batch.
    output_shape: Vec<i64>,
}

impl Plan {
    pub(super) fn new(hidden: &[i64], input: &[i64], outputs: Outputs) -> Result<Self, Failure> {
        let mut widths = vec![input.iter().product()];
        widths.extend(hidden);
        widths.push(outputs.width);
        Ok(Self {
            widths,
            output_shape: [vec![-1], outputs.shape].concat(),
        })
    }

    pub(super) fn build(&self, seed: u64, device: Device) -> Result<(Mlp, Made), TchError> {
        let mut drawer = Drawer::new(seed, device);
        let mut layers = Vec::with_capacity(self.widths.len());
        for (index, pair) in self.widths.windows(2).enumerate() {
            let (input, output) = (pair[0], pair[1]);
            let fan_in = fan(input);
            let weight =
                drawer.weight(format!("layers.{index}.weight"), &[output, input], fan_in)?;
            let bias = drawer.bias(format!("layers.{index}.bias"), output, fan_in)?;
            layers.push((weight, bias));
        }
        let mlp = Mlp {
            layers,
            output_shape: self.output_shape.clone(),
        };
        Ok((mlp, drawer.made))
    }
}

impl Mlp {
    pub(super) fn forward(&self, inputs: &Tensor) -> Result<Tensor, TchError> {
        let mut x = inputs.f_to_kind(Kind::Float)?;
        if x.dim() != 2 {
            x = x.f_reshape([inputs.size().first().copied().unwrap_or(0), -1])?;
        }
        for (index, (weight, bias)) in self.layers.iter().enumerate() {
            if index > 0 {
                x = x.f_relu()?;
            }
            x = x.f_linear(weight, Some(bias))?;
        }
        if self.output_shape.len() == 2 {
            Ok(x)
        } else {
            x.f_reshape(&self.output_shape)
        }
    }
}
