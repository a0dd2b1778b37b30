//! One task in training: model, optimizer and the order of the data, from the initial weights on.

use std::ops::Range;

use rangefinder_data::{Augmentation, BatchOrder};
use rangefinder_errors::Code;
use rangefinder_session::trainer::{Failure, StepLoss};
use tch::{Device, Kind, TchError, Tensor};

use crate::augment;
use crate::evaluation::Evaluation;
use crate::failure;
use crate::foreign::Autocast;
use crate::loss::Loss;
use crate::model::Model;
use crate::noise;
use crate::optimizer::{Optimizer, restore};
use crate::parameters::Gradients;
use crate::precision::Precision;
use crate::recipe::Recipe;
use crate::samples::{Batch, Kinds, Samples};

/// Losses are left on a GPU for this many steps before they are read, since reading waits for it.
const STEPS_PER_READ: usize = 32;

/// A task in training.
pub(crate) struct Run {
    pub(crate) model: Model,
    optimizer: Optimizer,
    order: BatchOrder,
    kinds: Kinds,
    loss: Loss,
    /// What is observed instead of the training loss.
    evaluation: Option<Evaluation>,
    device: Device,
    seed: u64,
    replica: u32,
    augmentation: Augmentation,
    batch_size: u32,
    /// Batches in an update of the weights.
    accumulate: u32,
    precision: Precision,
    indices: Vec<i64>,
    /// Steps whose losses are still on the device, and those losses.
    waiting: Vec<(StepLoss, Tensor)>,
    synchronisations: u64,
}

impl Run {
    /// A model with its initial weights, a fresh optimizer and the data order of a replica.
    pub(crate) fn new(
        recipe: &Recipe,
        samples: &Samples,
        evaluated: Option<&Samples>,
        model: Model,
        device: Device,
        replica: u32,
    ) -> Result<Self, Failure> {
        let order = BatchOrder::new(
            samples.count(),
            recipe.batch_size,
            recipe.shuffle,
            recipe.drop_last,
            recipe.seed,
            replica,
        )
        .map_err(failure::data)?;
        step_fits(recipe, samples.count())?;
        let float = model.float_kind();
        let stored = crate::foreign::kind(samples.targets().dtype());
        let kinds = Kinds {
            float,
            targets: recipe.loss.target_kind(stored, float)?,
        };
        let optimizer = optimizer(recipe, &model)?;
        let evaluation = match (&recipe.evaluation, evaluated) {
            (Some(asked), Some(samples)) => {
                Some(Evaluation::new(recipe, asked, samples, float, device)?)
            }
            _ => None,
        };
        Ok(Self {
            optimizer,
            evaluation,
            model,
            order,
            kinds,
            loss: recipe.loss,
            device,
            seed: recipe.seed,
            replica,
            augmentation: recipe.augmentation,
            batch_size: recipe.batch_size,
            accumulate: recipe.accumulate,
            precision: recipe.precision,
            indices: Vec::new(),
            waiting: Vec::new(),
            synchronisations: 0,
        })
    }

    /// The same run for a task whose first global step is `step`.
    pub(crate) fn starting_at(mut self, step: u64) -> Self {
        self.optimizer.start_late(self.updates(step).start);
        self
    }

    /// How often training has waited for the device so far.
    pub(crate) fn synchronisations(&self) -> u64 {
        self.synchronisations
    }

    /// What must live while a batch goes through model and loss, and no longer.
    pub(crate) fn forward(&self) -> Result<Option<Autocast>, TchError> {
        self.precision.forward(self.device)
    }

    /// A batch by its place in the order, with libtorch's generators where its noise begins.
    pub(crate) fn batch(&mut self, samples: &Samples, index: u64) -> Result<Batch, TchError> {
        self.order.fill(index, &mut self.indices);
        tch::manual_seed(noise::seed_of_batch(self.seed, self.replica, index));
        let mut batch = samples.batch(&self.indices, self.kinds, self.device)?;
        augment::apply(
            self.augmentation,
            &mut batch,
            self.seed,
            self.replica,
            index,
        )?;
        Ok(batch)
    }

    /// Backward passes over the batches of an update: the mean loss over their samples, and its
    /// gradients. As in PyTorch's own loop, each batch adds the gradients of its share of the mean.
    pub(crate) fn gradients(
        &mut self,
        samples: &Samples,
        update: u64,
    ) -> Result<(Tensor, Gradients), TchError> {
        self.model.parameters.clear_gradients()?;
        let all = f64::from(self.samples_of(self.window(update)));
        let mut mean: Option<Tensor> = None;
        for index in self.window(update) {
            let batch = self.batch(samples, index)?;
            let mut loss = self.loss_of(&batch)?;
            if self.accumulate > 1 {
                loss = loss.f_div_scalar(all / f64::from(self.order.batch_len(index)))?;
            }
            loss.f_backward()?;
            let loss = loss.f_detach()?;
            mean = Some(match mean {
                None if self.accumulate == 1 => loss,
                None => loss.f_to_kind(Kind::Double)?,
                Some(sum) => sum.f_add(&loss)?,
            });
        }
        let mean = mean.ok_or_else(|| TchError::Shape("a step without batches".to_owned()))?;
        Ok((mean, self.model.parameters.gradients()?))
    }

    fn loss_of(&self, batch: &Batch) -> Result<Tensor, TchError> {
        let _forward = self.forward()?;
        self.loss.of(&self.model, batch)
    }

    /// Moves the weights. Clips the gradients in place.
    pub(crate) fn update(&mut self, gradients: &mut Gradients, lr: f64) -> Result<(), TchError> {
        self.optimizer.step(&self.model.parameters, gradients, lr)
    }

    /// Trains one step; appends the losses that are known by now.
    pub(crate) fn step(
        &mut self,
        samples: &Samples,
        step: u64,
        lr: f64,
        losses: &mut Vec<StepLoss>,
    ) -> Result<(), Failure> {
        let loss = self
            .train(samples, step, lr)
            .map_err(|error| self.trouble(&error))?;
        let updates = self.updates(step);
        let entry = StepLoss {
            step,
            lr,
            loss: f64::NAN,
            samples: self
                .samples_of(self.window(updates.start).start..self.window(updates.end).start),
        };
        self.waiting.push((entry, loss));
        if self.device == Device::Cpu || self.waiting.len() >= STEPS_PER_READ {
            self.flush(losses)?;
        }
        Ok(())
    }

    /// The loss of the evaluation at the weights as they are, if there is an evaluation.
    pub(crate) fn evaluate(&mut self) -> Result<Option<Tensor>, TchError> {
        let _forward = self.forward()?;
        self.evaluation
            .as_ref()
            .map(|evaluation| evaluation.loss(&mut self.model, self.loss))
            .transpose()
    }

    pub(crate) fn evaluation_batches(&self) -> impl Iterator<Item = &Batch> {
        self.evaluation.iter().flat_map(Evaluation::batches)
    }

    fn trouble(&self, error: &TchError) -> Failure {
        failure::training(error, self.batch_size, self.accumulate)
    }

    /// How many updates of the weights a global step has.
    pub(crate) fn updates_per_step(&self) -> u32 {
        self.evaluation.as_ref().map_or(1, |e| e.every)
    }

    /// Updates of the weights in a global step.
    fn updates(&self, step: u64) -> Range<u64> {
        multiple(step, self.updates_per_step().into())
    }

    /// The batches of an update, by their places in the order: consecutive ones, which may go on from
    /// one epoch into the next.
    fn window(&self, update: u64) -> Range<u64> {
        multiple(update, self.accumulate.into())
    }

    /// Samples in some batches.
    fn samples_of(&self, batches: Range<u64>) -> u32 {
        batches
            .map(|index| self.order.batch_len(index))
            .fold(0, u32::saturating_add)
    }

    /// Global steps that see every sample at least once.
    pub(crate) fn steps_per_epoch(&self) -> u64 {
        let updates = self
            .order
            .steps_per_epoch()
            .div_ceil(self.accumulate.into());
        updates.div_ceil(self.updates_per_step().into())
    }

    /// One global step: the loss that is observed, before its update or updates.
    fn train(&mut self, samples: &Samples, step: u64, lr: f64) -> Result<Tensor, TchError> {
        let observed = self.evaluate()?;
        let mut trained = None;
        for update in self.updates(step) {
            let (loss, mut gradients) = self.gradients(samples, update)?;
            self.update(&mut gradients, lr)?;
            trained = Some(loss);
        }
        observed
            .or(trained)
            .ok_or_else(|| TchError::Shape("a step without an update".to_owned()))
    }

    /// Appends all losses that are still on the device, read in one copy.
    pub(crate) fn flush(&mut self, losses: &mut Vec<StepLoss>) -> Result<(), Failure> {
        let waiting = std::mem::take(&mut self.waiting);
        if !waiting.is_empty() {
            self.synchronisations += 1;
        }
        let values = read(&waiting).map_err(|error| self.trouble(&error))?;
        losses.extend(
            waiting
                .into_iter()
                .zip(values)
                .map(|((entry, _), loss)| StepLoss { loss, ..entry }),
        );
        Ok(())
    }
}

/// The indices that belong to place `index` where `each` has so many.
fn multiple(index: u64, each: u64) -> Range<u64> {
    let first = index.saturating_mul(each);
    first..first.saturating_add(each)
}

/// Checks that one update does not see samples twice: its batches follow on each other.
fn step_fits(recipe: &Recipe, samples: u64) -> Result<(), Failure> {
    let (batch_size, accumulate) = (recipe.batch_size, recipe.accumulate);
    let wanted = u64::from(batch_size) * u64::from(accumulate);
    if wanted <= samples {
        return Ok(());
    }
    Err(failure::user(
        Code::BatchLargerThanData,
        "accumulate",
        format!(
            "{accumulate} batches of batch_size {batch_size} are {wanted} samples a step, more than \
             the data, which has {samples}"
        ),
        format!(
            "use a global_batch_size or accumulate for at most {samples} samples, or more data"
        ),
    ))
}

/// The optimizer over a model's parameters, from its saved state where there is one.
fn optimizer(recipe: &Recipe, model: &Model) -> Result<Optimizer, Failure> {
    let (plan, parameters) = (&recipe.optimizer, &model.parameters);
    plan.check(&parameters.names())?;
    let mut optimizer = Optimizer::new(plan, parameters);
    if let Some(path) = &plan.state {
        let expected: Vec<restore::Expected<'_>> = parameters
            .slots()
            .iter()
            .map(|slot| restore::Expected {
                name: slot.name(),
                shape: slot.weights().size(),
            })
            .collect();
        let memories = restore::read(path, plan, &expected, &model.all_names)?;
        optimizer
            .restore(parameters, &memories)
            .map_err(|error| recipe.trouble_before(&error))?;
    }
    Ok(optimizer)
}

/// The losses of steps, in one copy.
#[expect(
    clippy::disallowed_methods,
    reason = "the only wait of a step, which `Run::flush` counts"
)]
fn read(waiting: &[(StepLoss, Tensor)]) -> Result<Vec<f64>, TchError> {
    match waiting {
        [] => Ok(Vec::new()),
        [(_, loss)] => Ok(vec![loss.f_reshape([])?.f_double_value(&[])?]),
        several => {
            let losses = several
                .iter()
                .map(|(_, loss)| loss.f_reshape([]))
                .collect::<Result<Vec<_>, _>>()?;
            let together = Tensor::f_stack(&losses, 0)?
                .f_to_kind(Kind::Double)?
                .f_to_device(Device::Cpu)?;
            let mut values = vec![0.0; several.len()];
            together.f_copy_data(&mut values, several.len())?;
            Ok(values)
        }
    }
}
