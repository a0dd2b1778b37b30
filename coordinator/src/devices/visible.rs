//! What `CUDA_VISIBLE_DEVICES` leaves of a machine's GPUs, as CUDA reads it.
//!
//! CUDA's rules, as PyTorch's `torch.cuda._parse_visible_devices` states them: the first entry
//! decides whether all are indices or UUIDs; the list ends before the first entry that is not
//! valid; a repeated entry makes the whole list empty.

use super::{Gpu, Listing};

/// UUIDs of the visible GPUs, in their visible order.
pub(super) fn visible(listing: &Listing, value: Option<&str>) -> Vec<String> {
    let Some(value) = value else {
        return uuids(&listing.gpus);
    };
    let value = value.trim();
    let find: fn(&[Gpu], &str) -> Option<String> = if value.starts_with("GPU-") {
        by_prefix
    } else if value.starts_with("MIG-") {
        by_instance
    } else {
        by_index
    };
    let mut visible = Vec::new();
    for entry in value.split(',') {
        let Some(uuid) = find(&listing.gpus, entry.trim()) else {
            break;
        };
        if visible.contains(&uuid) {
            return Vec::new();
        }
        visible.push(uuid);
    }
    visible
}

fn uuids(gpus: &[Gpu]) -> Vec<String> {
    gpus.iter().map(|gpu| gpu.uuid.clone()).collect()
}

/// The GPU with an index. As with C's `strtoul`, what follows the digits is not read.
fn by_index(gpus: &[Gpu], entry: &str) -> Option<String> {
    let entry = entry.strip_prefix('+').unwrap_or(entry);
    let digits = entry
        .find(|character: char| !character.is_ascii_digit())
        .map_or(entry, |end| &entry[..end]);
    let index: u32 = digits.parse().ok()?;
    gpus.iter()
        .find(|gpu| gpu.index == index)
        .map(|gpu| gpu.uuid.clone())
}

/// The one GPU whose UUID begins so.
fn by_prefix(gpus: &[Gpu], entry: &str) -> Option<String> {
    let mut candidates = gpus
        .iter()
        .filter(|gpu| entry.starts_with("GPU-") && gpu.uuid.starts_with(entry));
    let found = candidates.next()?;
    candidates.next().is_none().then(|| found.uuid.clone())
}

/// A slice of a GPU (MIG). Slices are not listed; the driver checks the name when it is used.
fn by_instance(gpus: &[Gpu], entry: &str) -> Option<String> {
    (!gpus.is_empty() && entry.starts_with("MIG-")).then(|| entry.to_owned())
}
