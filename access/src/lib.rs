//! Who may do what: tokens and their roles, TLS on both sides, and paths confined to folders that
//! the operator named. `docs/security.md` says what this protects and what it does not.
//!
//! - [`Roots`]: the folders in which models and data lie, and the paths that lead into them.
//! - [`check_size`]: the limit of a file's size.
//! - `ClientTls` (feature `client`): how a worker or a command line reaches a server.
//! - `Secret`, `Tokens`, `TokenFile`, `TokenSource` (feature `server`): the tokens.
//! - `Role`, `Operation`, `Principal` (feature `server`): what they permit.
//! - `ServerTls`, `Acceptor`, `Connection` (feature `server`): how a server takes connections.
//! - `check_listen` (feature `server`): on which addresses it may listen without TLS.
//! - [`Error`], and `Denied` (feature `server`): what goes wrong.

mod error;
#[cfg(feature = "server")]
mod listen;
#[cfg(feature = "server")]
mod permissions;
#[cfg(feature = "tls")]
mod private;
#[cfg(feature = "server")]
mod reloading;
mod roots;
#[cfg(feature = "server")]
mod secret;
mod size;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "server")]
mod tokens;

pub use error::Error;
#[cfg(feature = "server")]
pub use listen::check_listen;
#[cfg(feature = "server")]
pub use permissions::{Denied, DeniedKind, Grant, Operation, Principal, Role};
pub use roots::{Kind, Roots};
#[cfg(feature = "server")]
pub use secret::Secret;
pub use size::{DEFAULT_MAX_DATA_BYTES, DEFAULT_MAX_MODEL_BYTES, check_size};
#[cfg(feature = "client")]
pub use tls::client::ClientTls;
#[cfg(feature = "tls")]
pub use tls::explain;
#[cfg(feature = "server")]
pub use tls::incoming::incoming;
#[cfg(feature = "server")]
pub use tls::server::{Acceptor, ServerTls};
#[cfg(feature = "server")]
pub use tls::stream::{Connection, Peer, PeerCertificate};
#[cfg(feature = "server")]
pub use tokens::{Token, TokenFile, TokenId, TokenSource, Tokens, bearer};
