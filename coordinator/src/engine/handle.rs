//! How others speak to the engine.

use super::message::{FromWorker, Link, LinkId, Outgoing, Reply, Request};
use super::{Created, Error, NewSweep, Subscription, View};
use crate::observe::{Observer, Overview};
use crate::wire::Hello;
use rangefinder_store::Reader;
use rangefinder_sweep::ids::{SweepId, WorkerId};
use rangefinder_sweep::state::{Report, SweepResult, WorkerView};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Speaks to the engine. Every method waits for a place in the engine's inbox and for its answer,
/// which comes as soon as what it says is durable.
#[derive(Clone, Debug)]
pub struct Handle {
    requests: mpsc::Sender<Request>,
    workers: mpsc::Sender<FromWorker>,
    trouble: watch::Receiver<Option<String>>,
    reader: Option<Reader>,
    observer: Observer,
}

impl Handle {
    pub(super) fn new(
        requests: mpsc::Sender<Request>,
        workers: mpsc::Sender<FromWorker>,
        trouble: watch::Receiver<Option<String>>,
        reader: Option<Reader>,
        observer: Observer,
    ) -> Self {
        Self {
            requests,
            workers,
            trouble,
            reader,
            observer,
        }
    }

    /// Starts a sweep, unless the same owner's request of the same id has started one.
    ///
    /// # Errors
    /// When the name is taken, a limit is reached, the disk fails, or the engine has stopped.
    pub async fn create(&self, sweep: NewSweep) -> Result<Created, Error> {
        let sweep = Box::new(sweep);
        self.ask(|reply| Request::Create { sweep, reply }).await
    }

    /// Ends a sweep; one that has ended stays as it is.
    ///
    /// # Errors
    /// When there is no such active sweep, the disk fails, or the engine has stopped.
    pub async fn cancel(&self, sweep: SweepId) -> Result<(), Error> {
        self.ask(|reply| Request::Cancel { sweep, reply }).await
    }

    /// Removes a sweep that has ended from the store.
    ///
    /// # Errors
    /// When it has not ended, is not there, the disk fails, or the engine has stopped.
    pub async fn delete(&self, sweep: SweepId) -> Result<(), Error> {
        self.ask(|reply| Request::Delete { sweep, reply }).await
    }

    /// All that is known of a sweep, until its result is stored.
    ///
    /// # Errors
    /// When there is no such sweep or the engine has stopped.
    pub async fn result(&self, sweep: SweepId) -> Result<SweepResult, Error> {
        self.ask(|reply| Request::Result { sweep, reply }).await
    }

    /// How those of the sweeps stand whose result is not stored yet.
    ///
    /// # Errors
    /// When the engine has stopped.
    pub async fn view(&self, sweeps: Vec<SweepId>) -> Result<Vec<(SweepId, View)>, Error> {
        self.ask_surely(|reply| Request::View { sweeps, reply })
            .await
    }

    /// Waits until the result of a sweep is stored; at once for one that the engine does not know.
    ///
    /// # Errors
    /// When the engine has stopped.
    pub async fn stored(&self, sweep: SweepId) -> Result<(), Error> {
        self.ask_surely(|reply| Request::Stored { sweep, reply })
            .await
    }

    /// The events of a sweep from a number on.
    ///
    /// # Errors
    /// When the engine does not know the sweep, since it is stored or never was, or has stopped.
    pub async fn subscribe(&self, sweep: SweepId, from: u64) -> Result<Subscription, Error> {
        self.ask(|reply| Request::Subscribe { sweep, from, reply })
            .await
    }

    /// How the engine stands, for whoever watches over it.
    ///
    /// # Errors
    /// When the engine has stopped.
    pub async fn overview(&self) -> Result<Overview, Error> {
        self.ask_surely(|reply| Request::Overview { reply }).await
    }

    /// Who is told of all that happens.
    #[must_use]
    pub fn observer(&self) -> &Observer {
        &self.observer
    }

    /// The workers, by name.
    ///
    /// # Errors
    /// When the engine has stopped.
    pub async fn workers(&self) -> Result<Vec<WorkerView>, Error> {
        self.ask_surely(|reply| Request::Workers { reply }).await
    }

    /// Tells a worker to take no more work and to leave when it is done.
    ///
    /// # Errors
    /// When there is no such worker, the disk fails, or the engine has stopped.
    pub async fn drain(&self, worker: WorkerId) -> Result<(), Error> {
        self.ask(|reply| Request::Drain { worker, reply }).await
    }

    /// What reads the store; `None` for an engine that keeps nothing.
    #[must_use]
    pub fn reader(&self) -> Option<&Reader> {
        self.reader.as_ref()
    }

    /// Why nothing goes on, as long as the disk fails; `None` while all is well.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.trouble.borrow().clone()
    }

    /// What [`Handle::trouble`] says as soon as it is not `known`. Cancel-safe; waits for ever once
    /// the engine has ended.
    pub async fn trouble_after(&self, known: &Option<String>) -> Option<String> {
        let mut trouble = self.trouble.clone();
        let changed = trouble.wait_for(|now| now != known).await;
        let now = changed.ok().map(|now| now.clone());
        match now {
            Some(now) => now,
            None => std::future::pending().await,
        }
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
        let (reply, answer) = oneshot::channel();
        self.workers
            .send(FromWorker::Connect { hello, reply })
            .await
            .map_err(|_| Error::Stopped)?;
        let Link { id, outbox, closed } = answer.await.map_err(|_| Error::Stopped)?;
        let connection = Connection {
            workers: self.workers.clone(),
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
        self.ask_surely(|reply| Request::Gone {
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
        self.tell(Request::NoMoreWorkers { cause }).await
    }

    async fn tell(&self, request: Request) -> Result<(), Error> {
        self.requests
            .send(request)
            .await
            .map_err(|_| Error::Stopped)
    }

    async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, Error> {
        self.ask_surely(request).await?
    }

    async fn ask_surely<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.tell(request(reply)).await?;
        answer.await.map_err(|_| Error::Stopped)
    }
}

/// The stream of one worker, as long as no newer one has taken its place.
#[derive(Debug)]
pub struct Connection {
    workers: mpsc::Sender<FromWorker>,
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
        self.workers
            .send(FromWorker::Report {
                worker: self.worker.clone(),
                link: self.link,
                report,
                came: Instant::now(),
            })
            .await
            .map_err(|_| Error::Stopped)
    }

    /// Says that the worker takes no more work, and will leave. May be said again.
    ///
    /// # Errors
    /// When the engine has stopped.
    pub async fn leaving(&self) -> Result<(), Error> {
        self.workers
            .send(FromWorker::Leaving {
                worker: self.worker.clone(),
                link: self.link,
            })
            .await
            .map_err(|_| Error::Stopped)
    }

    /// Says that the stream has ended. The worker may live.
    pub async fn disconnect(self) {
        // An engine that has stopped needs no telling.
        let _ = self
            .workers
            .send(FromWorker::Disconnect {
                worker: self.worker,
                link: self.link,
            })
            .await;
    }
}
