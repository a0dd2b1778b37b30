//! What the events of a sweep say beside its result: how long it took, and who took part.

use rangefinder_report::document::Timings;
use rangefinder_sweep::event::{Happening, SweepEvent, WorkKind};
use rangefinder_sweep::ids::LeaseToken;
use std::collections::BTreeMap;

/// Counts time, steps and versions. A function of the events alone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    first_ms: Option<u64>,
    last_ms: u64,
    first_grant_ms: Option<u64>,
    last_end_ms: u64,
    steps_run: u64,
    steps_planned: u64,
    granted: bool,
    /// Leases that it holds, with when they were granted.
    running: BTreeMap<LeaseToken, u64>,
    versions: BTreeMap<String, Vec<String>>,
}

impl Tally {
    /// Takes in an event.
    pub fn see(&mut self, event: &SweepEvent) {
        self.first_ms.get_or_insert(event.at_ms);
        self.last_ms = event.at_ms;
        match &event.happening {
            Happening::WorkerJoined { versions, .. } => {
                for (part, version) in versions {
                    let known = self.versions.entry(part.clone()).or_default();
                    if !known.contains(version) {
                        known.push(version.clone());
                    }
                }
            }
            Happening::Planned { plan } => self.steps_planned = plan.total_steps.into(),
            Happening::Granted { work, token, .. } => {
                self.granted = true;
                self.running.insert(*token, event.at_ms);
                if matches!(work, WorkKind::Task(_)) {
                    self.first_grant_ms.get_or_insert(event.at_ms);
                }
            }
            Happening::Observed { observations, .. } => {
                self.steps_run += observations.len() as u64;
                self.last_end_ms = event.at_ms;
            }
            Happening::AttemptEnded { work, token, .. } => {
                self.running.remove(token);
                if matches!(work, WorkKind::Task(_)) {
                    self.last_end_ms = event.at_ms;
                }
            }
            _ => {}
        }
    }

    /// Whether any work of it was granted.
    #[must_use]
    pub fn has_started(&self) -> bool {
        self.granted
    }

    /// Leases that it holds.
    #[must_use]
    pub fn running(&self) -> u32 {
        u32::try_from(self.running.len()).unwrap_or(u32::MAX)
    }

    /// When a lease that it holds was granted, in milliseconds since its creation.
    #[must_use]
    pub fn granted_ms(&self, token: LeaseToken) -> Option<u64> {
        self.running.get(&token).copied()
    }

    /// Steps that were run, warm-ups and lost attempts included.
    #[must_use]
    pub fn steps_run(&self) -> u64 {
        self.steps_run
    }

    /// Steps of its plan, warm-ups included; 0 before there is one.
    #[must_use]
    pub fn steps_planned(&self) -> u64 {
        self.steps_planned
    }

    /// How long it took.
    #[must_use]
    pub fn timings(&self) -> Timings {
        let training_ms = self
            .first_grant_ms
            .map_or(0, |first| self.last_end_ms.saturating_sub(first));
        let wall_ms = self.last_ms.saturating_sub(self.first_ms.unwrap_or(0));
        let seconds = |ms: u64| ms as f64 / 1000.0;
        Timings {
            wall_seconds: seconds(wall_ms),
            training_seconds: seconds(training_ms),
            steps_run: self.steps_run,
            steps_per_second: if training_ms == 0 {
                0.0
            } else {
                self.steps_run as f64 / seconds(training_ms)
            },
        }
    }

    /// Versions of the parts that took part, one text for each; where workers differ, all of a
    /// part's versions in the order in which they came.
    #[must_use]
    pub fn versions(&self) -> BTreeMap<String, String> {
        let mut all = self.versions.clone();
        let own = env!("CARGO_PKG_VERSION").to_owned();
        let known = all.entry("rangefinder".to_owned()).or_default();
        known.retain(|version| *version != own);
        known.insert(0, own);
        let joined = |(part, versions): (String, Vec<String>)| (part, versions.join(", "));
        all.into_iter().map(joined).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rangefinder_sweep::ids::{SweepId, WorkerId};

    #[test]
    fn versions_of_all_workers_are_kept_each_once() {
        let mut tally = Tally::default();
        for (number, libtorch) in (1..).zip(["2.11.0", "2.12.0", "2.11.0"]) {
            tally.see(&SweepEvent {
                sweep: SweepId("s".to_owned()),
                number,
                at_ms: 0,
                happening: Happening::WorkerJoined {
                    worker: WorkerId(format!("w{number}")),
                    device: "cpu".to_owned(),
                    versions: BTreeMap::from([("libtorch".to_owned(), libtorch.to_owned())]),
                },
            });
        }
        let all = tally.versions();
        assert_eq!(all["libtorch"], "2.11.0, 2.12.0");
        assert_eq!(all["rangefinder"], env!("CARGO_PKG_VERSION"));
    }
}
