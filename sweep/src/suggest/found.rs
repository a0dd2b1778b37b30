//! What a method finds on one curve, and the small steps that methods share.

use crate::curve::gaussian::first_lowest;
use std::ops::Range;

/// A learning rate on one curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// The learning rate.
    pub lr: f64,
    /// Step whose learning rate is nearest.
    pub index: usize,
}

/// Difference of slopes up to which fastai's sliding window stays.
pub(crate) const SLIDE_THRESHOLD: f64 = 0.005;

/// A learning rate, or why there is none.
pub type Outcome = Result<Found, String>;

/// Steps that are left of `len` when some are left out at both ends; empty when none are left.
pub(crate) fn window(len: usize, begin: usize, end: usize) -> Range<usize> {
    let end = len.saturating_sub(end);
    begin.min(end)..end
}

/// The learning rate of a step.
pub(crate) fn at(learning_rates: &[f64], index: usize) -> Outcome {
    learning_rates
        .get(index)
        .map(|&lr| Found { lr, index })
        .ok_or_else(|| format!("there is no learning rate for step {index}"))
}

/// A learning rate off the grid, with the step whose own is nearest in proportion.
pub(crate) fn near(learning_rates: &[f64], lr: f64) -> Found {
    let distances = learning_rates.iter().map(|step| (step / lr).ln().abs());
    Found {
        lr,
        index: first_lowest(distances).unwrap_or(0),
    }
}

/// Differences over the index as `numpy.gradient` takes them: central, one-sided at the ends.
/// Empty for fewer than two values.
pub(crate) fn gradient(values: &[f64]) -> Vec<f64> {
    let n = values.len();
    if n < 2 {
        return Vec::new();
    }
    (0..n)
        .map(|i| match i {
            0 => values[1] - values[0],
            i if i == n - 1 => values[i] - values[i - 1],
            i => (values[i + 1] - values[i - 1]) / 2.0,
        })
        .collect()
}

/// Index of the lowest value as numpy and PyTorch find it: the first NaN, else the first of equal
/// ones.
pub(crate) fn argmin(values: impl IntoIterator<Item = f64> + Clone) -> Option<usize> {
    let nan = values.clone().into_iter().position(f64::is_nan);
    nan.or_else(|| first_lowest(values))
}

/// fastai's valley: where the longest descent, not necessarily of neighbours, has done a third of
/// its way and half of a third. `None` for no losses.
///
/// The length of the longest descent that ends at each step comes from the lowest negated end of
/// the descents of each length, in n log n steps where fastai takes n^2.
pub(crate) fn valley(losses: &[f64]) -> Option<usize> {
    let mut ends: Vec<f64> = Vec::new();
    // (length, end) of the first of the longest descents.
    let mut longest = (1, 0);
    for (step, &loss) in losses.iter().enumerate() {
        let shorter = ends.partition_point(|&end| end > loss);
        match ends.get_mut(shorter) {
            Some(end) => *end = loss,
            None => ends.push(loss),
        }
        if shorter + 1 > longest.0 {
            longest = (shorter + 1, step);
        }
    }
    let n = losses.len();
    let (length, end) = longest;
    // A descent may start one step before the curve by fastai's count; its indices wrap around.
    let (before, across) = if length == 1 {
        (0, 0)
    } else {
        (length, length)
    };
    let thirds = across / 3;
    // Half of a third of n, truncated, is n / 6 for whole numbers.
    let index = end + thirds + across / 6;
    match index.checked_sub(before) {
        Some(index) => (index < n).then_some(index),
        None => n.checked_sub(1),
    }
}

/// fastai's sliding window: the step up to which the slopes at both ends of a window of 15 steps,
/// moved down from the end of the curve, differ. `None` for fewer than 16 slopes.
pub(crate) fn slide(slopes: usize, differ: impl Fn(usize, usize) -> bool) -> Option<usize> {
    const APART: usize = 15;
    let start = slopes.checked_sub(APART + 1)?;
    let moved = (0..=start)
        .rev()
        .take_while(|&left| differ(left, left + APART));
    Some(moved.last().unwrap_or(start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// fastai's own loops, with its truncated thirds of whole numbers.
    fn valley_in_quadratic_time(losses: &[f64]) -> Option<usize> {
        let mut lengths = vec![1; losses.len()];
        let (mut start, mut end) = (0, 0);
        for i in 1..losses.len() {
            for j in 0..i {
                if losses[i] < losses[j] && lengths[i] < lengths[j] + 1 {
                    lengths[i] = lengths[j] + 1;
                }
                if lengths[end] < lengths[i] {
                    end = i;
                    start = i64::try_from(end).unwrap() - lengths[end];
                }
            }
        }
        let across = i64::try_from(end).unwrap() - start;
        let index = start + across / 3 + across / 6;
        let n = i64::try_from(losses.len()).unwrap();
        // Python's negative indices count from the end.
        let index = if index < 0 { index + n } else { index };
        usize::try_from(index).ok().filter(|_| index < n)
    }

    proptest! {
        #[test]
        fn the_valley_is_fastais(losses in prop::collection::vec(-6..6_i8, 0..40)) {
            let losses: Vec<f64> = losses.into_iter().map(f64::from).collect();
            prop_assert_eq!(valley(&losses), valley_in_quadratic_time(&losses));
        }
    }

    #[test]
    fn a_window_never_runs_backwards() {
        assert_eq!(window(100, 10, 1), 10..99);
        assert_eq!(window(5, 10, 1), 4..4);
        assert_eq!(window(0, 10, 1), 0..0);
    }

    #[test]
    fn the_lowest_is_the_first_nan_else_the_first_of_equals() {
        assert_eq!(argmin([2.0, 1.0, 1.0]), Some(1));
        assert_eq!(argmin([2.0, 1.0, f64::NAN, f64::NAN]), Some(2));
        assert_eq!(argmin([f64::INFINITY; 2]), Some(0));
        assert_eq!(argmin(Vec::new()), None);
    }
}
