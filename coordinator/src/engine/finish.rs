//! What becomes of sweeps that have ended: a document is made of each, one after the other, and when
//! it is stored the engine forgets the sweep.

use super::core::Core;
use super::held::Effect;
use super::message::Inner;
use crate::record::document;
use rangefinder_store::Change;
use rangefinder_sweep::ids::SweepId;
use rangefinder_sweep::state::Time;
use std::sync::Arc;

impl Core {
    /// A document is to be made of a sweep that has ended, unless nothing keeps it.
    pub(super) fn finish_later(&mut self, sweep: SweepId) {
        if self.journal.is_durable() {
            self.unfinished.push_back(sweep);
            self.finish_next();
        }
    }

    /// Makes the next document, on a thread for what takes long.
    fn finish_next(&mut self) {
        if self.finishing {
            return;
        }
        let Some(id) = self.unfinished.pop_front() else {
            return;
        };
        let (Some(sweep), Some(result)) = (self.sweeps.get(&id), self.result(&id)) else {
            return;
        };
        self.finishing = true;
        let creation = Arc::clone(&sweep.creation);
        let tally = sweep.tally.clone();
        let summary = sweep.ended.clone().unwrap_or_default();
        let inner = self.inner.clone();
        tokio::task::spawn_blocking(move || {
            let document = document(&creation, &result, &tally);
            let made = document.to_json().and_then(|json| {
                let summary = serde_json::to_vec(&summary.with(&document))?;
                Ok((summary, json.into_bytes()))
            });
            // An engine that has ended makes it when it is started again.
            let _ = inner.send(Inner::Documented { sweep: id, made });
        });
    }

    pub(super) fn documented(
        &mut self,
        now: Time,
        id: SweepId,
        made: serde_json::Result<(Vec<u8>, Vec<u8>)>,
    ) {
        self.finishing = false;
        match made {
            Ok((summary, document)) => {
                let change = Change::Document {
                    sweep: id.0.clone(),
                    summary,
                    document,
                };
                if let Err(refused) = self.write(vec![change], vec![Effect::Forget(id)]) {
                    tracing::error!(%refused, "a defect: the store refuses a document");
                }
            }
            Err(error) => {
                tracing::error!(sweep = %id, %error, "a defect: a document that is not JSON");
                self.perform(now, vec![Effect::Forget(id)]);
            }
        }
        self.finish_next();
    }
}
