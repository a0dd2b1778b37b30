//! Where a finished curve ends for a rule or a tool, and why.

use super::{Profile, profiles, rule};
use crate::curve::StopReason;

/// Number of raw losses that the default rule, or a profile, takes of a curve of `planned` steps,
/// and why no more.
///
/// The rule's end is its cut, the exploding loss included, a loss that is not finite excluded. A
/// tool goes on after NaN. Losses that just end early are [`StopReason::DataExhausted`].
#[must_use]
pub fn ending(
    profile: Option<Profile>,
    threshold: Option<f64>,
    raw: &[f64],
    planned: usize,
) -> (usize, StopReason) {
    let raw = &raw[..raw.len().min(planned)];
    let (used, diverged) = match profile {
        Some(profile) => {
            let trace = profiles::trace(profile, raw, threshold);
            (trace.smoothed.len(), trace.stopped)
        }
        None => rule::cut_and_cause(raw, threshold.unwrap_or(rule::CUT_THRESHOLD)),
    };
    let reason = if diverged {
        StopReason::Diverged
    } else if used < raw.len() {
        StopReason::NonFinite
    } else if used < planned {
        StopReason::DataExhausted
    } else {
        StopReason::Completed
    };
    (used, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_has_its_reason() {
        let flat = [1.0; 30];
        let mut exploded = flat;
        exploded[29] = 100.0;
        let mut broken = flat;
        broken[20] = f64::NAN;
        let of = |raw: &[f64]| ending(None, None, raw, 30);
        assert_eq!(of(&flat), (30, StopReason::Completed));
        assert_eq!(of(&flat[..9]), (9, StopReason::DataExhausted));
        // Also at the last step: the explosion is what ended it.
        assert_eq!(of(&exploded), (30, StopReason::Diverged));
        assert_eq!(of(&broken), (20, StopReason::NonFinite));
        let never = Some(f64::INFINITY);
        assert_eq!(
            ending(None, never, &exploded, 30),
            (30, StopReason::Completed)
        );
    }

    #[test]
    fn tools_go_on_after_nan() {
        let mut broken = [1.0; 30];
        broken[20] = f64::NAN;
        for profile in Profile::ALL {
            let end = ending(Some(profile), None, &broken, 30);
            assert_eq!(end, (30, StopReason::Completed), "{profile}");
        }
    }
}
