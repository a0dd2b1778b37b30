//! How the work is split, and where it runs.

use super::mistakes::Mistakes;
use crate::Device;
use crate::names::{OVERLAPS, PRECISIONS, SPLITS, any_of, nearest};
use rangefinder_errors::Code;
use rangefinder_proto::{groups, v1};
use rangefinder_sweep::plan::{PlanRequest, Split};
use rangefinder_sweep::schedule::Range;

const MAX_REPLICAS: u32 = 1000;
const MAX_THREADS: u32 = 1024;
const MAX_WORKERS_PER_GPU: u32 = 64;

/// The most workers that `--workers` starts on a machine: several a core are a mistake, but a few
/// on a small machine are not.
#[must_use]
pub fn most_workers(cores: u32) -> u32 {
    cores.saturating_mul(4).max(16)
}

/// The number of workers.
pub(super) fn workers(workers: u32, cores: u32, mistakes: &mut Mistakes) {
    let most = most_workers(cores);
    if !(1..=most).contains(&workers) {
        mistakes.add(
            Code::OutOfRange,
            "workers",
            format!("{workers} workers on {cores} cores; expected 1 to {most}"),
            "start one a GPU, or one a few CPU cores",
        );
    }
}

/// The most workers that the plan of a service's sweep may count on.
pub const MOST_WORKERS_ELSEWHERE: u32 = 1024;

/// The number of workers on other machines, and what is not a sweep's to say about them.
pub(super) fn workers_elsewhere(spec: &v1::SweepSpec, workers: u32, mistakes: &mut Mistakes) {
    if !(1..=MOST_WORKERS_ELSEWHERE).contains(&workers) {
        mistakes.add(
            Code::OutOfRange,
            "workers",
            format!("{workers} is out of range; expected 1 to {MOST_WORKERS_ELSEWHERE}"),
            "count on as many as the service has",
        );
    }
    let here = "a service, whose workers were given their devices when they were started";
    let alone = "a sweep on one machine";
    let device = spec
        .device
        .as_deref()
        .is_some_and(|device| device != "auto");
    mistakes.does_not_apply("device", device, here, alone);
    let shared = spec.workers_per_gpu.is_some_and(|workers| workers != 1);
    mistakes.does_not_apply("workers_per_gpu", shared, here, alone);
}

/// How the work is split.
pub(super) fn plan(
    spec: &mut v1::SweepSpec,
    mistakes: &mut Mistakes,
    range: Range,
    workers: u32,
) -> PlanRequest {
    PlanRequest {
        range,
        split: split(spec, mistakes, range.steps),
        segments: spec.segments,
        replicas: spec.replicas,
        overlap_decades: overlap(spec, mistakes),
        workers,
        updates_per_step: spec.eval_every.unwrap_or(1),
        largest_lr_ratio: spec
            .groups
            .iter()
            .filter_map(|group| groups::parse(group).ok())
            .map(|group| group.lr_ratio)
            .fold(1.0, f64::max),
    }
}

/// Where the workers train, and how many share a GPU.
pub(super) fn device(spec: &mut v1::SweepSpec, mistakes: &mut Mistakes) -> (Device, u32) {
    let name = spec.device.get_or_insert_with(|| "auto".to_owned());
    let device = match name.as_str() {
        "auto" => Device::Auto,
        "cpu" => Device::Cpu,
        other => match other.strip_prefix("cuda:").map(str::parse) {
            Some(Ok(index)) => Device::Cuda(index),
            _ => {
                let remedy = match nearest(other, ["auto", "cpu"]) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "use `cuda:0` for the first visible GPU".to_owned(),
                };
                mistakes.add(
                    Code::UnknownName,
                    "device",
                    format!("`{other}` is unknown; expected `auto`, `cpu` or `cuda:i`"),
                    remedy,
                );
                Device::Auto
            }
        },
    };
    if device == Device::Cpu {
        mistakes.does_not_apply(
            "workers_per_gpu",
            spec.workers_per_gpu.is_some(),
            "the CPU",
            "`auto` or `cuda:i`",
        );
        spec.workers_per_gpu = None;
        return (device, 1);
    }
    let shared = *spec.workers_per_gpu.get_or_insert(1);
    if !(1..=MAX_WORKERS_PER_GPU).contains(&shared) {
        mistakes.add(
            Code::OutOfRange,
            "workers_per_gpu",
            format!("{shared} is out of range; expected 1 to {MAX_WORKERS_PER_GPU}"),
            "use 1, or 2 to 4 for small models",
        );
    }
    (device, shared)
}

/// Where the workers of a resolved specification train, and how many share a GPU.
#[must_use]
pub fn placement(spec: &v1::SweepSpec) -> (Device, u32) {
    device(&mut spec.clone(), &mut Mistakes::default())
}

/// CPU threads of each worker.
pub(super) fn threads(
    spec: &mut v1::SweepSpec,
    mistakes: &mut Mistakes,
    workers: u32,
    cores: u32,
) -> u32 {
    let threads = *spec
        .threads_per_worker
        .get_or_insert((cores / workers.max(1)).clamp(1, MAX_THREADS));
    if !(1..=MAX_THREADS).contains(&threads) {
        mistakes.add(
            Code::OutOfRange,
            "threads_per_worker",
            format!("{threads} is out of range; expected 1 to {MAX_THREADS}"),
            "remove it to share the cores among the workers",
        );
    }
    threads
}

/// The arithmetic of the model.
pub(super) fn precision(
    spec: &mut v1::SweepSpec,
    mistakes: &mut Mistakes,
    device: Device,
) -> String {
    let precision = spec.precision.get_or_insert_with(|| "fp32".to_owned());
    if !PRECISIONS.contains(&precision.as_str()) {
        mistakes.unknown("precision", precision, PRECISIONS);
    } else if precision == "tf32" && device == Device::Cpu {
        mistakes.add(
            Code::DoesNotApply,
            "precision",
            "`tf32` does not apply to the CPU, which has no such arithmetic",
            "use `fp32` or `bf16`, or a GPU",
        );
    }
    precision.clone()
}

/// The mode; where it is left to `auto`, naming segments or replicas chooses it.
fn split(spec: &mut v1::SweepSpec, mistakes: &mut Mistakes, steps: u32) -> Split {
    let name = spec.split.get_or_insert_with(|| "auto".to_owned());
    let mut split = mistakes.choose("split", name, &SPLITS, Split::Auto);
    if split == Split::Auto {
        let implied = match (spec.segments, spec.replicas) {
            (None, None) => ("auto", Split::Auto),
            (Some(_), None) => ("segments", Split::Segments),
            (None, Some(_)) => ("replicas", Split::Replicas),
            (Some(_), Some(_)) => ("hybrid", Split::Hybrid),
        };
        if SPLITS.iter().any(|(known, _)| known == name) {
            implied.0.clone_into(name);
        }
        split = implied.1;
    }
    let here = format!("the split `{name}`");
    let (segmented, replicated) = match split {
        Split::Auto | Split::Hybrid => (true, true),
        Split::None => (false, false),
        Split::Segments => (true, false),
        Split::Replicas => (false, true),
    };
    let segments = "`segments` or `hybrid`";
    mistakes.does_not_apply(
        "segments",
        !segmented && spec.segments.is_some(),
        &here,
        segments,
    );
    let replicas = "`replicas` or `hybrid`";
    mistakes.does_not_apply(
        "replicas",
        !replicated && spec.replicas.is_some(),
        &here,
        replicas,
    );
    if let Some(segments) = spec
        .segments
        .filter(|segments| !(1..=steps).contains(segments))
    {
        mistakes.add(
            Code::OutOfRange,
            "segments",
            format!("{segments} is out of range; expected 1 to {steps}, the number of steps"),
            "use about one a decade of the range",
        );
    }
    if let Some(replicas) = spec.replicas.filter(|n| !(1..=MAX_REPLICAS).contains(n)) {
        mistakes.add(
            Code::OutOfRange,
            "replicas",
            format!("{replicas} is out of range; expected 1 to {MAX_REPLICAS}"),
            "use 2 to 8",
        );
    }
    split
}

fn overlap(spec: &mut v1::SweepSpec, mistakes: &mut Mistakes) -> f64 {
    let text = spec.overlap.get_or_insert_with(|| "default".to_owned());
    if let Some((_, decades)) = OVERLAPS.iter().find(|(name, _)| name == text) {
        return *decades;
    }
    match text.parse::<f64>() {
        Ok(decades) if decades.is_finite() && decades >= 0.0 => decades,
        _ => {
            let presets = OVERLAPS.map(|(name, _)| name);
            let remedy = match nearest(text, presets) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "use `default`, one decade".to_owned(),
            };
            mistakes.add(
                Code::UnknownName,
                "overlap",
                format!(
                    "`{text}` is unknown; expected {}, or decades of learning rate, 0 or more",
                    any_of(presets)
                ),
                remedy,
            );
            1.0
        }
    }
}
