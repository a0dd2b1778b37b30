//! Who calls: checked before any service sees a call.

use super::status::{Refusal, refusal};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{Extensions, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use rangefinder_access::{Denied, DeniedKind, Operation, Principal, TokenSource};

/// Whether the process lives, and whether it does its work: asked by what starts programs, which
/// has no token.
const OPEN: [&str; 2] = ["/healthz", "/readyz"];
/// Calls that every holder of a token may make.
const FOR_ALL: [&str; 3] = ["/grpc.health.v1.", "/grpc.reflection.", "/metrics"];

/// Lets in calls that carry a token whose role may make them, and leaves the [`Principal`] with
/// the request. What is neither open nor known is refused.
pub(super) async fn authenticate(
    State(tokens): State<TokenSource>,
    mut request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    if OPEN.contains(&path) {
        return next.run(request).await;
    }
    let content = request.headers().get(CONTENT_TYPE);
    let is_grpc = content.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    let header = request.headers().get(AUTHORIZATION);
    let admitted = tokens
        .authenticate_header(header.map(axum::http::HeaderValue::as_bytes))
        .and_then(|caller| permitted(path, &caller).map(|()| caller));
    match admitted {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(denied) if is_grpc => refusal(&Refusal::Denied(denied)).into_http(),
        Err(denied) => {
            let status = match denied.kind() {
                DeniedKind::Unauthenticated => StatusCode::UNAUTHORIZED,
                DeniedKind::Forbidden => StatusCode::FORBIDDEN,
                DeniedKind::NotFound => StatusCode::NOT_FOUND,
            };
            (status, format!("{denied}\n")).into_response()
        }
    }
}

fn permitted(path: &str, caller: &Principal) -> Result<(), Denied> {
    if FOR_ALL.iter().any(|open| path.starts_with(open)) {
        return Ok(());
    }
    match Operation::of_rpc(path) {
        Some(operation) => caller.may_ever(operation),
        None => Err(Denied::NotYours),
    }
}

/// Who calls, as [`authenticate`] has left it.
pub(super) fn caller(extensions: &Extensions) -> Result<Principal, Refusal> {
    let caller = extensions.get::<Principal>().cloned();
    caller.ok_or(Refusal::Denied(Denied::Missing))
}
