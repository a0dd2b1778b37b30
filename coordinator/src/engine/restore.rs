//! What a store brings back: every sweep whose result is not stored.

use super::core::Sweep;
use super::journal::{self, Journal};
use super::log::Log;
use super::message::Inner;
use super::{Clock, Engine, Handle, Options, RestoreError};
use crate::record::{self, Summary, Tally, Unreadable};
use rangefinder_store::{Health, Store};
use rangefinder_sweep::event::{Happening, Outcome};
use rangefinder_sweep::ids::SweepId;
use rangefinder_sweep::state::{Logged, State, Time};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;

impl Engine {
    /// An engine that goes on from a store, and keeps in it all that it acknowledges. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what cannot have happened.
    pub fn restore(options: Options, store: &Store) -> Result<(Self, Handle), RestoreError> {
        let reader = store.reader();
        let unreadable = |error| RestoreError::Unreadable(Unreadable::Store(error));
        let (inner, news) = mpsc::unbounded_channel();
        store.on_health({
            let inner = inner.clone();
            // An engine that has ended has nothing to pause.
            move |health: &Health| drop(inner.send(Inner::Health(health.clone())))
        });
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
                ended: outcome.map(|outcome| Summary::at_end(&outcome, &tally, last)),
                tally,
                creation: Arc::new(creation),
                waiting: Vec::new(),
            };
            if last > 0 {
                logs.push(Logged {
                    id: id.clone(),
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
        Ok(Self::assemble(
            options,
            state,
            sweeps,
            journal,
            (inner, news),
            clock,
        ))
    }
}

/// Milliseconds since 1970.
fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
