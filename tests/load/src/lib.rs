//! What the service takes: mock workers by the thousand over real gRPC on loopback, and a store of
//! many sweeps.
//!
//! - [`Coordinator`]: the process under load, with its folder and its tokens.
//! - [`Fleet`]: the workers, each with a connection of its own, and what they count.
//! - [`Clients`]: who creates sweeps, and asks for them.
//! - [`ramp`]: one level of load after the other, until it breaks. [`stored`]: a store of finished
//!   sweeps.
//! - [`table`]: both for people. `latency`, `usage`: how they are measured.

mod clients;
mod coordinator;
mod fleet;
mod latency;
pub mod ramp;
pub mod stored;
pub mod table;
mod usage;
mod worker;

pub use clients::{Clients, Sweep};
pub use coordinator::{Coordinator, Tokens};
pub use fleet::{Counts, Fleet, Pace};
pub use latency::{Latencies, Quantiles};
pub use usage::Usage;
pub use worker::loss;

/// Why something could not be measured.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {cause}")]
pub struct Error {
    what: String,
    cause: String,
}

impl Error {
    fn new(what: impl Into<String>, cause: impl ToString) -> Self {
        Self {
            what: what.into(),
            cause: cause.to_string(),
        }
    }
}

/// For `map_err`: what failed.
fn failed<E: ToString>(what: &str) -> impl FnOnce(E) -> Error {
    move |cause| Error::new(what, cause)
}
