//! Whether the process lives and does its work, over plain HTTP.

use crate::engine::Handle;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;

/// `/healthz`: the process answers, whatever else is wrong; a restart would mend nothing.
/// `/readyz`: it takes work; else what stands in the way.
pub(super) fn router(engine: Handle) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .with_state(engine)
}

async fn ready(State(engine): State<Handle>) -> (StatusCode, String) {
    if let Some(trouble) = engine.trouble() {
        return (StatusCode::SERVICE_UNAVAILABLE, format!("{trouble}\n"));
    }
    // That it answers is what is asked.
    match engine.workers().await {
        Ok(_) => (StatusCode::OK, "ok\n".to_owned()),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
    }
}
