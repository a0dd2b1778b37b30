//! What passes between the engine and the tasks around it.

use super::{Created, Error, NewSweep, Subscription, View};
use crate::observe::Overview;
use crate::wire::Hello;
use rangefinder_proto::v1;
use rangefinder_store::Health;
use rangefinder_sweep::ids::{SweepId, WorkerId};
use rangefinder_sweep::state::{Report, SweepResult, WorkerView};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What goes to a worker's stream: messages, and why it ends.
pub type Outgoing = Result<v1::ConnectResponse, Closed>;

/// Why the engine ends a worker's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// The same process has opened a newer one. A process may hear this on the newer one, where
    /// the older one was held up on its way and arrives later: then it connects again.
    #[error("a newer stream of the same process has taken the place of this one")]
    Reconnected,
    /// Another process of the same name has opened one.
    #[error("another process has joined under the name of this worker")]
    Replaced,
    /// Its process is gone.
    #[error("the process of this worker is known to be gone")]
    Gone,
    /// The coordinator ends, and another one will go on: the worker keeps what it has.
    #[error("the coordinator is shutting down, and will go on when it is started again")]
    Parked,
}

/// The answer to a request, which may be refused.
pub(super) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// To the engine from clients and from the command that runs it. Never kept waiting by workers.
#[derive(Debug)]
pub(super) enum Request {
    Create {
        sweep: Box<NewSweep>,
        reply: Reply<Created>,
    },
    Cancel {
        sweep: SweepId,
        reply: Reply<()>,
    },
    Delete {
        sweep: SweepId,
        reply: Reply<()>,
    },
    Result {
        sweep: SweepId,
        reply: Reply<SweepResult>,
    },
    View {
        sweeps: Vec<SweepId>,
        reply: oneshot::Sender<Vec<(SweepId, View)>>,
    },
    Stored {
        sweep: SweepId,
        reply: oneshot::Sender<()>,
    },
    Subscribe {
        sweep: SweepId,
        from: u64,
        reply: Reply<Subscription>,
    },
    Overview {
        reply: oneshot::Sender<Overview>,
    },
    Workers {
        reply: oneshot::Sender<Vec<WorkerView>>,
    },
    Drain {
        worker: WorkerId,
        reply: Reply<()>,
    },
    Gone {
        worker: WorkerId,
        cause: String,
        reply: oneshot::Sender<bool>,
    },
    NoMoreWorkers {
        cause: String,
    },
}

/// To the engine from workers. While the disk fails they wait, and so do the workers' streams.
#[derive(Debug)]
pub(super) enum FromWorker {
    Connect {
        hello: Hello,
        reply: oneshot::Sender<Link>,
    },
    Disconnect {
        worker: WorkerId,
        link: LinkId,
    },
    Leaving {
        worker: WorkerId,
        link: LinkId,
    },
    Report {
        worker: WorkerId,
        link: LinkId,
        report: Report,
        /// When it came.
        came: Instant,
    },
}

/// To the engine from what it has started itself.
#[derive(Debug)]
pub(super) enum Inner {
    /// All batches up to this one are on disk.
    Durable(u64),
    /// Whether the disk takes what is appended.
    Health(Health),
    /// What was made of a sweep that has ended: summary and document, as JSON.
    Documented {
        sweep: SweepId,
        made: serde_json::Result<(Vec<u8>, Vec<u8>)>,
    },
}

/// Tells the streams of workers apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LinkId(pub(super) u64);

/// The engine's answer to a new stream.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) id: LinkId,
    pub(super) outbox: mpsc::Receiver<Outgoing>,
    /// Fires when the engine has given the stream up.
    pub(super) closed: CancellationToken,
}
