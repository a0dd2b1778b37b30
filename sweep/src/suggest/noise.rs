//! The noise of single losses, and losses clipped to it.

/// Half the width of the running median, in steps.
const MEDIAN_REACH: usize = 2;
/// Standard deviations of the noise to which losses are clipped around the running median.
const CLIP: f64 = 3.0;
/// Standard deviation of a Gaussian over its median absolute value.
const GAUSSIAN_MAD: f64 = 1.4826;

/// The noise of a curve.
#[derive(Clone, Debug, PartialEq)]
pub struct Noise {
    /// Standard deviation of single losses around the curve.
    pub sd: f64,
    /// The losses clipped to three of those around a running median of five.
    pub clipped: Vec<f64>,
}

impl Noise {
    /// The noise of these losses, all finite.
    ///
    /// The largest of three robust estimates, each from the differences between a loss and the
    /// mean of its neighbours at 1, 2 and 3 steps, so that noise that is correlated over a step or
    /// two does not pass for none.
    #[must_use]
    pub fn of(losses: &[f64]) -> Self {
        let sd = (1..=3)
            .map(|lag| deviation(losses, lag))
            .fold(0.0, f64::max);
        let clipped = (0..losses.len())
            .map(|i| {
                let window = i.saturating_sub(MEDIAN_REACH)..losses.len().min(i + MEDIAN_REACH + 1);
                let median = median(&mut losses[window].to_vec());
                losses[i].max(median - CLIP * sd).min(median + CLIP * sd)
            })
            .collect();
        Self { sd, clipped }
    }
}

/// Deviations at three steps over those at one from which on losses seem smoothed: 1 for those of
/// independent batches, 1.7 for a moving average of the last ten or more.
const SMOOTHED: f64 = 1.5;

/// Whether losses seem to be smoothed already: each is more like its neighbours than like those at
/// three steps, as losses of batches of their own are not. A curve without noise seems so too.
#[must_use]
pub fn seem_smoothed(losses: &[f64]) -> bool {
    let finite = losses.iter().take_while(|loss| loss.is_finite()).count();
    let losses = &losses[..finite];
    deviation(losses, 3) > SMOOTHED * deviation(losses, 1)
}

/// Robust standard deviation from the differences to the mean of the neighbours at `lag` steps.
fn deviation(losses: &[f64], lag: usize) -> f64 {
    let mut differences: Vec<f64> = losses
        .windows(2 * lag + 1)
        // Halved first, so that huge losses do not overflow.
        .map(|w| (w[lag] - (0.5 * w[0] + 0.5 * w[2 * lag])).abs())
        .collect();
    // The variance of such a difference is 1.5 times that of a loss.
    GAUSSIAN_MAD * median(&mut differences) / 1.5_f64.sqrt()
}

/// The median, the mean of the middle two for an even number; 0 for none.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        odd if !odd.is_multiple_of(2) => values[middle],
        _ => 0.5 * values[middle - 1] + 0.5 * values[middle],
    }
}

#[cfg(test)]
mod tests {
    use super::super::random::SplitMix64;
    use super::*;

    #[test]
    fn a_straight_line_has_no_noise_and_keeps_its_losses() {
        let line: Vec<f64> = (0..30).map(|i| 3.0 - 0.25 * f64::from(i)).collect();
        let noise = Noise::of(&line);
        assert!(noise.sd < 1e-12);
        // Next to the ends the median is that of three or four losses, off the line.
        assert_eq!(noise.clipped[2..28], line[2..28]);
    }

    #[test]
    fn losses_of_batches_of_their_own_do_not_seem_smoothed_and_their_moving_average_does() {
        let mut random = SplitMix64::new(1);
        for beta in [0.9, 0.98] {
            let losses: Vec<f64> = (0..200).map(|_| random.next() as f64).collect();
            assert!(!seem_smoothed(&losses));
            let mut average = losses[0];
            let smooth = losses.iter().map(|loss| {
                average = beta * average + (1.0 - beta) * loss;
                average
            });
            assert!(seem_smoothed(&smooth.chain([f64::NAN]).collect::<Vec<_>>()));
        }
        assert!(!seem_smoothed(&[]));
        assert!(!seem_smoothed(&[2.0; 50]));
    }

    #[test]
    fn one_outlier_is_clipped_and_does_not_count_as_noise() {
        let mut losses: Vec<f64> = (0..40)
            .map(|i| if i % 2 == 0 { 1.0 } else { 1.01 })
            .collect();
        losses[20] = 50.0;
        let noise = Noise::of(&losses);
        assert!(noise.sd < 0.02, "{}", noise.sd);
        assert!(noise.clipped[20] < 1.1);
    }

    #[test]
    fn the_median_of_an_even_number_is_the_mean_of_the_middle_two() {
        assert_eq!(median(&mut [4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median(&mut [2.0, 1.0, 9.0]), 2.0);
        assert_eq!(median(&mut []), 0.0);
    }
}
