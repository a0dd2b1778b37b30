//! The client of a service: everything that the command line asks of one.
//!
//! - [`Options`], [`Client`]: a connection to a service, made when it is first needed and made
//!   again whenever it is lost.
//! - [`Error`]: what goes wrong, from a refused field to a silent network.
//! - `call`: calls that are safe to repeat, repeated while the service is away.
//! - `watch`: the events of a sweep, over any number of connections.
//! - `upload`: files as artifacts; goes on where it was cut off.
//! - `retry`: pauses between attempts, and how long they go on.

mod call;
mod connect;
mod error;
mod retry;
mod upload;
mod watch;

pub use call::Client;
pub use connect::{Options, Token};
pub use error::{Error, Kind};
pub use upload::{Digest, OnPosition, Upload, digest};
