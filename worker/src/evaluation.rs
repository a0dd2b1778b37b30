//! The loss on other data, in place of the training loss.

use rangefinder_session::trainer::Failure;
use tch::{Device, Kind, TchError, Tensor};

use crate::failure;
use crate::loss::Loss;
use crate::model::Model;
use crate::recipe::{self, Recipe};
use crate::samples::{Batch, Kinds, Samples};

/// Seed of what is random in an evaluation all the same: it is the same every time.
const SEED: i64 = 0;

/// Fixed batches, on their device.
pub(crate) struct Evaluation {
    batches: Vec<(Batch, f64)>,
    /// Samples in all of them.
    samples: f64,
    /// Optimizer steps in a global step.
    pub every: u32,
}

impl Evaluation {
    /// The first batches of the data, in file order; all, where the data have no more.
    ///
    /// # Errors
    /// A user's failure when the targets do not suit the loss.
    pub(crate) fn new(
        recipe: &Recipe,
        asked: &recipe::Evaluation,
        samples: &Samples,
        float: Kind,
        device: Device,
    ) -> Result<Self, Failure> {
        let stored = crate::foreign::kind(samples.targets().dtype());
        let kinds = Kinds {
            float,
            targets: recipe.loss.target_kind(stored, float).map_err(blame)?,
        };
        let (size, count) = (u64::from(recipe.batch_size), samples.count());
        let batches = (0..u64::from(asked.batches).min(count.div_ceil(size)))
            .map(|batch| {
                let (first, end) = (batch * size, ((batch + 1) * size).min(count));
                let indices: Vec<i64> = (first..end).map(u64::cast_signed).collect();
                #[expect(clippy::cast_precision_loss, reason = "samples in a batch")]
                let weight = (end - first) as f64;
                Ok((samples.batch(&indices, kinds, device)?, weight))
            })
            .collect::<Result<Vec<_>, TchError>>()
            .map_err(|error| failure::evaluating(&error, recipe.batch_size, asked.batches))?;
        Ok(Self {
            samples: batches.iter().map(|(_, weight)| weight).sum(),
            batches,
            every: asked.every,
        })
    }

    /// One of the batches, to be looked at.
    pub(crate) fn batches(&self) -> impl Iterator<Item = &Batch> {
        self.batches.iter().map(|(batch, _)| batch)
    }

    /// The mean loss over all samples, in evaluation mode and without a gradient. The model is in
    /// training mode before and after.
    pub(crate) fn loss(&self, model: &mut Model, loss: Loss) -> Result<Tensor, TchError> {
        let _guard = tch::no_grad_guard();
        model.set_training(false)?;
        tch::manual_seed(SEED);
        let mean = self.mean(model, loss);
        model.set_training(true)?;
        mean
    }

    fn mean(&self, model: &Model, loss: Loss) -> Result<Tensor, TchError> {
        let mut total: Option<Tensor> = None;
        for (batch, weight) in &self.batches {
            let part = loss
                .of(model, batch)?
                .f_reshape([])?
                .f_to_kind(Kind::Double)?
                .f_mul_scalar(weight / self.samples)?;
            total = Some(match total {
                None => part,
                Some(sum) => sum.f_add(&part)?,
            });
        }
        total.ok_or_else(|| TchError::Shape("an evaluation without batches".to_owned()))
    }
}

/// What is wrong with data is wrong with the evaluation's.
pub(crate) fn blame(mut failure: Failure) -> Failure {
    for field in &mut failure.fields {
        field.field = "eval_data".to_owned();
        field.message = format!("the evaluation data: {}", field.message);
    }
    failure.message = format!("the evaluation data: {}", failure.message);
    failure
}
