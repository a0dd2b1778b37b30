//! One task in training: model, optimizer and the order of the data, from the initial weights on.

use rangefinder_data::BatchOrder;
use rangefinder_session::trainer::{Failure, StepLoss};
use tch::{Device, TchError, Tensor};

use crate::failure;
use crate::flat::{FlatParameters, Gradients};
use crate::loss::Loss;
use crate::model::Model;
use crate::noise;
use crate::optimizer::Optimizer;
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
    device: Device,
    seed: u64,
    replica: u32,
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
        let parameters = FlatParameters::adopt(&model.parameters)
            .map_err(|error| failure::training(&error, recipe.batch_size))?;
        Ok(Self {
            optimizer: Optimizer::new(recipe.optimizer.clone(), &parameters),
            model,
            parameters,
            order,
            kinds,
            loss: recipe.loss,
            device,
            seed: recipe.seed,
            replica,
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
        samples.batch(&self.indices, self.kinds, self.device)
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
            samples: self.order.batch_len(step),
        };
        self.waiting.push((entry, loss));
        if self.device == Device::Cpu || self.waiting.len() >= STEPS_PER_READ {
            self.flush(losses)?;
        }
        Ok(())
    }

    fn train(&mut self, samples: &Samples, step: u64, lr: f64) -> Result<Tensor, TchError> {
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
