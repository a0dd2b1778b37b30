//! What the coordinator serves over gRPC.
//!
//! - [`Credential`]: who may call. Checked before any service sees a call.
//! - [`WorkerStreams`]: the streams of the workers.
//! - [`Artifacts`]: models and data that clients upload and workers download.
//! - `status`: how errors become gRPC statuses, in one place.
//! - [`serve`]: all of them on one listener, with the standard health service.

mod artifacts;
mod credential;
mod status;
mod worker;

pub use artifacts::{Artifacts, CHUNK_BYTES, TransferLimits, sees_as};
pub use credential::Credential;
pub use worker::WorkerStreams;

use crate::engine::Handle;
use credential::Authenticate;
use rangefinder_proto::v1::worker_service_server::WorkerServiceServer;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::InterceptorLayer;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

/// Bytes of the largest message that is taken from a worker; the largest honest one, 1000
/// observations, has 40 KiB, and the names of a large model's parameters some 100 KiB.
const MAX_REQUEST_BYTES: usize = 4 << 20;
/// Bytes of the largest message to a worker: the learning rates of a task, 8 bytes a step.
const MAX_RESPONSE_BYTES: usize = 64 << 20;

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

/// Serves until `shutdown`, then lets streams end, but not for longer than their deadline.
///
/// # Errors
/// Those of the transport. A bad connection is not one: it ends alone.
pub async fn serve(
    listener: TcpListener,
    engine: Handle,
    credential: Credential,
    options: Options,
    shutdown: CancellationToken,
) -> Result<(), tonic::transport::Error> {
    let workers = WorkerServiceServer::new(WorkerStreams::new(engine, options.hello_deadline))
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES);
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter
        .set_serving::<WorkerServiceServer<WorkerStreams>>()
        .await;

    let serving = Server::builder()
        .http2_keepalive_interval(Some(options.keepalive_interval))
        .http2_keepalive_timeout(Some(options.keepalive_timeout))
        .layer(InterceptorLayer::new(Authenticate::new(credential)))
        .add_service(health)
        .add_service(workers)
        .serve_with_incoming_shutdown(
            TcpIncoming::from(listener)
                .with_nodelay(Some(true))
                .with_keepalive(Some(options.keepalive_interval)),
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
