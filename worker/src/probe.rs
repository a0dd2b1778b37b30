//! A few optimizer steps at the initial weights: how large the gradient is, how long a step takes,
//! how much memory it needs.

use std::time::Instant;

use rangefinder_proto::v1::Probed;
use rangefinder_session::trainer::Failure;
use tch::{Cuda, Device, Kind, TchError, Tensor};

use crate::device;
use crate::parameters::Gradients;
use crate::recipe::Recipe;
use crate::run::Run;
use crate::samples::Samples;

/// Runs the evaluation, if there is one, and the first updates, at least 2, each with all batches
/// that it accumulates. The weights stay where they are: the updates, which are run to be timed and
/// to take their memory, have the learning rate 0.
pub(crate) fn run(
    recipe: &Recipe,
    samples: &Samples,
    run: &mut Run,
    updates: u32,
    device: Device,
) -> Result<Probed, Failure> {
    measure(samples, run, updates.max(2), device).map_err(|error| recipe.trouble(&error))
}

#[expect(clippy::disallowed_methods, reason = "a probe times whole steps")]
fn measure(
    samples: &Samples,
    run: &mut Run,
    updates: u32,
    device: Device,
) -> Result<Probed, TchError> {
    let mut gradients = GradientSum::default();
    let mut losses = 0.0;
    let mut seconds = Vec::new();
    let evaluation = evaluation_seconds(run)?;
    for step in 0..u64::from(updates) {
        let start = Instant::now();
        let (loss, mut gradient) = run.gradients(samples, step)?;
        run.update(&mut gradient, 0.0)?;
        losses += loss.f_reshape([])?.f_double_value(&[])?;
        if let Device::Cuda(index) = device {
            Cuda::synchronize(i64::try_from(index).unwrap_or(0));
        }
        seconds.push(start.elapsed().as_secs_f64());
        gradients.add(&gradient)?;
    }
    // The first step warms up caches and allocators.
    let steady = seconds.get_mut(1..).unwrap_or_default();
    steady.sort_by(f64::total_cmp);
    let seconds_per_update = steady.get(steady.len() / 2).copied().unwrap_or(0.0);
    let (gradient_squared, gradient_l1) = gradients.norms(f64::from(updates))?;
    Ok(Probed {
        lease_token: 0,
        initial_loss: losses / f64::from(updates),
        gradient_squared,
        gradient_l1,
        seconds_per_step: evaluation + seconds_per_update * f64::from(run.updates_per_step()),
        peak_memory_bytes: device::peak_memory_bytes(device),
    })
}

/// Seconds that the evaluation before a global step takes, once it is warm; 0 without one.
#[expect(clippy::disallowed_methods, reason = "a probe times whole evaluations")]
fn evaluation_seconds(run: &mut Run) -> Result<f64, TchError> {
    let mut seconds = 0.0;
    for _ in 0..2 {
        let start = Instant::now();
        let Some(loss) = run.evaluate()? else {
            return Ok(0.0);
        };
        loss.f_double_value(&[])?;
        seconds = start.elapsed().as_secs_f64();
    }
    Ok(seconds)
}

/// Sums over steps of the gradient and of its squared norm.
#[derive(Default)]
struct GradientSum {
    /// One per parameter, once it has had a gradient.
    sums: Vec<Option<Tensor>>,
    squared_norms: f64,
}

impl GradientSum {
    fn add(&mut self, gradients: &Gradients) -> Result<(), TchError> {
        let _guard = tch::no_grad_guard();
        self.sums.resize_with(gradients.len(), || None);
        for (sum, gradient) in self.sums.iter_mut().zip(gradients) {
            let Some(gradient) = gradient else {
                continue;
            };
            self.squared_norms += total(&gradient.f_square()?)?;
            match sum {
                Some(sum) => {
                    let _ = sum.f_add_(gradient)?;
                }
                // The next step writes to the gradient itself.
                None => {
                    let mut first = gradient.f_empty_like()?;
                    first.f_copy_(gradient)?;
                    *sum = Some(first);
                }
            }
        }
        Ok(())
    }

    /// |mean g|^2 without the part that the noise of finitely many updates adds,
    /// (|sum g|^2 - sum |g_b|^2) / (B (B - 1)), at least 0; and |mean g|_1.
    fn norms(&self, updates: f64) -> Result<(f64, f64), TchError> {
        let _guard = tch::no_grad_guard();
        let (mut square, mut absolute) = (0.0, 0.0);
        for sum in self.sums.iter().flatten() {
            square += total(&sum.f_square()?)?;
            absolute += total(&sum.f_abs()?)?;
        }
        let unbiased = (square - self.squared_norms) / (updates * (updates - 1.0));
        Ok((unbiased.max(0.0), absolute / updates))
    }
}

#[expect(clippy::disallowed_methods, reason = "a probe waits between its steps")]
fn total(tensor: &Tensor) -> Result<f64, TchError> {
    tensor.f_sum(Kind::Double)?.f_double_value(&[])
}
