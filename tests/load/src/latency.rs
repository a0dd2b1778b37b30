//! How long something takes, in microseconds.

use crate::{Error, failed};
use hdrhistogram::Histogram;
use serde::Serialize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The longest that is told apart from longer ones.
const LONGEST_US: u64 = 600_000_000;

/// Latencies that many tasks record.
#[derive(Debug)]
pub struct Latencies(Mutex<Histogram<u64>>);

/// What they were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Quantiles {
    /// How many.
    pub count: u64,
    /// Half took at most this, in milliseconds.
    pub p50_ms: f64,
    /// 99 of 100 took at most this.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

impl Latencies {
    /// None yet.
    ///
    /// # Errors
    /// Those of the histogram, which takes these bounds.
    pub fn new() -> Result<Self, Error> {
        let histogram = Histogram::new_with_bounds(1, LONGEST_US, 3);
        Ok(Self(Mutex::new(histogram.map_err(failed("a histogram"))?)))
    }

    fn lock(&self) -> MutexGuard<'_, Histogram<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more; what is longer than ten minutes counts as that.
    pub fn record(&self, latency: Duration) {
        let us = u64::try_from(latency.as_micros()).unwrap_or(LONGEST_US);
        self.lock().saturating_record(us.max(1));
    }

    /// Forgets all.
    pub fn reset(&self) {
        self.lock().reset();
    }

    /// What was recorded.
    pub fn quantiles(&self) -> Quantiles {
        let histogram = self.lock();
        let ms = |us: u64| us as f64 / 1000.0;
        Quantiles {
            count: histogram.len(),
            p50_ms: ms(histogram.value_at_quantile(0.5)),
            p99_ms: ms(histogram.value_at_quantile(0.99)),
            max_ms: ms(histogram.max()),
        }
    }
}
