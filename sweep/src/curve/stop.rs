//! When a sweep stops: one implementation for the sweep that runs and for the analysis afterwards.

use super::ema::{Average, single};
use super::{StopReason, StopRule};
use crate::suggest::Profile;

/// Decides, loss by loss, where a curve stops.
///
/// The loss that decides belongs to the curve. Says nothing of the end of the plan: a curve whose
/// planned steps are all in without an answer is complete.
#[derive(Clone, Debug)]
pub struct StopDetector {
    rule: StopRule,
    /// Whether a best of 0 or less has a limit too; the rule's cut has none there.
    limit_below_zero: bool,
    average: Average,
    seen: usize,
    best: f64,
    plateau: Plateau,
    smoothed: Option<f64>,
}

/// Mean of the first smoothed losses, once all of them are known.
#[derive(Clone, Copy, Debug)]
struct Plateau {
    length: usize,
    sum: f64,
}

impl StopDetector {
    /// A detector before the first loss.
    #[must_use]
    pub fn new(rule: StopRule) -> Self {
        Self {
            average: Average::new(rule.profile),
            limit_below_zero: true,
            seen: 0,
            // fastai starts at infinity, Lightning at 0; the others take their first loss.
            best: match rule.profile {
                Some(Profile::Lightning | Profile::Lightning076) => 0.0,
                _ => f64::INFINITY,
            },
            plateau: Plateau {
                length: (rule.planned_steps as usize / 10).max(3),
                sum: 0.0,
            },
            smoothed: None,
            rule,
        }
    }

    /// The cut of the default rule: as [`StopDetector::new`] without a profile, but never on a
    /// multiple of a best that is 0 or less.
    #[must_use]
    pub(crate) fn cut(threshold: f64) -> Self {
        Self {
            limit_below_zero: false,
            ..Self::new(StopRule {
                threshold,
                profile: None,
                planned_steps: 0,
            })
        }
    }

    /// Takes in the next raw loss; `Some` when the curve ends with it: [`StopReason::NonFinite`]
    /// for NaN and infinities whatever the threshold, or [`StopReason::Diverged`].
    pub fn push(&mut self, loss: f64) -> Option<StopReason> {
        let diverged = self.exceeds(loss);
        if !loss.is_finite() {
            Some(StopReason::NonFinite)
        } else if diverged {
            Some(StopReason::Diverged)
        } else {
            None
        }
    }

    /// The smoothed loss of the last step, in the smoothing of the rule or profile.
    #[must_use]
    pub fn smoothed(&self) -> Option<f64> {
        self.smoothed
    }

    /// Takes in the next raw loss and says whether the limit is passed, and nothing else: the
    /// tools that are reproduced go on after NaN.
    pub(crate) fn exceeds(&mut self, loss: f64) -> bool {
        let smoothed = self.average.push(loss);
        self.smoothed = Some(smoothed);
        self.seen += 1;
        let threshold = self.rule.threshold;
        let exceeded = match self.rule.profile {
            None => self.exceeds_rule(smoothed),
            Some(Profile::Lightning | Profile::Lightning076) => {
                let exceeded = self.seen > 1 && smoothed > threshold * self.best;
                if smoothed < self.best || self.seen == 1 {
                    self.best = smoothed;
                }
                exceeded
            }
            Some(Profile::Fastai) => {
                self.best = lower(smoothed, self.best);
                single(smoothed) > single(threshold) * single(self.best)
            }
            Some(Profile::TorchLrFinder | Profile::Ignite) => {
                self.best = if self.seen == 1 {
                    smoothed
                } else {
                    lower(smoothed, self.best)
                };
                smoothed > threshold * self.best
            }
        };
        exceeded && threshold.is_finite()
    }

    /// The default rule: above a multiple of the best earlier loss. Where that best is 0 or less a
    /// multiple means nothing; there the limit stands as far above the best as the fall, or as the
    /// best is large.
    fn exceeds_rule(&mut self, smoothed: f64) -> bool {
        let (best, threshold) = (self.best, self.rule.threshold);
        let exceeded = if best > 0.0 {
            // The first loss has no earlier one: infinity exceeds every loss.
            smoothed > threshold * best
        } else if self.limit_below_zero && self.seen > self.plateau.length {
            let fall = self.plateau.mean() - best;
            smoothed > best + (threshold - 1.0) * best.abs().max(fall)
        } else {
            false
        };
        self.best = lower(smoothed, best);
        if self.seen <= self.plateau.length {
            self.plateau.sum += smoothed;
        }
        exceeded
    }
}

impl Plateau {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a number of steps is far below 2^53"
    )]
    fn mean(self) -> f64 {
        self.sum / self.length as f64
    }
}

/// The lower of the two; `best` where the other is NaN, and NaN where `best` is.
fn lower(smoothed: f64, best: f64) -> f64 {
    if smoothed < best { smoothed } else { best }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stop(rule: StopRule, losses: impl IntoIterator<Item = f64>) -> Option<(usize, StopReason)> {
        let mut detector = StopDetector::new(rule);
        losses
            .into_iter()
            .enumerate()
            .find_map(|(step, loss)| detector.push(loss).map(|reason| (step, reason)))
    }

    fn rule(threshold: f64, profile: Option<Profile>) -> StopRule {
        StopRule {
            threshold,
            profile,
            planned_steps: 100,
        }
    }

    #[test]
    fn nan_and_infinities_stop_at_once_even_without_a_threshold() {
        for profile in Profile::ALL.iter().copied().map(Some).chain([None]) {
            for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                for threshold in [4.0, f64::INFINITY] {
                    assert_eq!(
                        stop(rule(threshold, profile), [2.0, 2.0, 2.0, bad, 2.0]),
                        Some((3, StopReason::NonFinite)),
                        "{profile:?} at {bad}"
                    );
                }
            }
        }
    }

    #[test]
    fn an_infinite_threshold_never_diverges() {
        for profile in Profile::ALL.iter().copied().map(Some).chain([None]) {
            let losses = (0..100).map(|step| if step < 50 { -1.0 } else { 1e300 });
            assert_eq!(stop(rule(f64::INFINITY, profile), losses), None);
        }
    }

    #[test]
    fn the_rule_stops_when_the_debiased_average_passes_the_multiple_of_the_best() {
        // s_1 = (.09 + .1 x) / .19 passes 4 at x = 6.7.
        assert_eq!(
            stop(rule(4.0, None), [1.0, 6.71]),
            Some((1, StopReason::Diverged))
        );
        assert_eq!(stop(rule(4.0, None), [1.0, 6.69]), None);
    }

    #[test]
    fn negative_losses_stop_only_far_above_their_fall() {
        let fallen = || (0..60).map(|step| if step < 30 { -1.0 } else { -3.0 });
        assert_eq!(stop(rule(4.0, None), fallen()), None);
        assert_eq!(stop(rule(4.0, None), fallen().chain([1.0; 10])), None);
        let exploded = stop(rule(4.0, None), fallen().chain([1e3; 10]));
        assert_eq!(exploded, Some((60, StopReason::Diverged)));
        // The rule's own cut knows no limit there.
        let mut cut = StopDetector::cut(4.0);
        assert!(
            fallen()
                .chain([1e3; 10])
                .all(|loss| cut.push(loss).is_none())
        );
    }
}
