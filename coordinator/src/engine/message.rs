//! What passes between the engine and the tasks around it.

use super::{Error, Subscription};
use crate::wire::Hello;
use rangefinder_proto::v1;
use rangefinder_sweep::ids::{SweepId, WorkerId};
use rangefinder_sweep::state::{Report, SweepRequest, SweepResult};
use tokio::sync::{mpsc, oneshot};
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
}

/// To the engine.
#[derive(Debug)]
pub(super) enum Message {
    Create {
        sweep: SweepId,
        request: Box<SweepRequest>,
        trainer: Box<v1::TrainerSpec>,
        reply: oneshot::Sender<Result<Subscription, Error>>,
    },
    Cancel {
        sweep: SweepId,
        reply: oneshot::Sender<Result<(), Error>>,
    },
    Result {
        sweep: SweepId,
        reply: oneshot::Sender<Result<SweepResult, Error>>,
    },
    Subscribe {
        sweep: SweepId,
        reply: oneshot::Sender<Result<Subscription, Error>>,
    },
    Connect {
        hello: Hello,
        reply: oneshot::Sender<Link>,
    },
    Disconnect {
        worker: WorkerId,
        link: LinkId,
    },
    Report {
        worker: WorkerId,
        link: LinkId,
        report: Report,
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

/// Tells the streams of one worker apart.
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
