//! A whole sweep on this machine: workers are started, the sweep is run, everything is stopped.
//!
//! - [`one_shot`]: that, from what it takes to the result.
//! - [`stored`]: the sweep that a folder holds, to be gone on with.

mod folder;
mod parts;

pub use folder::{FolderError, Stored, stored};
pub(crate) use parts::{how, how_served};

use crate::engine::{NewSweep, Subscription};
use crate::record::{Creation, Unreadable};
use crate::{devices, engine, launch, services};
use folder::Folder;
use parts::Parts;
use rangefinder_errors::{Code, Coded};
use rangefinder_report::SweepDocument;
use rangefinder_store::Notice;
use rangefinder_sweep::event::{Happening, SweepEvent};
use rangefinder_sweep::ids::SweepId;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// Who a sweep on one machine belongs to.
const OWNER: &str = "local";

/// How a sweep is run, beside what it is.
#[derive(Clone, Debug)]
pub struct Options {
    /// The worker program, where it is named; else it is looked for.
    pub worker_program: Option<PathBuf>,
    /// Program and arguments of a worker of the user's own, in place of ours; empty for ours.
    pub worker_command: Vec<String>,
    /// Further environment of the workers.
    pub environment: Vec<(OsString, OsString)>,
    /// The folder that keeps all that happens, so that the sweep can be gone on with; else a
    /// temporary one.
    pub data_dir: Option<PathBuf>,
    /// Limits of the engine.
    pub engine: engine::Options,
    /// Times of the server.
    pub services: services::Options,
    /// How long a cancelled sweep may take to say that it has ended.
    pub cancel_deadline: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            worker_program: None,
            worker_command: Vec::new(),
            environment: Vec::new(),
            data_dir: None,
            engine: engine::Options::default(),
            services: services::Options::default(),
            cancel_deadline: Duration::from_secs(1),
        }
    }
}

/// What is to be run.
#[derive(Clone, Debug)]
pub enum Start {
    /// A new sweep.
    New(Box<Creation>),
    /// The sweep that the folder holds.
    Stored(Box<Stored>),
}

impl Start {
    /// What it takes to run it.
    #[must_use]
    pub fn creation(&self) -> &Creation {
        match self {
            Self::New(creation) => creation,
            Self::Stored(stored) => &stored.creation,
        }
    }
}

/// How a run came to its end.
#[derive(Clone, Debug)]
pub enum Finished {
    /// The sweep has ended, in whatever way.
    Ended(Box<SweepDocument>),
    /// It was interrupted; its folder holds all that was done.
    Parked(PathBuf),
}

/// Why a sweep could not be run. That a sweep ran and failed is not one: its result says so.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No worker can be started.
    #[error(transparent)]
    Launch(#[from] launch::Error),
    /// The workers have no place.
    #[error(transparent)]
    Devices(#[from] devices::Error),
    /// The folder does not hold what is wanted.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Its store cannot be gone on with.
    #[error(transparent)]
    Restore(#[from] engine::RestoreError),
    /// What is stored cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// No port of the loopback interface is to be had.
    #[error("the coordinator cannot listen on 127.0.0.1: {0}")]
    Listen(#[source] io::Error),
    /// The operating system gives no random bytes.
    #[error("the operating system gives no random bytes: {0}")]
    Random(#[source] getrandom::Error),
    /// No token can be made for the workers.
    #[error(transparent)]
    Token(#[from] rangefinder_access::Error),
    /// The disk takes nothing: the sweep cannot come to its end.
    #[error("{0}")]
    Disk(String),
    /// The engine refuses, or has stopped.
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// A part that should run until the end has ended; this is a defect, not a user's mistake.
    #[error("the {part} of the coordinator has ended unexpectedly: {cause}")]
    Ended {
        /// Which part.
        part: &'static str,
        /// How.
        cause: String,
    },
}

impl Coded for Error {
    fn code(&self) -> Code {
        match self {
            Self::Launch(error) => error.code(),
            Self::Devices(error) => error.code(),
            Self::Folder(error) => error.code(),
            Self::Restore(error) => error.code(),
            Self::Unreadable(error) => error.code(),
            Self::Token(error) => error.code(),
            Self::Listen(_) | Self::Random(_) => Code::System,
            Self::Disk(_) => Code::StoreFailing,
            Self::Engine(engine::Error::StoreFailing(_)) => Code::StoreFailing,
            // This program has one engine and one sweep: what it refuses is a defect.
            Self::Engine(_) | Self::Ended { .. } => Code::Defect,
        }
    }
}

/// What someone who follows a run is told.
#[derive(Debug)]
pub enum Told<'a> {
    /// Something happened in the sweep.
    Event(&'a SweepEvent),
    /// Something about the folder that the user should know.
    Notice(&'a Notice),
    /// The disk takes nothing, and why: the sweep stands still until it does. Or `None`: it does
    /// again.
    Disk(Option<&'a str>),
}

/// Runs one sweep and returns how it ended; calls `told` with each of its events, in order and
/// without a gap, from the first on also when it is gone on with.
///
/// When `cancel` fires, a sweep with a folder of its own is parked: it can be gone on with. One in
/// a temporary folder is ended, and what there is of it is returned, marked as cancelled, within
/// about two seconds. When this returns, no worker is left; when its future is dropped, or the
/// process ends in whatever way, the workers end too.
///
/// # Errors
/// When the sweep cannot be run at all.
pub async fn one_shot(
    start: Start,
    options: &Options,
    cancel: CancellationToken,
    told: &mut (dyn FnMut(Told<'_>) + Send),
) -> Result<Finished, Error> {
    if let Start::Stored(stored) = &start
        && let Some(document) = stored.document()?
    {
        return Ok(Finished::Ended(Box::new(document)));
    }
    let folder = Folder::of(options.data_dir.as_deref(), &start)?;
    let (mut parts, notices) = Parts::start(start.creation(), options, folder.path()).await?;
    for notice in &notices {
        told(Told::Notice(notice));
    }
    let followed = follow(&mut parts, start, options, cancel, told).await;
    parts.stop().await;
    match followed? {
        Some(document) => Ok(Finished::Ended(Box::new(document))),
        None => Ok(Finished::Parked(folder.path().to_owned())),
    }
}

/// Runs the sweep to its end: the document, or nothing where it was parked.
async fn follow(
    parts: &mut Parts,
    start: Start,
    options: &Options,
    cancel: CancellationToken,
    told: &mut (dyn FnMut(Told<'_>) + Send),
) -> Result<Option<SweepDocument>, Error> {
    let engine = parts.engine().clone();
    let sweep = match start {
        Start::Stored(stored) => stored.id,
        Start::New(creation) => {
            let new = NewSweep {
                id: SweepId(format!("sweep-{:08x}", parts::random()?)),
                owner: OWNER.to_owned(),
                request_id: String::new(),
                creation: *creation,
            };
            engine.create(new).await?.sweep
        }
    };
    let events = engine.subscribe(sweep.clone(), 1).await?;
    if !to_the_end(parts, &sweep, events, options, cancel, told).await? {
        return Ok(None);
    }
    tokio::select! {
        stored = engine.stored(sweep.clone()) => stored?,
        error = parts.ended() => return Err(error),
        trouble = disk_trouble(&engine, options.cancel_deadline) => return Err(trouble),
    }
    let reader = engine.reader().cloned();
    let read = tokio::task::spawn_blocking(move || folder::document(reader.as_ref(), &sweep));
    match read.await {
        Ok(document) => Ok(Some(document?)),
        Err(error) => Err(Error::Ended {
            part: "reader",
            cause: error.to_string(),
        }),
    }
}

/// Passes on the events until the sweep has ended; `false` where it was parked before.
async fn to_the_end(
    parts: &mut Parts,
    sweep: &SweepId,
    mut events: Subscription,
    options: &Options,
    cancel: CancellationToken,
    told: &mut (dyn FnMut(Told<'_>) + Send),
) -> Result<bool, Error> {
    let engine = parts.engine().clone();
    let mut deadline = None;
    let mut trouble = None;
    loop {
        let event = tokio::select! {
            biased;
            () = cancel.cancelled(), if deadline.is_none() => {
                if options.data_dir.is_some() {
                    return Ok(false);
                }
                engine.cancel(sweep.clone()).await?;
                deadline = Some(Instant::now() + options.cancel_deadline);
                continue;
            }
            event = events.next() => event?.ok_or(engine::Error::Stopped)?,
            error = parts.ended() => return Err(error),
            now = engine.trouble_after(&trouble) => {
                told(Told::Disk(now.as_deref()));
                trouble = now;
                continue;
            }
            () = until(deadline) => return Err(cannot_end(&engine)),
        };
        told(Told::Event(&event));
        if let Happening::Ended { .. } = event.happening {
            return Ok(true);
        }
    }
}

/// Why a sweep that was to end does not.
fn cannot_end(engine: &engine::Handle) -> Error {
    Error::Disk(engine.trouble().unwrap_or_else(|| {
        "the disk does not take the end of the sweep; check the folder for temporary files"
            .to_owned()
    }))
}

/// Returns when the disk has failed for longer than `patience`.
async fn disk_trouble(engine: &engine::Handle, patience: Duration) -> Error {
    loop {
        tokio::time::sleep(patience).await;
        if engine.trouble().is_some() {
            return cannot_end(engine);
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
