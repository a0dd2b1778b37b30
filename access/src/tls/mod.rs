//! TLS on both sides, with one provider of cryptography: ring.
//!
//! - [`pem`]: certificates and keys from files, and their dates.
//! - [`explain`]: what a failed connection means.
//! - `client`: the worker's and the command line's side.
//! - `server`, `stream`, `incoming`: the server's side.

#[cfg(feature = "client")]
pub(crate) mod client;
mod explain;
#[cfg(feature = "server")]
pub(crate) mod incoming;
mod pem;
#[cfg(feature = "server")]
pub(crate) mod server;
#[cfg(feature = "server")]
pub(crate) mod stream;

pub use explain::explain;
