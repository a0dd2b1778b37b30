//! Versions of the parts that took part in a sweep, from its events.

use rangefinder_sweep::event::{Happening, SweepEvent};
use std::collections::BTreeMap;

/// Versions by part. Where workers differ, all of a part's versions are kept, in the order in which
/// they came.
#[derive(Debug)]
pub(super) struct Versions(BTreeMap<String, Vec<String>>);

impl Versions {
    /// The coordinator's own.
    pub(super) fn new() -> Self {
        let own = env!("CARGO_PKG_VERSION").to_owned();
        Self(BTreeMap::from([("rangefinder".to_owned(), vec![own])]))
    }

    /// Takes in an event.
    pub(super) fn see(&mut self, event: &SweepEvent) {
        let Happening::WorkerJoined { versions, .. } = &event.happening else {
            return;
        };
        for (part, version) in versions {
            let known = self.0.entry(part.clone()).or_default();
            if !known.contains(version) {
                known.push(version.clone());
            }
        }
    }

    /// One text for each part.
    pub(super) fn all(self) -> BTreeMap<String, String> {
        let joined = |(part, versions): (String, Vec<String>)| (part, versions.join(", "));
        self.0.into_iter().map(joined).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rangefinder_sweep::ids::{SweepId, WorkerId};

    #[test]
    fn versions_of_all_workers_are_kept_each_once() {
        let mut versions = Versions::new();
        for (number, libtorch) in (1..).zip(["2.11.0", "2.12.0", "2.11.0"]) {
            versions.see(&SweepEvent {
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
        let all = versions.all();
        assert_eq!(all["libtorch"], "2.11.0, 2.12.0");
        assert_eq!(all["rangefinder"], env!("CARGO_PKG_VERSION"));
    }
}
