//! The actor that owns the state of all sweeps and workers.
//!
//! - [`Engine`]: its loop. `select!` collects one input; a synchronous `core` decides by the
//!   state machine; a third phase acts. Nothing in it waits for anyone, not for the disk either.
//! - [`Handle`]: how others speak to it; cheap to clone.
//! - [`Subscription`]: what happens in a sweep, without a gap, at the reader's own pace.
//! - `requests`, `finish`: what clients ask; what becomes of sweeps that have ended.
//! - `journal`: what it writes. `held`: what waits for that to be durable, which is everything that
//!   the outside learns. `restore`: what a store brings back.
//!
//! No slow peer holds it up: a worker's outbox is bounded and its overflow ends the connection;
//! a reader of events reads the sweep's log, which the engine appends to and nobody drains. When
//! the disk fails, all sweeps are paused: workers wait with what they have to say, nothing expires,
//! and clients are told why.

mod core;
mod finish;
mod handle;
mod held;
mod journal;
mod log;
mod message;
mod peers;
mod requests;
mod restore;

#[cfg(test)]
mod tests;

pub use handle::{Connection, Handle};
pub use log::Subscription;
pub use message::{Closed, Outgoing};

use self::core::Core;
use self::journal::Journal;
use self::message::{FromWorker, Inner, Request};
use crate::observe::Observer;
use crate::record::{Creation, Progress, Summary, Unreadable};
use rangefinder_errors::{Code, Coded};
use rangefinder_store::Store;
use rangefinder_sweep::ids::{SweepId, WorkerId};
use rangefinder_sweep::state::{self, RebuildError, State};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// How often the engine looks whether it was itself held up.
const WATCH: Duration = Duration::from_secs(1);
/// How long the last changes may take to become durable at the end.
const SETTLE: Duration = Duration::from_secs(10);

/// Limits of the engine.
#[derive(Clone, Debug)]
pub struct Options {
    /// Times and limits of the state machine.
    pub state: state::Options,
    /// Messages that may wait to be sent to a worker; one more ends its connection.
    pub outbox: usize,
    /// Messages that may wait for the engine; their senders wait, which slows their streams down.
    pub inbox: usize,
    /// Bytes that may wait for the disk before workers have to wait.
    pub backlog_bytes: usize,
    /// Sweeps that may be active at a time.
    pub max_active: usize,
    /// Sweeps of one owner that may be active at a time.
    pub max_active_per_owner: usize,
    /// What becomes of the workers when the engine ends.
    pub at_end: AtEnd,
    /// Who is told of all that happens.
    pub observer: Observer,
}

/// What becomes of the workers when the engine ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtEnd {
    /// They are told to leave.
    Dismiss,
    /// They keep what they have and come back to the engine that goes on from the same store.
    Park,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            state: state::Options::default(),
            outbox: 256,
            inbox: 256,
            backlog_bytes: 64 << 20,
            max_active: 1000,
            max_active_per_owner: 1000,
            at_end: AtEnd::Dismiss,
            observer: Observer::default(),
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
    /// The sweep is active, or its result is not stored yet.
    #[error("sweep {0} has not ended; cancel it first")]
    NotEnded(SweepId),
    /// There is no such worker.
    #[error("there is no worker {0}")]
    UnknownWorker(WorkerId),
    /// Too many sweeps are active.
    #[error("{0} sweeps are active, which is the limit; wait until one has ended, or cancel one")]
    TooManySweeps(usize),
    /// Too many sweeps of one owner are active.
    #[error(
        "you have {0} active sweeps, which is the limit of a client; wait until one has ended, or \
         cancel one"
    )]
    TooManyOfOwner(usize),
    /// The disk fails.
    #[error("all sweeps are paused: {0}")]
    StoreFailing(String),
    /// What should not happen.
    #[error("the coordinator has a defect: {0}")]
    Defect(String),
}

/// A sweep to be run.
#[derive(Clone, Debug)]
pub struct NewSweep {
    /// Its name.
    pub id: SweepId,
    /// Who it belongs to.
    pub owner: String,
    /// The request that makes it, unique for its owner; empty for none.
    pub request_id: String,
    /// What it takes to run it.
    pub creation: Creation,
}

/// The answer to [`NewSweep`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// The sweep.
    pub sweep: SweepId,
    /// Whether the same request had made it before.
    pub existing: bool,
}

/// How a sweep stands whose result is not stored yet.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// What it takes to run it.
    pub creation: Arc<Creation>,
    /// Whether any work of it was granted.
    pub started: bool,
    /// How far it is.
    pub progress: Progress,
    /// Number of its last durable event.
    pub last_event: u64,
    /// What it waits for, in a sentence; `None` where its work runs.
    pub waiting_for: Option<String>,
    /// Its summary, once it has ended.
    pub ended: Option<Summary>,
}

/// The engine, ready to run.
#[derive(Debug)]
pub struct Engine {
    core: Core,
    requests: mpsc::Receiver<Request>,
    workers: mpsc::Receiver<FromWorker>,
    inner: mpsc::UnboundedReceiver<Inner>,
    clock: Clock,
    at_end: AtEnd,
    store: Option<Store>,
}

/// The coordinator's clock: it goes on where the store's last event left it, and never jumps.
#[derive(Clone, Copy, Debug)]
struct Clock {
    origin: Instant,
    base_ms: u64,
}

impl Clock {
    fn starting_at(base_ms: u64) -> Self {
        Self {
            origin: Instant::now(),
            base_ms,
        }
    }

    fn now(&self) -> state::Time {
        let elapsed = u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX);
        state::Time(self.base_ms.saturating_add(elapsed))
    }

    /// Waits until a time of the state machine; for ever where there is none.
    async fn until(&self, deadline: Option<state::Time>) {
        let deadline = deadline.and_then(|time| {
            let ms = time.0.saturating_sub(self.base_ms);
            self.origin.checked_add(Duration::from_millis(ms))
        });
        match deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    }
}

/// What one turn of the loop takes in.
enum Input {
    Inner(Inner),
    Request(Request),
    Worker(FromWorker),
    Tick,
    Watch,
    Shutdown,
}

impl Engine {
    /// An engine without sweeps and workers that keeps nothing: for tests of what is around it.
    #[must_use]
    pub fn volatile(options: Options) -> (Self, Handle) {
        let (inner, news) = mpsc::unbounded_channel();
        let journal = Journal::new(None, 0, inner.clone());
        let state = State::new(options.state.clone());
        let clock = Clock::starting_at(0);
        Self::assemble(
            options,
            state,
            HashMap::new(),
            journal,
            (inner, news),
            clock,
        )
    }

    fn assemble(
        options: Options,
        state: State,
        sweeps: HashMap<SweepId, core::Sweep>,
        journal: Journal,
        (inner, news): (mpsc::UnboundedSender<Inner>, mpsc::UnboundedReceiver<Inner>),
        clock: Clock,
    ) -> (Self, Handle) {
        let (request_sender, requests) = mpsc::channel(options.inbox.max(1));
        let (worker_sender, workers) = mpsc::channel(options.inbox.max(1));
        let (trouble, troubles) = watch::channel(None);
        let at_end = options.at_end;
        let observer = options.observer.clone();
        let reader = journal.reader().cloned();
        let engine = Self {
            core: Core::new(options, state, sweeps, journal, inner, trouble),
            requests,
            workers,
            inner: news,
            clock,
            at_end,
            store: None,
        };
        let handle = Handle::new(request_sender, worker_sender, troubles, reader, observer);
        (engine, handle)
    }

    /// Runs until `shutdown`, or until no handle is left. Then parks the workers or tells them to
    /// leave, waits for the disk, and ends their streams and all subscriptions.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let now = self.clock.now();
        self.core.resume(now);
        let mut watch = tokio::time::interval(WATCH);
        watch.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let patience = WATCH + Duration::from_millis(self.core.lease_ms() / 3);
        // When it last could hear the workers.
        let mut heard = Instant::now();
        loop {
            if self.core.broken {
                // What is on disk is whole; whoever starts the engine again goes on from there.
                return;
            }
            let accepts = self.core.accepts();
            let input = tokio::select! {
                biased;
                () = shutdown.cancelled() => Input::Shutdown,
                Some(inner) = self.inner.recv() => Input::Inner(inner),
                request = self.requests.recv() => request.map_or(Input::Shutdown, Input::Request),
                Some(message) = self.workers.recv(), if accepts => Input::Worker(message),
                () = self.clock.until(self.core.next_deadline()), if accepts => Input::Tick,
                _ = watch.tick() => Input::Watch,
            };
            let now = self.clock.now();
            if accepts {
                if heard.elapsed() > patience {
                    // The process was stopped, or the disk was slow.
                    self.core.was_held_up(now);
                }
                heard = Instant::now();
            }
            match input {
                Input::Inner(inner) => self.core.hear(now, inner),
                Input::Request(request) => self.core.serve(now, request),
                Input::Worker(message) => self.core.take(now, message),
                Input::Tick => self.core.tick(now),
                Input::Watch => {}
                Input::Shutdown => break,
            }
        }
        self.end().await;
    }

    /// Says goodbye when all that was decided is on disk; not for longer than [`SETTLE`].
    async fn end(mut self) {
        let now = self.clock.now();
        if self.at_end == AtEnd::Park {
            self.core.park(now);
        }
        let deadline = Instant::now() + SETTLE;
        while !self.core.is_settled() && self.core.is_well() {
            match tokio::time::timeout_at(deadline, self.inner.recv()).await {
                Ok(Some(inner)) => self.core.hear(now, inner),
                Ok(None) | Err(_) => break,
            }
        }
        match self.at_end {
            AtEnd::Dismiss => self.core.dismiss(),
            AtEnd::Park => self.core.leave(),
        }
        let Some(store) = self.store else { return };
        // Writes what is left, and lets go of the folder.
        match tokio::task::spawn_blocking(move || store.shutdown()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the store ends with changes unwritten"),
            Err(error) => tracing::error!(%error, "the store ended badly"),
        }
    }
}

/// Why an engine cannot go on from a store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// Its events contradict each other.
    #[error("{0}; list all damage with `coordinator store check`")]
    Contradiction(RebuildError),
}

impl Coded for RestoreError {
    fn code(&self) -> Code {
        match self {
            Self::Unreadable(error) => error.code(),
            Self::Contradiction(_) => Code::StoreDamaged,
        }
    }
}
