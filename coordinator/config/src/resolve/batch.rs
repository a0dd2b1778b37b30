//! Samples a step: the batch, and how many of them are accumulated.

use super::mistakes::Mistakes;
use rangefinder_errors::Code;
use rangefinder_proto::v1;

const MAX_ACCUMULATE: u32 = 1 << 16;

/// Batch size and batches a step; `accumulate` is completed from `global_batch_size`.
pub(super) fn batch(spec: &mut v1::SweepSpec, mistakes: &mut Mistakes) -> (u32, u32) {
    let batch_size = *spec.batch_size.get_or_insert(64);
    if batch_size == 0 {
        mistakes.add(
            Code::OutOfRange,
            "batch_size",
            "0 is too small; expected 1 or more",
            "use a value such as 64",
        );
    }
    let wanted = spec
        .global_batch_size
        .and_then(|global| batches_of(global, batch_size, mistakes));
    match (spec.accumulate, wanted) {
        (Some(given), Some(wanted)) if given != wanted => mistakes.add(
            Code::GlobalBatchSize,
            "accumulate",
            format!(
                "{given} batches of batch_size {batch_size} are {} samples a step, but \
                 global_batch_size is {}, which needs {wanted}",
                u64::from(given) * u64::from(batch_size),
                u64::from(wanted) * u64::from(batch_size),
            ),
            "give accumulate or global_batch_size, not both",
        ),
        _ => {}
    }
    let chosen = spec.accumulate.is_none();
    let accumulate = *spec.accumulate.get_or_insert(wanted.unwrap_or(1));
    if chosen && accumulate > MAX_ACCUMULATE {
        mistakes.add(
            Code::OutOfRange,
            "global_batch_size",
            format!(
                "takes {accumulate} batches of batch_size {batch_size}; expected at most \
                 {MAX_ACCUMULATE} batches a step"
            ),
            "use a larger batch_size",
        );
    } else if !(1..=MAX_ACCUMULATE).contains(&accumulate) {
        mistakes.add(
            Code::OutOfRange,
            "accumulate",
            format!("{accumulate} is out of range; expected 1 to {MAX_ACCUMULATE} batches a step"),
            "use 1 for an optimizer step after every batch",
        );
    }
    (batch_size, accumulate)
}

/// How many batches make `global` samples.
fn batches_of(global: u32, batch_size: u32, mistakes: &mut Mistakes) -> Option<u32> {
    if batch_size == 0 {
        return None;
    }
    if global >= batch_size && global.is_multiple_of(batch_size) {
        return Some(global / batch_size);
    }
    let below = global / batch_size * batch_size;
    let nearest = match below.checked_add(batch_size) {
        Some(above) if below == 0 => format!("use {above}"),
        Some(above) => format!("use {below} or {above}"),
        None => format!("use {below}"),
    };
    let (message, remedy) = if global == 0 {
        (
            "0 is too small; expected batch_size or a multiple of it".to_owned(),
            nearest,
        )
    } else {
        (
            format!("{global} is not a multiple of batch_size {batch_size}"),
            format!("{nearest}, or a batch_size that divides {global}"),
        )
    };
    mistakes.add(Code::GlobalBatchSize, "global_batch_size", message, remedy);
    None
}
