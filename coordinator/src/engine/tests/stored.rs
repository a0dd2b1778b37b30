//! Engines with a store, and a worker that speaks to them, for tests.

use super::*;
use rangefinder_report::SweepDocument as Document;
use rangefinder_sweep::curve::StopReason;
use rangefinder_sweep::event::{Described, Observation, SweepEvent as Event};
use rangefinder_sweep::ids::LeaseToken;
use rangefinder_sweep::plan::Probe;
use std::fs;
use std::ops::Range as Steps;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tokio::time::timeout;

pub(super) type SweepDocument = Document;
pub(super) type SweepEvent = Event;

/// How long whatever is waited for may take.
const DEADLINE: Duration = Duration::from_secs(60);

/// Steps of the sweep.
pub(super) const STEPS: u32 = 100;

/// An engine at work on a folder; it dies when dropped.
pub(super) struct Running {
    pub(super) handle: Handle,
    pub(super) folder: PathBuf,
    task: JoinHandle<()>,
    /// What is removed with it.
    _left: Option<TempDir>,
}

impl Running {
    pub(super) fn open(folder: &Path) -> Self {
        Self::with(Options::default(), folder)
    }

    pub(super) fn with(mut options: Options, folder: &Path) -> Self {
        options.state.backoff_ms = 0;
        let (engine, handle, _) = Engine::open(options, folder).unwrap();
        let task = tokio::spawn(engine.run(CancellationToken::new()));
        Self {
            handle,
            folder: folder.to_owned(),
            task,
            _left: None,
        }
    }

    /// On what a crash has left.
    pub(super) fn after(left: TempDir) -> Self {
        let mut running = Self::open(left.path());
        running._left = Some(left);
        running
    }

    /// How the sweep stands, as long as its result is not stored.
    pub(super) async fn view(&self) -> Option<View> {
        let views = self.handle.view(vec![sweep()]).await.unwrap();
        views.into_iter().next().map(|(_, view)| view)
    }

    /// The stored result of the sweep.
    pub(super) fn document(&self) -> SweepDocument {
        let json = self.handle.reader().unwrap().document("s").unwrap();
        crate::record::read_document(&sweep(), &json.unwrap()).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a crash at this moment would leave of a folder: the files as they are, without whatever
/// the process would still write.
pub(super) fn crashed(folder: &Path) -> TempDir {
    let left = tempfile::tempdir().unwrap();
    for name in ["store.db", "store.db-wal"] {
        fs::copy(folder.join(name), left.path().join(name)).unwrap();
    }
    left
}

/// The events of a subscription, to the end of the sweep.
pub(super) async fn events(mut events: Subscription) -> Vec<SweepEvent> {
    let mut all = Vec::new();
    loop {
        let event = timeout(DEADLINE, events.next()).await;
        let event = event.unwrap().unwrap().unwrap();
        all.push(SweepEvent::clone(&event));
        if let Happening::Ended { .. } = event.happening {
            return all;
        }
    }
}

/// A worker of the tests' own. Its losses are a function of the step.
pub(super) struct Worker {
    connection: Connection,
    pub(super) outbox: mpsc::Receiver<Outgoing>,
}

impl Worker {
    /// It holds no work of before.
    pub(super) async fn join(handle: &Handle) -> Self {
        let (connection, outbox) = handle.connect(hello("w0")).await.unwrap();
        Self { connection, outbox }
    }

    pub(super) async fn message(&mut self) -> Sent {
        let message = timeout(DEADLINE, self.outbox.recv()).await;
        let message = message.unwrap().unwrap();
        message.unwrap().message.unwrap()
    }

    /// Does what comes before a task.
    pub(super) async fn until_assigned(&mut self) -> LeaseToken {
        loop {
            let report = match self.message().await {
                Sent::Assign(assign) => return LeaseToken(assign.lease_token),
                Sent::Describe(describe) => {
                    Report::Described(LeaseToken(describe.lease_token), Box::new(described()))
                }
                Sent::Probe(probe) => Report::Probed(LeaseToken(probe.lease_token), probed()),
                _ => continue,
            };
            self.connection.report(report).await.unwrap();
        }
    }

    /// Reports the losses of steps, each in a message of its own.
    pub(super) async fn observe(&self, lease: LeaseToken, steps: Steps<u32>) {
        for step in steps {
            let observation = Observation {
                step,
                lr: 1e-8 * 10f64.powf(8.0 * f64::from(step) / f64::from(STEPS - 1)),
                loss: loss(step),
                samples: 64,
            };
            let report = Report::Observations(lease, vec![observation]);
            self.connection.report(report).await.unwrap();
        }
    }

    /// Waits until so many steps are acknowledged.
    pub(super) async fn until_acknowledged(&mut self, steps: u64) {
        loop {
            if let Sent::Ack(ack) = self.message().await
                && ack.next_step >= steps
            {
                return;
            }
        }
    }

    pub(super) async fn finish(&self, lease: LeaseToken) {
        let report = Report::Finished {
            token: lease,
            reason: StopReason::Completed,
            end: STEPS,
        };
        self.connection.report(report).await.unwrap();
    }

    /// Does all the work of the sweep.
    pub(super) async fn work(&mut self, steps: Steps<u32>) {
        let lease = self.until_assigned().await;
        self.observe(lease, steps).await;
        self.finish(lease).await;
    }
}

/// Falls from a plateau, with some noise that is no round number.
fn loss(step: u32) -> f64 {
    let decades = 8.0 * f64::from(step) / f64::from(STEPS - 1);
    2.3 - 2.0 / (1.0 + (5.0 - decades).exp()) + 0.01 * f64::from(step).sin()
}

fn probed() -> Probe {
    Probe {
        initial_loss: 2.3,
        gradient_squared: 0.1,
        gradient_l1: 1.0,
        seconds_per_step: 0.001,
        peak_memory_bytes: 0,
    }
}

fn described() -> Described {
    Described {
        parameters: Vec::new(),
        parameter_count: 10,
        initial_loss: 2.3,
        optimizer: "sgd".to_owned(),
        beta: Some(0.0),
        seekable: true,
        replayable: true,
        samples: 1000,
        steps_per_epoch: 10,
        effective_batch_size: 64,
    }
}
