//! The engine without its loop: what each message does to the state, and the acts that follow.

use super::log::Log;
use super::message::{Link, LinkId, Message, Outgoing};
use super::{Closed, Error, Options, Subscription};
use crate::wire;
use rangefinder_proto::v1;
use rangefinder_sweep::ids::{Incarnation, SweepId, WorkerId};
use rangefinder_sweep::state::{Action, Command, Event, State, SweepRequest, Time};
use std::collections::HashMap;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// State, streams and logs.
#[derive(Debug)]
pub(super) struct Core {
    options: Options,
    state: State,
    sweeps: HashMap<SweepId, Sweep>,
    workers: HashMap<WorkerId, Peer>,
    links: u64,
}

/// What the engine keeps of a sweep beside its state.
#[derive(Debug)]
struct Sweep {
    trainer: v1::TrainerSpec,
    log: Log,
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

impl Core {
    pub(super) fn new(options: Options) -> Self {
        Self {
            state: State::new(options.state.clone()),
            options,
            sweeps: HashMap::new(),
            workers: HashMap::new(),
            links: 0,
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.state.next_deadline()
    }

    pub(super) fn tick(&mut self, now: Time) {
        self.apply(now, Event::Tick);
    }

    /// Tells every worker to leave and ends the streams.
    pub(super) fn drain(&mut self) {
        for stream in self
            .workers
            .drain()
            .filter_map(|(_, mut peer)| peer.stream.take())
        {
            let _ = stream.outbox.try_send(Ok(wire::drain()));
        }
    }

    /// Takes in one message. Answers go to callers who may have left; that is theirs to decide.
    pub(super) fn take(&mut self, now: Time, message: Message) {
        match message {
            Message::Create {
                sweep,
                request,
                trainer,
                reply,
            } => {
                let _ = reply.send(self.create(now, sweep, request, *trainer));
            }
            Message::Cancel { sweep, reply } => {
                let known = self.sweep(&sweep).map(|_| ());
                if known.is_ok() {
                    self.apply(now, Event::Cancel { sweep });
                }
                let _ = reply.send(known);
            }
            Message::Result { sweep, reply } => {
                let result = self.state.result(&sweep);
                let _ = reply.send(result.ok_or(Error::UnknownSweep(sweep)));
            }
            Message::Subscribe { sweep, reply } => {
                let _ = reply.send(self.sweep(&sweep).map(|sweep| sweep.log.subscribe()));
            }
            Message::Connect { hello, reply } => {
                let link = self.connect(now, hello);
                let _ = reply.send(link);
            }
            Message::Disconnect { worker, link } => self.disconnect(now, worker, link),
            Message::Report {
                worker,
                link,
                report,
            } => {
                // What an older stream still brings is dropped: the worker sends again what has
                // not been acknowledged.
                if let Some(incarnation) = self.speaks(&worker, link) {
                    self.apply(
                        now,
                        Event::Report {
                            worker,
                            incarnation,
                            report,
                        },
                    );
                }
            }
            Message::Gone {
                worker,
                cause,
                reply,
            } => {
                let peer = self.workers.remove(&worker);
                let joined = peer.is_some();
                if let Some(stream) = peer.and_then(|peer| peer.stream) {
                    stream.close(Closed::Gone);
                }
                self.apply(
                    now,
                    Event::Gone {
                        worker,
                        incarnation: None,
                        cause,
                    },
                );
                let _ = reply.send(joined);
            }
            Message::NoMoreWorkers { cause } => self.apply(now, Event::NoMoreWorkers { cause }),
        }
    }

    fn sweep(&self, sweep: &SweepId) -> Result<&Sweep, Error> {
        self.sweeps
            .get(sweep)
            .ok_or_else(|| Error::UnknownSweep(sweep.clone()))
    }

    fn create(
        &mut self,
        now: Time,
        sweep: SweepId,
        request: Box<SweepRequest>,
        trainer: v1::TrainerSpec,
    ) -> Result<Subscription, Error> {
        if self.sweeps.contains_key(&sweep) {
            return Err(Error::SweepExists(sweep));
        }
        let log = Log::new();
        let subscription = log.subscribe();
        self.sweeps.insert(sweep.clone(), Sweep { trainer, log });
        self.apply(now, Event::Create { sweep, request });
        Ok(subscription)
    }

    fn connect(&mut self, now: Time, hello: wire::Hello) -> Link {
        self.links += 1;
        let id = LinkId(self.links);
        // At least Welcome must fit.
        let (outbox, receiver) = mpsc::channel(self.options.outbox.max(1));
        let closed = CancellationToken::new();
        let _ = outbox.try_send(Ok(wire::welcome(&self.options.state)));
        let peer = Peer {
            incarnation: hello.incarnation,
            stream: Some(Stream {
                id,
                outbox,
                closed: closed.clone(),
            }),
        };
        let before = self.workers.insert(hello.worker.clone(), peer);
        let before_incarnation = before.as_ref().map(|peer| peer.incarnation);
        if let Some(stream) = before.and_then(|peer| peer.stream) {
            tracing::info!(worker = %hello.worker, "a newer stream replaces the older one");
            stream.close(if before_incarnation == Some(hello.incarnation) {
                Closed::Reconnected
            } else {
                Closed::Replaced
            });
        }
        self.apply(
            now,
            Event::Joined {
                worker: hello.worker,
                incarnation: hello.incarnation,
                device: hello.device,
                versions: hello.versions,
                leases: hello.leases,
            },
        );
        Link {
            id,
            outbox: receiver,
            closed,
        }
    }

    /// The process at the other end of a stream, if the stream is the newest of its worker.
    fn speaks(&self, worker: &WorkerId, link: LinkId) -> Option<Incarnation> {
        let peer = self.workers.get(worker)?;
        let stream = peer.stream.as_ref()?;
        (stream.id == link).then_some(peer.incarnation)
    }

    fn disconnect(&mut self, now: Time, worker: WorkerId, link: LinkId) {
        let Some(incarnation) = self.speaks(&worker, link) else {
            return;
        };
        if let Some(peer) = self.workers.get_mut(&worker) {
            peer.stream = None;
        }
        self.apply(
            now,
            Event::Disconnected {
                worker,
                incarnation,
            },
        );
    }

    /// Decides, then acts, as long as acting brings news of its own: streams that overflow. Ends,
    /// since each of those is one stream fewer.
    fn apply(&mut self, now: Time, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            for action in self.state.apply(now, event) {
                events.extend(self.act(action));
            }
        }
    }

    fn act(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Send { worker, command } => self.send(worker, command),
            Action::Publish(event) => {
                match self.sweeps.get(&event.sweep) {
                    Some(sweep) => sweep.log.append(event),
                    None => tracing::error!(?event, "an event of a sweep that nobody created"),
                }
                None
            }
        }
    }

    fn send(&mut self, worker: WorkerId, command: Command) -> Option<Event> {
        let trainer = match &command {
            Command::Describe { sweep, .. }
            | Command::Probe { sweep, .. }
            | Command::Assign { sweep, .. } => self.sweeps.get(sweep).map(|sweep| &sweep.trainer),
            Command::Ack { .. } | Command::Stop { .. } | Command::Desired(_) | Command::Drain => {
                None
            }
        };
        let message = wire::command(command, trainer);
        let peer = self.workers.get_mut(&worker)?;
        let sent = peer.stream.as_ref()?.outbox.try_send(Ok(message));
        match sent {
            Ok(()) => None,
            Err(error) => {
                // Full: the worker does not read. Closed: its stream has just ended.
                tracing::warn!(%worker, %error, "ending the stream of a worker that does not read");
                peer.stream = None;
                Some(Event::Disconnected {
                    incarnation: peer.incarnation,
                    worker,
                })
            }
        }
    }
}
