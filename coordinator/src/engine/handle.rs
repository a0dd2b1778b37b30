//! How others speak to the engine.

use super::message::{Link, LinkId, Message, Outgoing};
use super::{Error, Subscription};
use crate::wire::Hello;
use rangefinder_proto::v1;
use rangefinder_sweep::ids::{SweepId, WorkerId};
use rangefinder_sweep::state::{Report, SweepRequest, SweepResult};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Speaks to the engine. Every method waits only for a place in the engine's inbox and for its
/// answer, which comes at once.
#[derive(Clone, Debug)]
pub struct Handle {
    inbox: mpsc::Sender<Message>,
}

impl Handle {
    pub(super) fn new(inbox: mpsc::Sender<Message>) -> Self {
        Self { inbox }
    }

    /// Starts a sweep; its workers are told to train what `trainer` says. Gives its events.
    ///
    /// # Errors
    /// When the name is taken or the engine has stopped.
    pub async fn create(
        &self,
        sweep: SweepId,
        request: SweepRequest,
        trainer: v1::TrainerSpec,
    ) -> Result<Subscription, Error> {
        self.ask(|reply| Message::Create {
            sweep,
            request: Box::new(request),
            trainer: Box::new(trainer),
            reply,
        })
        .await?
    }

    /// Ends a sweep; one that has ended stays as it is.
    ///
    /// # Errors
    /// When there is no such sweep or the engine has stopped.
    pub async fn cancel(&self, sweep: SweepId) -> Result<(), Error> {
        self.ask(|reply| Message::Cancel { sweep, reply }).await?
    }

    /// All that is known of a sweep, ended or not.
    ///
    /// # Errors
    /// When there is no such sweep or the engine has stopped.
    pub async fn result(&self, sweep: SweepId) -> Result<SweepResult, Error> {
        self.ask(|reply| Message::Result { sweep, reply }).await?
    }

    /// The events of a sweep from the first on.
    ///
    /// # Errors
    /// When there is no such sweep or the engine has stopped.
    pub async fn subscribe(&self, sweep: SweepId) -> Result<Subscription, Error> {
        self.ask(|reply| Message::Subscribe { sweep, reply })
            .await?
    }

    /// Takes in the stream of a worker, in place of an older one of the same name. Gives what to
    /// report by, and what is to be sent, Welcome first.
    ///
    /// # Errors
    /// When the engine has stopped.
    pub async fn connect(
        &self,
        hello: Hello,
    ) -> Result<(Connection, mpsc::Receiver<Outgoing>), Error> {
        let worker = hello.worker.clone();
        let Link { id, outbox, closed } =
            self.ask(|reply| Message::Connect { hello, reply }).await?;
        let connection = Connection {
            handle: self.clone(),
            worker,
            link: id,
            closed,
        };
        Ok((connection, outbox))
    }

    /// Says that the process of a worker is gone, and how that is known. Answers whether it had
    /// joined since it was last said to be gone.
    ///
    /// # Errors
    /// When the engine has stopped.
    pub async fn worker_gone(&self, worker: WorkerId, cause: String) -> Result<bool, Error> {
        self.ask(|reply| Message::Gone {
            worker,
            cause,
            reply,
        })
        .await
    }

    /// Says that no further worker will come, and why.
    ///
    /// # Errors
    /// When the engine has stopped.
    pub async fn no_more_workers(&self, cause: String) -> Result<(), Error> {
        self.tell(Message::NoMoreWorkers { cause }).await
    }

    async fn tell(&self, message: Message) -> Result<(), Error> {
        self.inbox.send(message).await.map_err(|_| Error::Stopped)
    }

    async fn ask<T>(
        &self,
        message: impl FnOnce(oneshot::Sender<T>) -> Message,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.tell(message(reply)).await?;
        answer.await.map_err(|_| Error::Stopped)
    }
}

/// The stream of one worker, as long as no newer one has taken its place.
#[derive(Debug)]
pub struct Connection {
    handle: Handle,
    worker: WorkerId,
    link: LinkId,
    closed: CancellationToken,
}

impl Connection {
    /// Whose it is.
    #[must_use]
    pub fn worker(&self) -> &WorkerId {
        &self.worker
    }

    /// Returns when the engine has given the stream up.
    pub async fn closed(&self) {
        self.closed.cancelled().await;
    }

    /// Passes on what the worker reports.
    ///
    /// # Errors
    /// When the engine has stopped.
    pub async fn report(&self, report: Report) -> Result<(), Error> {
        self.handle
            .tell(Message::Report {
                worker: self.worker.clone(),
                link: self.link,
                report,
            })
            .await
    }

    /// Says that the stream has ended. The worker may live.
    pub async fn disconnect(self) {
        // An engine that has stopped needs no telling.
        let _ = self
            .handle
            .tell(Message::Disconnect {
                worker: self.worker,
                link: self.link,
            })
            .await;
    }
}
