//! A store of many finished sweeps: how long a coordinator takes to start on it, and to answer.

use crate::coordinator::Tokens;
use crate::latency::{Latencies, Quantiles};
use crate::ramp::folder;
use crate::usage::Usage;
use crate::{Clients, Coordinator, Error, Fleet, Pace, Sweep, failed};
use rangefinder_proto::v1;
use rangefinder_store::{Change, Reader, Store};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The sweep of which all are copies: as many steps as by default.
const SWEEP: Sweep = Sweep {
    replicas: 2,
    steps: 100,
};
/// How long it may take.
const RUN: Duration = Duration::from_secs(60);
/// Owners that the sweeps are spread over.
const OWNERS: u64 = 50;
/// One sweep of so many has failed, and one was cancelled.
const ENDS: u64 = 20;
/// Copies that are written at a time.
const BATCH: u64 = 100;
/// Between the times at which two sweeps were created, in milliseconds.
const APART_MS: i64 = 60_000;
/// How often each question is asked.
const ASKED: usize = 200;
/// How many coordinators are started, to take the one that took the median.
const STARTS: usize = 3;

/// How it is done.
#[derive(Clone, Debug)]
pub struct Options {
    /// The coordinator.
    pub program: PathBuf,
    /// The store is below it; the system's for temporary files without one.
    pub folder: Option<PathBuf>,
    /// Sweeps in the store.
    pub sweeps: u64,
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Stored {
    /// Sweeps in the store.
    pub sweeps: u64,
    /// Bytes of the store.
    pub bytes: u64,
    /// From the start of a process until `/readyz`, in milliseconds; the median.
    pub start_ms: f64,
    /// The first page of 100.
    pub first_page: Quantiles,
    /// A page of 100 after nine tenths of all.
    pub deep_page: Quantiles,
    /// The first page of 100 of one owner.
    pub by_owner: Quantiles,
    /// The first page of 100 of those that failed.
    pub by_state: Quantiles,
    /// A sweep.
    pub get: Quantiles,
    /// A sweep with its document.
    pub get_document: Quantiles,
    /// The most memory of the coordinator, in bytes.
    pub coordinator_rss_bytes: u64,
}

/// Fills a store with copies of a sweep that was run, and asks for them.
///
/// # Errors
/// When anything fails.
pub async fn measure(options: &Options) -> Result<Stored, Error> {
    let folder = folder(options.folder.as_deref())?;
    let tokens = Tokens::create(&options.program, folder.path())?;
    let template = run(&options.program, folder.path(), tokens.clone()).await?;
    let ids = fill(folder.path(), &template, options.sweeps)?;

    let mut starts = Vec::new();
    for _ in 1..STARTS {
        let coordinator = Coordinator::start(&options.program, folder.path(), tokens.clone())?;
        starts.push(coordinator.started_in());
    }
    let coordinator = Coordinator::start(&options.program, folder.path(), tokens)?;
    starts.push(coordinator.started_in());
    starts.sort_unstable();

    let mut admin = Clients::admin(&coordinator).await?;
    let first = v1::ListSweepsRequest::default();
    let mut deep = first.clone();
    for _ in 0..options.sweeps / 100 * 9 / 10 {
        let page = admin.list(deep.clone()).await?;
        deep.page_token = page.next_page_token;
    }
    let by_owner = v1::ListSweepsRequest {
        owner: owner(1),
        ..first.clone()
    };
    let by_state = v1::ListSweepsRequest {
        states: vec![v1::SweepState::Failed.into()],
        ..first.clone()
    };
    let mut random = fastrand::Rng::with_seed(0);
    let mut one_of = || {
        ids.get(random.usize(..ids.len().max(1)))
            .cloned()
            .unwrap_or_default()
    };
    Ok(Stored {
        sweeps: options.sweeps,
        bytes: std::fs::metadata(folder.path().join("store.db")).map_or(0, |file| file.len()),
        start_ms: starts
            .get(STARTS / 2)
            .copied()
            .unwrap_or_default()
            .as_secs_f64()
            * 1000.0,
        first_page: list(&mut admin, &first).await?,
        deep_page: list(&mut admin, &deep).await?,
        by_owner: list(&mut admin, &by_owner).await?,
        by_state: list(&mut admin, &by_state).await?,
        get: get(&mut admin, &mut one_of, false).await?,
        get_document: get(&mut admin, &mut one_of, true).await?,
        coordinator_rss_bytes: Usage::of(coordinator.process())?.peak_rss_bytes,
    })
}

async fn list(admin: &mut Clients, request: &v1::ListSweepsRequest) -> Result<Quantiles, Error> {
    let latencies = Latencies::new()?;
    for _ in 0..ASKED {
        let asked = Instant::now();
        let page = admin.list(request.clone()).await?;
        latencies.record(asked.elapsed());
        if page.sweeps.len() < 100 && request.owner.is_empty() && request.states.is_empty() {
            return Err(Error::new("listing sweeps", "the page is not full"));
        }
    }
    Ok(latencies.quantiles())
}

async fn get(
    admin: &mut Clients,
    mut one_of: impl FnMut() -> String,
    with_document: bool,
) -> Result<Quantiles, Error> {
    let latencies = Latencies::new()?;
    for _ in 0..ASKED {
        let id = one_of();
        let asked = Instant::now();
        let got = admin.get(&id, with_document).await?;
        latencies.record(asked.elapsed());
        if with_document == got.document.is_empty() {
            return Err(Error::new("getting a sweep", "it has no document"));
        }
    }
    Ok(latencies.quantiles())
}

fn owner(number: u64) -> String {
    format!("owner-{number}")
}

/// Runs a sweep, and gives its id.
async fn run(program: &Path, folder: &Path, tokens: Tokens) -> Result<String, Error> {
    let coordinator = Coordinator::start(program, folder, tokens)?;
    let mut clients = Clients::connect(&coordinator).await?;
    let sweep = clients.create(SWEEP).await?;
    let pace = Pace {
        period: Duration::from_millis(50),
        batch: 10,
    };
    let mut fleet = Fleet::new(&coordinator, pace)?;
    fleet.start(SWEEP.replicas).await;
    let started = Instant::now();
    while clients.get(&sweep, true).await?.document.is_empty() {
        if started.elapsed() > RUN {
            return Err(Error::new("running a sweep", "it took too long"));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(fleet);
    coordinator.kill()?;
    Ok(sweep)
}

/// Adds copies of a sweep until there are so many, and gives the ids of all.
fn fill(folder: &Path, template: &str, sweeps: u64) -> Result<Vec<String>, Error> {
    let (store, _) = Store::open(folder, rangefinder_store::Options::default())
        .map_err(failed("opening the store"))?;
    let parts = Parts::read(&store.reader(), template)?;
    let appender = store.appender();
    let (written, durable) = mpsc::channel();
    let mut ids = vec![template.to_owned()];
    let mut waiting = 0;
    let mut batch = Vec::new();
    for number in 1..sweeps {
        let (id, changes) = parts.copy(number);
        batch.extend(changes);
        ids.push(id);
        if number % BATCH == 0 || number + 1 == sweeps {
            let written = written.clone();
            let on_durable = Box::new(move || {
                // Nobody waits for the last ones.
                let _ = written.send(());
            });
            appender
                .append(std::mem::take(&mut batch), on_durable)
                .map_err(failed("filling the store"))?;
            waiting += 1;
            // Two batches in the queue keep the disk busy and the memory free.
            while waiting > 2 {
                durable.recv().map_err(failed("filling the store"))?;
                waiting -= 1;
            }
        }
    }
    store.shutdown().map_err(failed("filling the store"))?;
    Ok(ids)
}

/// What is stored of a sweep.
struct Parts {
    id: String,
    created_ms: i64,
    ended_ms: i64,
    spec: Vec<u8>,
    summary: Vec<u8>,
    document: Vec<u8>,
    events: Vec<rangefinder_store::Event>,
}

impl Parts {
    fn read(reader: &Reader, id: &str) -> Result<Self, Error> {
        let unreadable = || failed("reading the sweep that was run");
        let missing = || Error::new("reading the sweep that was run", "a part is missing");
        let row = reader
            .sweep(id)
            .map_err(unreadable())?
            .ok_or_else(missing)?;
        Ok(Self {
            id: id.to_owned(),
            created_ms: row.created_ms,
            ended_ms: row.ended_ms.ok_or_else(missing)?,
            spec: reader.spec(id).map_err(unreadable())?.ok_or_else(missing)?,
            summary: row.summary.ok_or_else(missing)?,
            document: reader
                .document(id)
                .map_err(unreadable())?
                .ok_or_else(missing)?,
            events: reader.events(id, 1, usize::MAX).map_err(unreadable())?,
        })
    }

    /// A copy, created some minutes before the one before.
    fn copy(&self, number: u64) -> (String, Vec<Change>) {
        let id = format!("sweep-{number:016x}");
        let earlier = i64::try_from(number).unwrap_or(0) * APART_MS;
        let status = match number % ENDS {
            0 => "failed",
            1 => "cancelled",
            _ => "completed",
        };
        let mut changes = vec![Change::Create {
            id: id.clone(),
            owner: owner(number % OWNERS),
            request_id: format!("request-{number}"),
            unix_ms: self.created_ms - earlier,
            spec: self.spec.clone(),
        }];
        changes.extend(self.events.iter().map(|event| Change::Event {
            sweep: id.clone(),
            number: event.number,
            unix_ms: event.unix_ms - earlier,
            payload: renamed(&event.payload, &self.id, &id),
        }));
        changes.push(Change::End {
            sweep: id.clone(),
            unix_ms: self.ended_ms - earlier,
            status: status.to_owned(),
            summary: self.summary.clone(),
        });
        changes.push(Change::Document {
            sweep: id.clone(),
            summary: self.summary.clone(),
            document: self.document.clone(),
        });
        (id, changes)
    }
}

fn renamed(text: &[u8], from: &str, to: &str) -> Vec<u8> {
    String::from_utf8_lossy(text).replace(from, to).into_bytes()
}
