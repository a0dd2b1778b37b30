//! What the engine writes.

use super::message::Inner;
use crate::record;
use rangefinder_store::{Appender, Change, Reader, Refused};
use rangefinder_sweep::event::{Happening, Outcome, SweepEvent};
use rangefinder_sweep::ids::{LeaseToken, SweepId};
use tokio::sync::mpsc;

/// The counter that holds the highest lease token that was ever granted.
const TOKENS: &str = "lease_token";
/// The counter that holds when the store was made, in milliseconds since 1970.
const EPOCH: &str = "epoch_unix_ms";

/// Where the engine writes to. Without a store, as in tests of the engine alone, everything counts
/// as durable at once and is lost with the process.
#[derive(Debug)]
pub(super) struct Journal {
    store: Option<(Appender, Reader)>,
    inner: mpsc::UnboundedSender<Inner>,
    /// What time 0 of the coordinator's clock is, in milliseconds since 1970.
    epoch: i64,
}

impl Journal {
    pub(super) fn new(
        store: Option<(Appender, Reader)>,
        epoch: i64,
        inner: mpsc::UnboundedSender<Inner>,
    ) -> Self {
        Self {
            store,
            inner,
            epoch,
        }
    }

    pub(super) fn reader(&self) -> Option<&Reader> {
        self.store.as_ref().map(|(_, reader)| reader)
    }

    /// Whether what is appended outlives the process.
    pub(super) fn is_durable(&self) -> bool {
        self.store.is_some()
    }

    /// Bytes that wait to be written.
    pub(super) fn backlog(&self) -> usize {
        self.store
            .as_ref()
            .map_or(0, |(appender, _)| appender.backlog().bytes)
    }

    /// Appends a batch; that it is durable comes back as [`Inner::Durable`].
    pub(super) fn append(&self, batch: u64, changes: Vec<Change>) -> Result<(), Refused> {
        let inner = self.inner.clone();
        // An engine that has ended waits for nothing.
        let on_durable = Box::new(move || drop(inner.send(Inner::Durable(batch))));
        match &self.store {
            Some((appender, _)) => appender.append(changes, on_durable),
            None => {
                on_durable();
                Ok(())
            }
        }
    }

    /// What an event changes in the store. `created_ms` is when its sweep was created on the
    /// coordinator's clock, since which the event counts its time.
    pub(super) fn changes(
        &self,
        event: &SweepEvent,
        created_ms: u64,
        summary: impl FnOnce(&Outcome) -> record::Summary,
    ) -> serde_json::Result<Vec<Change>> {
        let sweep = event.sweep.0.clone();
        let unix_ms = self.unix_ms(created_ms.saturating_add(event.at_ms));
        let mut changes = vec![Change::Event {
            sweep: sweep.clone(),
            number: event.number,
            unix_ms,
            payload: serde_json::to_vec(event)?,
        }];
        match &event.happening {
            Happening::Granted { token, .. } => changes.push(Change::Counter {
                name: TOKENS.to_owned(),
                value: token.0,
            }),
            Happening::Ended { outcome } => changes.push(Change::End {
                sweep,
                unix_ms,
                status: record::status(outcome).to_owned(),
                summary: serde_json::to_vec(&summary(outcome))?,
            }),
            _ => {}
        }
        Ok(changes)
    }

    /// A new sweep.
    pub(super) fn create(
        &self,
        sweep: &SweepId,
        owner: &str,
        request_id: &str,
        creation: &record::Creation,
    ) -> serde_json::Result<Change> {
        Ok(Change::Create {
            id: sweep.0.clone(),
            owner: owner.to_owned(),
            request_id: request_id.to_owned(),
            unix_ms: self.unix_ms(creation.created_ms),
            spec: creation.to_json()?,
        })
    }

    /// A time of the coordinator's clock in milliseconds since 1970.
    pub(super) fn unix_ms(&self, ms: u64) -> i64 {
        self.epoch
            .saturating_add(i64::try_from(ms).unwrap_or(i64::MAX))
    }
}

/// The highest lease token that was ever granted.
pub(super) fn last_token(reader: &Reader) -> Result<LeaseToken, rangefinder_store::Error> {
    counter(reader, TOKENS).map(|value| LeaseToken(value.unwrap_or(0)))
}

/// When the store was made, where it says so.
pub(super) fn epoch(reader: &Reader) -> Result<Option<i64>, rangefinder_store::Error> {
    let value = counter(reader, EPOCH)?;
    Ok(value.and_then(|value| i64::try_from(value).ok()))
}

/// Says when the store was made.
pub(super) fn set_epoch(unix_ms: i64) -> Change {
    Change::Counter {
        name: EPOCH.to_owned(),
        value: unix_ms.unsigned_abs(),
    }
}

fn counter(reader: &Reader, name: &str) -> Result<Option<u64>, rangefinder_store::Error> {
    let counters = reader.counters()?;
    Ok(counters
        .into_iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value))
}
