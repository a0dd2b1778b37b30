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
//! - `files`: files that it names, here or with workers elsewhere.
//! - `mistakes`: what is gathered on the way.

mod architecture;
mod batch;
mod custom;
mod data;
mod evaluation;
mod files;
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
pub use place::{MOST_WORKERS_ELSEWHERE, most_workers, placement};
pub use range::MAX_STEPS;
pub use reading::{memory, reading, reread};

use crate::Resolved;
use mistakes::{Files, Mistakes};
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
pub fn resolve(spec: v1::SweepSpec, workers: u32, cores: u32) -> Result<Resolved, Vec<FieldError>> {
    let mut mistakes = Mistakes::of(Files::Here);
    place::workers(workers, cores, &mut mistakes);
    complete(spec, workers, cores.max(1), mistakes)
}

/// As [`resolve`], for workers on other machines, which others have started: files are artifacts, or
/// lie below the workers' roots, and only a worker can say whether they are there; a worker's device
/// is none of the sweep's business. Without `threads_per_worker` each worker gets one thread.
///
/// # Errors
/// All mistakes at once, in the order of the fields.
pub fn resolve_elsewhere(spec: v1::SweepSpec, workers: u32) -> Result<Resolved, Vec<FieldError>> {
    let mut mistakes = Mistakes::of(Files::Elsewhere);
    place::workers_elsewhere(&spec, workers, &mut mistakes);
    complete(spec, workers, workers, mistakes)
}

fn complete(
    mut spec: v1::SweepSpec,
    workers: u32,
    cores: u32,
    mut mistakes: Mistakes,
) -> Result<Resolved, Vec<FieldError>> {
    if spec.entry.is_some() {
        return custom::resolve(spec, workers, cores, mistakes);
    }
    mistakes.does_not_apply(
        "custom_config",
        spec.custom_config.is_some(),
        "Rangefinder's own worker",
        "a worker of your own (`--worker-command`, or `entry`)",
    );

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
