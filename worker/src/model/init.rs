//! Initial weights, drawn as PyTorch's layers draw theirs: after `torch.manual_seed(seed)`, the
//! same layers made in the same order have the same weights, bit for bit.

use tch::{Device, Kind, TchError, Tensor};

use crate::parameters::Named;

/// Draws parameters one after the other, on the CPU, and puts them on their device.
pub(super) struct Drawer {
    device: Device,
    pub made: Made,
}

/// The tensors of a model, each in PyTorch's order.
#[derive(Default)]
pub(super) struct Made {
    pub parameters: Vec<Named>,
    pub buffers: Vec<Named>,
    /// Second names of parameters, which a checkpoint may use too.
    pub aliases: Vec<Named>,
}

impl Drawer {
    /// Restarts libtorch's generator: what is drawn is a function of the seed alone.
    pub(super) fn new(seed: u64, device: Device) -> Self {
        tch::manual_seed(seed.cast_signed());
        Self {
            device,
            made: Made::default(),
        }
    }

    /// `reset_parameters` of `torch.nn.Linear` and `torch.nn.Conv2d`: `kaiming_uniform_` with
    /// a = sqrt(5) (He et al., 2015, in PyTorch's form), where `fan_in` weights lead to an output.
    pub(super) fn weight(
        &mut self,
        name: String,
        shape: &[i64],
        fan_in: f64,
    ) -> Result<Tensor, TchError> {
        let slope = 5_f64.sqrt();
        let gain = (2.0 / (1.0 + slope * slope)).sqrt();
        let deviation = gain / fan_in.sqrt();
        self.uniform(name, shape, 3_f64.sqrt() * deviation)
    }

    /// The bias of the same layers: uniform within 1/sqrt(fan_in).
    pub(super) fn bias(&mut self, name: String, len: i64, fan_in: f64) -> Result<Tensor, TchError> {
        self.uniform(name, &[len], 1.0 / fan_in.sqrt())
    }

    /// Normally distributed around 0. `kaiming_normal_` in its mode `fan_out` for ReLU has the
    /// deviation sqrt(2 / fan_out).
    pub(super) fn normal(
        &mut self,
        name: String,
        shape: &[i64],
        deviation: f64,
    ) -> Result<Tensor, TchError> {
        let mut tensor = Tensor::f_empty(shape, (Kind::Float, Device::Cpu))?;
        let _ = tensor.f_normal_(0.0, deviation)?;
        self.keep_drawn(name, &tensor)
    }

    /// A parameter with one value throughout.
    pub(super) fn constant(
        &mut self,
        name: String,
        len: i64,
        value: f64,
    ) -> Result<Tensor, TchError> {
        let tensor = Tensor::f_full([len], value, (Kind::Float, self.device))?;
        self.keep(name, &tensor)
    }

    /// A buffer with one value throughout.
    pub(super) fn buffer(
        &mut self,
        name: String,
        shape: &[i64],
        value: f64,
        kind: Kind,
    ) -> Result<Tensor, TchError> {
        let tensor = Tensor::f_full(shape, value, (kind, self.device))?;
        self.made.buffers.push(Named {
            name,
            tensor: tensor.shallow_clone(),
        });
        Ok(tensor)
    }

    /// A second name of a parameter.
    pub(super) fn alias(&mut self, name: String, tensor: &Tensor) {
        self.made.aliases.push(Named {
            name,
            tensor: tensor.shallow_clone(),
        });
    }

    fn uniform(&mut self, name: String, shape: &[i64], bound: f64) -> Result<Tensor, TchError> {
        let mut tensor = Tensor::f_empty(shape, (Kind::Float, Device::Cpu))?;
        let _ = tensor.f_uniform_(-bound, bound)?;
        self.keep_drawn(name, &tensor)
    }

    #[expect(clippy::disallowed_methods, reason = "once before the first step")]
    fn keep_drawn(&mut self, name: String, tensor: &Tensor) -> Result<Tensor, TchError> {
        self.keep(name, &tensor.f_to_device(self.device)?)
    }

    fn keep(&mut self, name: String, tensor: &Tensor) -> Result<Tensor, TchError> {
        let tensor = tensor.f_set_requires_grad(true)?;
        self.made.parameters.push(Named {
            name,
            tensor: tensor.shallow_clone(),
        });
        Ok(tensor)
    }
}

/// A count as a divisor.
#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
pub(super) fn fan(weights: i64) -> f64 {
    weights as f64
}
