//! The arithmetic of the model.

use rangefinder_errors::Code;
use rangefinder_session::trainer::Failure;
use tch::{Device, TchError};

use crate::failure;
use crate::foreign::{self, Autocast};

/// In what numbers the model computes. Weights, optimizer and loss are float32 always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Precision {
    /// float32.
    Fp32,
    /// float32, whose products and convolutions a GPU may compute in TF32.
    Tf32,
    /// PyTorch's autocast to bfloat16.
    Bf16,
}

impl Precision {
    pub(crate) fn parse(name: &str) -> Result<Self, Failure> {
        match name {
            "" | "fp32" => Ok(Self::Fp32),
            "tf32" => Ok(Self::Tf32),
            "bf16" => Ok(Self::Bf16),
            other => Err(failure::user(
                Code::UnknownName,
                "precision",
                format!("unknown precision `{other}`"),
                "use one of fp32, tf32, bf16",
            )),
        }
    }

    /// Sets the process up for training on a GPU; a CPU knows no TF32.
    pub(crate) fn prepare(self, device: Device) -> Result<(), TchError> {
        if device.is_cuda() {
            return foreign::allow_tf32(self == Self::Tf32);
        }
        Ok(())
    }

    /// What must live while a batch goes through model and loss, and no longer.
    pub(crate) fn forward(self, device: Device) -> Result<Option<Autocast>, TchError> {
        (self == Self::Bf16)
            .then(|| Autocast::on(device))
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Kind, Tensor};

    #[test]
    fn a_linear_layers_output_is_bfloat16_under_bf16_and_float32_otherwise() {
        let (x, w) = (
            Tensor::ones([4, 8], (Kind::Float, Device::Cpu)),
            Tensor::ones([2, 8], (Kind::Float, Device::Cpu)).set_requires_grad(true),
        );
        let kind = |precision: Precision| {
            let _forward = precision.forward(Device::Cpu).unwrap();
            x.linear(&w, None::<&Tensor>).kind()
        };
        assert_eq!(kind(Precision::Bf16), Kind::BFloat16);
        assert_eq!(kind(Precision::Fp32), Kind::Float);
        assert_eq!(kind(Precision::Tf32), Kind::Float);
    }

    #[test]
    fn the_loss_of_bfloat16_outputs_is_float32() {
        let _forward = Precision::Bf16.forward(Device::Cpu).unwrap();
        let logits = Tensor::ones([4, 2], (Kind::BFloat16, Device::Cpu));
        let classes = Tensor::zeros([4], (Kind::Int64, Device::Cpu));
        assert_eq!(
            logits.cross_entropy_for_logits(&classes).kind(),
            Kind::Float
        );
        let targets = Tensor::zeros([4, 2], (Kind::Float, Device::Cpu));
        let mse = logits.mse_loss(&targets, tch::Reduction::Mean);
        assert_eq!(mse.kind(), Kind::Float);
    }

    #[test]
    fn an_unknown_precision_is_named() {
        let failure = Precision::parse("fp16").unwrap_err();
        assert_eq!(failure.fields[0].field, "precision");
    }
}
