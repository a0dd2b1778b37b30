//! Many workers, and what they count together.

use crate::latency::{Latencies, Quantiles};
use crate::worker::Worker;
use crate::{Coordinator, Error, failed};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Uri;

/// Between the starts of two workers: as a cluster's come, not all at one moment.
const APART: Duration = Duration::from_millis(1);
/// Problems that are said; there are as many as workers.
const TOLD: u64 = 5;

/// How a worker reports.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Between two reports.
    pub period: Duration,
    /// Observations in a report.
    pub batch: u32,
}

/// What the workers share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) coordinator: Uri,
    pub(crate) authorization: MetadataValue<Ascii>,
    pub(crate) connections: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) acknowledged: AtomicU64,
    pub(crate) assigned: AtomicU64,
    pub(crate) finished: AtomicU64,
    pub(crate) stopped: AtomicU64,
    pub(crate) idle: AtomicU64,
    pub(crate) lost_streams: AtomicU64,
    pub(crate) told: AtomicU64,
    /// From the sending of a report until its acknowledgement.
    pub(crate) latencies: Latencies,
    /// From when a report was due until it was sent.
    pub(crate) late: Latencies,
}

/// A connection that counts as long as it lives.
pub(crate) struct Connected(Arc<Shared>);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    pub(crate) fn connected(self: &Arc<Self>) -> Connected {
        self.connections.fetch_add(1, Ordering::Relaxed);
        Connected(Arc::clone(self))
    }

    /// Says the first problems.
    pub(crate) fn tell(&self, problem: &str) {
        if self.told.fetch_add(1, Ordering::Relaxed) < TOLD {
            eprintln!("worker: {problem}");
        }
    }
}

/// What the workers of a fleet have counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Workers that are connected.
    pub connected: u64,
    /// Observations that were sent.
    pub sent: u64,
    /// Observations that were acknowledged.
    pub acknowledged: u64,
    /// Tasks that were begun.
    pub assigned: u64,
    /// Tasks whose end was acknowledged.
    pub finished: u64,
    /// Tasks that were taken away: superseded, or ended with their sweep.
    pub stopped: u64,
    /// Times at which a report was due and all of the task was reported.
    pub idle: u64,
    /// Streams that ended.
    pub lost_streams: u64,
}

/// Workers. Dropped, they are cut off.
#[derive(Debug)]
pub struct Fleet {
    shared: Arc<Shared>,
    workers: JoinSet<()>,
    pace: Pace,
}

impl Fleet {
    /// None yet.
    ///
    /// # Errors
    /// For a token or an address that cannot be.
    pub fn new(coordinator: &Coordinator, pace: Pace) -> Result<Self, Error> {
        let uri = format!("http://{}", coordinator.address());
        let header = format!("Bearer {}", coordinator.tokens().worker);
        let shared = Shared {
            coordinator: uri.parse().map_err(failed("the coordinator's address"))?,
            authorization: header.parse().map_err(failed("the worker's token"))?,
            connections: AtomicU64::default(),
            sent: AtomicU64::default(),
            acknowledged: AtomicU64::default(),
            assigned: AtomicU64::default(),
            finished: AtomicU64::default(),
            stopped: AtomicU64::default(),
            idle: AtomicU64::default(),
            lost_streams: AtomicU64::default(),
            told: AtomicU64::default(),
            latencies: Latencies::new()?,
            late: Latencies::new()?,
        };
        Ok(Self {
            shared: Arc::new(shared),
            workers: JoinSet::new(),
            pace,
        })
    }

    /// Starts workers, one after the other.
    pub async fn start(&mut self, workers: u32) {
        let mut apart = tokio::time::interval(APART);
        for _ in 0..workers {
            apart.tick().await;
            let number = self.workers.len();
            let worker = Worker {
                name: format!("w{number}"),
                shared: Arc::clone(&self.shared),
                pace: self.pace,
                random: fastrand::Rng::with_seed(number as u64),
            };
            self.workers.spawn(worker.run());
        }
    }

    /// What was counted so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let shared = &self.shared;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            connected: read(&shared.connections),
            sent: read(&shared.sent),
            acknowledged: read(&shared.acknowledged),
            assigned: read(&shared.assigned),
            finished: read(&shared.finished),
            stopped: read(&shared.stopped),
            idle: read(&shared.idle),
            lost_streams: read(&shared.lost_streams),
        }
    }

    /// Forgets the latencies that were recorded.
    pub fn reset_latencies(&self) {
        self.shared.latencies.reset();
        self.shared.late.reset();
    }

    /// From the sending of a report until its acknowledgement.
    #[must_use]
    pub fn acknowledged_after(&self) -> Quantiles {
        self.shared.latencies.quantiles()
    }

    /// From when a report was due until it was sent: what the generator itself is late.
    #[must_use]
    pub fn late_by(&self) -> Quantiles {
        self.shared.late.quantiles()
    }
}
