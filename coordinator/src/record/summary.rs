//! What lists show of a sweep.

use super::{Creation, Tally};
use rangefinder_report::SweepDocument;
use rangefinder_sweep::event::{Failure, Outcome};
use rangefinder_sweep::suggest::{Suggestion, Verdict};
use serde::{Deserialize, Serialize};

/// How far a sweep is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Steps that were run, warm-ups and lost attempts included.
    pub steps_run: u64,
    /// Steps of the plan, warm-ups included; 0 before there is one.
    pub steps_planned: u64,
    /// Leases that are held.
    pub workers_busy: u32,
}

impl From<&Tally> for Progress {
    fn from(tally: &Tally) -> Self {
        Self {
            steps_run: tally.steps_run(),
            steps_planned: tally.steps_planned(),
            workers_busy: tally.running(),
        }
    }
}

/// What lists show of a sweep that has ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Its name for people.
    #[serde(default)]
    pub name: String,
    /// Workers that its plan counted on.
    #[serde(default)]
    pub workers: u32,
    /// Its priority.
    #[serde(default)]
    pub priority: i32,
    /// Number of its last event.
    pub last_event: u64,
    /// How far it was.
    pub progress: Progress,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The learning rate, where there is a usable one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<Suggestion>,
    /// Whether its curve is usable, where it was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
}

impl Summary {
    /// At its end, before anything was read off its curve.
    #[must_use]
    pub fn at_end(creation: &Creation, outcome: &Outcome, tally: &Tally, last_event: u64) -> Self {
        Self {
            name: creation.name.clone(),
            workers: creation.workers,
            priority: creation.request.priority,
            last_event,
            progress: Progress {
                workers_busy: 0,
                ..tally.into()
            },
            failure: match outcome {
                Outcome::Failed(failure) => Some(failure.clone()),
                Outcome::Completed | Outcome::Cancelled => None,
            },
            ..Self::default()
        }
    }

    /// With what was read off its curve.
    #[must_use]
    pub fn with(self, document: &SweepDocument) -> Self {
        Self {
            suggestion: document.suggestion.clone(),
            verdict: document.verdict.clone(),
            ..self
        }
    }
}

/// How the store calls an outcome.
pub(crate) const fn status(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Completed => "completed",
        Outcome::Cancelled => "cancelled",
        Outcome::Failed(_) => "failed",
    }
}
