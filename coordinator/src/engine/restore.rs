//! What a store brings back: every sweep whose result is not stored.

use super::core::Sweep;
use super::journal::{self, Journal};
use super::log::Log;
use super::message::Inner;
use super::{Clock, Engine, Handle, Options, RestoreError};
use crate::record::{self, Summary, Tally, Unreadable};
use rangefinder_store::{Notice, Store};
use rangefinder_sweep::event::{Happening, Outcome};
use rangefinder_sweep::ids::SweepId;
use rangefinder_sweep::state::{Logged, State, Time};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;

impl Engine {
    /// An engine that goes on from the store of a folder, or begins one there, and keeps in it all
    /// that it acknowledges. Gives also what the operator should know of the folder. Blocks.
    ///
    /// # Errors
    /// When the store is in use, cannot be read, or holds what cannot have happened.
    pub fn open(
        options: Options,
        folder: &Path,
    ) -> Result<(Self, Handle, Vec<Notice>), RestoreError> {
        let unreadable = |error| RestoreError::Unreadable(Unreadable::Store(error));
        let (inner, news) = mpsc::unbounded_channel();
        let health = inner.clone();
        let store_options = rangefinder_store::Options {
            // An engine that has ended has nothing to pause.
            on_health: Box::new(move |now| drop(health.send(Inner::Health(now.clone())))),
            ..rangefinder_store::Options::default()
        };
        let (store, notices) = Store::open(folder, store_options).map_err(unreadable)?;
        let reader = store.reader();
        let appender = store.appender();
        let unix_ms = unix_ms();
        let epoch = match journal::epoch(&reader).map_err(unreadable)? {
            Some(epoch) => epoch,
            None => {
                let noted = appender.append(vec![journal::set_epoch(unix_ms)], Box::new(|| ()));
                debug_assert!(noted.is_ok(), "a counter is never refused");
                unix_ms
            }
        };

        let mut sweeps = HashMap::new();
        let mut logs = Vec::new();
        let mut last_ms = 0;
        let mut rows = reader.active().map_err(unreadable)?;
        rows.extend(reader.ended_without_document().map_err(unreadable)?);
        for row in rows {
            let (creation, mut events) = record::logged(&reader, &row)?;
            let id = SweepId(row.id);
            let mut tally = Tally::default();
            let mut outcome: Option<Outcome> = None;
            for event in &mut events {
                tally.see(event);
                if let Happening::Ended { outcome: how } = &event.happening {
                    outcome = Some(how.clone());
                }
                // The state machine counts time on the coordinator's clock.
                event.at_ms = event.at_ms.saturating_add(creation.created_ms);
                last_ms = last_ms.max(event.at_ms);
            }
            let last = events.last().map_or(0, |event| event.number);
            let sweep = Sweep {
                owner: row.owner,
                request_id: row.request_id,
                log: Log::new(id.clone(), last, Some(reader.clone())),
                ended: outcome.map(|outcome| Summary::at_end(&creation, &outcome, &tally, last)),
                tally,
                creation: Arc::new(creation),
                waiting: Vec::new(),
            };
            if last > 0 {
                logs.push(Logged {
                    sweep: id.clone(),
                    request: sweep.creation.request.clone(),
                    events,
                });
            }
            sweeps.insert(id, sweep);
        }

        let since_epoch = u64::try_from(unix_ms.saturating_sub(epoch)).unwrap_or(0);
        let clock = Clock::starting_at(since_epoch.max(last_ms));
        let token = journal::last_token(&reader).map_err(unreadable)?;
        let now = Time(clock.base_ms);
        let state = State::rebuild(options.state.clone(), now, token, logs)
            .map_err(RestoreError::Contradiction)?;
        let journal = Journal::new(Some((appender, reader)), epoch, inner.clone());
        let parts = (inner, news);
        let (mut engine, handle) = Self::assemble(options, state, sweeps, journal, parts, clock);
        engine.store = Some(store);
        Ok((engine, handle, notices))
    }
}

/// Milliseconds since 1970.
fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}
