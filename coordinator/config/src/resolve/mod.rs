//! Checks a specification and completes it: every mistake is found before any is reported.
//!
//! - `batch`: samples a step.
//! - `data`: where samples come from; `unread`: what to do about data that are not read.
//! - `model`: model and loss; `architecture`: the sizes of built-in models.
//! - `optimizer`: the optimizer, with PyTorch's defaults.
//! - `parameters`: groups, frozen parameters, clipping, checkpoints.
//! - `evaluation`: what is observed instead of the training loss.
//! - `range`: the learning rates, the stop, the answer; the habits of other tools.
//! - `custom`: a training loop of the user's own.
//! - `place`: split, device, threads, workers.
//! - `reading`: how a curve from elsewhere is read.
//! - `mistakes`: what is gathered on the way.

mod architecture;
mod batch;
mod custom;
mod data;
mod evaluation;
mod mistakes;
mod model;
mod optimizer;
mod parameters;
mod place;
mod range;
mod reading;
#[cfg(test)]
mod tests;
mod unread;

pub use optimizer::trainability;
pub use place::most_workers;
pub use reading::{memory, reading};

use crate::Resolved;
use mistakes::Mistakes;
use rangefinder_proto::v1;
use rangefinder_sweep::event::FieldError;
use rangefinder_sweep::state::SweepRequest;

/// Checks a specification and completes it with the defaults that apply.
///
/// An absent field takes its default: ours, or that of the tool which `profile` names. A field
/// that does not apply to what else was chosen (`beta1` with `sgd`, say) is a mistake, never
/// passed over. `cores` are the CPU cores of the machine, shared by the workers.
///
/// # Errors
/// All mistakes at once, in the order of the fields.
pub fn resolve(
    mut spec: v1::SweepSpec,
    workers: u32,
    cores: u32,
) -> Result<Resolved, Vec<FieldError>> {
    let cores = cores.max(1);
    if spec.entry.is_some() {
        return custom::resolve(spec, workers, cores);
    }
    let mut mistakes = Mistakes::default();
    mistakes.does_not_apply(
        "custom_config",
        spec.custom_config.is_some(),
        "Rangefinder's own worker",
        "a worker of your own (`--worker-command`, or `entry`)",
    );

    place::workers(workers, cores, &mut mistakes);
    let model = model::model(&mut spec, &mut mistakes);
    let data = data::data(&mut spec, &mut mistakes);
    let loss = model::loss(&mut spec, &mut mistakes, &model);
    let mut optimizer = optimizer::optimizer(&mut spec, &mut mistakes);
    parameters::optimizer(&spec, &mut mistakes, &mut optimizer);
    let weights = parameters::weights(&spec, &mut mistakes);
    let freeze = parameters::freeze(&spec, &mut mistakes);
    let evaluation = evaluation::evaluation(&mut spec, &mut mistakes, &data);
    let (batch_size, accumulate) = batch::batch(&mut spec, &mut mistakes);
    let shuffle = *spec.shuffle.get_or_insert(true);
    let drop_last = *spec.drop_last.get_or_insert(false);
    let seed = *spec.seed.get_or_insert(0);
    let (range, stop, answer) = range::range(&mut spec, &mut mistakes, &optimizer);
    let plan = place::plan(&mut spec, &mut mistakes, range, workers);
    let (device, workers_per_gpu) = place::device(&mut spec, &mut mistakes);
    let threads = place::threads(&mut spec, &mut mistakes, workers, cores);
    let deterministic = *spec.deterministic.get_or_insert(false);
    let precision = place::precision(&mut spec, &mut mistakes, device);
    mistakes.into_result()?;

    Ok(Resolved {
        request: SweepRequest {
            plan,
            stop,
            owner: String::new(),
            priority: 0,
        },
        trainer: v1::TrainerSpec {
            trainer: Some(model),
            data: Some(data),
            loss,
            optimizer: Some(optimizer),
            batch_size,
            shuffle,
            drop_last,
            seed,
            threads,
            deterministic,
            accumulate,
            precision,
            label_smoothing: spec.label_smoothing.unwrap_or_default(),
            ignore_index: spec.ignore_index,
            weights,
            freeze,
            evaluation,
        },
        answer,
        device,
        workers,
        workers_per_gpu,
        spec,
    })
}
