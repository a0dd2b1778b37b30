//! The engine without its loop: what each message does to the state, and what follows.
//!
//! An event is decided by the state machine. What it publishes becomes changes of the store; all
//! that it leads to is held until those are durable, then goes out in order.

use super::held::{Effect, Held};
use super::journal::Journal;
use super::log::Log;
use super::message::{FromWorker, Inner, Link};
use super::peers::Peers;
use super::{Closed, Options};
use crate::observe::Context;
use crate::record::{Creation, Summary, Tally};
use crate::wire;
use rangefinder_store::{Change, Health, Refused};
use rangefinder_sweep::event::{Happening, SweepEvent};
use rangefinder_sweep::ids::{SweepId, WorkerId};
use rangefinder_sweep::state::{Action, Command, Event, State, Time};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

/// State, streams and logs.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) options: Options,
    pub(super) state: State,
    pub(super) sweeps: HashMap<SweepId, Sweep>,
    pub(super) peers: Peers,
    pub(super) journal: Journal,
    pub(super) held: Held,
    pub(super) inner: mpsc::UnboundedSender<Inner>,
    pub(super) trouble: watch::Sender<Option<String>>,
    /// Sweeps that have ended and of which a document is to be made, one after the other.
    pub(super) unfinished: VecDeque<SweepId>,
    /// Whether one is being made.
    pub(super) finishing: bool,
    /// Whether the store refuses what happened: nothing that follows would be kept.
    pub(super) broken: bool,
    /// When the worker's message came that is being taken in.
    came: Option<Instant>,
}

/// What the engine keeps of a sweep beside its state, until its result is stored.
#[derive(Debug)]
pub(super) struct Sweep {
    pub(super) owner: String,
    /// The request that made it; empty for none.
    pub(super) request_id: String,
    pub(super) creation: Arc<Creation>,
    pub(super) log: Log,
    pub(super) tally: Tally,
    /// Its summary, once it has ended.
    pub(super) ended: Option<Summary>,
    /// Who waits for its result to be stored.
    pub(super) waiting: Vec<oneshot::Sender<()>>,
}

impl Core {
    pub(super) fn new(
        options: Options,
        state: State,
        sweeps: HashMap<SweepId, Sweep>,
        journal: Journal,
        inner: mpsc::UnboundedSender<Inner>,
        trouble: watch::Sender<Option<String>>,
    ) -> Self {
        Self {
            options,
            state,
            sweeps,
            peers: Peers::default(),
            journal,
            held: Held::default(),
            inner,
            trouble,
            unfinished: VecDeque::new(),
            finishing: false,
            broken: false,
            came: None,
        }
    }

    /// Goes on with what was begun before a restart.
    pub(super) fn resume(&mut self, now: Time) {
        let ids: Vec<SweepId> = self.sweeps.keys().cloned().collect();
        for id in ids {
            let Some(sweep) = self.sweeps.get(&id) else {
                continue;
            };
            if sweep.ended.is_some() {
                self.finish_later(id);
            } else if sweep.log.last() == 0 {
                // The coordinator died between the record of the sweep and its first event.
                let request = Box::new(sweep.creation.request.clone());
                self.apply(now, Event::Create { sweep: id, request });
            }
        }
        self.apply(now, Event::Tick);
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.state.next_deadline()
    }

    /// How long a lease lives.
    pub(super) fn lease_ms(&self) -> u64 {
        self.options.state.lease_ms
    }

    /// Whether the workers' messages can be taken in: the disk keeps up.
    pub(super) fn accepts(&self) -> bool {
        self.is_well() && self.journal.backlog() < self.options.backlog_bytes
    }

    /// Whether the disk takes what is appended.
    pub(super) fn is_well(&self) -> bool {
        self.trouble.borrow().is_none()
    }

    /// Whether all that was decided is durable and has gone out.
    pub(super) fn is_settled(&self) -> bool {
        self.held.is_empty()
    }

    pub(super) fn tick(&mut self, now: Time) {
        self.apply(now, Event::Tick);
    }

    /// The coordinator itself was held up: what it did not hear is nobody's fault.
    pub(super) fn was_held_up(&mut self, now: Time) {
        self.apply(now, Event::Resumed);
    }

    /// Tells every worker to leave and ends the streams.
    pub(super) fn dismiss(&mut self) {
        self.peers.close_all(|| Ok(wire::drain()));
    }

    /// Grants nothing from now on; leases and sweeps stay as they are.
    pub(super) fn park(&mut self, now: Time) {
        self.apply(now, Event::Park);
    }

    /// Ends the streams of workers that are to come back.
    pub(super) fn leave(&mut self) {
        self.peers.close_all(|| Err(Closed::Parked));
    }

    /// Takes in news of what the engine has started.
    pub(super) fn hear(&mut self, now: Time, inner: Inner) {
        match inner {
            Inner::Durable(batch) => {
                let metrics = self.options.observer.metrics();
                let effects = self.held.release(batch, |came| {
                    metrics.stored();
                    if let Some(came) = came {
                        metrics.acknowledged(came.elapsed());
                    }
                });
                self.perform(now, effects);
            }
            Inner::Health(Health::Healthy) => {
                let was = self.trouble.send_replace(None);
                if was.is_some() {
                    tracing::warn!("the store can be written again; all sweeps go on");
                    self.apply(now, Event::Resumed);
                }
            }
            Inner::Health(Health::Failing { error, .. }) => {
                let told = self.trouble.send_replace(Some(error.to_string()));
                if told.is_none() {
                    tracing::error!(%error, "the store cannot be written; all sweeps are paused");
                    self.apply(now, Event::Suspended);
                }
            }
            Inner::Documented { sweep, made } => self.documented(now, sweep, made),
        }
    }

    /// Takes in a message of a worker.
    pub(super) fn take(&mut self, now: Time, message: FromWorker) {
        self.options.observer.metrics().heard();
        match message {
            FromWorker::Connect { hello, reply } => {
                let link = self.connect(now, hello);
                let _ = reply.send(link);
            }
            FromWorker::Disconnect { worker, link } => {
                if let Some(incarnation) = self.peers.speaks(&worker, link) {
                    self.peers.drop_stream(&worker);
                    let event = Event::Disconnected {
                        worker,
                        incarnation,
                    };
                    self.apply(now, event);
                }
            }
            FromWorker::Leaving { worker, link } => {
                if self.peers.speaks(&worker, link).is_some() {
                    self.apply(now, Event::Drain { worker });
                }
            }
            FromWorker::Report {
                worker,
                link,
                report,
                came,
            } => {
                // What an older stream still brings is dropped: the worker sends again what has
                // not been acknowledged.
                if let Some(incarnation) = self.peers.speaks(&worker, link) {
                    let event = Event::Report {
                        worker,
                        incarnation,
                        report,
                    };
                    self.came = Some(came);
                    self.apply(now, event);
                    self.came = None;
                }
            }
        }
    }

    fn connect(&mut self, now: Time, hello: wire::Hello) -> Link {
        let opened = self
            .peers
            .open(&hello.worker, hello.incarnation, self.options.outbox);
        // Welcome promises nothing that would have to be durable.
        let welcome = wire::welcome(&self.options.state);
        self.peers.send(&hello.worker, opened.id, welcome);
        let leaving = hello.leaving.then(|| hello.worker.clone());
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
        if let Some(worker) = leaving {
            self.apply(now, Event::Drain { worker });
        }
        Link {
            id: opened.id,
            outbox: opened.outbox,
            closed: opened.closed,
        }
    }

    pub(super) fn apply(&mut self, now: Time, event: Event) {
        self.decide(now, event, Vec::new());
    }

    /// Applies an event; `after` goes out after all that it leads to.
    pub(super) fn apply_then(&mut self, now: Time, event: Event, after: Effect) {
        self.decide(now, event, vec![after]);
    }

    fn decide(&mut self, now: Time, event: Event, after: Vec<Effect>) {
        let mut changes = Vec::new();
        let mut effects = Vec::new();
        for action in self.state.apply(now, event) {
            match action {
                Action::Send { worker, command } => effects.extend(self.order(worker, command)),
                Action::Publish(event) => effects.extend(self.publish(event, &mut changes)),
            }
        }
        effects.extend(after);
        if changes.is_empty() {
            let ready = self.held.follow(effects);
            self.perform(now, ready);
        } else if let Err(refused) = self.write(changes, effects) {
            // The numbers come from the state machine, which counts as the store does; or the
            // store has ended.
            tracing::error!(%refused, "a defect: the store refuses what happened");
            self.broken = true;
        }
    }

    /// Appends changes; the effects go out when they are durable.
    pub(super) fn write(&mut self, changes: Vec<Change>, effects: Vec<Effect>) -> Result<(), Refused> {
        self.journal.append(self.held.next(), changes)?;
        self.held.append(effects, self.came);
        Ok(())
    }

    /// A message to a worker, over the stream that it has now.
    fn order(&self, worker: WorkerId, command: Command) -> Option<Effect> {
        let link = self.peers.link(&worker)?;
        let known = match &command {
            Command::Describe { sweep, .. }
            | Command::Probe { sweep, .. }
            | Command::Assign { sweep, .. } => self.sweeps.get_key_value(sweep),
            Command::Ack { .. } | Command::Stop { .. } | Command::Desired(_) | Command::Drain => {
                None
            }
        };
        let trainer = known.map(|(_, sweep)| &sweep.creation.trainer);
        let trace = known.and_then(|(id, sweep)| Some(sweep.creation.traceparent?.child(&id.0)));
        let message = Box::new(wire::command(command, trainer, trace));
        Some(Effect::Send {
            worker,
            link,
            message,
        })
    }

    /// Counts an event in, and adds what it changes in the store.
    fn publish(&mut self, mut event: SweepEvent, changes: &mut Vec<Change>) -> Option<Effect> {
        let Some(sweep) = self.sweeps.get_mut(&event.sweep) else {
            tracing::error!(?event, "a defect: an event of a sweep that nobody created");
            return None;
        };
        let created_ms = sweep.creation.created_ms;
        event.at_ms = event.at_ms.saturating_sub(created_ms);
        let granted_ms = match &event.happening {
            Happening::AttemptEnded { token, .. } => sweep.tally.granted_ms(*token),
            _ => None,
        };
        sweep.tally.see(&event);
        if let Happening::Ended { outcome } = &event.happening {
            sweep.ended = Some(Summary::at_end(
                &sweep.creation,
                outcome,
                &sweep.tally,
                event.number,
            ));
        }
        let summary = sweep.ended.clone().unwrap_or_default();
        match self.journal.changes(&event, created_ms, |_| summary) {
            Ok(more) => changes.extend(more),
            Err(error) => tracing::error!(?event, %error, "a defect: an event that is not JSON"),
        }
        Some(Effect::Publish(Arc::new(event), granted_ms))
    }

    /// Lets effects out. Streams that overflow are news of their own.
    pub(super) fn perform(&mut self, now: Time, effects: Vec<Effect>) {
        let mut news = Vec::new();
        for effect in effects {
            match effect {
                Effect::Send {
                    worker,
                    link,
                    message,
                } => {
                    if let Some(incarnation) = self.peers.send(&worker, link, *message) {
                        news.push(Event::Disconnected {
                            worker,
                            incarnation,
                        });
                    }
                }
                Effect::Publish(event, granted_ms) => {
                    let ended = matches!(event.happening, Happening::Ended { .. });
                    let id = event.sweep.clone();
                    if let Some(sweep) = self.sweeps.get(&id) {
                        let context = Context {
                            owner: &sweep.owner,
                            trace: sweep.creation.traceparent,
                            created_unix_ms: self.journal.unix_ms(sweep.creation.created_ms),
                            granted_ms,
                        };
                        self.options.observer.happened(&event, context);
                        sweep.log.append(event);
                    }
                    if ended {
                        self.finish_later(id);
                    }
                }
                Effect::Answer(answer) => answer(),
                Effect::Forget(sweep) => {
                    if let Some(sweep) = self.sweeps.remove(&sweep) {
                        for waiting in sweep.waiting {
                            let _ = waiting.send(());
                        }
                    }
                    news.push(Event::Forget { sweep });
                }
            }
        }
        for event in news {
            self.apply(now, event);
        }
    }
}
