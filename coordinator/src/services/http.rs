//! Whether the process lives and does its work, and what it counts, over plain HTTP.

use crate::engine::Handle;
use crate::observe::{CONTENT_TYPE, Sampled};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE as HEADER;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use rangefinder_access::Acceptor;
use rangefinder_artifacts::ArtifactStore;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long the engine may take to answer: it decides within milliseconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is looked at to say how the service stands.
#[derive(Clone, Debug)]
pub struct Probes {
    /// The engine.
    pub engine: Handle,
    /// Whose certificates may end.
    pub acceptor: Acceptor,
    /// Uploaded models and data, where there are any.
    pub artifacts: Option<ArtifactStore>,
}

/// `/healthz`: the process answers, whatever else is wrong; a restart would mend nothing.
/// `/readyz`: it takes work; else what stands in the way. `/metrics`: what it counts.
pub(super) fn router(probes: Probes) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(probes)
}

/// Serves these pages alone, without TLS and tokens, until `shutdown`.
///
/// # Errors
/// Those of the transport.
pub async fn serve_probes(
    listener: TcpListener,
    probes: Probes,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    axum::serve(listener, router(probes))
        .with_graceful_shutdown(shutdown.cancelled_owned())
        .await
}

async fn ready(State(probes): State<Probes>) -> (StatusCode, String) {
    let not = |why: String| (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n"));
    if let Some(trouble) = probes.engine.trouble() {
        return not(trouble);
    }
    // That it answers is what is asked.
    match tokio::time::timeout(PATIENCE, probes.engine.overview()).await {
        Ok(Ok(_)) => (StatusCode::OK, "ok\n".to_owned()),
        Ok(Err(error)) => not(error.to_string()),
        Err(_) => not("the engine does not answer".to_owned()),
    }
}

async fn metrics(State(probes): State<Probes>) -> Response {
    let sampled = probes.sample().await;
    match probes.engine.observer().metrics().text(&sampled) {
        Ok(text) => ([(HEADER, CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            let text = format!("a defect: {error}\n");
            (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
        }
    }
}

impl Probes {
    async fn sample(&self) -> Sampled {
        let engine = tokio::time::timeout(PATIENCE, self.engine.overview()).await;
        let (reader, artifacts) = (self.engine.reader().cloned(), self.artifacts.clone());
        // Both read the disk.
        let sizes = tokio::task::spawn_blocking(move || {
            let database = reader.and_then(|reader| reader.counts().ok());
            let artifacts = artifacts.and_then(|store| store.stored_bytes().ok());
            (database.map(|counts| counts.bytes), artifacts)
        });
        let (database_bytes, artifact_bytes) = match tokio::time::timeout(PATIENCE, sizes).await {
            Ok(Ok(sizes)) => sizes,
            Ok(Err(_)) | Err(_) => (None, None),
        };
        Sampled {
            engine: engine.ok().and_then(Result::ok),
            failing: self.engine.trouble().is_some(),
            database_bytes,
            artifact_bytes,
            certificate_expires: self.acceptor.expires(),
        }
    }
}
