//! What people should know about a plan before it runs.

use super::warm_up::{known_beta, memory_steps};
use super::{PlanRequest, Trainability, Warning};
use crate::schedule::Mode;

/// Overlap under which a segment starts too far from what the unsplit sweep would have there.
const SHORT_OVERLAP_DECADES: f64 = 0.5;

/// Warnings that follow from cutting this range at all, wherever the boundaries are.
pub(super) fn of_segments(
    request: &PlanRequest,
    trainability: Trainability,
    warm_up_steps: u32,
) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if request.range.mode == Mode::Linear {
        warnings.push(Warning::new(
            "linear_split",
            "a linear range does not forget its start as an exponential one does, and the error of \
             cutting it was not measured: run it with split none or replicas, or in exponential mode"
                .to_owned(),
        ));
    }
    if request.overlap_decades < SHORT_OVERLAP_DECADES {
        warnings.push(Warning::new(
            "overlap_short",
            format!(
                "an overlap of {} decades is under {SHORT_OVERLAP_DECADES}: a segment then starts with \
                 weights that are {:.0} % off; set overlap to default (1 decade)",
                request.overlap_decades,
                100.0 * 10f64.powf(-request.overlap_decades)
            ),
        ));
    }
    let updates = request.updates_per_step.max(1);
    let needed = memory_steps(trainability.beta, updates).saturating_mul(2);
    if warm_up_steps < needed {
        let held = match updates {
            1 => "",
            _ => " of several updates each",
        };
        warnings.push(Warning::new(
            "warm_up_short",
            format!(
                "a warm-up of {warm_up_steps} steps{held} is under 2/(1-beta) = {needed} steps, twice \
                 the memory of an optimizer with beta {}: raise num-training or the overlap",
                known_beta(trainability.beta)
            ),
        ));
    }
    if !trainability.replayable {
        warnings.push(Warning::new(
            "not_replayed",
            "the trainer does not replay batches and noise by global step, so a segment sees other \
             data than the unsplit sweep would: make them a function of the step, or use split \
             none or replicas"
                .to_owned(),
        ));
    }
    warnings
}

/// The number of segments is past what the range can be cut into.
pub(super) fn many_segments(segments: u32, decades: f64) -> Warning {
    Warning::new(
        "many_segments",
        format!(
            "{segments} segments over {decades:.1} decades are more than one a decade, and most of \
             their work is warm-up: use fewer segments and give the other workers replicas"
        ),
    )
}

/// Segments were merged, or would not have helped.
pub(super) fn segments_merged(asked: u32, planned: u32) -> Warning {
    Warning::new(
        "segments_merged",
        format!(
            "{asked} segments were asked for and {planned} are planned: more would not end sooner, or \
             would own fewer steps than a quarter of their warm-up; use replicas for the other \
             workers, or raise num-training"
        ),
    )
}

/// The data cannot be sought, so `auto` left the range whole.
pub(super) fn not_seekable() -> Warning {
    Warning::new(
        "not_seekable",
        "the trainer cannot seek its data by step, so the range is not cut into segments; workers \
         beyond the first run replicas"
            .to_owned(),
    )
}

/// The split takes longer than not splitting.
pub(super) fn no_speed_up(critical_path: u64, unsplit: u64, workers: u32) -> Warning {
    let workers = match workers {
        1 => "1 worker".to_owned(),
        several => format!("{several} workers"),
    };
    Warning::new(
        "no_speed_up",
        format!(
            "this plan takes {critical_path} steps on {workers} and the same without segments \
             {unsplit}: use more workers, or fewer segments"
        ),
    )
}

/// Some workers get nothing to do.
pub(super) fn idle_workers(idle: u32, workers: u32) -> Warning {
    Warning::new(
        "idle_workers",
        format!(
            "{idle} of {workers} workers have nothing to do: another segment would not pay, and for \
             another replica they are too few"
        ),
    )
}
