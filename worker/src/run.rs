//! One task in training: model, optimizer and the order of the data, from the initial weights on.

use rangefinder_data::{Augmentation, BatchOrder};
use rangefinder_session::trainer::{Failure, StepLoss};
use tch::{Device, TchError, Tensor};

use crate::augment;
use crate::evaluation::Evaluation;
use crate::failure;
use crate::flat::{FlatParameters, Gradients, Named};
use crate::loss::Loss;
use crate::model::Model;
use crate::noise;
use crate::optimizer::{Optimizer, restore};
use crate::recipe::Recipe;
use crate::samples::{Batch, Kinds, Samples};

/// Losses are left on a GPU for this many steps before they are read, since reading waits for it.
const STEPS_PER_READ: usize = 32;

/// A task in training.
pub(crate) struct Run {
    pub(crate) model: Model,
    pub(crate) parameters: FlatParameters,
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
    indices: Vec<i64>,
    /// Steps whose losses are still on the device, and those losses.
    waiting: Vec<(StepLoss, Tensor)>,
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
        let float = model.float_kind();
        let stored = crate::foreign::kind(samples.targets().dtype());
        let kinds = Kinds {
            float,
            targets: recipe.loss.target_kind(stored, float)?,
        };
        let (parameters, optimizer) = prepare(recipe, &model)?;
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
            parameters,
            order,
            kinds,
            loss: recipe.loss,
            device,
            seed: recipe.seed,
            replica,
            augmentation: recipe.augmentation,
            batch_size: recipe.batch_size,
            indices: Vec::new(),
            waiting: Vec::new(),
        })
    }

    pub(crate) fn order(&self) -> &BatchOrder {
        &self.order
    }

    /// The batch of a global step, with libtorch's generators where that step's noise begins.
    pub(crate) fn batch(&mut self, samples: &Samples, step: u64) -> Result<Batch, TchError> {
        self.order.fill(step, &mut self.indices);
        tch::manual_seed(noise::seed_of_step(self.seed, self.replica, step));
        let mut batch = samples.batch(&self.indices, self.kinds, self.device)?;
        augment::apply(self.augmentation, &mut batch, self.seed, self.replica, step)?;
        Ok(batch)
    }

    /// The loss of a batch and its gradients, one list per flat buffer.
    pub(crate) fn gradients(&self, batch: &Batch) -> Result<(Tensor, Vec<Gradients>), TchError> {
        let loss = self.loss.of(&self.model, batch)?;
        let gradients = self.parameters.gradients(&loss)?;
        Ok((loss, gradients))
    }

    /// Moves the weights.
    pub(crate) fn update(&mut self, gradients: &[Gradients], lr: f64) -> Result<(), TchError> {
        self.optimizer.step(&self.parameters, gradients, lr)
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
            .map_err(|error| failure::training(&error, self.batch_size))?;
        let entry = StepLoss {
            step,
            lr,
            loss: f64::NAN,
            samples: self.samples_of(step),
        };
        self.waiting.push((entry, loss));
        if self.device == Device::Cpu || self.waiting.len() >= STEPS_PER_READ {
            self.flush(losses)?;
        }
        Ok(())
    }

    /// The loss of the evaluation at the weights as they are, if there is an evaluation.
    pub(crate) fn evaluate(&mut self) -> Result<Option<Tensor>, TchError> {
        self.evaluation
            .as_ref()
            .map(|evaluation| evaluation.loss(&mut self.model, self.loss))
            .transpose()
    }

    pub(crate) fn evaluation_batches(&self) -> impl Iterator<Item = &Batch> {
        self.evaluation.iter().flat_map(Evaluation::batches)
    }

    /// Optimizer steps in a global step.
    fn every(&self) -> u64 {
        self.evaluation.as_ref().map_or(1, |evaluation| evaluation.every)
    }

    /// Samples that a global step trains on.
    fn samples_of(&self, step: u64) -> u32 {
        (step * self.every()..(step + 1) * self.every())
            .map(|step| self.order.batch_len(step))
            .fold(0, u32::saturating_add)
    }

    /// Global steps in an epoch.
    pub(crate) fn steps_per_epoch(&self) -> u64 {
        self.order.steps_per_epoch().div_ceil(self.every())
    }

    /// One global step: the loss that is observed, before its update or updates.
    fn train(&mut self, samples: &Samples, step: u64, lr: f64) -> Result<Tensor, TchError> {
        let Some(observed) = self.evaluate()? else {
            return self.optimize(samples, step, lr);
        };
        for step in step * self.every()..(step + 1) * self.every() {
            self.optimize(samples, step, lr)?;
        }
        Ok(observed)
    }

    fn optimize(&mut self, samples: &Samples, step: u64, lr: f64) -> Result<Tensor, TchError> {
        let batch = self.batch(samples, step)?;
        let (loss, gradients) = self.gradients(&batch)?;
        self.update(&gradients, lr)?;
        loss.f_detach()
    }

    /// Appends all losses that are still on the device, read in one copy.
    pub(crate) fn flush(&mut self, losses: &mut Vec<StepLoss>) -> Result<(), Failure> {
        let waiting = std::mem::take(&mut self.waiting);
        let values = read(&waiting).map_err(|error| failure::training(&error, self.batch_size))?;
        losses.extend(
            waiting
                .into_iter()
                .zip(values)
                .map(|((entry, _), loss)| StepLoss { loss, ..entry }),
        );
        Ok(())
    }
}

/// The parameters in flat tensors, those of a group side by side, and their optimizer.
fn prepare(
    recipe: &Recipe,
    model: &Model,
) -> Result<(FlatParameters, Optimizer), Failure> {
    let trouble = |error: TchError| failure::training(&error, recipe.batch_size);
    let plan = &recipe.optimizer;
    let trainable: Vec<String> = model.parameters.iter().map(|p| p.name.clone()).collect();
    plan.check(&trainable)?;
    let mut sorted: Vec<&Named> = model.parameters.iter().collect();
    sorted.sort_by_key(|parameter| plan.group_of(&parameter.name));
    let parameters = FlatParameters::adopt(&sorted).map_err(trouble)?;
    let mut optimizer = Optimizer::new(plan, &parameters).map_err(trouble)?;
    if let Some(path) = &plan.state {
        let slots = || parameters.buffers.iter().flat_map(|buffer| &buffer.slots);
        let expected: Vec<restore::Expected<'_>> = model
            .parameters
            .iter()
            .filter(|parameter| slots().any(|slot| slot.name == parameter.name))
            .map(|parameter| restore::Expected {
                name: &parameter.name,
                shape: parameter.tensor.size(),
            })
            .collect();
        let memories = restore::read(path, plan, &expected, &model.all_names)?;
        optimizer.restore(&parameters, &memories).map_err(trouble)?;
    }
    Ok((parameters, optimizer))
}

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
                .f_to_kind(tch::Kind::Double)?
                .f_to_device(Device::Cpu)?;
            let mut values = vec![0.0; several.len()];
            together.f_copy_data(&mut values, several.len())?;
            Ok(values)
        }
    }
}
