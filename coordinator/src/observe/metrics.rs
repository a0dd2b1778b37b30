//! Counts and times of the service, as Prometheus reads them. docs/operations.md lists them all.
//!
//! Labels are of fixed lists: no id of a sweep, worker or client is one, so that a service that runs
//! for years has as many series as on its first day. Counting costs an atomic addition.

use super::lines::{attempt_outcome, sweep_outcome, work_name};
use super::process::Process;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use rangefinder_sweep::event::{Happening, SweepEvent};
use rangefinder_sweep::state::{WorkerState, WorkerView};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What the text of [`Metrics::text`] is.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Bounds of the histograms, in seconds.
const BUCKETS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
const WORK: [&str; 3] = ["describe", "probe", "task"];
const ATTEMPTS: [&str; 7] = [
    "completed",
    "diverged",
    "data_exhausted",
    "failed",
    "lost",
    "preempted",
    "cancelled",
];
const SWEEPS: [&str; 3] = ["completed", "cancelled", "failed"];
const WORKERS: [&str; 7] = [
    "idle",
    "busy",
    "draining",
    "resting",
    "silent",
    "disconnected",
    "set_aside",
];

type One = [(&'static str, &'static str); 1];
type Two = [(&'static str, &'static str); 2];

/// How the engine stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overview {
    /// Sweeps that hold leases.
    pub running: u64,
    /// Active sweeps that hold none.
    pub waiting: u64,
    /// Sweeps that have ended and whose result is being stored.
    pub ending: u64,
    /// Leases that are held.
    pub leases: u64,
    /// All workers.
    pub workers: Vec<WorkerView>,
    /// Bytes that wait for the disk.
    pub backlog_bytes: u64,
}

/// What is looked up when the metrics are read; `None` where it is not to be had.
#[derive(Clone, Debug, Default)]
pub struct Sampled {
    /// How the engine stands.
    pub engine: Option<Overview>,
    /// Whether the disk fails.
    pub failing: bool,
    /// Bytes of the store's database.
    pub database_bytes: Option<u64>,
    /// Bytes of all uploaded artifacts.
    pub artifact_bytes: Option<u64>,
    /// When the first of the certificates in use ends.
    pub certificate_expires: Option<SystemTime>,
}

/// Counts and times of a service.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    events: Counter,
    observations: Counter,
    sweeps_ended: Family<One, Counter>,
    attempts_started: Family<One, Counter>,
    attempts_ended: Family<One, Counter>,
    worker_messages: Counter,
    batches: Counter,
    acknowledgement: Histogram,
    calls: Family<Two, Counter>,
    call_times: Family<One, Histogram, fn() -> Histogram>,
    sampled: Gauges,
    /// So that two readers at a time do not mix what they have looked up.
    reading: Mutex<()>,
}

/// What is looked up when the metrics are read.
#[derive(Debug, Default)]
struct Gauges {
    engine_up: Gauge,
    sweeps: Family<One, Gauge>,
    leases: Gauge,
    workers: Family<One, Gauge>,
    backlog: Gauge,
    failing: Gauge,
    database: Gauge,
    artifacts: Gauge,
    /// Present only with TLS.
    certificate: Family<[(&'static str, &'static str); 0], Gauge>,
}

fn histogram() -> Histogram {
    Histogram::new(BUCKETS)
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Process));
        let ours = registry.sub_registry_with_prefix("rangefinder");
        let build = Family::<One, Gauge>::default();
        build
            .get_or_create(&[("version", env!("CARGO_PKG_VERSION"))])
            .set(1);
        ours.register("build_info", "Version of the coordinator; always 1", build);
        let sampled = Gauges::registered(ours);

        let events = Counter::default();
        ours.register(
            "events",
            "Events of sweeps that were made durable",
            events.clone(),
        );
        let observations = Counter::default();
        let help = "Losses of steps that were accepted from workers";
        ours.register("observations", help, observations.clone());
        let sweeps_ended = prepared("outcome", &SWEEPS);
        ours.register(
            "sweeps_ended",
            "Sweeps that have ended",
            sweeps_ended.clone(),
        );
        let attempts_started = prepared("work", &WORK);
        let help = "Leases that were granted";
        ours.register("attempts_started", help, attempts_started.clone());
        let attempts_ended = prepared("outcome", &ATTEMPTS);
        let help = "Leases that have ended";
        ours.register("attempts_ended", help, attempts_ended.clone());
        let worker_messages = Counter::default();
        let help = "Messages of workers that the engine has taken in";
        ours.register("worker_messages", help, worker_messages.clone());
        let batches = Counter::default();
        let help = "Batches of changes that the store has made durable";
        ours.register("store_batches", help, batches.clone());
        let acknowledgement = histogram();
        let help = "Time from a worker's message to its acknowledgement: until it is durable";
        let unit = Unit::Seconds;
        ours.register_with_unit("acknowledgement", help, unit, acknowledgement.clone());
        let calls = Family::default();
        let help = "gRPC calls, by the status that they begin with";
        ours.register("grpc_calls", help, calls.clone());
        let call_times = Family::new_with_constructor(histogram as fn() -> Histogram);
        let help = "Time until a gRPC call is answered, or its stream has begun";
        ours.register_with_unit("grpc_call", help, Unit::Seconds, call_times.clone());
        Self {
            registry,
            events,
            observations,
            sweeps_ended,
            attempts_started,
            attempts_ended,
            worker_messages,
            batches,
            acknowledgement,
            calls,
            call_times,
            sampled,
            reading: Mutex::default(),
        }
    }
}

impl Gauges {
    fn registered(ours: &mut Registry) -> Self {
        let all = Self::default();
        let help = "Whether the engine answers";
        ours.register("engine_up", help, all.engine_up.clone());
        let help = "Sweeps that are active, or whose result is being stored";
        ours.register("sweeps", help, all.sweeps.clone());
        ours.register("leases", "Leases that workers hold", all.leases.clone());
        let help = "Workers that are there or may come back";
        ours.register("workers", help, all.workers.clone());
        let help = "What waits for the disk";
        ours.register_with_unit("store_backlog", help, Unit::Bytes, all.backlog.clone());
        let help = "Whether the disk fails, and all sweeps are paused";
        ours.register("store_failing", help, all.failing.clone());
        let help = "Size of the store's database, without its write-ahead log";
        ours.register_with_unit("store_database", help, Unit::Bytes, all.database.clone());
        let help = "Size of all uploaded models and data";
        ours.register_with_unit("artifacts", help, Unit::Bytes, all.artifacts.clone());
        let help = "When the first of the certificates in use ends, since 1970; absent without TLS";
        let certificate = all.certificate.clone();
        ours.register_with_unit(
            "certificate_expiry_timestamp",
            help,
            Unit::Seconds,
            certificate,
        );
        all
    }

    fn set(&self, sampled: &Sampled) {
        self.engine_up.set(sampled.engine.is_some().into());
        self.failing.set(sampled.failing.into());
        if let Some(engine) = &sampled.engine {
            let Overview {
                running,
                waiting,
                ending,
                leases,
                ..
            } = *engine;
            for (state, sweeps) in [
                ("running", running),
                ("waiting", waiting),
                ("ending", ending),
            ] {
                self.sweeps
                    .get_or_create(&[("state", state)])
                    .set(whole(sweeps));
            }
            self.leases.set(whole(leases));
            self.backlog.set(whole(engine.backlog_bytes));
            for state in WORKERS {
                let there = engine
                    .workers
                    .iter()
                    .map(|worker| worker_state(&worker.state));
                let workers = there.filter(|is| *is == state).count();
                let workers = i64::try_from(workers).unwrap_or(i64::MAX);
                self.workers.get_or_create(&[("state", state)]).set(workers);
            }
        }
        if let Some(bytes) = sampled.database_bytes {
            self.database.set(whole(bytes));
        }
        if let Some(bytes) = sampled.artifact_bytes {
            self.artifacts.set(whole(bytes));
        }
        if let Some(at) = sampled.certificate_expires {
            let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
            self.certificate
                .get_or_create(&[])
                .set(whole(since.as_secs()));
        }
    }
}

impl Metrics {
    /// Counts an event.
    pub(super) fn count(&self, event: &SweepEvent) {
        self.events.inc();
        match &event.happening {
            Happening::Observed { observations, .. } => {
                self.observations.inc_by(observations.len() as u64);
            }
            Happening::Granted { work, .. } => {
                let label = [("work", work_name(*work))];
                self.attempts_started.get_or_create(&label).inc();
            }
            Happening::AttemptEnded { outcome, .. } => {
                let label = [("outcome", attempt_outcome(outcome))];
                self.attempts_ended.get_or_create(&label).inc();
            }
            Happening::Ended { outcome } => {
                let label = [("outcome", sweep_outcome(outcome))];
                self.sweeps_ended.get_or_create(&label).inc();
            }
            _ => {}
        }
    }

    /// Counts a message of a worker that was taken in.
    pub(crate) fn heard(&self) {
        self.worker_messages.inc();
    }

    /// Counts a batch that is durable.
    pub(crate) fn stored(&self) {
        self.batches.inc();
    }

    /// Counts in how long a worker's message waited for its acknowledgement.
    pub(crate) fn acknowledged(&self, after: Duration) {
        self.acknowledgement.observe(after.as_secs_f64());
    }

    /// Counts a gRPC call.
    pub(super) fn called(&self, method: &'static str, code: &'static str, took: Duration) {
        self.calls
            .get_or_create(&[("method", method), ("code", code)])
            .inc();
        self.call_times
            .get_or_create(&[("method", method)])
            .observe(took.as_secs_f64());
    }

    /// All of it in the text format of OpenMetrics, with what was looked up just now.
    ///
    /// # Errors
    /// When a metric cannot be written, which is a defect.
    pub fn text(&self, sampled: &Sampled) -> Result<String, std::fmt::Error> {
        let _alone = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        self.sampled.set(sampled);
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// A counter for each of the values of a label, so that all are there from the start.
fn prepared(label: &'static str, values: &[&'static str]) -> Family<One, Counter> {
    let family = Family::default();
    for value in values {
        let _zero: &Counter = &family.get_or_create(&[(label, *value)]);
    }
    family
}

fn worker_state(state: &WorkerState) -> &'static str {
    match state {
        WorkerState::SetAside(_) => "set_aside",
        WorkerState::Silent => "silent",
        WorkerState::Draining => "draining",
        WorkerState::Busy { .. } => "busy",
        WorkerState::Disconnected => "disconnected",
        WorkerState::Resting => "resting",
        WorkerState::Idle => "idle",
    }
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
