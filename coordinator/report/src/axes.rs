//! Where a learning rate and a loss stand in a picture, in SVG and in the terminal alike.

use crate::document::SweepDocument;
use crate::numbers::{learning_rate, real};

/// A labelled place on an axis.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tick {
    /// From 0 to 1 along the axis.
    pub at: f64,
    /// What stands there; empty for a minor tick.
    pub label: String,
}

/// The axis of learning rates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Horizontal {
    /// Whether it is logarithmic, as it is unless the learning rate grew linearly.
    pub logarithmic: bool,
    low: f64,
    high: f64,
}

impl Horizontal {
    /// The axis of a document.
    pub fn of(document: &SweepDocument) -> Self {
        let linear = document.spec.mode.as_deref() == Some("linear");
        Self::new(&document.learning_rates, !linear)
    }

    /// The axis over the given learning rates. Ones that a logarithm cannot show are left out;
    /// without any left, the axis is the default range.
    pub fn new(learning_rates: &[f64], logarithmic: bool) -> Self {
        let shown = |lr: f64| if logarithmic { lr.log10() } else { lr };
        let (low, high) = learning_rates
            .iter()
            .map(|lr| shown(*lr))
            .filter(|value| value.is_finite() && value.abs() < 1e300)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                (low.min(value), high.max(value))
            });
        if low > high {
            return Self {
                logarithmic,
                low: if logarithmic { -8.0 } else { 0.0 },
                high: if logarithmic { 0.0 } else { 1.0 },
            };
        }
        let span = (high - low).max(1e-3 * low.abs().max(high.abs()).max(1e-12));
        let pad = if high - low < span { span / 2.0 } else { 0.0 };
        Self {
            logarithmic,
            low: low - pad,
            high: high + pad,
        }
    }

    /// From 0 at the lowest learning rate to 1 at the highest, beyond that outside of the range;
    /// `None` where it cannot be shown.
    pub fn at(&self, lr: f64) -> Option<f64> {
        let value = if self.logarithmic { lr.log10() } else { lr };
        let at = (value - self.low) / (self.high - self.low);
        at.is_finite().then_some(at)
    }

    /// Ticks for people: decades where that gives at least two, else round numbers. At most
    /// about `labels` of them are labelled.
    pub fn ticks(&self, labels: usize) -> Vec<Tick> {
        let labels = labels.max(2);
        if !self.logarithmic {
            return nice(self.low, self.high, labels)
                .into_iter()
                .filter_map(|value| self.tick(value, learning_rate(value, 3)))
                .collect();
        }
        let (first, last) = ((self.low - 1e-9).ceil(), (self.high + 1e-9).floor());
        if last - first < 1.0 {
            let (low, high) = (10f64.powf(self.low), 10f64.powf(self.high));
            return nice(low, high, labels.min(6))
                .into_iter()
                .filter_map(|value| self.tick(value, learning_rate(value, 3)))
                .collect();
        }
        let every = ((last - first + 1.0) / real(labels)).ceil().max(1.0);
        let mut ticks = Vec::new();
        let mut exponent = last;
        // From the top down, so that the highest decade, where curves end, keeps its label.
        while exponent >= first && ticks.len() < 1000 {
            let labelled = (last - exponent) % every == 0.0;
            let label = if labelled {
                decade(exponent)
            } else {
                String::new()
            };
            ticks.extend(self.tick(10f64.powf(exponent), label));
            exponent -= 1.0;
        }
        ticks.reverse();
        ticks
    }

    /// Places of 2, 3, ... 9 times each decade, for short ranges; from 0 to 1.
    pub fn minor(&self) -> Vec<f64> {
        if !self.logarithmic || self.high - self.low > 12.0 {
            return Vec::new();
        }
        let mut places = Vec::new();
        let mut exponent = self.low.floor();
        while exponent <= self.high {
            for factor in 2..10 {
                let lr = f64::from(factor) * 10f64.powf(exponent);
                places.extend(self.at(lr).filter(|at| (0.0..=1.0).contains(at)));
            }
            exponent += 1.0;
        }
        places
    }

    fn tick(&self, lr: f64, label: String) -> Option<Tick> {
        let at = self.at(lr).filter(|at| (-1e-6..=1.0 + 1e-6).contains(at))?;
        Some(Tick {
            at: at.clamp(0.0, 1.0),
            label,
        })
    }
}

fn decade(exponent: f64) -> String {
    if exponent == 0.0 {
        "1".to_owned()
    } else {
        format!("1e{exponent:.0}")
    }
}

/// The axis of losses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Vertical {
    low: f64,
    high: f64,
}

impl Vertical {
    /// The range in which a curve is worth looking at: all that comes before its minimum, and of
    /// an explosion after it only the beginning, so that it does not flatten what matters.
    pub fn of(document: &SweepDocument) -> Self {
        let curve = &document.curve;
        let smoothed: &[f64] = if curve.smoothed.is_empty() {
            &curve.loss
        } else {
            &curve.smoothed
        };
        let lowest = smoothed
            .iter()
            .enumerate()
            .filter(|(_, value)| value.is_finite())
            .min_by(|a, b| a.1.total_cmp(b.1))
            .map(|(index, value)| (index, *value));
        let Some((minimum, low)) = lowest else {
            return Self {
                low: 0.0,
                high: 1.0,
            };
        };

        let first = &smoothed[..smoothed.len().min((smoothed.len() / 10).max(3))];
        let plateau = mean(first).unwrap_or(low);
        let drop = (plateau - low).max(0.0);
        let noise = noise(&curve.loss, smoothed);
        let (raw_low, raw_high) = spread(&curve.loss[..curve.loss.len().min(minimum + 1)]);
        let later = curve.loss.get(minimum..).unwrap_or(&[]);
        let after = largest(&smoothed[minimum..]).max(largest(later));
        let room = (0.6 * drop).max(4.0 * noise);
        let ceiling = plateau + room;
        let mut high = raw_high
            .max(largest(&smoothed[..=minimum]))
            .max(after.min(ceiling));
        let floor = smallest(later).max(low - room);
        let mut low = raw_low.min(low).min(floor);
        for replica in &document.replicas {
            let upto = replica.curve.smoothed.len().min(minimum + 1);
            let shown = &replica.curve.smoothed[..upto];
            high = high.max(largest(shown).min(ceiling.max(high + drop)));
            low = low.min(smallest(shown).max(low - drop));
        }
        let (low, high) = (low.clamp(-1e300, 1e300), high.clamp(-1e300, 1e300));
        let span = high - low;
        let pad = if span > 1e-9 * low.abs().max(high.abs()).max(1e-300) {
            0.06 * span
        } else {
            (0.05 * low.abs()).max(1e-12)
        };
        Self {
            low: low - pad,
            high: high + pad,
        }
    }

    /// From 0 at the bottom to 1 at the top, beyond that outside; `None` for NaN.
    pub fn at(&self, loss: f64) -> Option<f64> {
        let at = (loss - self.low) / (self.high - self.low);
        (!at.is_nan()).then_some(at)
    }

    /// About `count` round numbers within the range.
    pub fn ticks(&self, count: usize) -> Vec<Tick> {
        let values = nice(self.low, self.high, count);
        let labels = alike(&values);
        values
            .iter()
            .zip(labels)
            .filter_map(|(value, label)| {
                let at = self.at(*value).filter(|at| (0.0..=1.0).contains(at))?;
                Some(Tick { at, label })
            })
            .collect()
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    let finite: Vec<f64> = values
        .iter()
        .copied()
        .filter(|value| value.is_finite())
        .collect();
    let mean = finite
        .iter()
        .map(|value| value / real(finite.len()))
        .sum::<f64>();
    (!finite.is_empty()).then_some(mean)
}

fn largest(values: &[f64]) -> f64 {
    values
        .iter()
        .copied()
        .filter(|value| value.is_finite())
        .fold(f64::NEG_INFINITY, f64::max)
}

fn smallest(values: &[f64]) -> f64 {
    values
        .iter()
        .copied()
        .filter(|value| value.is_finite())
        .fold(f64::INFINITY, f64::min)
}

/// Median distance of the raw losses from the smoothed ones, scaled to a standard deviation.
fn noise(raw: &[f64], smoothed: &[f64]) -> f64 {
    let mut distances: Vec<f64> = raw
        .iter()
        .zip(smoothed)
        .map(|(raw, smoothed)| (raw - smoothed).abs())
        .filter(|distance| distance.is_finite())
        .collect();
    distances.sort_by(f64::total_cmp);
    distances
        .get(distances.len() / 2)
        .map_or(0.0, |median| 1.4826 * median)
}

/// Where nearly all of the values lie: outliers beyond four times the distance of the outer
/// tenths from the middle are left out.
fn spread(values: &[f64]) -> (f64, f64) {
    let mut sorted: Vec<f64> = values
        .iter()
        .copied()
        .filter(|value| value.is_finite())
        .collect();
    sorted.sort_by(f64::total_cmp);
    let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else {
        return (f64::INFINITY, f64::NEG_INFINITY);
    };
    let middle = sorted[sorted.len() / 2];
    let (low, high) = (
        sorted[sorted.len() / 10],
        sorted[sorted.len() - 1 - sorted.len() / 10],
    );
    (
        (middle - 4.0 * (middle - low)).max(*first),
        (middle + 4.0 * (high - middle)).min(*last),
    )
}

/// About `count` multiples of 1, 2 or 5 times a power of ten in [low, high].
fn nice(low: f64, high: f64, count: usize) -> Vec<f64> {
    let rough = (high / real(count.max(1))) - (low / real(count.max(1)));
    if !(rough > 0.0 && rough.is_finite()) {
        return Vec::new();
    }
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= rough * 0.7)
        .unwrap_or(10.0 * power);
    let first = (low / step - 1e-9).ceil();
    (0..=2 * count + 2)
        .map(|index| (first + real(index)) * step)
        .take_while(|value| *value <= high + 1e-9 * step)
        .collect()
}

/// Labels with the same number of decimals, scientific where plain ones would be long.
fn alike(values: &[f64]) -> Vec<String> {
    let most = values
        .iter()
        .fold(0.0, |most: f64, value| most.max(value.abs()));
    let step = match values {
        [a, b, ..] => (b - a).abs(),
        _ => most,
    };
    if !(step > 0.0 && most.is_finite()) {
        return values
            .iter()
            .map(|value| crate::numbers::quantity(*value, 3))
            .collect();
    }
    let (magnitude, finest) = (most.log10().floor(), (step.log10() + 1e-9).floor());
    if !(1e-2..1e5).contains(&most) {
        let digits = crate::numbers::whole(magnitude - finest + 1.0, 12).max(1);
        return values
            .iter()
            .map(|value| crate::numbers::quantity(zero_if_tiny(*value, step), digits))
            .collect();
    }
    let decimals = crate::numbers::whole(-finest, 12);
    values
        .iter()
        .map(|value| format!("{:.decimals$}", zero_if_tiny(*value, step)))
        .collect()
}

/// No "-0.0" at the axis.
fn zero_if_tiny(value: f64, step: f64) -> f64 {
    if value.abs() < 1e-6 * step {
        0.0
    } else {
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &[Tick]) -> Vec<&str> {
        ticks
            .iter()
            .map(|tick| tick.label.as_str())
            .filter(|label| !label.is_empty())
            .collect()
    }

    #[test]
    fn decades_are_labelled_and_thinned_from_the_top() {
        let axis = Horizontal::new(&[1e-8, 1.0], true);
        assert_eq!(
            labels(&axis.ticks(10)),
            [
                "1e-8", "1e-7", "1e-6", "1e-5", "1e-4", "1e-3", "1e-2", "1e-1", "1"
            ]
        );
        assert_eq!(
            labels(&axis.ticks(5)),
            ["1e-8", "1e-6", "1e-4", "1e-2", "1"]
        );
    }

    #[test]
    fn a_range_within_one_decade_still_has_ticks() {
        let axis = Horizontal::new(&[2e-3, 8e-3], true);
        assert!(labels(&axis.ticks(6)).len() >= 2, "{:?}", axis.ticks(6));
    }

    #[test]
    fn a_linear_axis_is_even() {
        let axis = Horizontal::new(&[1e-8, 0.5, 1.0], false);
        let middle = axis.at(0.5).unwrap();
        assert!((middle - 0.5).abs() < 1e-6);
        assert_eq!(labels(&axis.ticks(5)), ["0.2", "0.4", "0.6", "0.8", "1"]);
    }

    #[test]
    fn labels_of_one_axis_have_the_same_decimals() {
        assert_eq!(alike(&[0.0, 0.5, 1.0]), ["0.0", "0.5", "1.0"]);
        assert_eq!(alike(&[100_000.0, 150_000.0]), ["1e5", "1.5e5"]);
        assert_eq!(alike(&[-2e-6, 0.0, 2e-6]), ["-2e-6", "0", "2e-6"]);
    }

    #[test]
    fn degenerate_ranges_have_an_axis() {
        for values in [&[][..], &[0.0, 0.0], &[f64::NAN], &[1e-300, 1e300], &[5.0]] {
            for logarithmic in [true, false] {
                let axis = Horizontal::new(values, logarithmic);
                assert!(axis.low < axis.high, "{values:?}");
                assert!(axis.ticks(8).len() < 1001);
            }
        }
    }
}
