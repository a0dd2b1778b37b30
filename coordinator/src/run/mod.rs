//! A whole sweep on this machine: workers are started, the sweep is run, everything is stopped.
//!
//! - [`one_shot`]: that, from a resolved specification to the result.

mod parts;

use crate::engine::Subscription;
use crate::{devices, engine, launch, services};
use parts::Parts;
use rangefinder_config::Resolved;
use rangefinder_errors::{Code, Coded};
use rangefinder_sweep::event::{Happening, Outcome, SweepEvent};
use rangefinder_sweep::ids::SweepId;
use rangefinder_sweep::state::SweepResult;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// How a sweep is run, beside what it is.
#[derive(Clone, Debug)]
pub struct Options {
    /// The worker program, where it is named; else it is looked for.
    pub worker_program: Option<PathBuf>,
    /// Program and arguments of a worker of the user's own, in place of ours; empty for ours.
    pub worker_command: Vec<String>,
    /// Further environment of the workers.
    pub environment: Vec<(OsString, OsString)>,
    /// Limits of the engine.
    pub engine: engine::Options,
    /// Times of the server.
    pub services: services::Options,
    /// How long a cancelled sweep may take to say that it has ended; then its result is taken as it is.
    pub cancel_deadline: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            worker_program: None,
            worker_command: Vec::new(),
            environment: Vec::new(),
            engine: engine::Options::default(),
            services: services::Options::default(),
            cancel_deadline: Duration::from_secs(1),
        }
    }
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
    /// No port of the loopback interface is to be had.
    #[error("the coordinator cannot listen on 127.0.0.1: {0}")]
    Listen(#[source] io::Error),
    /// The operating system gives no random bytes.
    #[error("the operating system gives no random bytes for a credential: {0}")]
    Random(#[source] getrandom::Error),
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
            Self::Listen(_) | Self::Random(_) => Code::System,
            // This program has one engine and one sweep: what it refuses is a defect.
            Self::Engine(_) | Self::Ended { .. } => Code::Defect,
        }
    }
}

/// Runs one sweep and returns its result, however it ended; calls `on_event` with each of its
/// events, in order and without a gap.
///
/// When `cancel` fires, the sweep is ended and what there is of it is returned, marked
/// [`Outcome::Cancelled`], within about two seconds. When this returns, no worker is left; when
/// its future is dropped, or the process ends in whatever way, the workers end too.
///
/// # Errors
/// When the sweep cannot be run at all.
pub async fn one_shot(
    resolved: &Resolved,
    options: &Options,
    cancel: CancellationToken,
    on_event: &mut (dyn FnMut(&SweepEvent) + Send),
) -> Result<SweepResult, Error> {
    let mut parts = Parts::start(resolved, options).await?;
    let sweep = SweepId(format!("sweep-{:08x}", parts::random()?));
    let followed = async {
        let events = parts
            .engine()
            .create(
                sweep.clone(),
                resolved.request.clone(),
                resolved.trainer.clone(),
            )
            .await?;
        follow(&mut parts, &sweep, events, options, cancel, on_event).await?;
        Ok(parts.engine().result(sweep.clone()).await?)
    }
    .await;
    parts.stop().await;
    followed.map(|result: SweepResult| SweepResult {
        outcome: result.outcome.or(Some(Outcome::Cancelled)),
        ..result
    })
}

/// Passes on the events until the sweep has ended.
async fn follow(
    parts: &mut Parts,
    sweep: &SweepId,
    mut events: Subscription,
    options: &Options,
    cancel: CancellationToken,
    on_event: &mut (dyn FnMut(&SweepEvent) + Send),
) -> Result<(), Error> {
    let engine = parts.engine().clone();
    let mut deadline = None;
    loop {
        let event = tokio::select! {
            biased;
            () = cancel.cancelled(), if deadline.is_none() => {
                engine.cancel(sweep.clone()).await?;
                deadline = Some(Instant::now() + options.cancel_deadline);
                continue;
            }
            event = events.next() => event.ok_or(engine::Error::Stopped)?,
            error = parts.ended() => return Err(error),
            () = until(deadline) => return Ok(()),
        };
        on_event(&event);
        if let Happening::Ended { .. } = event.happening {
            return Ok(());
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
