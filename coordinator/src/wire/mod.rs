//! Between the messages of the wire and the values of the core: the one place that knows both.
//!
//! - `incoming`: what workers send. Total and checked: any message gives a value or a typed
//!   [`Error`], never a panic; NaN and infinite losses are values.
//! - `outgoing`: what the coordinator sends.
//! - [`fields`]: mistakes in the fields of a request.
//! - [`sweeps`]: what clients and the coordinator tell each other of sweeps.

pub mod fields;
mod incoming;
mod outgoing;
pub mod sweeps;

#[cfg(test)]
mod tests;

pub use incoming::{Hello, beside, hello, report};
pub use outgoing::{command, drain, welcome};

use rangefinder_sweep::ids::LeaseToken;

/// Observations that one message may carry.
pub const MAX_OBSERVATIONS: usize = 1000;
/// Characters that the name of a worker may have.
pub const MAX_WORKER_ID: usize = 253;
/// Parts of a worker whose versions are kept.
const MAX_VERSIONS: usize = 16;
/// Longest text that a worker may say, in bytes; the rest is left out.
const MAX_TEXT: usize = 16 << 10;
/// Mistakes in fields that one failure may name; the rest is left out.
const MAX_FIELDS: usize = 100;
/// Longest name or version of a part that is kept, in bytes.
const MAX_VERSION: usize = 100;

/// A message that means nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the worker's {message} means nothing: {problem}")]
pub struct Error {
    /// Which message.
    pub message: &'static str,
    /// The lease that it speaks of, where it speaks of one.
    pub lease: Option<LeaseToken>,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The oneof is empty, or a newer protocol has put something unknown there.
    #[error("it is empty, or of a kind that this version does not know")]
    Empty,
    /// Hello came again.
    #[error("it may only be the first message of a stream")]
    NotFirst,
    /// Something else came before Hello.
    #[error("the first message of a stream must be Hello")]
    NotHello,
    /// A step beyond what a sweep can have.
    #[error("`{field}` is {value}, expected at most {max}", max = u32::MAX)]
    StepTooLarge {
        /// The field.
        field: &'static str,
        /// Its value.
        value: u64,
    },
    /// A number of an enumeration that is not one of its names.
    #[error("`{field}` is {value}, which is none of its values")]
    UnknownValue {
        /// The field.
        field: &'static str,
        /// Its value.
        value: i32,
    },
    /// A number that must be finite or within bounds.
    #[error("`{field}` is {value}, expected {expected}")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// Its value, as text.
        value: String,
        /// What would do.
        expected: &'static str,
    },
    /// More observations than allowed.
    #[error("it has {count} observations, expected at most {MAX_OBSERVATIONS}")]
    TooMany {
        /// How many.
        count: usize,
    },
    /// Observations with a gap or out of order.
    #[error("step {step} follows step {after}, expected consecutive steps")]
    NotConsecutive {
        /// The step.
        step: u32,
        /// The one before it.
        after: u32,
    },
    /// A name that is empty, too long, or has characters that do not print.
    #[error("`worker_id` is {name:?}, expected 1 to {MAX_WORKER_ID} printable ASCII characters")]
    BadWorkerId {
        /// Its beginning.
        name: String,
    },
}
