//! Artifacts that active sweeps need: they do not give way to others.

use crate::catalogue::{self, Catalogue};
use rangefinder_artifacts::{ArtifactStore, Pin, Reference};
use rangefinder_config::files;
use rangefinder_store::{ACTIVE, Filter};
use rangefinder_sweep::ids::SweepId;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Active sweeps that are looked through at a time.
const PAGE: usize = 1000;

/// The artifacts of active sweeps. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Pins(Arc<Mutex<HashMap<SweepId, Vec<Pin>>>>);

impl Pins {
    /// Those of the sweeps that are active. An artifact that is gone is passed over with a warning:
    /// its sweep will fail when a worker asks for it, and say so.
    ///
    /// # Errors
    /// When the sweeps cannot be read.
    pub async fn restore(
        catalogue: &Catalogue,
        store: &ArtifactStore,
    ) -> Result<Self, catalogue::Error> {
        let pins = Self::default();
        let filter = Filter {
            statuses: vec![ACTIVE.to_owned()],
            ..Filter::default()
        };
        let mut after = None;
        loop {
            let page = catalogue.list(filter.clone(), after, PAGE).await?;
            for entry in &page {
                let creation = catalogue.creation(&entry.id).await?;
                let held = files::artifacts(&creation.spec).into_iter();
                let held = held.filter_map(|(_, reference)| pin(store, &entry.id, &reference));
                pins.hold(entry.id.clone(), held.collect());
            }
            after = page.last().map(|entry| entry.position);
            if page.len() < PAGE {
                return Ok(pins);
            }
        }
    }

    /// Holds what a sweep needs for as long as it is active.
    pub fn hold(&self, sweep: SweepId, pins: Vec<Pin>) {
        if !pins.is_empty() {
            self.lock().insert(sweep, pins);
        }
    }

    /// Lets go of what belongs to sweeps that are no longer active.
    ///
    /// # Errors
    /// When the engine has stopped.
    pub async fn release(&self, catalogue: &Catalogue) -> Result<(), catalogue::Error> {
        let held: Vec<_> = self.lock().keys().cloned().collect();
        let active = catalogue.engine().view(held.clone()).await?;
        let active: HashSet<_> = active.into_iter().map(|(sweep, _)| sweep).collect();
        let mut pins = self.lock();
        for sweep in held.iter().filter(|sweep| !active.contains(sweep)) {
            pins.remove(sweep);
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SweepId, Vec<Pin>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pin(store: &ArtifactStore, sweep: &SweepId, reference: &Reference) -> Option<Pin> {
    store
        .pin(reference.digest(), None)
        .inspect_err(
            |error| tracing::warn!(%sweep, %error, "an artifact of an active sweep is gone"),
        )
        .ok()
}
