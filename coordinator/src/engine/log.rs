//! The events of one sweep, and how they are read.
//!
//! The engine appends and goes on; each reader has its own place. What was appended lately is in
//! memory, the rest is read from the store, so that a reader loses nothing however slow it is,
//! comes as late as it likes, never holds the engine up, and costs no memory.

use crate::record::{self, Unreadable};
use rangefinder_store::Reader;
use rangefinder_sweep::event::SweepEvent;
use rangefinder_sweep::ids::SweepId;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// Events of a sweep that stay in memory where there is a store.
const RECENT: usize = 64;
/// Events that are read from the store at a time.
const PAGE: usize = 64;

/// Where the events of a sweep are.
#[derive(Debug)]
struct Events {
    sweep: SweepId,
    /// The last ones, oldest first.
    recent: Mutex<VecDeque<Arc<SweepEvent>>>,
    /// All of them; `None`: the recent ones are all.
    reader: Option<Reader>,
}

/// The engine's end.
#[derive(Debug)]
pub(super) struct Log {
    events: Arc<Events>,
    /// Number of the last event.
    last: watch::Sender<u64>,
}

impl Log {
    /// A log whose events up to `last` are in the store; without a store all stay in memory.
    pub(super) fn new(sweep: SweepId, last: u64, reader: Option<Reader>) -> Self {
        let events = Events {
            sweep,
            recent: Mutex::default(),
            reader,
        };
        Self {
            events: Arc::new(events),
            last: watch::Sender::new(last),
        }
    }

    /// Adds the next event, which is durable by now.
    pub(super) fn append(&self, event: Arc<SweepEvent>) {
        let number = event.number;
        let mut recent = self.events.lock();
        recent.push_back(event);
        if self.events.reader.is_some() && recent.len() > RECENT {
            recent.pop_front();
        }
        drop(recent);
        self.last.send_replace(number);
    }

    /// Number of the last event.
    pub(super) fn last(&self) -> u64 {
        *self.last.borrow()
    }

    /// The events from a number on.
    pub(super) fn subscribe(&self, from: u64) -> Subscription {
        Subscription {
            events: Arc::clone(&self.events),
            last: self.last.subscribe(),
            next: from.max(1),
            ahead: VecDeque::new(),
        }
    }
}

impl Events {
    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Arc<SweepEvent>>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The event of a number, where it is recent.
    fn recent(&self, number: u64) -> Option<Arc<SweepEvent>> {
        let recent = self.lock();
        let first = recent.front()?.number;
        let index = usize::try_from(number.checked_sub(first)?).ok()?;
        recent.get(index).cloned()
    }
}

/// The events of one sweep, in order and without a gap.
#[derive(Debug)]
pub struct Subscription {
    events: Arc<Events>,
    last: watch::Receiver<u64>,
    next: u64,
    /// What was read from the store beyond what was asked for.
    ahead: VecDeque<Arc<SweepEvent>>,
}

impl Subscription {
    /// The next event; waits for it. `None` once the engine has ended and all are read.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn next(&mut self) -> Result<Option<Arc<SweepEvent>>, Unreadable> {
        let next = self.next;
        // Ends when the engine has: what is there is read all the same.
        drop(self.last.wait_for(|last| *last >= next).await);
        if self.ahead.is_empty() {
            match self.events.recent(next) {
                Some(event) => self.ahead.push_back(event),
                None => self.ahead = self.older(next).await?,
            }
        }
        let event = self.ahead.pop_front();
        if event.is_some() {
            self.next += 1;
        }
        Ok(event)
    }

    /// Events from the store.
    async fn older(&self, from: u64) -> Result<VecDeque<Arc<SweepEvent>>, Unreadable> {
        let Some(reader) = self.events.reader.clone() else {
            return Ok(VecDeque::new());
        };
        let sweep = self.events.sweep.clone();
        let read = tokio::task::spawn_blocking(move || record::events(&reader, &sweep, from, PAGE));
        let read = read.await;
        // The runtime is shutting down: there is nobody left to read it.
        let events = read.unwrap_or_else(|_| Ok(Vec::new()))?;
        Ok(events.into_iter().map(Arc::new).collect())
    }
}
