//! What workers say: bytes to messages, to reports, to what the state machine makes of them.
//!
//! The first byte of an input chooses the sweep. Then moves follow, each a byte: its lowest three
//! bits say what, the next two by which of four streams, the others how.

use crate::conversation::{Reader, Writer};
use prost::Message as _;
use rangefinder_coordinator::wire;
use rangefinder_proto::v1::connect_request::Message;
use rangefinder_proto::v1::{self, ConnectRequest, ConnectResponse};
use rangefinder_sweep::curve::StopRule;
use rangefinder_sweep::event::{Failure, FailureKind, Happening, SweepEvent};
use rangefinder_sweep::ids::{Incarnation, SweepId, WorkerId};
use rangefinder_sweep::plan::{PlanRequest, Split};
use rangefinder_sweep::schedule::{Grid, Mode, Range};
use rangefinder_sweep::state::{
    Action, Command, Event, Options, Report, State, SweepRequest, Time,
};

const STREAMS: usize = 4;
/// Kinds of sweeps that are made.
pub(super) const SHAPES: u8 = 8;
const STEPS: u32 = 40;

/// Moves, by the lowest three bits.
mod moves {
    /// All below are messages.
    pub(super) const WAIT: u8 = 4;
    pub(super) const DISCONNECT: u8 = 5;
    pub(super) const GONE: u8 = 6;
    pub(super) const OTHER: u8 = 7;
}

pub(super) fn run(input: &[u8]) -> bool {
    let mut input = Reader::new(input);
    let Some(shape) = input.byte() else {
        return false;
    };
    let mut coordinator = Coordinator::new(shape);
    while let Some(step) = input.byte() {
        let stream = usize::from(step >> 3) % STREAMS;
        match step & 7 {
            moves::WAIT => {
                let seconds = input.byte().unwrap_or_default();
                coordinator.now = coordinator.now.after(u64::from(seconds) * 1000);
                coordinator.apply(Event::Tick);
            }
            moves::DISCONNECT => coordinator.disconnect(stream),
            moves::GONE => coordinator.gone(stream),
            moves::OTHER => coordinator.apply(match step >> 5 {
                0 => Event::Cancel { sweep: sweep() },
                1 => Event::NoMoreWorkers {
                    cause: "none could be started".to_owned(),
                },
                _ => Event::Tick,
            }),
            _ => match input.message() {
                Some(message) => {
                    coordinator.hear(stream, message);
                }
                None => break,
            },
        }
    }
    assert!(
        coordinator.state.result(&sweep()).is_some(),
        "the sweep is forgotten"
    );
    coordinator.over
}

/// The service and the engine in front of the state machine, without network and clock.
struct Coordinator {
    state: State,
    now: Time,
    /// Who speaks on each stream, once it said Hello.
    streams: [Option<(WorkerId, Incarnation)>; STREAMS],
    /// Events published so far.
    events: u64,
    /// What workers were told, for those who answer.
    told: Vec<(WorkerId, Command)>,
    /// Events as the log has them, one a line.
    log: String,
    over: bool,
}

impl Coordinator {
    fn new(shape: u8) -> Self {
        let mut coordinator = Self {
            state: State::new(Options::default()),
            now: Time(0),
            streams: [const { None }; STREAMS],
            events: 0,
            told: Vec::new(),
            log: String::new(),
            over: false,
        };
        coordinator.apply(Event::Create {
            sweep: sweep(),
            request: Box::new(request(shape)),
        });
        coordinator
    }

    /// Does as the service does with a message; `false` where it ends the stream.
    fn hear(&mut self, stream: usize, message: ConnectRequest) -> bool {
        let Some((worker, incarnation)) = self.streams[stream].clone() else {
            let Ok(hello) = wire::hello(message) else {
                return false;
            };
            // A newer stream of a worker replaces the older one.
            for other in &mut self.streams {
                if other
                    .as_ref()
                    .is_some_and(|(worker, _)| *worker == hello.worker)
                {
                    *other = None;
                }
            }
            self.streams[stream] = Some((hello.worker.clone(), hello.incarnation));
            self.apply(Event::Joined {
                worker: hello.worker,
                incarnation: hello.incarnation,
                device: hello.device,
                versions: hello.versions,
                leases: hello.leases,
            });
            return true;
        };
        let report = match wire::report(message) {
            Ok(report) => report,
            Err(error) => {
                let Some(lease) = error.lease else {
                    self.disconnect(stream);
                    return false;
                };
                let failure = Failure {
                    kind: FailureKind::Worker,
                    code: rangefinder_errors::Code::Protocol,
                    message: error.to_string(),
                    fields: Vec::new(),
                };
                Report::Failed(lease, failure)
            }
        };
        self.apply(Event::Report {
            worker,
            incarnation,
            report,
        });
        true
    }

    fn disconnect(&mut self, stream: usize) {
        if let Some((worker, incarnation)) = self.streams[stream].take() {
            self.apply(Event::Disconnected {
                worker,
                incarnation,
            });
        }
    }

    fn gone(&mut self, stream: usize) {
        if let Some((worker, incarnation)) = self.streams[stream].take() {
            self.apply(Event::Gone {
                worker,
                incarnation: Some(incarnation),
                cause: "it exited".to_owned(),
            });
        }
    }

    fn apply(&mut self, event: Event) {
        for action in self.state.apply(self.now, event) {
            match action {
                Action::Publish(event) => self.publish(&event),
                Action::Send { worker, command } => self.send(worker, command),
            }
        }
        let due = self.state.next_deadline();
        assert!(
            !self.over || due.is_none_or(|due| due >= self.now),
            "something stays due"
        );
    }

    /// Events are numbered, end with the sweep, and are read back from the log as they were.
    fn publish(&mut self, event: &SweepEvent) {
        self.events += 1;
        assert_eq!(event.number, self.events, "an event is missing: {event:?}");
        assert!(!self.over, "the sweep has ended: {event:?}");
        self.over = matches!(event.happening, Happening::Ended { .. });
        let line = serde_json::to_string(event).expect("an event as JSON");
        let read: Result<SweepEvent, _> = serde_json::from_str(&line);
        let same = read
            .as_ref()
            .is_ok_and(|read| serde_json::to_string(read).is_ok_and(|again| again == line));
        assert!(same, "the log says {line}, and is read as {read:?}");
        if !self.log.is_empty() {
            self.log.push('\n');
        }
        self.log.push_str(&line);
    }

    /// What is sent can be read.
    fn send(&mut self, worker: WorkerId, command: Command) {
        let message = wire::command(command.clone(), Some(&v1::TrainerSpec::default()), None);
        let read = ConnectResponse::decode(message.encode_to_vec().as_slice());
        assert_eq!(read.as_ref(), Ok(&message));
        self.told.push((worker, command));
    }
}

fn sweep() -> SweepId {
    SweepId("s".to_owned())
}

pub(super) fn request(shape: u8) -> SweepRequest {
    let split = match shape % 4 {
        0 => Split::Segments,
        1 => Split::Replicas,
        2 => Split::Hybrid,
        _ => Split::None,
    };
    let segments = matches!(split, Split::Segments | Split::Hybrid).then_some(2);
    let replicas = matches!(split, Split::Replicas | Split::Hybrid).then_some(2);
    let steps = if shape & 4 == 0 { STEPS } else { 1 };
    SweepRequest {
        owner: String::new(),
        priority: 0,
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
            workers: 2,
            updates_per_step: 1,
            largest_lr_ratio: 1.0,
        },
        stop: StopRule {
            threshold: 4.0,
            profile: None,
            planned_steps: steps,
        },
    }
}

/// Sweeps of every shape with two workers that do as they are told, as their coordinator heard them.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    (0..SHAPES).map(|shape| faithful(shape).0).collect()
}

/// The logs of the same sweeps.
pub(super) fn logs() -> Vec<Vec<u8>> {
    let log = |shape| faithful(shape).1.log.into_bytes();
    (0..SHAPES).map(log).collect()
}

/// What the coordinator heard, and what it made of it.
fn faithful(shape: u8) -> (Vec<u8>, Coordinator) {
    let mut coordinator = Coordinator::new(shape);
    let mut input = Writer::default();
    input.byte(shape);
    let mut say = |coordinator: &mut Coordinator, stream: u8, message: Message| {
        let message = ConnectRequest {
            message: Some(message),
        };
        input.byte(stream << 3);
        input.message(&message);
        coordinator.hear(stream.into(), message);
    };
    let workers = [(0, "a"), (1, "b")];
    for (stream, name) in workers {
        let hello = v1::Hello {
            worker_id: name.to_owned(),
            incarnation: 1,
            protocol_version: 1,
            device: "cpu".to_owned(),
            ..v1::Hello::default()
        };
        say(&mut coordinator, stream, Message::Hello(hello));
    }
    while !coordinator.told.is_empty() {
        for (worker, command) in std::mem::take(&mut coordinator.told) {
            let stream = u8::from(worker.0 != "a");
            for answer in answers(command) {
                say(&mut coordinator, stream, answer);
            }
        }
    }
    assert!(coordinator.over, "the sweep of shape {shape} does not end");
    (input.finish(), coordinator)
}

/// What a worker says to a command.
fn answers(command: Command) -> Vec<Message> {
    match command {
        Command::Describe { token, .. } => vec![Message::Described(v1::Described {
            lease_token: token.0,
            parameters: vec![v1::Parameter {
                name: "0.weight".to_owned(),
                shape: vec![10, 64],
            }],
            parameter_count: 640,
            initial_loss: 2.3,
            optimizer: "sgd".to_owned(),
            beta: Some(0.9),
            seekable: true,
            replayable: true,
            samples: 1797,
            steps_per_epoch: 29,
            effective_batch_size: 64,
        })],
        Command::Probe { token, .. } => vec![Message::Probed(v1::Probed {
            lease_token: token.0,
            initial_loss: 2.3,
            gradient_squared: 0.5,
            gradient_l1: 3.0,
            seconds_per_step: 0.01,
            peak_memory_bytes: 1 << 20,
        })],
        Command::Assign {
            token,
            task,
            learning_rates,
            ..
        } => {
            let steps = u64::from(task.warm_up_start)..u64::from(task.end);
            let observations = steps.zip(learning_rates).map(|(step, learning_rate)| {
                v1::Observation {
                    step,
                    learning_rate,
                    // It falls, and rises steeply at the end.
                    loss: 2.3 / (1.0 + 1e3 * learning_rate) + (3.0 * learning_rate).powi(4),
                    samples: 64,
                }
            });
            let observations = v1::Observations {
                lease_token: token.0,
                observations: observations.collect(),
            };
            let held = v1::HeldLease {
                lease_token: token.0,
                progress: 1,
                done: false,
                fetched_bytes: 0,
            };
            vec![
                Message::Heartbeat(v1::Heartbeat {
                    leases: vec![held],
                    leaving: false,
                }),
                Message::Observations(observations),
                Message::Finished(v1::Finished {
                    lease_token: token.0,
                    reason: v1::FinishReason::Completed.into(),
                    end: task.end.into(),
                }),
            ]
        }
        Command::Ack { .. } | Command::Stop { .. } | Command::Desired(_) | Command::Drain => {
            Vec::new()
        }
    }
}
