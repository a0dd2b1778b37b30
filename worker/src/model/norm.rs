//! `torch.nn.BatchNorm2d`.

use tch::{Kind, TchError, Tensor};

use super::init::Drawer;

/// Added to the variance.
const EPS: f64 = 1e-5;

/// Weight of the newest batch in the running statistics.
const MOMENTUM: f64 = 0.1;

/// In training a batch is normalised by its own statistics; in evaluation by the running ones.
pub(super) struct BatchNorm {
    scale: Tensor,
    shift: Tensor,
    mean: Tensor,
    variance: Tensor,
}

impl BatchNorm {
    pub(super) fn new(drawer: &mut Drawer, name: &str, channels: i64) -> Result<Self, TchError> {
        let float = Kind::Float;
        let norm = Self {
            scale: drawer.constant(format!("{name}.weight"), channels, 1.0)?,
            shift: drawer.constant(format!("{name}.bias"), channels, 0.0)?,
            mean: drawer.buffer(format!("{name}.running_mean"), &[channels], 0.0, float)?,
            variance: drawer.buffer(format!("{name}.running_var"), &[channels], 1.0, float)?,
        };
        // Checkpoints have it; with a fixed momentum it enters nothing.
        let _ = drawer.buffer(format!("{name}.num_batches_tracked"), &[], 0.0, Kind::Int64)?;
        Ok(norm)
    }

    pub(super) fn forward(&self, x: &Tensor, training: bool) -> Result<Tensor, TchError> {
        x.f_batch_norm(
            Some(&self.scale),
            Some(&self.shift),
            Some(&self.mean),
            Some(&self.variance),
            training,
            MOMENTUM,
            EPS,
            true,
        )
    }
}
