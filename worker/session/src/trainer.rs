//! What a trainer must be able to do. The session calls it from one thread of its own.

use rangefinder_errors::Code;
use rangefinder_proto::v1;

/// Trains the steps of tasks. One model and its data at a time.
///
/// A step's batch, noise and augmentation are functions of (seed, replica, global step) alone, so
/// that any worker may start anywhere and a second run gives the same losses.
pub trait Trainer: Send {
    /// Loads model and data without taking a GPU and says what they are. The token of the answer
    /// is filled in by the session.
    ///
    /// # Errors
    /// [`Failure`] of kind `User` names the fields at fault.
    fn describe(&mut self, spec: &v1::TrainerSpec) -> Result<v1::Described, Failure>;

    /// Runs `steps` optimizer steps at the initial weights on the device.
    ///
    /// # Errors
    /// Of kind `OutOfMemory` names the batch size and the remedy.
    fn probe(&mut self, spec: &v1::TrainerSpec, steps: u32) -> Result<v1::Probed, Failure>;

    /// Puts model, optimizer and data at the start of a task: the initial weights, the optimizer as the
    /// specification has it, the data of the first step. An optimizer that starts late makes up for
    /// the steps before it (`docs/workers.md`).
    ///
    /// # Errors
    /// As `describe` and `probe`.
    fn start(&mut self, task: &TaskStart) -> Result<(), Failure>;

    /// Trains one step at a learning rate and appends to `losses` those losses that are known by
    /// now, in step order: on a CPU this step's, on a GPU perhaps none, or those of several steps.
    ///
    /// # Errors
    /// [`StepError::DataExhausted`] when there is no batch for this step.
    fn step(&mut self, step: u64, lr: f64, losses: &mut Vec<StepLoss>) -> Result<(), StepError>;

    /// Appends all losses that are still outstanding.
    ///
    /// # Errors
    /// As `step`.
    fn flush(&mut self, losses: &mut Vec<StepLoss>) -> Result<(), StepError>;

    /// Leaves the task.
    fn stop(&mut self);
}

/// What a trainer needs to start a task.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskStart {
    /// Model, data, optimizer.
    pub spec: v1::TrainerSpec,
    /// The replica: chooses the data order.
    pub replica: u32,
    /// First global step that will be trained.
    pub first_step: u64,
    /// Global step before which the task ends.
    pub end: u64,
}

/// The loss of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepLoss {
    /// Global step.
    pub step: u64,
    /// Learning rate of the step.
    pub lr: f64,
    /// Raw loss before the step's update.
    pub loss: f64,
    /// Samples in the batch.
    pub samples: u32,
}

/// Why a step has no loss.
#[derive(Clone, Debug, PartialEq)]
pub enum StepError {
    /// The data ends before this step.
    DataExhausted,
    /// Anything else.
    Failed(Failure),
}

impl From<Failure> for StepError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Why a trainer could not do what it was asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// Decides whether it is tried again.
    pub kind: v1::FailureKind,
    /// What kind of failure more closely; that of its first field, where it has fields.
    pub code: Code,
    /// What happened, for people, in one sentence.
    pub message: String,
    /// The fields at fault, for a user's mistake.
    pub fields: Vec<v1::FieldError>,
}
