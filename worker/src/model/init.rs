//! Initial weights, drawn as PyTorch's layers draw theirs: after `torch.manual_seed(seed)`, the
//! same layers made in the same order have the same weights, bit for bit.

use tch::{Device, Kind, TchError, Tensor};

use crate::flat::Named;

/// Draws parameters one after the other, on the CPU, and puts them on their device.
pub(super) struct Drawer {
    device: Device,
    pub parameters: Vec<Named>,
}

impl Drawer {
    /// Restarts libtorch's generator: what is drawn is a function of the seed alone.
    pub(super) fn new(seed: u64, device: Device) -> Self {
        tch::manual_seed(seed.cast_signed());
        Self {
            device,
            parameters: Vec::new(),
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

    fn uniform(&mut self, name: String, shape: &[i64], bound: f64) -> Result<Tensor, TchError> {
        let mut tensor = Tensor::f_empty(shape, (Kind::Float, Device::Cpu))?;
        let _ = tensor.f_uniform_(-bound, bound)?;
        self.keep(name, &tensor.f_to_device(self.device)?)
    }

    fn keep(&mut self, name: String, tensor: &Tensor) -> Result<Tensor, TchError> {
        let tensor = tensor.f_set_requires_grad(true)?;
        self.parameters.push(Named {
            name,
            tensor: tensor.shallow_clone(),
        });
        Ok(tensor)
    }
}
