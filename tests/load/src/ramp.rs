//! One level of load after the other, each with a coordinator and a store of its own, until it
//! breaks.

use crate::coordinator::Tokens;
use crate::latency::{Latencies, Quantiles};
use crate::usage::Usage;
use crate::{Clients, Coordinator, Counts, Error, Fleet, Pace, Sweep, failed};
use rangefinder_proto::v1;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long it may take until every worker has work.
const BUSY: Duration = Duration::from_secs(60);
/// How often the supply of work is looked after.
const LOOK: Duration = Duration::from_millis(100);
/// How often a client asks for sweeps meanwhile.
const ASK: Duration = Duration::from_millis(100);
/// One task waits for so many workers.
const AHEAD: u32 = 2;
/// A level at which fewer of the offered observations are acknowledged is broken.
const LEAST_ACHIEVED: f64 = 0.95;
/// A level at which the slowest of 100 acknowledgements take longer is broken.
const LONGEST_MS: f64 = 1000.0;

/// How it is done.
#[derive(Clone, Debug)]
pub struct Options {
    /// The coordinator.
    pub program: PathBuf,
    /// Below it each coordinator has its folder; the system's for temporary files without one.
    pub folder: Option<PathBuf>,
    /// How the workers report.
    pub pace: Pace,
    /// The sweeps that they run, one after the other.
    pub sweep: Sweep,
    /// How long it runs before it is measured.
    pub warm_up: Duration,
    /// How long it is measured.
    pub measured: Duration,
}

/// What was measured at one level of load.
#[derive(Clone, Debug, Serialize)]
pub struct Level {
    /// Workers.
    pub workers: u32,
    /// How long it was measured, in seconds.
    pub seconds: f64,
    /// Observations a second that the workers' pace comes to.
    pub offered_per_second: f64,
    /// Observations a second that were acknowledged.
    pub achieved_per_second: f64,
    /// From the sending of a report until its acknowledgement.
    pub acknowledged_after: Quantiles,
    /// From when a report was due until it was sent: what the generator itself was late.
    pub sent_late_by: Quantiles,
    /// A page of sweeps, asked for meanwhile.
    pub listed_in: Quantiles,
    /// A sweep, asked for meanwhile.
    pub got_in: Quantiles,
    /// The most memory of the coordinator, in bytes.
    pub coordinator_rss_bytes: u64,
    /// Cores that the coordinator kept busy.
    pub coordinator_cores: f64,
    /// Cores that the generator kept busy.
    pub generator_cores: f64,
    /// Bytes by which the store grew for each acknowledged observation, until all was over.
    pub stored_bytes_per_observation: f64,
    /// Sweeps that were created, in all.
    pub sweeps: u64,
    /// Tasks that ended while it was measured.
    pub tasks_finished: u64,
    /// Share of reports that were due while there was nothing to report.
    pub idle: f64,
    /// Tasks that were taken away, and streams that ended: what should not happen.
    pub faults: u64,
    /// Whether it is more than the coordinator takes.
    pub broken: bool,
}

/// Levels of load, up to the first that breaks.
///
/// # Errors
/// When something fails that has nothing to do with load. Levels before it are lost.
pub async fn levels(
    options: &Options,
    workers: &[u32],
    mut done: impl FnMut(&Level),
) -> Result<Vec<Level>, Error> {
    let mut levels = Vec::new();
    for workers in workers {
        let level = level(options, *workers).await?;
        done(&level);
        let broken = level.broken;
        levels.push(level);
        if broken {
            break;
        }
    }
    Ok(levels)
}

/// One level of load.
///
/// # Errors
/// When something fails that has nothing to do with load.
pub async fn level(options: &Options, workers: u32) -> Result<Level, Error> {
    let folder = folder(options.folder.as_deref())?;
    let tokens = Tokens::create(&options.program, folder.path())?;
    let coordinator = Coordinator::start(&options.program, folder.path(), tokens)?;
    let mut clients = Clients::connect(&coordinator).await?;
    let mut fleet = Fleet::new(&coordinator, options.pace)?;
    let mut supply = Supply::new(options.sweep, workers);
    supply.keep_up(&mut clients, &fleet).await?;
    fleet.start(workers).await;

    let busy = |fleet: &Fleet| {
        let counts = fleet.counts();
        let wanted = u64::from(workers);
        counts.connected == wanted && counts.assigned >= wanted
    };
    let started = Instant::now();
    while !busy(&fleet) && started.elapsed() < BUSY {
        supply.keep_up(&mut clients, &fleet).await?;
        tokio::time::sleep(LOOK).await;
    }
    supply.during(options.warm_up, &mut clients, &fleet).await?;

    let asking = Asking::start(clients.clone(), supply.last())?;
    fleet.reset_latencies();
    let before = Moment::now(&coordinator, &fleet)?;
    supply
        .during(options.measured, &mut clients, &fleet)
        .await?;
    let after = Moment::now(&coordinator, &fleet)?;
    let (acknowledged_after, sent_late_by) = (fleet.acknowledged_after(), fleet.late_by());
    let (listed_in, got_in) = asking.end();

    let stored = stored_bytes(folder.path());
    let seconds = (after.at - before.at).as_secs_f64();
    let a_second = |count: u64| count as f64 / seconds;
    let cores = |before: Usage, after: Usage| (after.cpu - before.cpu).as_secs_f64() / seconds;
    let offered_per_second =
        f64::from(workers) * f64::from(options.pace.batch) / options.pace.period.as_secs_f64();
    let achieved_per_second = a_second(after.counts.acknowledged - before.counts.acknowledged);
    let due = offered_per_second * seconds / f64::from(options.pace.batch);
    let idle = (after.counts.idle - before.counts.idle) as f64 / due;
    // Between two tasks there is nothing to report.
    let expected = offered_per_second * (1.0 - idle).max(0.0);
    Ok(Level {
        workers,
        seconds,
        offered_per_second,
        achieved_per_second,
        acknowledged_after,
        sent_late_by,
        listed_in,
        got_in,
        coordinator_rss_bytes: after.coordinator.peak_rss_bytes,
        coordinator_cores: cores(before.coordinator, after.coordinator),
        generator_cores: cores(before.generator, after.generator),
        stored_bytes_per_observation: stored as f64 / after.counts.acknowledged.max(1) as f64,
        sweeps: supply.created,
        tasks_finished: after.counts.finished - before.counts.finished,
        idle,
        faults: after.counts.stopped + after.counts.lost_streams,
        broken: achieved_per_second < LEAST_ACHIEVED * expected
            || idle > 1.0 - LEAST_ACHIEVED
            || acknowledged_after.p99_ms > LONGEST_MS,
    })
}

/// A folder that is gone when it is dropped.
pub(crate) fn folder(below: Option<&Path>) -> Result<tempfile::TempDir, Error> {
    let made = match below {
        Some(below) => tempfile::tempdir_in(below),
        None => tempfile::tempdir(),
    };
    made.map_err(failed("making a folder"))
}

/// What stands at one moment.
struct Moment {
    at: Instant,
    counts: Counts,
    coordinator: Usage,
    generator: Usage,
}

impl Moment {
    fn now(coordinator: &Coordinator, fleet: &Fleet) -> Result<Self, Error> {
        Ok(Self {
            coordinator: Usage::of(coordinator.process())?,
            generator: Usage::of(std::process::id())?,
            counts: fleet.counts(),
            at: Instant::now(),
        })
    }
}

/// Sweeps, created ahead of the workers.
struct Supply {
    sweep: Sweep,
    workers: u32,
    created: u64,
    last: String,
}

impl Supply {
    fn new(sweep: Sweep, workers: u32) -> Self {
        Self {
            sweep,
            workers,
            created: 0,
            last: String::new(),
        }
    }

    /// Id of the sweep that was created last.
    fn last(&self) -> String {
        self.last.clone()
    }

    /// Creates as many as it takes for every worker to have its next task.
    async fn keep_up(&mut self, clients: &mut Clients, fleet: &Fleet) -> Result<(), Error> {
        let ahead = u64::from(self.workers + self.workers / AHEAD + self.sweep.replicas);
        let needed = fleet.counts().assigned + ahead;
        while self.created * u64::from(self.sweep.replicas) < needed {
            self.last = clients.create(self.sweep).await?;
            self.created += 1;
        }
        Ok(())
    }

    /// Keeps up for so long.
    async fn during(
        &mut self,
        time: Duration,
        clients: &mut Clients,
        fleet: &Fleet,
    ) -> Result<(), Error> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.keep_up(clients, fleet).await?;
            let left = end.saturating_duration_since(Instant::now());
            tokio::time::sleep(LOOK.min(left)).await;
        }
        Ok(())
    }
}

/// A client that asks for sweeps meanwhile.
struct Asking {
    task: tokio::task::JoinHandle<()>,
    latencies: std::sync::Arc<(Latencies, Latencies)>,
}

impl Asking {
    fn start(mut clients: Clients, sweep: String) -> Result<Self, Error> {
        let latencies = std::sync::Arc::new((Latencies::new()?, Latencies::new()?));
        let shared = std::sync::Arc::clone(&latencies);
        let task = tokio::spawn(async move {
            let mut pace = tokio::time::interval(ASK);
            pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                pace.tick().await;
                let asked = Instant::now();
                if let Err(error) = clients.list(v1::ListSweepsRequest::default()).await {
                    eprintln!("client: {error}");
                }
                shared.0.record(asked.elapsed());
                let asked = Instant::now();
                if let Err(error) = clients.get(&sweep, false).await {
                    eprintln!("client: {error}");
                }
                shared.1.record(asked.elapsed());
            }
        });
        Ok(Self { task, latencies })
    }

    fn end(self) -> (Quantiles, Quantiles) {
        self.task.abort();
        (self.latencies.0.quantiles(), self.latencies.1.quantiles())
    }
}

/// Bytes of the database with its log.
fn stored_bytes(folder: &Path) -> u64 {
    let size = |name: &str| std::fs::metadata(folder.join(name)).map_or(0, |file| file.len());
    size("store.db") + size("store.db-wal")
}
