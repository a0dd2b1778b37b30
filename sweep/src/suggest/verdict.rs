//! Whether a learning rate may be read off a curve. Source: `docs/method.md`, "The verdict".

use super::Reason;
use super::noise::Noise;
use super::rule::{FEWEST_LOSSES, Fall, Reading};
use crate::curve::gaussian::{Gaussian, LogGrid, first_lowest, to_steps};

/// Planned steps below which no curve is judged.
pub const FEWEST_STEPS: usize = 20;
/// Steps a decade below which no curve is judged.
pub const FEWEST_PER_DECADE: f64 = 3.5;
/// Standard errors that a drop or a rise has to have.
const SIGNIFICANT: f64 = 6.0;
/// Standard deviations of the noise that a drop has to have.
const ABOVE_NOISE: f64 = 1.5;

/// What was measured on a curve to judge it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// Standard deviation of the noise of single losses.
    pub noise_sd: f64,
    /// From plateau to minimum, on the clipped losses.
    pub drop: f64,
    /// The drop in standard errors; 0 where the minimum lies in the plateau.
    pub z: f64,
    /// The rise after the minimum, above the plateau, in standard errors.
    pub rise: f64,
    /// The plateau, on the clipped losses.
    pub plateau: f64,
    /// Share of the drop that is still done in the last half decade, where the minimum lies at the
    /// end of the range; `None` where it does not.
    pub tail: Option<f64>,
    /// How it is anything but a plateau followed by one fall; `None` where it is that.
    pub wandering: Option<Wandering>,
}

/// How a curve is anything but a plateau followed by one fall, the first that holds. Numbers are
/// shares of the drop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wandering {
    /// It falls already at the lowest learning rates: by so much the plateau lies off its mean.
    NoPlateau(f64),
    /// The plateau goes up, or up and down: so far off its mean.
    UnevenPlateau(f64),
    /// It goes up by so much before the fall is mostly done.
    Rise(f64),
    /// So much of the fall is done two decades before 90 % are; and whether the plateau falls too.
    SlowFall(f64, bool),
}

/// A verdict with what it rests on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judgement {
    /// Why the curve is not usable; `None` when it is.
    pub reason: Option<Reason>,
    /// What was measured; `None` where there were too few points to.
    pub evidence: Option<Evidence>,
    /// Usable, and the minimum lies at the end of the range with the loss still falling.
    pub minimum_at_end: bool,
}

impl Judgement {
    fn too_early(reason: Reason) -> Self {
        Self {
            reason: Some(reason),
            evidence: None,
            minimum_at_end: false,
        }
    }

    /// The same where another value than the curve's own is suggested, such as the median of
    /// replicas: below the range it is not usable either.
    pub(crate) fn suggesting(self, log10_lr: Option<f64>, grid: &LogGrid) -> Self {
        let lowest = grid.positions().first();
        let below = log10_lr
            .zip(lowest)
            .is_some_and(|(suggested, lowest)| suggested < *lowest);
        if self.reason.is_none() && below {
            Self {
                reason: Some(Reason::RangeTooHigh),
                minimum_at_end: false,
                ..self
            }
        } else {
            self
        }
    }
}

/// Judges a curve of losses that are already cut.
///
/// `grid` holds all planned steps; `reading` is what the rule makes of the same losses, `None`
/// where it makes nothing.
#[must_use]
pub fn judge(grid: &LogGrid, losses: &[f64], reading: Option<&Reading>) -> Judgement {
    let (planned, used) = (grid.len(), losses.len().min(grid.len()));
    if planned < FEWEST_STEPS || FEWEST_PER_DECADE * grid.step() > 1.0 {
        return Judgement::too_early(Reason::TooFewPoints);
    }
    let Some(reading) = reading.filter(|_| used >= FEWEST_LOSSES) else {
        return Judgement::too_early(Reason::DivergedAtOnce);
    };
    let noise = Noise::of(&losses[..used]);
    let gaussian = Gaussian::new(grid, used);
    let smoothed = gaussian.smooth(&noise.clipped);
    let Some(fall) = Fall::of(&smoothed) else {
        return Judgement::too_early(Reason::DivergedAtOnce);
    };
    let curve = Clipped {
        grid,
        gaussian,
        smoothed,
        fall,
        noise_sd: noise.sd,
    };
    curve.judge(reading.log10_lr)
}

/// A curve of clipped losses, smoothed.
struct Clipped<'a> {
    grid: &'a LogGrid,
    gaussian: Gaussian<'a>,
    smoothed: Vec<f64>,
    fall: Fall,
    noise_sd: f64,
}

// Comparisons are written so that NaN, which only losses near the largest number make, is never
// usable.
impl Clipped<'_> {
    fn judge(&self, log10_lr: f64) -> Judgement {
        let tiny = self.tiny();
        let (drop_error, rise, rise_error) = self.errors();
        let z = if self.fall.minimum < self.fall.plateau_steps {
            0.0
        } else {
            self.fall.drop / drop_error.max(tiny)
        };
        let evidence = Evidence {
            noise_sd: self.noise_sd,
            drop: self.fall.drop,
            z,
            rise: rise / rise_error.max(tiny),
            plateau: self.fall.plateau,
            tail: self.tail(),
            wandering: self.wandering(drop_error.max(tiny)),
        };
        let significant = z >= SIGNIFICANT;
        let above_noise = evidence.drop >= ABOVE_NOISE * self.noise_sd.max(tiny);
        let tail = evidence.tail.unwrap_or(0.0);
        let reason = if !significant && evidence.rise >= SIGNIFICANT {
            Some(Reason::RisesWithoutFalling)
        } else if !significant && self.smoothed.len() < self.grid.len() {
            Some(Reason::DivergedWithoutFalling)
        } else if !significant || !above_noise {
            Some(Reason::Flat)
        } else if evidence.wandering.is_some() {
            Some(Reason::Wanders)
        } else if tail > 0.35 {
            Some(Reason::StillFalling)
        } else if log10_lr >= self.grid.positions()[0] {
            None
        } else {
            Some(Reason::RangeTooHigh)
        };
        Judgement {
            reason,
            evidence: Some(evidence),
            minimum_at_end: reason.is_none() && tail > 0.1,
        }
    }

    /// A difference that is nothing but rounding.
    fn tiny(&self) -> f64 {
        let largest = self.smoothed.iter().fold(0.0, |most, s| s.abs().max(most));
        1e-9 * self.fall.plateau.abs().max(largest)
    }

    /// Standard error of the drop; the highest smoothed loss from the minimum on above the plateau,
    /// and the standard error of that.
    fn errors(&self) -> (f64, f64, f64) {
        let highest = self.fall.minimum
            + first_lowest(self.smoothed[self.fall.minimum..].iter().map(|s| -s)).unwrap_or(0);
        let mut plateau = vec![0.0; self.smoothed.len()];
        let mut weights = Vec::new();
        for row in 0..self.fall.plateau_steps {
            let first = self.gaussian.row(row, &mut weights);
            for (sum, weight) in plateau[first..].iter_mut().zip(&weights) {
                *sum += weight / self.fall.plateau_steps as f64;
            }
        }
        let mut error = |row: usize| {
            let mut difference = plateau.clone();
            let first = self.gaussian.row(row, &mut weights);
            for (u, w) in difference[first..].iter_mut().zip(&weights) {
                *u -= w;
            }
            self.noise_sd * difference.iter().map(|d| d * d).sum::<f64>().sqrt()
        };
        (
            error(self.fall.minimum),
            self.smoothed[highest] - self.fall.plateau,
            error(highest),
        )
    }

    /// How it is anything but a plateau followed by one fall.
    fn wandering(&self, drop_error: f64) -> Option<Wandering> {
        let Fall { plateau, drop, .. } = self.fall;
        let at_first = &self.smoothed[..self.fall.plateau_steps];
        let off = at_first
            .iter()
            .map(|s| (s - plateau).abs())
            .fold(0.0, f64::max);
        let falls = matches!(at_first, [first, .., last] if first > last);
        if off > 0.1 * drop {
            return Some(if falls {
                Wandering::NoPlateau(off / drop)
            } else {
                Wandering::UnevenPlateau(off / drop)
            });
        }
        let mostly_done = self.fall.done(&self.smoothed, 0.8);
        let mut lowest = f64::INFINITY;
        let mut up: f64 = 0.0;
        for &s in &self.smoothed[..=mostly_done] {
            up = up.max(s - lowest);
            lowest = lowest.min(s);
        }
        if up > (0.1 * drop).max(4.0 * drop_error) {
            return Some(Wandering::Rise(up / drop));
        }
        let done = self.fall.done(&self.smoothed, 0.9);
        let before = done.checked_sub(self.steps_of(2.0, done))?;
        let early = (plateau - self.smoothed[before]) / drop;
        // An even slope falls in the plateau by 5 % off the mean.
        (early > 0.3).then_some(Wandering::SlowFall(early, falls && off > 0.025 * drop))
    }

    /// Share of the drop that is done in the last half decade, where the minimum lies at the end
    /// of the range and the curve reaches it.
    fn tail(&self) -> Option<f64> {
        let last = self.smoothed.len() - 1;
        let x = self.grid.positions();
        let from_end = if self.grid.is_uniform() {
            (last - self.fall.minimum) as f64 * self.grid.step()
        } else {
            x[last] - x[self.fall.minimum]
        };
        if self.smoothed.len() < self.grid.len() || from_end >= 0.3 {
            return None;
        }
        let before = last.saturating_sub(self.steps_of(0.5, last).max(1));
        Some((self.smoothed[before] - self.smoothed[last]) / self.fall.drop)
    }

    /// The number of steps that so many decades below step `i` take, to the nearest, ties to even;
    /// more than `i` where the grid does not reach so far.
    fn steps_of(&self, decades: f64, i: usize) -> usize {
        if self.grid.is_uniform() {
            return to_steps((decades / self.grid.step()).round_ties_even(), usize::MAX);
        }
        let x = self.grid.positions();
        let target = x[i] - decades;
        if target < x[0] {
            i + 1
        } else {
            i - self.grid.nearest(target).min(i)
        }
    }
}
