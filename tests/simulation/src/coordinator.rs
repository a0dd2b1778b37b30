//! The coordinator around the real state: its store, which keeps in groups and may be full, what
//! waits for it, and the mutations by which the simulation is tested.

use crate::invariants::{Checked, Promises, Story};
use rangefinder_sweep::event::{AttemptOutcome, Happening, Observation, SweepEvent, WorkKind};
use rangefinder_sweep::ids::{Incarnation, LeaseToken, SweepId, WorkerId};
use rangefinder_sweep::state::{
    Action, Command, Event, Logged, Options, Report, State, SweepRequest, Time,
};
use std::collections::{BTreeMap, VecDeque};

/// A fault that is built in on purpose: the simulation has to find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// What is reported under a lease that is no longer valid counts for the one that is.
    FencingOff,
    /// Workers are answered before what was decided is kept.
    SendsBeforeCommit,
    /// Leases do not expire.
    EndlessLeases,
    /// The losses of a lost attempt are given to the next one.
    LostLossesMerged,
    /// The store loses the last event of what it says it has kept.
    LastEventLost,
}

/// What waits to be kept, or for what was published before it.
#[derive(Debug)]
pub(crate) enum Item {
    Create(SweepId, SweepRequest),
    Publish(SweepEvent),
    Send(u64, Command),
    /// The answer to what a client wants.
    Reply(usize),
    Forget(SweepId),
}

/// What leaves the coordinator.
#[derive(Debug)]
pub(crate) enum Out {
    Send(u64, Command),
    Reply(usize),
}

/// What survives.
#[derive(Debug, Default)]
struct Store {
    sweeps: Vec<Logged>,
    last_token: LeaseToken,
}

#[derive(Debug)]
pub(crate) struct Coordinator {
    pub(crate) state: State,
    pub(crate) options: Options,
    mutation: Option<Mutation>,
    /// Whether what is published and kept is printed.
    trace: bool,
    /// The newest link of each worker.
    pub(crate) links: BTreeMap<WorkerId, (u64, Incarnation)>,
    /// What each event led to, oldest first.
    waiting: VecDeque<Vec<Item>>,
    store: Store,
    pub(crate) live: Story,
    kept: Story,
    promises: Promises,
    applied: u64,
    /// Events between two checks that the log gives the live state.
    rebuilt_every: u64,
    /// Whether it was told to grant nothing, so that sweeps may wait for nothing.
    parked: bool,
    suspended: bool,
    /// For mutations: what each lease was for, and what was observed under it.
    history: BTreeMap<LeaseToken, (SweepId, WorkKind)>,
    observed: BTreeMap<LeaseToken, Vec<Observation>>,
    lost: BTreeMap<(SweepId, LeaseKey), Vec<Observation>>,
}

/// Work as a key.
type LeaseKey = String;

fn key(work: WorkKind) -> LeaseKey {
    format!("{work:?}")
}

/// Events between two checks that the log gives the live state, in most runs.
pub(crate) const REBUILT_EVERY: u64 = 97;

impl Coordinator {
    pub(crate) fn new(
        options: Options,
        mutation: Option<Mutation>,
        rebuilt_every: u64,
        trace: bool,
    ) -> Self {
        Self {
            state: State::new(options.clone()),
            options,
            mutation,
            trace,
            links: BTreeMap::new(),
            waiting: VecDeque::new(),
            store: Store::default(),
            live: Story::default(),
            kept: Story::default(),
            promises: Promises::default(),
            applied: 0,
            rebuilt_every,
            parked: false,
            suspended: false,
            history: BTreeMap::new(),
            observed: BTreeMap::new(),
            lost: BTreeMap::new(),
        }
    }

    /// Takes in an event with what a client is to be told about it.
    pub(crate) fn apply(
        &mut self,
        now: Time,
        event: Event,
        mut batch: Vec<Item>,
        reply: Option<usize>,
    ) -> Result<Vec<Out>, String> {
        match event {
            Event::Park => self.parked = true,
            Event::Suspended => self.suspended = true,
            Event::Resumed => self.suspended = false,
            _ => {}
        }
        let mut out = Vec::new();
        let mut injected = Vec::new();
        for action in self.state.apply(now, event) {
            match action {
                Action::Publish(event) => {
                    self.say(&event);
                    self.live.publish(&event)?;
                    injected.extend(self.mutate(&event));
                    batch.push(Item::Publish(event));
                }
                Action::Send { worker, command } => {
                    let Some((link, _)) = self.links.get(&worker) else {
                        continue;
                    };
                    if self.mutation == Some(Mutation::SendsBeforeCommit) {
                        self.promises.sent(&command);
                        out.push(Out::Send(*link, command));
                    } else {
                        batch.push(Item::Send(*link, command));
                    }
                }
            }
        }
        batch.extend(reply.map(Item::Reply));
        self.waiting.push_back(batch);
        let held_up = self.parked || self.suspended;
        self.live.agrees(&self.state, now, held_up)?;
        self.applied += 1;
        if self.applied.is_multiple_of(self.rebuilt_every) {
            self.check_rebuilt(now)?;
        }
        for event in injected {
            out.extend(self.apply(now, event, Vec::new(), None)?);
        }
        if !self.keeps_something() {
            out.extend(self.commit(usize::MAX)?);
        }
        Ok(out)
    }

    /// Whether something waits to be kept.
    pub(crate) fn keeps_something(&self) -> bool {
        let kept = |item: &Item| !matches!(item, Item::Send(..) | Item::Reply(_));
        self.waiting.iter().flatten().any(kept)
    }

    /// Keeps what the first events led to, and lets out what waited for that.
    pub(crate) fn commit(&mut self, events: usize) -> Result<Vec<Out>, String> {
        let mut out = Vec::new();
        for item in self
            .waiting
            .drain(..events.min(self.waiting.len()))
            .flatten()
        {
            match item {
                Item::Create(sweep, request) => self.store.sweeps.push(Logged {
                    sweep,
                    request,
                    events: Vec::new(),
                }),
                Item::Publish(event) => {
                    if self.trace {
                        println!("          kept: {} {}", event.sweep, event.number);
                    }
                    self.kept.publish(&event)?;
                    if let Happening::Granted { token, .. } = event.happening {
                        self.store.last_token = self.store.last_token.max(token);
                    }
                    let mut sweeps = self.store.sweeps.iter_mut();
                    if let Some(log) = sweeps.find(|log| log.sweep == event.sweep) {
                        log.events.push(event);
                    }
                }
                Item::Send(link, command) => {
                    self.promises.sent(&command);
                    out.push(Out::Send(link, command));
                }
                Item::Reply(intent) => out.push(Out::Reply(intent)),
                Item::Forget(sweep) => {
                    self.store.sweeps.retain(|log| log.sweep != sweep);
                    self.kept.forget(&sweep);
                }
            }
        }
        Ok(out)
    }

    fn say(&self, event: &SweepEvent) {
        if self.trace {
            let happening = format!("{:?}", event.happening);
            let happening: String = happening.chars().take(180).collect();
            let SweepEvent { sweep, number, .. } = event;
            println!("          published: {sweep} {number} {happening}");
        }
    }

    /// It dies: what was not kept is gone.
    pub(crate) fn crash(&mut self) {
        self.waiting.clear();
        self.links.clear();
    }

    /// It starts again.
    pub(crate) fn restart(&mut self, now: Time) -> Checked {
        let mut sweeps = self.store.sweeps.clone();
        if self.mutation == Some(Mutation::LastEventLost)
            && let Some(log) = sweeps.last_mut()
        {
            log.events.pop();
        }
        self.state = self.rebuild(now, sweeps)?;
        self.live = self.kept.clone();
        self.parked = false;
        self.suspended = false;
        self.promises.kept_by(&self.kept)
    }

    /// Whether a sweep is kept.
    pub(crate) fn has_kept(&self, sweep: &SweepId) -> bool {
        self.store.sweeps.iter().any(|log| log.sweep == *sweep)
    }

    fn rebuild(&self, now: Time, sweeps: Vec<Logged>) -> Result<State, String> {
        State::rebuild(self.options.clone(), now, self.store.last_token, sweeps)
            .map_err(|error| error.to_string())
    }

    /// The log, with what waits to be kept, gives all of the live state that is to survive.
    pub(crate) fn check_rebuilt(&self, now: Time) -> Checked {
        let mut sweeps = self.store.sweeps.clone();
        for item in self.waiting.iter().flatten() {
            match item {
                Item::Create(sweep, request) => sweeps.push(Logged {
                    sweep: sweep.clone(),
                    request: request.clone(),
                    events: Vec::new(),
                }),
                Item::Publish(event) => {
                    let mut logs = sweeps.iter_mut();
                    if let Some(log) = logs.find(|log| log.sweep == event.sweep) {
                        log.events.push(event.clone());
                    }
                }
                Item::Forget(sweep) => sweeps.retain(|log| log.sweep != *sweep),
                Item::Send(..) | Item::Reply(_) => {}
            }
        }
        let rebuilt = self.rebuild(now, sweeps)?;
        if rebuilt.leases() != self.state.leases() {
            return Err("the log gives other leases than are live".to_owned());
        }
        for sweep in self.state.sweeps() {
            let from_log = format!("{:?}", rebuilt.durable(sweep));
            let live = format!("{:?}", self.state.durable(sweep));
            if from_log != live {
                return Err(format!(
                    "the log of {sweep} gives\n{from_log}\nand live it is\n{live}"
                ));
            }
        }
        Ok(())
    }

    /// What mutations make of what is published.
    fn mutate(&mut self, event: &SweepEvent) -> Option<Event> {
        self.mutation?;
        match &event.happening {
            Happening::Granted {
                worker,
                incarnation,
                work,
                token,
                ..
            } => {
                let place = (event.sweep.clone(), key(*work));
                self.history.insert(*token, (event.sweep.clone(), *work));
                let losses = self.lost.remove(&place)?;
                Some(Event::Report {
                    worker: worker.clone(),
                    incarnation: *incarnation,
                    report: Report::Observations(*token, losses),
                })
            }
            Happening::Observed {
                token,
                observations,
                ..
            } => {
                let known = self.observed.entry(*token).or_default();
                known.extend_from_slice(observations);
                None
            }
            Happening::AttemptEnded {
                work,
                token,
                outcome: AttemptOutcome::Lost(_),
                ..
            } if self.mutation == Some(Mutation::LostLossesMerged) => {
                let losses = self.observed.remove(token)?;
                self.lost.insert((event.sweep.clone(), key(*work)), losses);
                None
            }
            _ => None,
        }
    }

    /// What arrives, as the coordinator takes it.
    pub(crate) fn received(
        &self,
        worker: WorkerId,
        incarnation: Incarnation,
        report: Report,
    ) -> Event {
        let as_it_is = Event::Report {
            worker: worker.clone(),
            incarnation,
            report: report.clone(),
        };
        if self.mutation != Some(Mutation::FencingOff) {
            return as_it_is;
        }
        let (Report::Observations(token, _) | Report::Finished { token, .. }) = &report else {
            return as_it_is;
        };
        let current = self.history.get(token).and_then(|(sweep, work)| {
            let (token, worker) = self.live.lease_on(sweep, *work)?;
            let mut leases = self.state.leases().into_iter();
            let (_, _, incarnation) = leases.find(|(valid, ..)| *valid == token)?;
            Some((token, worker, incarnation))
        });
        let Some((token, worker, incarnation)) = current else {
            return as_it_is;
        };
        let report = match report {
            Report::Observations(_, observations) => Report::Observations(token, observations),
            Report::Finished { reason, end, .. } => Report::Finished { token, reason, end },
            other => other,
        };
        Event::Report {
            worker,
            incarnation,
            report,
        }
    }
}
