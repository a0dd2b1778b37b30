//! On which addresses a server may listen without TLS.

use rangefinder_errors::Code;
use std::net::SocketAddr;

use crate::Error;

/// Whether it is safe to listen on `address`: with TLS, or on loopback, or because the operator says
/// so (`insecure`).
///
/// # Errors
/// When tokens would cross a network that anyone may read.
pub fn check_listen(address: SocketAddr, tls: bool, insecure: bool) -> Result<(), Error> {
    // An IPv4 address in the clothes of an IPv6 one is what it is underneath.
    if tls || insecure || address.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    Err(Error::new(
        Code::ListenInsecure,
        format!(
            "{address}: is not on loopback, and without TLS anyone on the way could read the tokens"
        ),
        "give --tls-cert and --tls-key, or listen on 127.0.0.1; --insecure is for networks that are \
         safe by other means",
    ))
}
