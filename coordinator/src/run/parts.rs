//! The parts of a coordinator that runs one sweep, in the order of their start and end.

use super::{Error, Options};
use crate::devices;
use crate::engine::{self, Engine, Handle};
use crate::launch::local::Started;
use crate::launch::{self, local};
use crate::record::Creation;
use crate::services::{self, Server};
use rangefinder_access::{Acceptor, Role, Secret, TokenSource, Tokens};
use rangefinder_config::{Device, placement};
use rangefinder_store::Notice;
use std::ffi::OsString;
use std::future::Future;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use tokio::net::TcpListener;
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// Engine, server and workers, each a task that ends by its own token; aborted when dropped,
/// which kills the workers.
#[derive(Debug)]
pub(super) struct Parts {
    handle: Handle,
    engine: Part<()>,
    server: Part<Result<(), tonic::transport::Error>>,
    workers: Part<()>,
}

#[derive(Debug)]
struct Part<T> {
    task: AbortOnDropHandle<T>,
    stop: CancellationToken,
}

impl<T: Send + 'static> Part<T> {
    fn start<F>(run: impl FnOnce(CancellationToken) -> F) -> Self
    where
        F: Future<Output = T> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let task = AbortOnDropHandle::new(tokio::spawn(run(stop.clone())));
        Self { task, stop }
    }

    /// Ends the part in its own way. A part that ends badly now has done its work before.
    async fn stop(self, name: &str) {
        self.stop.cancel();
        if self.task.is_finished() {
            return; // [`Parts::ended`] may have taken its answer, which is there only once.
        }
        if let Err(error) = self.task.await {
            tracing::error!(part = name, %error, "a part of the coordinator ended badly");
        }
    }
}

impl Parts {
    /// Starts all of them. The worker processes come first, since they take longest: they load
    /// their libraries and knock at a port that is open already while the rest is made.
    pub(super) async fn start(
        creation: &Creation,
        options: &Options,
        folder: &Path,
    ) -> Result<(Self, Vec<Notice>), Error> {
        let started = start_workers(creation, options).await?;
        let (listener, tokens, workers) = started;
        let (engine, handle, notices) = open(options.engine.clone(), folder).await?;
        let engine = Part::start(|stop| engine.run(stop));
        // Workers of a command that was interrupted ended with it.
        for worker in handle.workers().await? {
            let cause = "it ended with the command that was interrupted".to_owned();
            handle.worker_gone(worker.worker, cause).await?;
        }
        let server = Server {
            engine: handle.clone(),
            tokens,
            acceptor: Acceptor::plain(),
            clients: None,
            options: options.services.clone(),
        };
        let server = Part::start(|stop| services::serve(listener, server, stop));
        let workers = Part::start(|stop| workers.watch(handle.clone(), stop));
        let parts = Self {
            handle,
            engine,
            server,
            workers,
        };
        Ok((parts, notices))
    }

    pub(super) fn engine(&self) -> &Handle {
        &self.handle
    }

    /// Waits for the end of a part that should not end. Cancel-safe. The workers may: the engine
    /// hears of it.
    pub(super) async fn ended(&mut self) -> Error {
        let (part, cause) = tokio::select! {
            ended = &mut self.engine.task => ("engine", how(ended)),
            ended = &mut self.server.task => ("server", how_served(ended)),
        };
        Error::Ended { part, cause }
    }

    /// Ends all of them: the engine tells the workers to leave, the workers go, and the server
    /// has no stream left to wait for.
    pub(super) async fn stop(self) {
        self.engine.stop("engine").await;
        self.workers.stop("workers").await;
        self.server.stop("server").await;
    }
}

/// Opens the folder on a thread of its own, since that waits for the disk.
async fn open(
    options: engine::Options,
    folder: &Path,
) -> Result<(Engine, Handle, Vec<Notice>), Error> {
    let folder = folder.to_owned();
    match tokio::task::spawn_blocking(move || Engine::open(options, &folder)).await {
        Ok(opened) => Ok(opened?),
        Err(error) => Err(Error::Ended {
            part: "store",
            cause: error.to_string(),
        }),
    }
}

async fn start_workers(
    creation: &Creation,
    options: &Options,
) -> Result<(TcpListener, TokenSource, Started), Error> {
    let (program, arguments) = match options.worker_command.split_first() {
        Some((program, arguments)) => (PathBuf::from(program), arguments),
        None => (installed_worker(options)?, <&[String]>::default()),
    };
    let (device, workers_per_gpu) = placement(&creation.spec);
    let listing = match device {
        Device::Cpu => devices::Listing::default(),
        Device::Auto | Device::Cuda(_) => devices::list(),
    };
    let placements = devices::assign(
        creation.workers,
        device,
        workers_per_gpu,
        &listing,
        // What is not text names no GPU, and must not count as if nothing were hidden.
        std::env::var_os("CUDA_VISIBLE_DEVICES")
            .map(|value| value.to_string_lossy().into_owned())
            .as_deref(),
    )?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .map_err(Error::Listen)?;
    let address = listener.local_addr().map_err(Error::Listen)?;
    let (tokens, secret) = worker_token()?;
    let mut local = local::Options::new(program, address, secret);
    local.arguments = arguments.iter().map(OsString::from).collect();
    local.environment.clone_from(&options.environment);
    let workers = local::start(local, placements)?;
    Ok((listener, tokens, workers))
}

/// A token for the workers of this process alone.
fn worker_token() -> Result<(TokenSource, Secret), rangefinder_access::Error> {
    let secret = Secret::random()?;
    let mut tokens = Tokens::default();
    tokens.take(Role::Worker, "local", &secret, jiff::Timestamp::now())?;
    Ok((TokenSource::fixed(tokens), secret))
}

fn installed_worker(options: &Options) -> Result<PathBuf, launch::Error> {
    launch::find_worker(
        options.worker_program.as_deref(),
        std::env::var_os(launch::WORKER_VARIABLE).as_deref(),
        std::env::current_exe().ok().as_deref(),
    )
}

/// Random bits for a name.
pub(super) fn random() -> Result<u32, Error> {
    getrandom::u32().map_err(Error::Random)
}

/// How a part has ended that should not.
pub(crate) fn how(ended: Result<(), JoinError>) -> String {
    match ended {
        Ok(()) => "it has stopped".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// The same of a server.
pub(crate) fn how_served(ended: Result<Result<(), tonic::transport::Error>, JoinError>) -> String {
    match ended {
        Ok(Err(error)) => error.to_string(),
        Ok(Ok(())) => how(Ok(())),
        Err(error) => how(Err(error)),
    }
}
