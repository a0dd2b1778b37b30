//! What an operator sees of the service: logs, metrics, traces, and its state as systemd knows it.
//!
//! - [`logging`]: log lines on stderr, for people or as JSON.
//! - [`Observer`]: told of every event of every sweep; cheap to clone.
//! - `lines`: an event as a log line. [`Metrics`]: counts and times, read at `/metrics`.
//! - [`TraceParent`]: where a sweep and its attempts stand in a trace. [`Spans`]: sends them.
//! - `requests`: counts calls. `process`: what the operating system says of this process.
//! - [`systemd`]: says when the service is ready, and when it ends.

mod lines;
pub mod logging;
mod metrics;
mod process;
pub(crate) mod requests;
#[cfg(feature = "otlp")]
mod spans;
#[cfg(not(feature = "otlp"))]
#[path = "spans_absent.rs"]
mod spans;
pub mod systemd;
mod trace;

pub(crate) use metrics::CONTENT_TYPE;
pub use metrics::{Metrics, Overview, Sampled};
pub use spans::{Spans, SpansError};
pub use trace::TraceParent;

use rangefinder_sweep::event::SweepEvent;
use std::sync::Arc;

/// Told of all that happens. Cheap to clone; clones share their counts.
#[derive(Clone, Debug, Default)]
pub struct Observer {
    metrics: Arc<Metrics>,
    spans: Option<Spans>,
}

/// What an event is part of.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Who the sweep belongs to.
    pub owner: &'a str,
    /// Where the sweep stands in a trace.
    pub trace: Option<TraceParent>,
    /// When the sweep was created, in milliseconds since 1970; events count from there.
    pub created_unix_ms: i64,
    /// For the end of an attempt: when it was granted, in milliseconds since the sweep's creation.
    pub granted_ms: Option<u64>,
}

impl Observer {
    /// One that also sends spans.
    #[must_use]
    pub fn with_spans(spans: Option<Spans>) -> Self {
        Self {
            metrics: Arc::default(),
            spans,
        }
    }

    /// Counts and times.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Logs and counts an event that is durable, and sends the span that ends with it.
    pub fn happened(&self, event: &SweepEvent, context: Context<'_>) {
        lines::log(event, context);
        self.metrics.count(event);
        if let Some(spans) = &self.spans {
            spans.ended(event, context);
        }
    }

    /// Sends what is left, for at most a few seconds. Blocks.
    pub fn flush(&self) {
        if let Some(spans) = &self.spans {
            spans.flush();
        }
    }
}
