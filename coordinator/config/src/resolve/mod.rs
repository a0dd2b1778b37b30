//! Checks a specification and completes it: every mistake is found before any is reported.
//!
//! - `model`: model, data, loss.
//! - `optimizer`: the optimizer, with PyTorch's defaults.
//! - `range`: the learning rates, the stop, the answer; the habits of other tools.
//! - `place`: split, device, threads, workers.
//! - `reading`: how a curve from elsewhere is read.
//! - `mistakes`: what is gathered on the way.

mod mistakes;
mod model;
mod optimizer;
mod place;
mod range;
mod reading;
#[cfg(test)]
mod tests;

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
    let mut mistakes = Mistakes::default();
    let cores = cores.max(1);

    place::workers(workers, cores, &mut mistakes);
    let model = model::model(&mut spec, &mut mistakes);
    let data = model::data(&mut spec, &mut mistakes);
    let loss = model::loss(&mut spec, &mut mistakes, &model);
    let optimizer = optimizer::optimizer(&mut spec, &mut mistakes);
    let batch_size = *spec.batch_size.get_or_insert(64);
    if batch_size == 0 {
        mistakes.add(
            "batch_size",
            "0 is too small; expected 1 or more",
            "use a value such as 64",
        );
    }
    let shuffle = *spec.shuffle.get_or_insert(true);
    let drop_last = *spec.drop_last.get_or_insert(false);
    let seed = *spec.seed.get_or_insert(0);
    let (range, stop, answer) = range::range(&mut spec, &mut mistakes, &optimizer);
    let plan = place::plan(&mut spec, &mut mistakes, range, workers);
    let (device, workers_per_gpu) = place::device(&mut spec, &mut mistakes);
    let threads = place::threads(&mut spec, &mut mistakes, workers, cores);
    let deterministic = *spec.deterministic.get_or_insert(false);
    mistakes.into_result()?;

    Ok(Resolved {
        request: SweepRequest { plan, stop },
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
        },
        answer,
        device,
        workers,
        workers_per_gpu,
        spec,
    })
}
