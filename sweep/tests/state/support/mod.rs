//! A small world around the state machine: workers that train a deterministic loss, a network that
//! delays, repeats and loses, and checks of what must hold after every event.
//!
//! - [`invariants`]: what must hold.
//! - [`worker`]: a worker as the state machine sees one.

pub mod invariants;
pub mod worker;

use invariants::Invariants;
use rangefinder_errors::Code;
use rangefinder_sweep::curve::StopRule;
use rangefinder_sweep::event::{
    AttemptOutcome, Failure, FailureKind, Happening, Outcome, SweepEvent, WorkKind,
};
use rangefinder_sweep::ids::{Incarnation, LeaseToken, SweepId, WorkerId};
use rangefinder_sweep::plan::{PlanRequest, Split, Task};
use rangefinder_sweep::schedule::{Grid, Mode, Range};
use rangefinder_sweep::state::{
    Action, Command, Event, Logged, Options, Report, State, SweepRequest, SweepResult, Time,
};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::{BTreeMap, VecDeque};
use worker::{Training, Worker};

/// Limits that no disturbance reaches.
pub fn patient() -> Options {
    Options {
        max_failed: 1_000_000,
        max_lost: 1_000_000,
        no_worker_ms: 1_000_000_000,
        ..Options::default()
    }
}

/// A sweep of `steps` steps over eight decades.
pub fn request(
    split: Split,
    segments: Option<u32>,
    replicas: Option<u32>,
    steps: u32,
) -> SweepRequest {
    SweepRequest {
        plan: PlanRequest {
            range: Range {
                mode: Mode::Exponential,
                grid: Grid::BothEnds,
                min_lr: 1e-8,
                max_lr: 1.0,
                steps,
            },
            split,
            segments,
            replicas,
            overlap_decades: 1.0,
            workers: segments.unwrap_or(1) * replicas.unwrap_or(1),
            updates_per_step: 1,
            largest_lr_ratio: 1.0,
        },
        stop: StopRule {
            threshold: 4.0,
            profile: None,
            planned_steps: steps,
        },
        owner: String::new(),
        priority: 0,
    }
}

pub fn worker_id(index: usize) -> WorkerId {
    WorkerId(format!("w{index}"))
}

pub fn worker_failure(message: &str) -> Failure {
    Failure {
        kind: FailureKind::Worker,
        code: Code::WorkerFailed,
        message: message.to_owned(),
        fields: Vec::new(),
    }
}

/// As a store gives it back.
pub fn through_json<T: Serialize + DeserializeOwned>(value: &T) -> T {
    let text = serde_json::to_string(value).expect("it has a form in JSON");
    serde_json::from_str(&text).expect("it is read back")
}

/// A message on its way to the coordinator.
#[derive(Clone, Debug)]
pub struct Mail {
    pub from: WorkerId,
    pub incarnation: Incarnation,
    pub report: Report,
}

/// The state machine and everything around it.
pub struct World {
    pub state: State,
    pub options: Options,
    pub now: Time,
    pub training: Training,
    pub log: Vec<(Time, Event)>,
    pub actions: Vec<Vec<Action>>,
    pub workers: BTreeMap<WorkerId, Worker>,
    pub uplink: VecDeque<Mail>,
    pub delivered: Vec<Mail>,
    pub commands: Vec<(WorkerId, Command)>,
    pub events: Vec<SweepEvent>,
    requests: Vec<(SweepId, SweepRequest)>,
    invariants: Invariants,
    incarnations: u64,
}

/// Events between two checks that the log gives the state again.
const REBUILT_EVERY: usize = 16;

impl World {
    pub fn new(options: Options, training: Training) -> Self {
        Self {
            state: State::new(options.clone()),
            options,
            now: Time(0),
            training,
            log: Vec::new(),
            actions: Vec::new(),
            workers: BTreeMap::new(),
            uplink: VecDeque::new(),
            delivered: Vec::new(),
            commands: Vec::new(),
            events: Vec::new(),
            requests: Vec::new(),
            invariants: Invariants::default(),
            incarnations: 0,
        }
    }

    /// Takes an event in, hands on what follows from it, and checks everything.
    pub fn apply(&mut self, event: Event) -> Vec<Action> {
        match event {
            Event::Park | Event::Suspended => self.invariants.held_up = true,
            Event::Resumed => self.invariants.held_up = false,
            _ => {}
        }
        self.log.push((self.now, event.clone()));
        let actions = self.state.apply(self.now, event);
        self.actions.push(actions.clone());
        for action in &actions {
            match action {
                Action::Publish(event) => self.events.push(event.clone()),
                Action::Send { worker, command } => {
                    self.commands.push((worker.clone(), command.clone()));
                    if let Some(worker) = self
                        .workers
                        .get_mut(worker)
                        .filter(|worker| worker.connected)
                    {
                        worker.take(command);
                    }
                }
            }
        }
        self.invariants.check(&self.state, self.now, &actions);
        if self.log.len().is_multiple_of(REBUILT_EVERY) {
            self.check_rebuilt();
        }
        actions
    }

    /// What a store would hold, through JSON.
    pub fn logged(&self) -> Vec<Logged> {
        let kept = |(sweep, request): &(SweepId, SweepRequest)| Logged {
            sweep: sweep.clone(),
            request: through_json(request),
            events: self
                .events
                .iter()
                .filter(|event| event.sweep == *sweep)
                .map(through_json)
                .collect(),
        };
        self.requests.iter().map(kept).collect()
    }

    /// The state of a coordinator that starts again now.
    pub fn rebuilt(&self) -> State {
        let last = self.state.last_token();
        State::rebuild(self.options.clone(), self.now, last, self.logged())
            .expect("the log is sound")
    }

    /// The log gives everything that is to survive.
    pub fn check_rebuilt(&self) {
        let rebuilt = self.rebuilt();
        for (sweep, _) in &self.requests {
            assert_eq!(
                format!("{:#?}", rebuilt.durable(sweep)),
                format!("{:#?}", self.state.durable(sweep)),
            );
        }
        assert_eq!(rebuilt.leases(), self.state.leases());
        assert_eq!(rebuilt.last_token(), self.state.last_token());
    }

    /// The coordinator is killed and starts again; every connection breaks.
    pub fn restart(&mut self) {
        self.state = self.rebuilt();
        self.invariants.held_up = false;
        for worker in self.workers.values_mut() {
            worker.connected = false;
        }
        self.uplink.clear();
    }

    pub fn create(&mut self, name: &str, request: SweepRequest) -> SweepId {
        let sweep = SweepId(name.to_owned());
        self.requests.push((sweep.clone(), request.clone()));
        self.apply(Event::Create {
            sweep: sweep.clone(),
            request: Box::new(request),
        });
        sweep
    }

    pub fn result(&self, sweep: &SweepId) -> SweepResult {
        self.state.result(sweep).expect("the sweep is known")
    }

    pub fn ended(&self, sweep: &SweepId) -> bool {
        self.result(sweep).outcome.is_some()
    }

    /// A new process says Hello under this name.
    pub fn start_worker(&mut self, id: &WorkerId) {
        self.incarnations += 1;
        let incarnation = Incarnation(self.incarnations);
        self.workers.insert(id.clone(), Worker::new(incarnation));
        self.hello(id);
    }

    fn hello(&mut self, id: &WorkerId) {
        let Some(worker) = self.workers.get_mut(id) else {
            return;
        };
        worker.connected = true;
        let event = Event::Joined {
            worker: id.clone(),
            incarnation: worker.incarnation,
            device: "cpu".to_owned(),
            versions: BTreeMap::from([("libtorch".to_owned(), "2.0".to_owned())]),
            leases: worker.held(),
        };
        self.apply(event);
        if let Some(worker) = self.workers.get_mut(id) {
            worker.go_back();
        }
    }

    /// The connection breaks; what was under way on it is lost.
    pub fn disconnect(&mut self, id: &WorkerId) {
        let Some(worker) = self.workers.get_mut(id).filter(|worker| worker.connected) else {
            return;
        };
        worker.connected = false;
        let incarnation = worker.incarnation;
        self.uplink.retain(|mail| mail.from != *id);
        self.apply(Event::Disconnected {
            worker: id.clone(),
            incarnation,
        });
    }

    pub fn reconnect(&mut self, id: &WorkerId) {
        match self.workers.get(id) {
            None => self.start_worker(id),
            Some(worker) if !worker.connected => self.hello(id),
            Some(_) => {}
        }
    }

    /// The process dies, and everybody knows.
    pub fn kill(&mut self, id: &WorkerId, cause: &str) {
        if let Some(worker) = self.workers.remove(id) {
            self.apply(Event::Gone {
                worker: id.clone(),
                incarnation: Some(worker.incarnation),
                cause: cause.to_owned(),
            });
        }
    }

    pub fn heartbeat(&mut self, id: &WorkerId) {
        if let Some(worker) = self.workers.get(id) {
            let report = Report::Heartbeat(worker.held());
            self.post(id, report);
        }
    }

    /// Trains up to `steps` steps.
    pub fn train(&mut self, id: &WorkerId, steps: u32) {
        if let Some(worker) = self.workers.get_mut(id) {
            worker.train(&self.training, steps);
        }
    }

    /// Sends what is not sent.
    pub fn flush(&mut self, id: &WorkerId) {
        let Some(worker) = self.workers.get_mut(id).filter(|worker| worker.connected) else {
            return;
        };
        for report in worker.unsent() {
            self.post(id, report);
        }
    }

    pub fn post(&mut self, id: &WorkerId, report: Report) {
        if let Some(worker) = self.workers.get(id).filter(|worker| worker.connected) {
            self.uplink.push_back(Mail {
                from: id.clone(),
                incarnation: worker.incarnation,
                report,
            });
        }
    }

    /// Delivers the oldest message.
    pub fn deliver(&mut self) -> bool {
        let Some(mail) = self.uplink.pop_front() else {
            return false;
        };
        self.delivered.push(mail.clone());
        self.receive(mail);
        true
    }

    pub fn receive(&mut self, mail: Mail) {
        self.apply(Event::Report {
            worker: mail.from,
            incarnation: mail.incarnation,
            report: mail.report,
        });
    }

    pub fn advance(&mut self, ms: u64) {
        self.now = self.now.after(ms);
        self.apply(Event::Tick);
    }

    /// Goes from deadline to deadline, with nothing else happening, until the sweep ends.
    pub fn wait_until_ended(&mut self, sweep: &SweepId) {
        while !self.ended(sweep) {
            self.now = self.state.next_deadline().expect("something is waited for");
            self.apply(Event::Tick);
        }
    }

    /// A sweep that has ended is deleted, with its log.
    pub fn forget(&mut self, sweep: &SweepId) {
        self.requests.retain(|(known, _)| known != sweep);
        self.apply(Event::Forget {
            sweep: sweep.clone(),
        });
    }

    /// A worker of a new name completes the sweep.
    pub fn finish_with_new_worker(&mut self, sweep: &SweepId) {
        self.start_worker(&WorkerId("new".to_owned()));
        self.finish(sweep);
        assert_eq!(self.result(sweep).outcome, Some(Outcome::Completed));
    }

    /// One round in which every worker is there, trains, and is heard.
    pub fn round(&mut self, steps: u32) {
        for id in self.workers.keys().cloned().collect::<Vec<_>>() {
            self.reconnect(&id);
            self.train(&id, steps);
            self.flush(&id);
            self.heartbeat(&id);
        }
        while self.deliver() {}
        self.advance(500);
    }

    /// Runs without disturbance until the sweep ends.
    pub fn finish(&mut self, sweep: &SweepId) {
        for _ in 0..2_000 {
            if self.ended(sweep) {
                return;
            }
            if let Some(worker) = self.workers.values_mut().next() {
                worker.go_back();
            }
            self.round(7);
        }
        panic!("the sweep does not end: {:#?}", self.events.last());
    }

    /// Published happenings of a sweep.
    pub fn happenings(&self, sweep: &SweepId) -> impl Iterator<Item = &Happening> {
        let of = move |event: &&SweepEvent| event.sweep == *sweep;
        self.events.iter().filter(of).map(|event| &event.happening)
    }
}

/// A world in which `workers` workers have a sweep up to where its tasks are granted.
pub fn training_world(
    options: Options,
    training: Training,
    workers: usize,
    request: SweepRequest,
) -> (World, SweepId) {
    let mut world = World::new(options, training);
    for worker in 0..workers {
        world.start_worker(&worker_id(worker));
    }
    let sweep = world.create("s", request);
    for _ in 0..2 {
        if world.result(&sweep).plan.is_none() {
            for worker in 0..workers {
                world.train(&worker_id(worker), 1);
                world.flush(&worker_id(worker));
            }
            while world.deliver() {}
        }
    }
    assert!(world.result(&sweep).plan.is_some());
    (world, sweep)
}

impl World {
    /// Trains and reports, and delivers that.
    pub fn work(&mut self, worker: usize, steps: u32) {
        self.train(&worker_id(worker), steps);
        self.flush(&worker_id(worker));
        while self.deliver() {}
    }

    /// The lease that the worker has.
    pub fn token(&self, worker: usize) -> LeaseToken {
        let worker = self
            .workers
            .get(&worker_id(worker))
            .expect("the worker is there");
        worker.token().expect("it has a lease")
    }

    /// The worker reports; returns what it is told in answer.
    pub fn say(&mut self, worker: usize, report: Report) -> Vec<Command> {
        let id = worker_id(worker);
        let incarnation = self
            .workers
            .get(&id)
            .expect("the worker is there")
            .incarnation;
        let actions = self.apply(Event::Report {
            worker: id.clone(),
            incarnation,
            report,
        });
        told(&actions, &id)
    }

    /// The task that is granted under a lease.
    pub fn task_of(&self, token: LeaseToken) -> Task {
        let assigned = self.commands.iter().find_map(|(_, command)| match command {
            Command::Assign {
                token: of, task, ..
            } if *of == token => Some(*task),
            _ => None,
        });
        assigned.expect("a task was assigned")
    }

    /// How attempts ended, oldest first.
    pub fn endings(&self, sweep: &SweepId) -> Vec<(WorkKind, AttemptOutcome)> {
        self.happenings(sweep)
            .filter_map(|happening| match happening {
                Happening::AttemptEnded { work, outcome, .. } => Some((*work, outcome.clone())),
                _ => None,
            })
            .collect()
    }

    /// The failure of a sweep that has failed.
    pub fn failure(&self, sweep: &SweepId) -> Failure {
        match self.result(sweep).outcome {
            Some(Outcome::Failed(failure)) => failure,
            other => panic!("the sweep has not failed: {other:?}"),
        }
    }
}

/// What actions tell a worker.
pub fn told(actions: &[Action], worker: &WorkerId) -> Vec<Command> {
    let to_it = |action: &Action| match action {
        Action::Send {
            worker: to,
            command,
        } if to == worker => Some(command.clone()),
        _ => None,
    };
    actions.iter().filter_map(to_it).collect()
}
