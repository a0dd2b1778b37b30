//! The events of one sweep, and how they are read.
//!
//! The log is the buffer: the engine appends and goes on, each reader has its own place in it.
//! So a reader loses nothing however slow it is, comes as late as it likes, and never holds the
//! engine up. A sweep's log is as long as its curves, and those are kept anyway.

use rangefinder_sweep::event::SweepEvent;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// The engine's end.
#[derive(Debug)]
pub(super) struct Log {
    events: Arc<Mutex<Vec<Arc<SweepEvent>>>>,
    length: watch::Sender<usize>,
}

impl Log {
    pub(super) fn new() -> Self {
        Self {
            events: Arc::default(),
            length: watch::Sender::new(0),
        }
    }

    pub(super) fn append(&self, event: SweepEvent) {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.push(Arc::new(event));
        let length = events.len();
        drop(events);
        self.length.send_replace(length);
    }

    pub(super) fn subscribe(&self) -> Subscription {
        Subscription {
            events: Arc::clone(&self.events),
            length: self.length.subscribe(),
            next: 0,
        }
    }
}

/// The events of one sweep from the first on.
#[derive(Debug)]
pub struct Subscription {
    events: Arc<Mutex<Vec<Arc<SweepEvent>>>>,
    length: watch::Receiver<usize>,
    next: usize,
}

impl Subscription {
    /// The next event; waits for it. `None` once the engine has ended and all are read.
    ///
    /// Cancel-safe.
    pub async fn next(&mut self) -> Option<Arc<SweepEvent>> {
        let next = self.next;
        let waited = self.length.wait_for(|length| *length > next).await.is_ok();
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let event = events.get(next).cloned();
        debug_assert!(!waited || event.is_some());
        if event.is_some() {
            self.next += 1;
        }
        event
    }
}
