//! The streams of the workers.

use super::Closed;
use super::message::{LinkId, Outgoing};
use rangefinder_proto::v1;
use rangefinder_sweep::ids::{Incarnation, WorkerId};
use std::collections::HashMap;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// The newest stream of every worker.
#[derive(Debug, Default)]
pub(super) struct Peers {
    workers: HashMap<WorkerId, Peer>,
    links: u64,
}

/// What the engine keeps of a worker beside its state.
#[derive(Debug)]
struct Peer {
    incarnation: Incarnation,
    stream: Option<Stream>,
}

/// The engine's end of a worker's stream. Dropped, it ends the stream.
#[derive(Debug)]
struct Stream {
    id: LinkId,
    outbox: mpsc::Sender<Outgoing>,
    closed: CancellationToken,
}

impl Stream {
    /// Ends the stream, with its reason where there is room to say it.
    fn close(self, reason: Closed) {
        let _ = self.outbox.try_send(Err(reason));
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.closed.cancel();
    }
}

/// The other end of a stream.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) id: LinkId,
    pub(super) outbox: mpsc::Receiver<Outgoing>,
    pub(super) closed: CancellationToken,
}

impl Peers {
    /// Opens a stream, in place of an older one of the same name. `room` is for how many messages
    /// may wait to be sent.
    pub(super) fn open(
        &mut self,
        worker: &WorkerId,
        incarnation: Incarnation,
        room: usize,
    ) -> Opened {
        self.links += 1;
        let id = LinkId(self.links);
        // At least Welcome must fit.
        let (outbox, receiver) = mpsc::channel(room.max(1));
        let closed = CancellationToken::new();
        let stream = Stream {
            id,
            outbox,
            closed: closed.clone(),
        };
        let peer = Peer {
            incarnation,
            stream: Some(stream),
        };
        let before = self.workers.insert(worker.clone(), peer);
        let before_incarnation = before.as_ref().map(|peer| peer.incarnation);
        if let Some(stream) = before.and_then(|peer| peer.stream) {
            tracing::info!(%worker, "a newer stream replaces the older one");
            stream.close(if before_incarnation == Some(incarnation) {
                Closed::Reconnected
            } else {
                Closed::Replaced
            });
        }
        Opened {
            id,
            outbox: receiver,
            closed,
        }
    }

    /// The stream that a worker has now.
    pub(super) fn link(&self, worker: &WorkerId) -> Option<LinkId> {
        Some(self.workers.get(worker)?.stream.as_ref()?.id)
    }

    /// The process at the other end of a stream, if the stream is the newest of its worker.
    pub(super) fn speaks(&self, worker: &WorkerId, link: LinkId) -> Option<Incarnation> {
        let peer = self.workers.get(worker)?;
        let stream = peer.stream.as_ref()?;
        (stream.id == link).then_some(peer.incarnation)
    }

    /// Sends over a stream, if it is still there; the process that lost its stream, where it does
    /// not read.
    pub(super) fn send(
        &mut self,
        worker: &WorkerId,
        link: LinkId,
        message: v1::ConnectResponse,
    ) -> Option<Incarnation> {
        let peer = self.workers.get_mut(worker)?;
        let stream = peer.stream.as_ref().filter(|stream| stream.id == link)?;
        match stream.outbox.try_send(Ok(message)) {
            Ok(()) => None,
            Err(error) => {
                // Full: the worker does not read. Closed: its stream has just ended.
                tracing::warn!(%worker, %error, "ending the stream of a worker that does not read");
                peer.stream = None;
                Some(peer.incarnation)
            }
        }
    }

    /// A stream has ended.
    pub(super) fn drop_stream(&mut self, worker: &WorkerId) {
        if let Some(peer) = self.workers.get_mut(worker) {
            peer.stream = None;
        }
    }

    /// The process of a worker is gone; whether it had joined.
    pub(super) fn remove(&mut self, worker: &WorkerId) -> bool {
        let peer = self.workers.remove(worker);
        let joined = peer.is_some();
        if let Some(stream) = peer.and_then(|peer| peer.stream) {
            stream.close(Closed::Gone);
        }
        joined
    }

    /// Ends all streams with a last word.
    pub(super) fn close_all(&mut self, last: impl Fn() -> Outgoing) {
        for stream in self
            .workers
            .drain()
            .filter_map(|(_, mut peer)| peer.stream.take())
        {
            let _ = stream.outbox.try_send(last());
        }
    }
}
