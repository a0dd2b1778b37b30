//! The actor that owns the state of all sweeps and workers.
//!
//! - [`Engine`]: its loop. `select!` collects one input; a synchronous `handle` decides by the
//!   state machine; a third phase acts. Nothing in it waits for anyone.
//! - [`Handle`]: how others speak to it; cheap to clone.
//! - [`Subscription`]: what happens in a sweep, without a gap, at the reader's own pace.
//!
//! No slow peer holds it up: a worker's outbox is bounded and its overflow ends the connection;
//! a reader of events reads the sweep's log, which the engine appends to and nobody drains.

mod core;
mod handle;
mod log;
mod message;

#[cfg(test)]
mod tests;

pub use handle::{Connection, Handle};
pub use log::Subscription;
pub use message::{Closed, Outgoing};

use self::core::Core;
use self::message::Message;
use rangefinder_sweep::ids::SweepId;
use rangefinder_sweep::state;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Limits of the engine.
#[derive(Clone, Debug)]
pub struct Options {
    /// Times and limits of the state machine.
    pub state: state::Options,
    /// Messages that may wait to be sent to a worker; one more ends its connection.
    pub outbox: usize,
    /// Messages that may wait for the engine; their senders wait, which slows their streams down.
    pub inbox: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            state: state::Options::default(),
            outbox: 256,
            inbox: 256,
        }
    }
}

/// Why the engine could not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It has been shut down.
    #[error("the coordinator is shutting down")]
    Stopped,
    /// The name is taken.
    #[error("sweep {0} exists already")]
    SweepExists(SweepId),
    /// There is no such sweep.
    #[error("there is no sweep {0}")]
    UnknownSweep(SweepId),
}

/// The engine, ready to run.
#[derive(Debug)]
pub struct Engine {
    core: Core,
    inbox: mpsc::Receiver<Message>,
    origin: Instant,
}

/// What one turn of the loop takes in.
enum Input {
    Message(Message),
    Tick,
    Shutdown,
}

impl Engine {
    /// An engine without sweeps and workers. Its clock starts now.
    #[must_use]
    pub fn new(options: Options) -> (Self, Handle) {
        let (sender, inbox) = mpsc::channel(options.inbox.max(1));
        let engine = Self {
            core: Core::new(options),
            inbox,
            origin: Instant::now(),
        };
        (engine, Handle::new(sender))
    }

    /// Runs until `shutdown`, or until no handle is left. Then tells every worker to leave, and
    /// ends their streams and all subscriptions.
    pub async fn run(mut self, shutdown: CancellationToken) {
        loop {
            let input = tokio::select! {
                biased;
                () = shutdown.cancelled() => Input::Shutdown,
                message = self.inbox.recv() => message.map_or(Input::Shutdown, Input::Message),
                () = until(self.origin, self.core.next_deadline()) => Input::Tick,
            };
            let now = self.now();
            match input {
                Input::Message(message) => self.core.take(now, message),
                Input::Tick => self.core.tick(now),
                Input::Shutdown => {
                    self.core.drain();
                    return;
                }
            }
        }
    }

    fn now(&self) -> state::Time {
        let elapsed = self.origin.elapsed().as_millis();
        state::Time(u64::try_from(elapsed).unwrap_or(u64::MAX))
    }
}

/// Waits until a time of the state machine; for ever where there is none.
async fn until(origin: Instant, deadline: Option<state::Time>) {
    let deadline =
        deadline.and_then(|time| origin.checked_add(std::time::Duration::from_millis(time.0)));
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
