//! Where the learning rate lies: Student's t over replicas.
//!
//! The interval of a single sweep is in [`super::bootstrap`].

use super::noise::median;
use super::{Interval, IntervalMethod};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// Nominal coverage of all intervals.
pub const LEVEL: f64 = 0.9;

/// The median of the replicas' suggestions, and Student's t interval around their mean, both of
/// log10 of the learning rate.
///
/// At least half a step (`step` in decades) to both sides of the median, since a suggestion is no
/// finer than its grid. No interval for fewer than two replicas; `None` for none.
#[must_use]
pub fn over_replicas(log10_lrs: &[f64], step: f64) -> Option<(f64, Option<Interval>)> {
    if log10_lrs.is_empty() {
        return None;
    }
    let middle = median(&mut log10_lrs.to_vec());
    let count = log10_lrs.len() as f64;
    let mean = log10_lrs.iter().map(|x| x / count).sum::<f64>();
    let squares: f64 = log10_lrs.iter().map(|x| (x - mean).powi(2)).sum();
    let interval = StudentsT::new(0.0, 1.0, count - 1.0).ok().map(|student| {
        let error = (squares / (count - 1.0) / count).sqrt();
        let half = student.inverse_cdf(0.5 + LEVEL / 2.0) * error;
        Interval {
            low: 10_f64.powf((mean - half).min(middle - step / 2.0)),
            high: 10_f64.powf((mean + half).max(middle + step / 2.0)),
            level: LEVEL,
            method: IntervalMethod::StudentT,
        }
    });
    Some((middle, interval))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Half width of the interval of `count` replicas with mean 0 and standard deviation 1, in
    /// standard errors.
    fn quantile(count: usize) -> f64 {
        let spread = |i: usize| if i.is_multiple_of(2) { 1.0 } else { -1.0 };
        let values: Vec<f64> = (0..count).map(spread).collect();
        let mean = values.iter().sum::<f64>() / count as f64;
        let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
        let error = (squares / (count - 1) as f64 / count as f64).sqrt();
        let (_, interval) = over_replicas(&values, 0.0).unwrap();
        (interval.unwrap().low.log10() - mean).abs() / error
    }

    #[test]
    fn the_quantiles_are_those_of_the_tables() {
        // 95 % quantiles of Student's t at R - 1 degrees of freedom.
        for (replicas, expected) in [
            (2, 6.313_752),
            (3, 2.919_986),
            (4, 2.353_363),
            (8, 1.894_579),
            (10, 1.833_113),
            (30, 1.699_127),
        ] {
            let found = quantile(replicas);
            assert!((found - expected).abs() < 1e-5, "{replicas}: {found}");
        }
    }

    #[test]
    fn replicas_that_agree_are_no_surer_than_their_grid() {
        let (median, interval) = over_replicas(&[-2.0, -2.0, -2.0], 0.1).unwrap();
        let interval = interval.unwrap();
        assert_eq!(median, -2.0);
        assert!((interval.low.log10() + 2.05).abs() < 1e-9);
        assert!((interval.high.log10() + 1.95).abs() < 1e-9);
    }

    #[test]
    fn the_interval_holds_the_median_and_one_replica_has_none() {
        let mut skewed = vec![0.0; 15];
        skewed.extend([1.0; 5]);
        let (median, interval) = over_replicas(&skewed, 0.0).unwrap();
        assert!(interval.unwrap().low.log10() <= median);
        assert_eq!(over_replicas(&[-1.0], 0.1), Some((-1.0, None)));
        assert_eq!(over_replicas(&[], 0.1), None);
    }
}
