//! What the coordinator serves over gRPC and HTTP, all on one listener.
//!
//! - [`Server`], [`serve`]: all of it.
//! - `auth`: who may call. Checked before any service sees a call.
//! - [`WorkerStreams`]: the streams of the workers.
//! - [`Sweeps`]: what clients ask. [`Artifacts`]: models and data that they upload and workers download.
//! - [`Probes`], [`serve_probes`]: whether the process lives and does its work, and what it counts, for
//!   what has no gRPC.
//! - `status`: how errors become gRPC statuses, in one place.

mod artifacts;
mod auth;
mod http;
mod status;
mod sweeps;
mod worker;

pub use artifacts::{Artifacts, CHUNK_BYTES, TransferLimits, sees_as};
pub use http::{Probes, serve_probes};
pub use sweeps::Sweeps;
pub use worker::WorkerStreams;

use crate::catalogue::Catalogue;
use crate::engine::Handle;
use crate::observe;
use crate::pins::Pins;
use rangefinder_access::{Acceptor, Roots, TokenSource};
use rangefinder_artifacts::ArtifactStore;
use rangefinder_proto::v1::artifact_service_server::ArtifactServiceServer;
use rangefinder_proto::v1::sweep_service_server::SweepServiceServer;
use rangefinder_proto::v1::worker_service_server::WorkerServiceServer;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

/// Bytes of the largest message that is taken from a worker; the largest honest one, 1000
/// observations, has 40 KiB, and the names of a large model's parameters some 100 KiB.
const MAX_REQUEST_BYTES: usize = 4 << 20;
/// Bytes of the largest message to a worker: the learning rates of a task, 8 bytes a step.
const MAX_RESPONSE_BYTES: usize = 64 << 20;

/// Bytes of the largest request of a client: a curve of a million points in two columns.
const MAX_CLIENT_REQUEST_BYTES: usize = 20 << 20;
/// Bytes of the largest answer to a client: the document of a long sweep.
const MAX_CLIENT_RESPONSE_BYTES: usize = 256 << 20;

/// Times of the server.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long a new stream may take to say Hello.
    pub hello_deadline: Duration,
    /// Silence after which a connection is tried; without it a dead network hangs for ever.
    pub keepalive_interval: Duration,
    /// How long the answer to that may take before the connection counts as dead.
    pub keepalive_timeout: Duration,
    /// How long streams may take to end after a shutdown before they are dropped.
    pub shutdown_deadline: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            hello_deadline: Duration::from_secs(10),
            keepalive_interval: Duration::from_secs(5),
            keepalive_timeout: Duration::from_secs(5),
            shutdown_deadline: Duration::from_secs(1),
        }
    }
}

/// What is served, and to whom.
#[derive(Clone, Debug)]
pub struct Server {
    /// The engine behind it.
    pub engine: Handle,
    /// Who may call.
    pub tokens: TokenSource,
    /// How connections are taken: with TLS or without.
    pub acceptor: Acceptor,
    /// What clients ask; `None` where only workers call.
    pub clients: Option<Clients>,
    /// Times.
    pub options: Options,
}

/// What clients ask.
#[derive(Clone, Debug)]
pub struct Clients {
    /// The sweeps.
    pub catalogue: Catalogue,
    /// Folders below which models and data may be named by their path.
    pub roots: Roots,
    /// Models and data that were uploaded.
    pub artifacts: ArtifactStore,
    /// Those that active sweeps need.
    pub pins: Pins,
}

/// Serves until `shutdown`, then lets streams end, but not for longer than their deadline.
///
/// # Errors
/// Those of the transport. A bad connection is not one: it ends alone.
pub async fn serve(
    listener: TcpListener,
    server: Server,
    shutdown: CancellationToken,
) -> Result<(), tonic::transport::Error> {
    let Server {
        engine,
        tokens,
        acceptor,
        clients,
        options,
    } = server;
    let streams = WorkerStreams::new(engine.clone(), tokens.clone(), options.hello_deadline);
    let workers = WorkerServiceServer::new(streams)
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES);
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter
        .set_serving::<WorkerServiceServer<WorkerStreams>>()
        .await;
    let probes = Probes {
        engine: engine.clone(),
        acceptor: acceptor.clone(),
        artifacts: clients.as_ref().map(|clients| clients.artifacts.clone()),
    };
    let mut routes = Routes::new(health).add_service(workers);
    if let Some(clients) = clients {
        let artifacts = Artifacts::new(clients.artifacts.clone(), TransferLimits::default());
        reporter
            .set_serving::<ArtifactServiceServer<Artifacts>>()
            .await;
        routes = routes.add_service(artifacts.into_server());
        reporter.set_serving::<SweepServiceServer<Sweeps>>().await;
        let sweeps = SweepServiceServer::new(Sweeps::new(clients, tokens.clone()))
            .max_decoding_message_size(MAX_CLIENT_REQUEST_BYTES)
            .max_encoding_message_size(MAX_CLIENT_RESPONSE_BYTES);
        routes = routes.add_service(sweeps);
        if let Some(reflection) = reflection() {
            routes = routes.add_service(reflection);
        }
    }
    let router = routes
        .into_axum_router()
        .merge(http::router(probes))
        .layer(axum::middleware::from_fn_with_state(
            tokens,
            auth::authenticate,
        ))
        // Outermost: what is refused counts too.
        .layer(axum::middleware::from_fn_with_state(
            engine.observer().metrics().clone(),
            observe::requests::count,
        ));
    let serving = tonic::transport::Server::builder()
        .accept_http1(true)
        .http2_keepalive_interval(Some(options.keepalive_interval))
        .http2_keepalive_timeout(Some(options.keepalive_timeout))
        .add_routes(Routes::from(router))
        .serve_with_incoming_shutdown(
            rangefinder_access::incoming(listener, acceptor),
            shutdown.clone().cancelled_owned(),
        );
    tokio::select! {
        served = serving => served,
        () = async {
            shutdown.cancelled().await;
            tokio::time::sleep(options.shutdown_deadline).await;
        } => Ok(()),
    }
}

/// What tells generic clients of the services: the definitions that are compiled in.
fn reflection() -> Option<
    tonic_reflection::server::v1::ServerReflectionServer<
        impl tonic_reflection::server::v1::ServerReflection,
    >,
> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(rangefinder_proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .inspect_err(|error| tracing::error!(%error, "a defect: no reflection"))
        .ok()
}
