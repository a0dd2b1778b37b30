//! Workers of this machine: one process a worker, replaced when it dies.

use super::Error;
use super::process::Process;
use crate::devices::Placement;
use crate::engine::Handle;
use rangefinder_access::Secret;
use rangefinder_sweep::ids::WorkerId;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// What the workers are started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The worker program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Where the coordinator listens.
    pub coordinator: SocketAddr,
    /// What the workers show there.
    pub credential: Secret,
    /// Further variables of their environment.
    pub environment: Vec<(OsString, OsString)>,
    /// Processes of one worker that may die in a row without having joined; then it is given up.
    pub max_stillborn: u32,
    /// Pause before a worker that died young is replaced; doubles each time.
    pub backoff: Duration,
    /// The longest such pause.
    pub max_backoff: Duration,
    /// Age from which a death is no longer young.
    pub young: Duration,
    /// How long a worker may take to leave by itself, and again after SIGTERM, before SIGKILL.
    pub patience: Duration,
}

impl Options {
    /// The usual limits.
    #[must_use]
    pub fn new(program: PathBuf, coordinator: SocketAddr, credential: Secret) -> Self {
        Self {
            program,
            arguments: Vec::new(),
            coordinator,
            credential,
            environment: Vec::new(),
            max_stillborn: 3,
            backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(5),
            young: Duration::from_secs(10),
            patience: Duration::from_millis(500),
        }
    }

    /// Starts the process of one worker. All that it needs to know is in its environment, so that
    /// the credential never shows in a list of processes.
    fn spawn(&self, worker: &WorkerId, placement: &Placement) -> Result<Process, Error> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env(
                "RANGEFINDER_COORDINATOR",
                format!("http://{}", self.coordinator),
            )
            .env("RANGEFINDER_TOKEN", self.credential.reveal())
            .env_remove("RANGEFINDER_TOKEN_FILE")
            .env("RANGEFINDER_WORKER_ID", &worker.0)
            .env("RANGEFINDER_DEVICE", &placement.device)
            .env("RANGEFINDER_WATCH_STDIN", "1")
            .env("CUDA_VISIBLE_DEVICES", &placement.cuda_visible_devices);
        // Meant for workers that join a service: these here speak to loopback, and read what their
        // user names.
        for of_a_service in [
            "RANGEFINDER_CA_FILE",
            "RANGEFINDER_CERT_FILE",
            "RANGEFINDER_KEY_FILE",
            "RANGEFINDER_SERVER_NAME",
            "RANGEFINDER_MODEL_ROOT",
            "RANGEFINDER_DATA_ROOT",
            "RANGEFINDER_CONFINED",
        ] {
            command.env_remove(of_a_service);
        }
        Process::spawn(&worker.0, command).map_err(|source| Error::Spawn {
            path: self.program.clone(),
            source,
        })
    }
}

/// The workers, started but not watched yet: that needs the engine.
#[derive(Debug)]
pub struct Started {
    options: Options,
    workers: Vec<Slot>,
}

/// One worker and its process.
#[derive(Debug)]
struct Slot {
    worker: WorkerId,
    placement: Placement,
    process: Process,
    started: Instant,
}

/// Starts one worker for each placement, named `w0`, `w1`, ... Must be called within a runtime.
///
/// # Errors
/// When the program does not start; those that did are killed.
pub fn start(options: Options, placements: Vec<Placement>) -> Result<Started, Error> {
    let workers = placements
        .into_iter()
        .enumerate()
        .map(|(index, placement)| {
            let worker = WorkerId(format!("w{index}"));
            let process = options.spawn(&worker, &placement)?;
            Ok(Slot {
                worker,
                placement,
                process,
                started: Instant::now(),
            })
        })
        .collect::<Result<_, Error>>()?;
    Ok(Started { options, workers })
}

impl Started {
    /// Watches the workers until `shutdown`: tells the engine at once of each that dies, and
    /// starts another in its place. When `shutdown` comes, stops them all; returns when every
    /// process has gone. Dropped before that, it kills them.
    pub async fn watch(self, engine: Handle, shutdown: CancellationToken) {
        let mut slots = JoinSet::new();
        for slot in self.workers {
            let (options, engine) = (self.options.clone(), engine.clone());
            slots.spawn(slot.watch(options, engine, shutdown.clone()));
        }
        let mut last_cause = None;
        while let Some(ended) = slots.join_next().await {
            match ended {
                Ok(Some(cause)) => last_cause = Some(cause),
                Ok(None) => {}
                Err(error) => last_cause = Some(format!("the watch over a worker failed: {error}")),
            }
        }
        if let Some(cause) = last_cause
            && !shutdown.is_cancelled()
        {
            // Only an engine that has stopped does not hear it.
            let _ = engine.no_more_workers(cause).await;
        }
    }
}

impl Slot {
    /// Keeps one worker alive until `shutdown`. Gives the cause when it has to give it up.
    async fn watch(
        mut self,
        options: Options,
        engine: Handle,
        shutdown: CancellationToken,
    ) -> Option<String> {
        let mut stillborn = 0;
        let mut backoff = options.backoff;
        loop {
            let cause = tokio::select! {
                biased;
                () = shutdown.cancelled() => {
                    self.process.stop(options.patience).await;
                    return None;
                }
                how = self.process.exited() => format!("worker {} {how}", self.worker),
            };
            if self.started.elapsed() >= options.young {
                backoff = options.backoff;
            }
            let joined = engine
                .worker_gone(self.worker.clone(), cause.clone())
                .await
                .ok()?;
            stillborn = if joined { 0 } else { stillborn + 1 };
            if stillborn >= options.max_stillborn {
                return Some(given_up(stillborn, &cause));
            }
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return None,
                () = sleep(backoff) => {}
            }
            backoff = (backoff * 2).min(options.max_backoff);
            self.process = match options.spawn(&self.worker, &self.placement) {
                Ok(process) => process,
                Err(error) => return Some(error.to_string()),
            };
            self.started = Instant::now();
        }
    }
}

/// Why a worker is not started any more, after `times` processes that ended before they had joined.
fn given_up(times: u32, cause: &str) -> String {
    let silent = if cause.contains('\n') {
        ""
    } else {
        "; it wrote nothing that says why"
    };
    format!("after {times} starts in vain, {cause}{silent}")
}
