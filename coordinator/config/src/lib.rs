//! What a sweep is asked to be.
//!
//! - [`Resolved`], [`resolve`]: a specification checked and completed, all mistakes at once.

mod resolve;
mod resolved;

pub use resolve::resolve;
pub use resolved::{AnswerSettings, Device, Resolved};
