//! How long a sweep took, from its events.

use rangefinder_report::document::Timings;
use rangefinder_sweep::event::{Happening, SweepEvent, WorkKind};
use std::time::Instant;

/// Counts time and steps.
pub(super) struct Clock {
    started: Instant,
    first_grant_ms: Option<u64>,
    last_end_ms: u64,
    steps: u64,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self {
            started: Instant::now(),
            first_grant_ms: None,
            last_end_ms: 0,
            steps: 0,
        }
    }

    /// Takes in an event.
    pub(super) fn see(&mut self, event: &SweepEvent) {
        match &event.happening {
            Happening::Granted {
                work: WorkKind::Task(_),
                ..
            } => {
                self.first_grant_ms.get_or_insert(event.at_ms);
            }
            Happening::Observed { observations, .. } => {
                self.steps += observations.len() as u64;
                self.last_end_ms = event.at_ms;
            }
            Happening::AttemptEnded {
                work: WorkKind::Task(_),
                ..
            } => self.last_end_ms = event.at_ms,
            _ => {}
        }
    }

    pub(super) fn timings(&self) -> Timings {
        let training_ms = self
            .first_grant_ms
            .map_or(0, |first| self.last_end_ms.saturating_sub(first));
        let training_seconds = training_ms as f64 / 1000.0;
        Timings {
            wall_seconds: self.started.elapsed().as_secs_f64(),
            training_seconds,
            steps_run: self.steps,
            steps_per_second: if training_ms == 0 {
                0.0
            } else {
                self.steps as f64 / training_seconds
            },
        }
    }
}
