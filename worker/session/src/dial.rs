//! Reaching the coordinator: certificates and credential are read anew each time, so that who
//! replaces them need not start the worker again.

use crate::error::OptionsError;
use crate::options::Options;
use std::error::Error as _;
use tonic::Status;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};

/// A connection, and what every call on it has to carry.
pub(crate) struct Dialed {
    pub(crate) channel: Channel,
    pub(crate) authorization: MetadataValue<Ascii>,
}

/// Connects. The error is for people.
pub(crate) async fn dial(options: &Options) -> Result<Dialed, String> {
    let timing = &options.timing;
    let endpoint = Endpoint::from(options.coordinator.clone())
        .connect_timeout(timing.connect)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(timing.keepalive_interval)
        .keep_alive_timeout(timing.keepalive)
        .keep_alive_while_idle(true);
    let endpoint = options
        .tls
        .endpoint(endpoint)
        .map_err(|error| error.to_string())?;
    let authorization = options
        .credential
        .header()
        .map_err(|error: OptionsError| error.to_string())?;
    let channel = endpoint.connect().await.map_err(|error| {
        rangefinder_access::explain(&error).map_or_else(|| innermost(&error), |e| e.to_string())
    })?;
    Ok(Dialed {
        channel,
        authorization,
    })
}

/// What a call failed with, for people. Where the certificate is refused by the other side, that
/// comes with the first call and not with the connection.
pub(crate) fn words(status: &Status) -> String {
    rangefinder_access::explain(status).map_or_else(
        || format!("{}: {}", status.code(), status.message()),
        |error| error.to_string(),
    )
}

/// The cause behind all causes: "transport error" alone helps nobody.
fn innermost(error: &tonic::transport::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    if error.source().is_none() {
        return error.to_string();
    }
    cause.to_string()
}
