//! Counts gRPC calls: by method, by the status that they begin with, and how long that takes.
//!
//! A stream that breaks later has begun well and counts as that; its end is in the log.

use super::Metrics;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;
use rangefinder_access::Operation;
use std::sync::Arc;
use std::time::Instant;
use tonic::Code;

/// Calls of services that come with gRPC.
const COMMON: [&str; 3] = [
    "grpc.health.v1.Health/Check",
    "grpc.health.v1.Health/Watch",
    "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
];
/// What all other paths are called, so that nobody can make up labels.
const OTHER: &str = "other";

/// Counts a call; pages of HTTP are none.
pub(crate) async fn count(
    State(metrics): State<Arc<Metrics>>,
    request: Request,
    next: Next,
) -> Response {
    if !is_grpc(request.headers()) {
        return next.run(request).await;
    }
    let method = method(request.uri().path());
    let began = Instant::now();
    let response = next.run(request).await;
    metrics.called(method, code(response.headers()), began.elapsed());
    response
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(axum::http::header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

/// The method of a path, one of a fixed list.
fn method(path: &str) -> &'static str {
    let known = || Operation::ALL.iter().flat_map(|operation| operation.rpcs());
    if let Some(call) = path.strip_prefix("/rangefinder.v1.") {
        return known().find(|rpc| **rpc == call).copied().unwrap_or(OTHER);
    }
    let call = path.trim_start_matches('/');
    COMMON
        .into_iter()
        .find(|common| *common == call)
        .unwrap_or(OTHER)
}

/// The status that a response begins with. One that has none yet has begun well.
fn code(headers: &HeaderMap) -> &'static str {
    let status = headers.get("grpc-status");
    match status.map_or(Code::Ok, |status| Code::from_bytes(status.as_bytes())) {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_those_of_a_list() {
        let known = "SweepService/CreateSweep";
        assert_eq!(method("/rangefinder.v1.SweepService/CreateSweep"), known);
        assert_eq!(method("/grpc.health.v1.Health/Check"), COMMON[0]);
        for made_up in ["/rangefinder.v1.SweepService/Sweep-17", "/w-17", "", "/"] {
            assert_eq!(method(made_up), OTHER);
        }
    }
}
