//! Jitter and back-off, from a seed.

use std::time::Duration;

/// A small generator (SplitMix64; Steele, Lea and Flood 2014): enough to keep workers out of step.
#[derive(Clone, Debug)]
pub(crate) struct Jitter(u64);

impl Jitter {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A share of `whole`, uniform in [low, 1) of it.
    pub(crate) fn of(&mut self, whole: Duration, low: f64) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        #[expect(
            clippy::cast_precision_loss,
            reason = "jitter needs no more than 53 bits"
        )]
        let unit = (bits >> 11) as f64 / (1_u64 << 53) as f64;
        whole.mul_f64(low + (1.0 - low) * unit)
    }
}

/// Pauses between attempts: doubling up to a bound, each jittered down to a half.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(min: Duration, max: Duration) -> Self {
        Self {
            min,
            max: max.max(min),
            next: min,
        }
    }

    /// Starts again from the shortest pause.
    pub(crate) fn reset(&mut self) {
        self.next = self.min;
    }

    /// The next pause.
    pub(crate) fn pause(&mut self, jitter: &mut Jitter) -> Duration {
        let pause = jitter.of(self.next, 0.5);
        self.next = self.next.saturating_mul(2).min(self.max);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_within_their_bounds_and_differ_between_workers() {
        let min = Duration::from_millis(50);
        let max = Duration::from_secs(2);
        let pauses = |seed| {
            let mut backoff = Backoff::new(min, max);
            let mut jitter = Jitter::new(seed);
            (0..10)
                .map(|_| backoff.pause(&mut jitter))
                .collect::<Vec<_>>()
        };
        for (attempt, pause) in (0_u32..).zip(pauses(1)) {
            let whole = min.saturating_mul(1 << attempt.min(20)).min(max);
            assert!(pause >= whole / 2 && pause <= whole, "{attempt}: {pause:?}");
        }
        assert_ne!(pauses(1), pauses(2));
    }
}
