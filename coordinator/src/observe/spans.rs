//! Sends the spans of sweeps to a collector, by OTLP over gRPC.
//!
//! A span is sent when it ends, with the times of its events: nothing is kept open, and what ends
//! after a restart is whole. What the collector does not take in time is dropped: no sweep waits for
//! it.

use super::lines::{attempt_outcome, attempt_reason, sweep_outcome, work_name};
use super::{Context, TraceParent};
use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchSpanProcessor, SpanData, SpanEvents, SpanExporter, SpanLinks, SpanProcessor as _,
};
use rangefinder_errors::{Code, Coded};
use rangefinder_sweep::event::{Happening, Outcome, SweepEvent, WorkKind};
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long sending a batch may take, and what is left at the end.
const PATIENCE: Duration = Duration::from_secs(3);

/// Why spans cannot be sent to where they are to go.
#[derive(Debug, thiserror::Error)]
#[error(
    "--otlp-endpoint: `{endpoint}` is no address of a collector: {why}; write http://HOST:4317, or \
     https://HOST:4317"
)]
pub struct SpansError {
    endpoint: String,
    why: String,
}

impl Coded for SpansError {
    fn code(&self) -> Code {
        Code::OtlpEndpoint
    }
}

/// Sends spans. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Spans {
    processor: Arc<BatchSpanProcessor>,
    scope: InstrumentationScope,
}

impl Spans {
    /// Sends them to a collector, which need not be there yet. Needs tokio's runtime.
    ///
    /// # Errors
    /// When the address means nothing.
    pub fn to(endpoint: &str) -> Result<Self, SpansError> {
        let wrong = |why: String| SpansError {
            endpoint: endpoint.to_owned(),
            why,
        };
        if !endpoint.starts_with("http://") && !endpoint.starts_with("https://") {
            let why = "it begins neither with http:// nor with https://";
            return Err(wrong(why.to_owned()));
        }
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .with_timeout(PATIENCE)
            .build()
            .map_err(|error| wrong(error.to_string()))?;
        let exporter = Telling {
            inner: exporter,
            failing: AtomicBool::new(false),
        };
        let mut processor = BatchSpanProcessor::builder(exporter).build();
        let version = env!("CARGO_PKG_VERSION");
        let resource = Resource::builder()
            .with_service_name("rangefinder-coordinator")
            .with_attribute(KeyValue::new("service.version", version))
            .build();
        opentelemetry_sdk::trace::SpanProcessor::set_resource(&mut processor, &resource);
        let scope = InstrumentationScope::builder("rangefinder").with_version(version);
        Ok(Self {
            processor: Arc::new(processor),
            scope: scope.build(),
        })
    }

    /// Sends the span that ends with an event: that of an attempt, or that of the sweep.
    pub(super) fn ended(&self, event: &SweepEvent, context: Context<'_>) {
        let Some(parent) = context.trace.filter(TraceParent::is_sampled) else {
            return;
        };
        let sweep = parent.child(&event.sweep.0);
        let at = |ms: u64| time(context.created_unix_ms, ms);
        let id = KeyValue::new("rangefinder.sweep", event.sweep.0.clone());
        match &event.happening {
            Happening::AttemptEnded {
                work,
                worker,
                token,
                outcome,
            } => {
                let name = match work {
                    WorkKind::Task(task) => Cow::from(format!("task {}", task.0)),
                    other => Cow::from(work_name(*other)),
                };
                let mut attributes = vec![
                    id,
                    KeyValue::new("rangefinder.worker", worker.0.clone()),
                    KeyValue::new("rangefinder.lease", token.0.to_string()),
                    KeyValue::new("rangefinder.outcome", attempt_outcome(outcome)),
                ];
                let status = match attempt_reason(outcome) {
                    Some(reason) => {
                        attributes.push(KeyValue::new("rangefinder.reason", reason.clone()));
                        Status::error(reason)
                    }
                    None => Status::Ok,
                };
                let times = (
                    at(context.granted_ms.unwrap_or(event.at_ms)),
                    at(event.at_ms),
                );
                let own = sweep.attempt(*token);
                self.send(own, sweep, false, name, times, attributes, status);
            }
            Happening::Ended { outcome } => {
                let attributes = vec![
                    id,
                    KeyValue::new("rangefinder.owner", context.owner.to_owned()),
                    KeyValue::new("rangefinder.outcome", sweep_outcome(outcome)),
                ];
                let status = match outcome {
                    Outcome::Failed(failure) => Status::error(failure.message.clone()),
                    Outcome::Completed | Outcome::Cancelled => Status::Ok,
                };
                let times = (at(0), at(event.at_ms));
                self.send(
                    sweep,
                    parent,
                    true,
                    "sweep".into(),
                    times,
                    attributes,
                    status,
                );
            }
            _ => {}
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a span has as many parts")]
    fn send(
        &self,
        own: TraceParent,
        parent: TraceParent,
        parent_is_remote: bool,
        name: Cow<'static, str>,
        (start_time, end_time): (SystemTime, SystemTime),
        attributes: Vec<KeyValue>,
        status: Status,
    ) {
        let (trace, span) = own.bytes();
        let (trace, span) = (TraceId::from_bytes(trace), SpanId::from_bytes(span));
        let state = TraceState::NONE;
        self.processor.on_end(SpanData {
            span_context: SpanContext::new(trace, span, TraceFlags::SAMPLED, false, state),
            parent_span_id: SpanId::from_bytes(parent.bytes().1),
            parent_span_is_remote: parent_is_remote,
            span_kind: if parent_is_remote {
                SpanKind::Server
            } else {
                SpanKind::Internal
            },
            name,
            start_time,
            end_time,
            attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status,
            instrumentation_scope: self.scope.clone(),
        });
    }

    /// Sends what is left. Blocks, but not for longer than a few seconds.
    pub(super) fn flush(&self) {
        if let Err(error) = self.processor.shutdown_with_timeout(PATIENCE) {
            tracing::warn!(%error, "the last spans are lost");
        }
    }
}

fn time(created_unix_ms: i64, ms: u64) -> SystemTime {
    let since = created_unix_ms.max(0).unsigned_abs().saturating_add(ms);
    UNIX_EPOCH + Duration::from_millis(since)
}

/// Says in the log that spans are lost, once until some arrive again.
#[derive(Debug)]
struct Telling<E> {
    inner: E,
    failing: AtomicBool,
}

impl<E: SpanExporter> SpanExporter for Telling<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let sent = self.inner.export(batch).await;
        let was_failing = self.failing.swap(sent.is_err(), Ordering::Relaxed);
        match &sent {
            Err(error) if !was_failing => {
                tracing::warn!(%error, spans, "the collector takes no spans; they are dropped");
            }
            Ok(()) if was_failing => tracing::info!("the collector takes spans again"),
            _ => {}
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}
