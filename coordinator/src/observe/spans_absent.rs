//! Stands in for the sending of spans where it is not built in (feature `otlp`).

use super::Context;
use rangefinder_errors::{Code, Coded};
use rangefinder_sweep::event::SweepEvent;

/// That spans cannot be sent.
#[derive(Debug, thiserror::Error)]
#[error(
    "--otlp-endpoint: this coordinator was built without the feature `otlp`; build it with that"
)]
pub struct SpansError;

impl Coded for SpansError {
    fn code(&self) -> Code {
        Code::OtlpEndpoint
    }
}

/// What would send spans; there is none.
#[derive(Clone, Debug)]
pub enum Spans {}

impl Spans {
    /// Refuses.
    ///
    /// # Errors
    /// Always.
    pub fn to(_endpoint: &str) -> Result<Self, SpansError> {
        Err(SpansError)
    }

    pub(super) fn ended(&self, _event: &SweepEvent, _context: Context<'_>) {
        match *self {}
    }

    pub(super) fn flush(&self) {
        match *self {}
    }
}
