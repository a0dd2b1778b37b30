//! The one thread that writes: it commits all that is queued in one transaction, then calls back.

use crate::apply::apply;
use crate::change::{Change, OnDurable};
use crate::error::{Error, Refused};
use crate::folder;
use crate::health::Health;
use crate::index::Index;
use crate::store::Options;
use rusqlite::{Connection, TransactionBehavior};
use std::collections::VecDeque;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Changes that are written as a whole.
struct Batch {
    changes: Vec<Change>,
    bytes: usize,
    on_durable: OnDurable,
}

/// What is appended and not yet on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Batches.
    pub batches: usize,
    /// About their bytes in memory.
    pub bytes: usize,
}

/// What the writer and those who append share.
pub(crate) struct Shared {
    state: Mutex<State>,
    /// Wakes the writer.
    wake: Condvar,
}

struct State {
    index: Index,
    queue: VecDeque<Batch>,
    /// The queue and the group that is being written.
    backlog: Backlog,
    health: Health,
    /// A failed group is to be tried again at once.
    retry: bool,
    /// Nothing more may be appended.
    closed: bool,
}

impl Shared {
    pub(crate) fn new(index: Index) -> Arc<Self> {
        let state = State {
            index,
            queue: VecDeque::new(),
            backlog: Backlog::default(),
            health: Health::Healthy,
            retry: false,
            closed: false,
        };
        Arc::new(Self {
            state: Mutex::new(state),
            wake: Condvar::new(),
        })
    }

    /// The lock is held for moments and never over a write, a read or a call of other code.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn health(&self) -> Health {
        self.lock().health.clone()
    }

    pub(crate) fn retry(&self) {
        self.lock().retry = true;
        self.wake.notify_all();
    }

    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_all();
    }
}

/// Queues what is to be written; cheap to clone.
#[derive(Clone)]
pub struct Appender {
    shared: Arc<Shared>,
}

impl Appender {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Queues a batch; `on_durable` is called on the writer's thread once all of it is on disk, in
    /// the order of the batches, or never, if the process ends before.
    ///
    /// Does not block: it checks the batch against what was appended before, in memory. The queue
    /// has no bound, because a state machine that has applied an event cannot take it back; who
    /// takes new work should look at [`Self::backlog`] first, and take none while it is long.
    ///
    /// # Errors
    ///
    /// The batch does not fit to what was appended before, or the store is closed: nothing of it is
    /// written, and `on_durable` is dropped.
    pub fn append(&self, changes: Vec<Change>, on_durable: OnDurable) -> Result<(), Refused> {
        let bytes = changes.iter().map(Change::bytes).sum();
        let mut state = self.shared.lock();
        if state.closed {
            return Err(Refused::Closed);
        }
        state.index.admit(&changes)?;
        state.backlog.batches += 1;
        state.backlog.bytes += bytes;
        state.queue.push_back(Batch {
            changes,
            bytes,
            on_durable,
        });
        drop(state);
        self.shared.wake.notify_all();
        Ok(())
    }

    /// What is appended and not yet on disk.
    #[must_use]
    pub fn backlog(&self) -> Backlog {
        self.shared.lock().backlog
    }

    /// Whether what is appended reaches the disk.
    #[must_use]
    pub fn health(&self) -> Health {
        self.shared.health()
    }
}

impl fmt::Debug for Appender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Appender").finish_non_exhaustive()
    }
}

/// The writer's thread.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    connection: Connection,
    folder: PathBuf,
    path: PathBuf,
    options: Options,
}

impl Writer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        connection: Connection,
        folder: &Path,
        options: Options,
    ) -> Self {
        Self {
            shared,
            connection,
            folder: folder.to_owned(),
            path: folder::database(folder),
            options,
        }
    }

    /// Writes until the store is closed and all is written.
    ///
    /// # Errors
    ///
    /// The store is closed and the disk takes no more.
    pub(crate) fn run(mut self) -> Result<(), Error> {
        let _guard = Guard {
            shared: Arc::clone(&self.shared),
            path: self.path.clone(),
        };
        while let Some(group) = self.next_group() {
            self.write(&group)?;
            let bytes: usize = group.iter().map(|batch| batch.bytes).sum();
            {
                let mut state = self.shared.lock();
                state.backlog.batches -= group.len();
                state.backlog.bytes -= bytes;
            }
            for batch in group {
                (batch.on_durable)();
            }
        }
        Ok(())
    }

    /// Waits for batches and takes them all, up to a number of bytes; none once the store is closed.
    fn next_group(&self) -> Option<Vec<Batch>> {
        let mut state = self.shared.lock();
        while state.queue.is_empty() {
            if state.closed {
                return None;
            }
            state = self
                .shared
                .wake
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let mut group = Vec::new();
        let mut bytes = 0;
        while bytes < self.options.group_bytes {
            let Some(batch) = state.queue.pop_front() else {
                break;
            };
            bytes += batch.bytes;
            group.push(batch);
        }
        Some(group)
    }

    /// Writes a group, as often as it takes; gives up only when the store is closed.
    ///
    /// All attempts use one connection: the log of a failed attempt may hold a whole transaction,
    /// which another connection could find and count as written, while this one writes over it.
    fn write(&mut self, group: &[Batch]) -> Result<(), Error> {
        let mut pause = self.options.retry_first;
        let mut failing: Option<(Instant, u32)> = None;
        loop {
            // Before the attempt: a store that closes while it runs gets one more.
            let closed = self.shared.lock().closed;
            let Err(error) = self.commit(group) else {
                if failing.is_some() {
                    self.tell(Health::Healthy);
                }
                return Ok(());
            };
            let error = folder::refine(&self.folder, Error::of_database(&self.path, &error));
            let (since, attempts) = failing.unwrap_or_else(|| (Instant::now(), 0));
            let attempts = attempts.saturating_add(1);
            failing = Some((since, attempts));
            self.tell(Health::Failing {
                error: error.clone(),
                since,
                attempts,
            });
            if closed {
                return Err(error);
            }
            self.pause(pause);
            pause = (pause * 2).min(self.options.retry_most);
        }
    }

    /// One transaction.
    fn commit(&mut self, group: &[Batch]) -> rusqlite::Result<()> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        for change in group.iter().flat_map(|batch| &batch.changes) {
            apply(&transaction, change)?;
        }
        transaction.commit()
    }

    fn tell(&mut self, health: Health) {
        self.shared.lock().health = health.clone();
        (self.options.on_health)(&health);
    }

    /// Waits that long, or until it is told to try again or to close.
    fn pause(&self, pause: Duration) {
        let mut state = self.shared.lock();
        let deadline = Instant::now() + pause;
        while !state.retry && !state.closed {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            (state, _) = self
                .shared
                .wake
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.retry = false;
    }
}

/// Sees to it that nobody appends to a writer that has ended.
struct Guard {
    shared: Arc<Shared>,
    path: PathBuf,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.closed = true;
        if std::thread::panicking() {
            state.health = Health::Failing {
                error: Error::Defect {
                    path: self.path.clone(),
                    what: "the writer has panicked".to_owned(),
                },
                since: Instant::now(),
                attempts: 1,
            };
        }
    }
}
