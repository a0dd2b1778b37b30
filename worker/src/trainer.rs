//! The trainer on libtorch, as the session drives it.

use rangefinder_errors::Code;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rangefinder_proto::v1;
use rangefinder_session::trainer::{Failure, StepError, StepLoss, TaskStart, Trainer};
use tch::{Cuda, Device, TchError};

use crate::precision::Precision;
use crate::recipe::Recipe;
use crate::run::Run;
use crate::samples::{RESIDENT_LIMIT_BYTES, Samples};
use crate::{augment, check, evaluation, failure, foreign, model::Blueprint, probe};

/// libtorch's generators belong to the process. A call that seeds them and draws from them keeps
/// other trainers of this process away, whose steps would otherwise draw from its seed.
static GENERATORS: Mutex<()> = Mutex::new(());

fn generators() -> MutexGuard<'static, ()> {
    GENERATORS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Trains models with libtorch. What it loaded for one specification it keeps for the next task.
pub struct TorchTrainer {
    device: Device,
    loaded: Option<Loaded>,
    run: Option<Run>,
    resident_limit_bytes: usize,
}

/// Model and data of a specification.
struct Loaded {
    spec: v1::TrainerSpec,
    recipe: Recipe,
    samples: Samples,
    /// Data of the evaluation.
    evaluated: Option<Samples>,
    blueprint: Blueprint,
}

impl TorchTrainer {
    /// A trainer for tasks on `device`; models and data are described on the CPU all the same.
    #[must_use]
    pub fn new(device: Device) -> Self {
        Self {
            device,
            loaded: None,
            run: None,
            resident_limit_bytes: RESIDENT_LIMIT_BYTES,
        }
    }

    /// A trainer that copies data up to this size to a GPU once, and of larger data each batch.
    #[must_use]
    pub fn with_resident_limit(device: Device, bytes: usize) -> Self {
        Self {
            resident_limit_bytes: bytes,
            ..Self::new(device)
        }
    }

    /// How often training has waited for the device in this task; a CPU is read after every step.
    #[must_use]
    pub fn synchronisations(&self) -> u64 {
        self.run.as_ref().map_or(0, Run::synchronisations)
    }

    /// Loads what a specification names, unless that is loaded already.
    fn load(&mut self, spec: &v1::TrainerSpec) -> Result<&mut Loaded, Failure> {
        let tf32 = Precision::parse(&spec.precision)? == Precision::Tf32;
        if tf32 && self.device == Device::Cpu {
            return Err(failure::user(
                Code::DoesNotApply,
                "precision",
                "tf32 is an arithmetic of GPUs, and this worker trains on a CPU",
                "use fp32 or bf16, or a device with a GPU",
            ));
        }
        let loaded = match self.loaded.take() {
            Some(loaded) if loaded.spec == *spec => loaded,
            previous => Loaded::read(spec, previous)?,
        };
        if spec.threads > 0 {
            tch::set_num_threads(i32::try_from(spec.threads).unwrap_or(i32::MAX));
        }
        Ok(self.loaded.insert(loaded))
    }
}

impl Loaded {
    fn read(spec: &v1::TrainerSpec, previous: Option<Self>) -> Result<Self, Failure> {
        let recipe = Recipe::parse(spec)?;
        let samples = match previous {
            Some(previous) if previous.recipe.data == recipe.data => previous.samples,
            _ => Samples::new(rangefinder_data::load(&recipe.data).map_err(failure::data)?)?,
        };
        let evaluated = recipe
            .evaluation
            .as_ref()
            .map(|evaluation| {
                samples
                    .load_like(&evaluation.data)
                    .map_err(evaluation::blame)
            })
            .transpose()?;
        augment::check(recipe.augmentation, &samples)?;
        let blueprint = Blueprint::read(&recipe, &samples)?;
        Ok(Self {
            spec: spec.clone(),
            recipe,
            samples,
            evaluated,
            blueprint,
        })
    }

    /// A run from the initial weights.
    fn start(
        &mut self,
        device: Device,
        replica: u32,
        resident_limit_bytes: usize,
    ) -> Result<Run, Failure> {
        let trouble = |error: TchError| self.recipe.trouble_before(&error);
        if device.is_cuda() {
            // Its search for the fastest kernel may choose another one in each process.
            Cuda::cudnn_set_benchmark(false);
        }
        // A CPU's steps are always the same bits whenever they are run.
        let deterministic = self.recipe.deterministic || !device.is_cuda();
        foreign::set_deterministic(deterministic).map_err(trouble)?;
        self.recipe.precision.prepare(device).map_err(trouble)?;
        self.samples
            .settle(device, resident_limit_bytes)
            .map_err(trouble)?;
        let model = self.blueprint.build(&self.recipe, device)?;
        Run::new(
            &self.recipe,
            &self.samples,
            self.evaluated.as_ref(),
            model,
            device,
            replica,
        )
    }
}

impl Trainer for TorchTrainer {
    fn describe(&mut self, spec: &v1::TrainerSpec) -> Result<v1::Described, Failure> {
        let _alone = generators();
        self.run = None;
        let limit = self.resident_limit_bytes;
        let loaded = self.load(spec)?;
        let mut run = loaded.start(Device::Cpu, 0, limit)?;
        let mut initial_loss = check::first_loss(
            &loaded.recipe,
            &loaded.samples,
            loaded.evaluated.as_ref(),
            &mut run,
        )?;
        if loaded.evaluated.is_some() {
            let mut fresh = loaded.start(Device::Cpu, 0, limit)?;
            if let Some(evaluated) = check::first_evaluation(&loaded.recipe, &mut fresh)? {
                initial_loss = evaluated;
            }
        }
        let parameters: Vec<v1::Parameter> = run
            .model
            .parameters
            .slots()
            .iter()
            .map(|slot| v1::Parameter {
                name: slot.name().to_owned(),
                shape: slot.weights().size(),
            })
            .collect();
        Ok(v1::Described {
            lease_token: 0,
            parameter_count: run.model.parameters.count(),
            parameters,
            initial_loss,
            optimizer: loaded.recipe.optimizer.algorithm.name().to_owned(),
            beta: Some(loaded.recipe.optimizer.algorithm.beta()),
            seekable: true,
            replayable: true,
            samples: loaded.samples.count(),
            steps_per_epoch: run.steps_per_epoch(),
            effective_batch_size: loaded.recipe.effective_batch_size(),
        })
    }

    fn probe(&mut self, spec: &v1::TrainerSpec, batches: u32) -> Result<v1::Probed, Failure> {
        let _alone = generators();
        self.run = None;
        let (device, limit) = (self.device, self.resident_limit_bytes);
        let loaded = self.load(spec)?;
        let mut run = loaded.start(device, 0, limit)?;
        probe::run(&loaded.recipe, &loaded.samples, &mut run, batches, device)
    }

    fn start(&mut self, task: &TaskStart) -> Result<(), Failure> {
        let _alone = generators();
        // The weights of the task before make room first.
        self.run = None;
        let (device, limit) = (self.device, self.resident_limit_bytes);
        let run = self.load(&task.spec)?.start(device, task.replica, limit)?;
        self.run = Some(run.starting_at(task.first_step));
        Ok(())
    }

    fn step(&mut self, step: u64, lr: f64, losses: &mut Vec<StepLoss>) -> Result<(), StepError> {
        let _alone = generators();
        let (Some(loaded), Some(run)) = (&self.loaded, &mut self.run) else {
            return Err(failure::worker("a step without a task").into());
        };
        Ok(run.step(&loaded.samples, step, lr, losses)?)
    }

    fn flush(&mut self, losses: &mut Vec<StepLoss>) -> Result<(), StepError> {
        match &mut self.run {
            Some(run) => Ok(run.flush(losses)?),
            None => Ok(()),
        }
    }

    fn stop(&mut self) {
        self.run = None;
    }
}
