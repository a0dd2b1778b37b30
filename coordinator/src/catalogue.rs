//! All sweeps of a service: how those stand that the engine runs, and what the store keeps of those
//! that have ended.

use crate::engine::{self, Created, Handle, NewSweep, Subscription};
use crate::record::{self, Creation, Progress, Summary, Unreadable};
use rangefinder_errors::{Code, Coded};
use rangefinder_report::SweepDocument;
use rangefinder_store::{ACTIVE, Filter, Position, Reader, Retention};
use rangefinder_sweep::event::SweepEvent;
use rangefinder_sweep::ids::SweepId;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Events of an ended sweep that are read at a time.
const PAGE: usize = 256;
/// How long the result of a sweep that has ended is waited for; on a disk that fails it may take
/// longer.
const RESULT: Duration = Duration::from_secs(10);

/// Why something is not known of a sweep.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The engine says so.
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// The store cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

impl Coded for Error {
    fn code(&self) -> Code {
        match self {
            Self::Engine(_) => Code::Defect,
            Self::Unreadable(error) => error.code(),
        }
    }
}

impl From<rangefinder_store::Error> for Error {
    fn from(error: rangefinder_store::Error) -> Self {
        Self::Unreadable(Unreadable::Store(error))
    }
}

/// What is known of a sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its id.
    pub id: SweepId,
    /// Who it belongs to.
    pub owner: String,
    /// When it was created, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it ended, in milliseconds since 1970.
    pub ended_ms: Option<i64>,
    /// How it ended, as the store calls it; `None` while it is active.
    pub outcome: Option<String>,
    /// Whether any work of it was granted.
    pub started: bool,
    /// What it waits for, in a sentence; `None` where its work runs, or it has ended.
    pub waiting_for: Option<String>,
    /// Name, numbers, and what was read off its curve.
    pub summary: Summary,
    /// Where it stands in lists.
    pub position: Position,
}

/// All sweeps of a service.
#[derive(Clone, Debug)]
pub struct Catalogue {
    engine: Handle,
    reader: Reader,
}

impl Catalogue {
    /// The sweeps of an engine that keeps them; `None` for one that keeps nothing.
    #[must_use]
    pub fn of(engine: Handle) -> Option<Self> {
        let reader = engine.reader()?.clone();
        Some(Self { engine, reader })
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Handle {
        &self.engine
    }

    /// Starts a sweep, or says which one the same request has started before, also where that has
    /// ended.
    ///
    /// # Errors
    /// As [`Handle::create`].
    pub async fn create(&self, sweep: NewSweep) -> Result<Created, Error> {
        if let Some(earlier) = self.by_request(&sweep.owner, &sweep.request_id).await? {
            let (sweep, existing) = (earlier, true);
            return Ok(Created { sweep, existing });
        }
        Ok(self.engine.create(sweep).await?)
    }

    /// The sweep that a request of an owner has made.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn by_request(
        &self,
        owner: &str,
        request_id: &str,
    ) -> Result<Option<SweepId>, Error> {
        if request_id.is_empty() {
            return Ok(None);
        }
        let (owner, request_id) = (owner.to_owned(), request_id.to_owned());
        let found = self
            .read(move |reader| Ok(reader.by_request(&owner, &request_id)?))
            .await?;
        Ok(found.map(|sweep| SweepId(sweep.id)))
    }

    /// What is known of a sweep. Where it has just ended, its result is waited for, so that who sees
    /// the end sees the answer too.
    ///
    /// # Errors
    /// When there is none of that id, or the store cannot be read.
    pub async fn get(&self, id: &SweepId) -> Result<Entry, Error> {
        let mut row = self.row(id).await?;
        if row.status != ACTIVE && !row.documented {
            let stored = self.engine.stored(id.clone());
            match tokio::time::timeout(RESULT, stored).await {
                Ok(stored) => stored?,
                Err(_) => tracing::warn!(sweep = %id, "its result is not stored yet"),
            }
            row = self.row(id).await?;
        }
        let mut entries = self.entries(vec![row]).await?;
        entries
            .pop()
            .ok_or_else(|| engine::Error::UnknownSweep(id.clone()).into())
    }

    async fn row(&self, id: &SweepId) -> Result<rangefinder_store::Sweep, Error> {
        let wanted = id.clone();
        let row = self.read(move |reader| Ok(reader.sweep(&wanted.0)?));
        let unknown = || engine::Error::UnknownSweep(id.clone()).into();
        row.await?.ok_or_else(unknown)
    }

    /// Up to `limit` sweeps, newest first, after a position.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn list(
        &self,
        filter: Filter,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Entry>, Error> {
        let rows = self
            .read(move |reader| Ok(reader.list(&filter, after, limit)?))
            .await?;
        self.entries(rows).await
    }

    /// What it takes to run a sweep.
    ///
    /// # Errors
    /// When there is none of that id, or the store cannot be read.
    pub async fn creation(&self, id: &SweepId) -> Result<Creation, Error> {
        let id = id.clone();
        self.read(move |reader| {
            let row = reader.sweep(&id.0)?;
            let row = row.ok_or_else(|| engine::Error::UnknownSweep(id.clone()))?;
            Ok(record::creation(reader, &row)?)
        })
        .await
    }

    /// The result of a sweep as `sweep.json`; `None` while it has none.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn document_json(&self, id: &SweepId) -> Result<Option<String>, Error> {
        let id = id.clone();
        let json = self.read(move |reader| Ok(reader.document(&id.0)?)).await?;
        Ok(json.map(|json| String::from_utf8_lossy(&json).into_owned()))
    }

    /// The result of a sweep; `None` while it has none.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn document(&self, id: &SweepId) -> Result<Option<SweepDocument>, Error> {
        let id = id.clone();
        self.read(move |reader| {
            let json = reader.document(&id.0)?;
            let read = json.map(|json| record::read_document(&id, &json));
            Ok(read.transpose()?)
        })
        .await
    }

    /// Up to `limit` ended sweeps that are not to be kept, the first that ended first. `now_ms` is
    /// in milliseconds since 1970.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn expired(
        &self,
        retention: Retention,
        now_ms: i64,
        limit: usize,
    ) -> Result<Vec<SweepId>, Error> {
        let expired = self.read(move |reader| Ok(reader.expired(&retention, now_ms, limit)?));
        Ok(expired.await?.into_iter().map(SweepId).collect())
    }

    /// The events of a sweep from a number on, until it has ended.
    ///
    /// # Errors
    /// When the engine has stopped.
    pub async fn events(&self, id: &SweepId, from: u64) -> Result<Events, Error> {
        match self.engine.subscribe(id.clone(), from).await {
            Ok(live) => Ok(Events::Live(live)),
            Err(engine::Error::UnknownSweep(_)) => Ok(Events::Stored {
                catalogue: self.clone(),
                sweep: id.clone(),
                next: from.max(1),
                ahead: VecDeque::new(),
            }),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads the store on a thread that may wait for the disk.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reader) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let reader = self.reader.clone();
        match tokio::task::spawn_blocking(move || read(&reader)).await {
            Ok(read) => read,
            Err(error) => Err(engine::Error::Defect(error.to_string()).into()),
        }
    }

    async fn entries(&self, rows: Vec<rangefinder_store::Sweep>) -> Result<Vec<Entry>, Error> {
        let unfinished = rows.iter().filter(|row| !row.documented);
        let ids: Vec<_> = unfinished.map(|row| SweepId(row.id.clone())).collect();
        let views = match ids.is_empty() {
            true => Vec::new(),
            false => self.engine.view(ids).await?,
        };
        let mut views: HashMap<_, _> = views.into_iter().collect();
        rows.into_iter()
            .map(|row| {
                let id = SweepId(row.id.clone());
                let stored = record::read_summary(&row)?;
                let view = views.remove(&id);
                let position = row.position();
                let active = row.status == ACTIVE;
                let summary = match &view {
                    // The row may have ended since it was read, and the engine forgotten it.
                    Some(view) if active => {
                        let ended = view.ended.clone();
                        ended.unwrap_or_else(|| {
                            so_far(&view.creation, view.progress, view.last_event)
                        })
                    }
                    _ => stored,
                };
                Ok(Entry {
                    id,
                    owner: row.owner,
                    created_ms: row.created_ms,
                    ended_ms: row.ended_ms,
                    outcome: (!active).then_some(row.status),
                    started: view.as_ref().is_none_or(|view| view.started),
                    waiting_for: view.filter(|_| active).and_then(|view| view.waiting_for),
                    summary,
                    position,
                })
            })
            .collect()
    }
}

/// What is known of a sweep that runs.
fn so_far(creation: &Arc<Creation>, progress: Progress, last_event: u64) -> Summary {
    Summary {
        name: creation.name.clone(),
        workers: creation.workers,
        priority: creation.request.priority,
        last_event,
        progress,
        ..Summary::default()
    }
}

/// The events of a sweep.
#[derive(Debug)]
pub enum Events {
    /// Of one that the engine runs: those to come are waited for.
    Live(Subscription),
    /// Of one whose result is stored.
    Stored {
        /// Where they are.
        catalogue: Catalogue,
        /// The sweep.
        sweep: SweepId,
        /// Number of the next one.
        next: u64,
        /// What was read beyond it.
        ahead: VecDeque<Arc<SweepEvent>>,
    },
}

impl Events {
    /// The next event; waits for it. `None` once the sweep has ended and all are read, or the
    /// coordinator ends.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn next(&mut self) -> Result<Option<Arc<SweepEvent>>, Error> {
        match self {
            Self::Live(subscription) => Ok(subscription.next().await?),
            Self::Stored {
                catalogue,
                sweep,
                next,
                ahead,
            } => {
                if ahead.is_empty() {
                    let (id, from) = (sweep.clone(), *next);
                    let read =
                        catalogue.read(move |reader| Ok(record::events(reader, &id, from, PAGE)?));
                    *ahead = read.await?.into_iter().map(Arc::new).collect();
                }
                let event = ahead.pop_front();
                *next += u64::from(event.is_some());
                Ok(event)
            }
        }
    }
}
