//! The service: sweeps of many clients on workers of many machines, for months.
//!
//! - [`Service`]: opened with everything checked, then run until it is told to end.
//! - `keep`: which ended sweeps are forgotten, and when.

mod keep;

use crate::catalogue::Catalogue;
use crate::engine::{self, Engine, Handle};
use crate::observe::systemd;
use crate::pins::Pins;
use crate::run::{how, how_served};
use crate::services::{self, Clients, Probes, Server, serve_probes};
use rangefinder_access::{Acceptor, Roots, ServerTls, TokenFile, TokenSource, check_listen};
use rangefinder_artifacts::{ArtifactStore, Limits};
use rangefinder_errors::{Code, Coded};
use rangefinder_store::{Notice, Retention};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// The folder of uploaded models and data in that of the service.
const ARTIFACTS: &str = "artifacts";

/// How a service is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder that keeps everything.
    pub data_dir: PathBuf,
    /// Where it listens.
    pub listen: SocketAddr,
    /// The file of the tokens.
    pub tokens: PathBuf,
    /// Certificates; `None` for no TLS.
    pub tls: Option<ServerTls>,
    /// Whether it may listen off loopback without TLS.
    pub insecure: bool,
    /// Where it serves health and metrics alone, without TLS and tokens; `None`: with the rest only.
    pub http_listen: Option<SocketAddr>,
    /// Folders below which models and data may be named by their path.
    pub roots: Roots,
    /// Limits of the engine.
    pub engine: engine::Options,
    /// Times of the server.
    pub services: services::Options,
    /// Limits of uploaded models and data.
    pub artifacts: Limits,
    /// Which ended sweeps are kept.
    pub retention: Retention,
}

/// Why a service cannot be started, or goes on no longer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Tokens, certificates or the address are not right.
    #[error(transparent)]
    Access(#[from] rangefinder_access::Error),
    /// Nobody could call: there are no tokens.
    #[error(
        "there are no tokens in {}; make some with `coordinator token create --data-dir {} --role \
         client --name NAME`, and with `--role worker` for the workers",
        file.display(), data_dir.display()
    )]
    NoTokens {
        /// The file.
        file: PathBuf,
        /// The folder of the service.
        data_dir: PathBuf,
    },
    /// The store cannot be gone on with.
    #[error(transparent)]
    Restore(#[from] engine::RestoreError),
    /// The folder of artifacts cannot be used.
    #[error(transparent)]
    Artifacts(#[from] rangefinder_artifacts::Error),
    /// The sweeps that are stored cannot be read.
    #[error(transparent)]
    Catalogue(#[from] crate::catalogue::Error),
    /// The address cannot be listened on.
    #[error(
        "{flag}: the coordinator cannot listen on {address}: {source}; take another port, or stop what listens there"
    )]
    Listen {
        /// The flag that says where.
        flag: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The operating system refuses signals.
    #[error("the operating system refuses: {0}")]
    System(#[from] io::Error),
    /// A part that should run until the end has ended; this is a defect.
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
            Self::Access(error) => error.code(),
            Self::NoTokens { .. } => Code::NoTokens,
            Self::Restore(error) => error.code(),
            Self::Artifacts(error) => error.code(),
            Self::Catalogue(error) => error.code(),
            Self::Listen { .. } => Code::Listen,
            Self::System(_) => Code::System,
            Self::Ended { .. } => Code::Defect,
        }
    }
}

/// A service that is ready to run.
#[derive(Debug)]
pub struct Service {
    options: Options,
    engine: Engine,
    handle: Handle,
    tokens: TokenSource,
    acceptor: Acceptor,
    listener: TcpListener,
    /// For health and metrics alone.
    http: Option<TcpListener>,
    artifacts: ArtifactStore,
}

impl Service {
    /// Checks everything and opens the folder, the files and the port. Needs tokio's runtime, and
    /// blocks for as long as the store takes to be read.
    ///
    /// # Errors
    /// What is wrong, before anything is done.
    pub async fn open(options: Options) -> Result<(Self, Vec<Notice>), Error> {
        check_listen(options.listen, options.tls.is_some(), options.insecure)?;
        let acceptor = match options.tls.clone() {
            Some(files) => Acceptor::tls(files)?,
            None => Acceptor::plain(),
        };
        if !options.tokens.exists() {
            return Err(Error::NoTokens {
                file: options.tokens,
                data_dir: options.data_dir,
            });
        }
        let tokens = TokenSource::open(TokenFile::new(&options.tokens))?;
        let listener = bind("--listen", options.listen).await?;
        let http = match options.http_listen {
            Some(address) => {
                check_listen(address, false, options.insecure)?;
                Some(bind("--http-listen", address).await?)
            }
            None => None,
        };
        let (engine_options, folder) = (options.engine.clone(), options.data_dir.clone());
        let opened =
            tokio::task::spawn_blocking(move || Engine::open(engine_options, &folder)).await;
        let (engine, handle, notices) = opened.map_err(|error| Error::Ended {
            part: "store",
            cause: error.to_string(),
        })??;
        let artifacts = ArtifactStore::open(&options.data_dir.join(ARTIFACTS), options.artifacts)?;
        let service = Self {
            options,
            engine,
            handle,
            tokens,
            acceptor,
            listener,
            http,
            artifacts,
        };
        Ok((service, notices))
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the operating system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Where it serves health and metrics alone, if it does.
    ///
    /// # Errors
    /// When the operating system does not say.
    pub fn http_address(&self) -> io::Result<Option<SocketAddr>> {
        self.http.as_ref().map(TcpListener::local_addr).transpose()
    }

    /// Runs until `shutdown`: then grants nothing more, writes all that was decided, and ends;
    /// workers keep what they have and come back to the service that is started next.
    ///
    /// # Errors
    /// When a part of it ends that should not.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        let Self {
            options,
            engine,
            handle,
            tokens,
            acceptor,
            listener,
            http,
            artifacts,
        } = self;
        warn(&tokens, &acceptor);
        let observer = handle.observer().clone();
        let stop_engine = CancellationToken::new();
        let mut engine = tokio::spawn(engine.run(stop_engine.clone()));
        let reloading = tokio::spawn(reload(tokens.clone(), acceptor.clone()));
        let stop_server = CancellationToken::new();
        let probes = Probes {
            engine: handle.clone(),
            acceptor: acceptor.clone(),
            artifacts: Some(artifacts.clone()),
        };
        let stop = stop_server.clone();
        // They end with the process: nobody waits for an answer of theirs.
        let _probing =
            http.map(|http| AbortOnDropHandle::new(tokio::spawn(serve_probes(http, probes, stop))));
        let clients = match Catalogue::of(handle.clone()) {
            Some(catalogue) => {
                let pins = Pins::restore(&catalogue, &artifacts).await?;
                Some(Clients {
                    catalogue,
                    roots: options.roots,
                    artifacts,
                    pins,
                })
            }
            None => None,
        };
        let keeping = clients.clone().map(|clients| {
            tokio::spawn(keep::forever(
                clients.catalogue,
                clients.pins,
                options.retention,
            ))
        });
        let server = Server {
            engine: handle,
            tokens,
            acceptor,
            clients,
            options: options.services,
        };
        let mut serving = tokio::spawn(services::serve(listener, server, stop_server.clone()));
        systemd::ready();
        let ended = |part, cause: String| Err(Error::Ended { part, cause });
        let result = tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            end = &mut engine => ended("engine", how(end)),
            end = &mut serving => ended("server", how_served(end)),
        };
        systemd::stopping();
        reloading.abort();
        if let Some(keeping) = keeping {
            keeping.abort();
        }
        // The engine first: it has the last word on every stream.
        stop_engine.cancel();
        if result.is_ok()
            && let Err(error) = engine.await
        {
            tracing::error!(%error, "the engine ended badly");
        }
        stop_server.cancel();
        if !serving.is_finished()
            && let Err(error) = serving.await
        {
            tracing::error!(%error, "the server ended badly");
        }
        // What cannot be sent in time is lost.
        let _ = tokio::task::spawn_blocking(move || observer.flush()).await;
        result
    }
}

async fn bind(flag: &'static str, address: SocketAddr) -> Result<TcpListener, Error> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| Error::Listen {
        flag,
        address,
        source,
    })
}

/// Says what is wrong with tokens and certificates, or soon will be.
fn warn(tokens: &TokenSource, acceptor: &Acceptor) {
    let all = tokens.warning().into_iter().chain(acceptor.warning());
    for warning in all.chain(acceptor.notices()) {
        tracing::warn!(code = %warning.code(), "{warning}");
    }
}

/// Reads tokens and certificates again at each SIGHUP; what is broken leaves the last good ones.
async fn reload(tokens: TokenSource, acceptor: Acceptor) {
    let Ok(mut hangups) = signal(SignalKind::hangup()) else {
        return;
    };
    while hangups.recv().await.is_some() {
        systemd::reloading();
        for reloaded in [tokens.reload(), acceptor.reload()] {
            if let Err(error) = reloaded {
                tracing::warn!(code = %error.code(), "not reloaded: {error}");
            }
        }
        for notice in acceptor.notices() {
            tracing::warn!(code = %notice.code(), "{notice}");
        }
        systemd::ready();
    }
}
