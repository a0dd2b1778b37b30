//! What a coordinator says: bytes to messages, to what the session of a worker makes of them.
//!
//! An input is moves, each a byte: its lowest three bits say what, the others how much.

use crate::conversation::{Reader, Writer};
use rangefinder_coordinator::wire;
use rangefinder_proto::v1::connect_response::Message;
use rangefinder_proto::v1::{self, ConnectResponse};
use rangefinder_session::fuzzing::Worker;
use rangefinder_session::{Credential, Options};
use std::time::Duration;

/// Moves, by the lowest three bits.
mod moves {
    /// All below are messages.
    pub(super) const TRAIN: u8 = 2;
    pub(super) const SAY: u8 = 3;
    pub(super) const WAIT: u8 = 4;
    pub(super) const CUT: u8 = 5;
    pub(super) const ABORT: u8 = 6;
    pub(super) const LEAVE: u8 = 7;
}

pub(super) fn run(input: &[u8]) -> bool {
    let credential = Credential::new("secret").expect("a credential");
    let mut options = Options::new("http://127.0.0.1:1".parse().expect("a URI"), credential);
    options.incarnation = 1;
    let mut worker = Worker::new(&options);
    let mut input = Reader::new(input);
    while let Some(step) = input.byte()
        && !worker.is_over()
    {
        let much = step >> 3;
        match step & 7 {
            moves::TRAIN => worker.train(much.into()),
            moves::SAY => say(&mut worker, much),
            moves::WAIT => worker.wait(Duration::from_millis(1 << (much % 16))),
            moves::CUT => worker.cut(),
            moves::ABORT => worker.abort(),
            moves::LEAVE => worker.leave(),
            _ => match input.message::<ConnectResponse>() {
                Some(message) => worker.hear(message),
                None => break,
            },
        }
    }
    worker.is_over()
}

/// Nothing that a worker says ends its stream: a coordinator finds a meaning in it, or a lease to
/// blame.
fn say(worker: &mut Worker, most: u8) {
    for _ in 0..=most {
        let Some(message) = worker.say() else {
            return;
        };
        let read = wire::report(message.clone());
        assert!(
            read.is_ok() || read.is_err_and(|error| error.lease.is_some()),
            "{message:?}"
        );
    }
}

/// A worker's life, from its first lease to its leave.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let mut input = Writer::default();
    let hear = |input: &mut Writer, message: Message| {
        input.byte(0);
        input.message(&ConnectResponse {
            message: Some(message),
        });
    };
    let much = |step: u8, much: u8| much << 3 | step;
    let trainer = || Some(v1::TrainerSpec::default());
    hear(
        &mut input,
        Message::Welcome(v1::Welcome {
            heartbeat_interval_ms: 2000,
            lease_ms: 15_000,
        }),
    );
    hear(
        &mut input,
        Message::Describe(v1::Describe {
            lease_token: 1,
            trainer: trainer(),
            traceparent: String::new(),
        }),
    );
    input.byte(moves::TRAIN);
    input.byte(much(moves::SAY, 3));
    let ack = |lease_token, next_step, finished| {
        Message::Ack(v1::Ack {
            lease_token,
            next_step,
            finished,
        })
    };
    hear(&mut input, ack(1, 0, true));
    hear(
        &mut input,
        Message::Probe(v1::Probe {
            lease_token: 2,
            trainer: trainer(),
            steps: 4,
            traceparent: String::new(),
        }),
    );
    hear(
        &mut input,
        Message::Stop(v1::Stop {
            lease_token: 2,
            reason: v1::StopReason::Superseded.into(),
        }),
    );
    input.byte(moves::ABORT);
    hear(
        &mut input,
        Message::Assign(v1::Assign {
            lease_token: 3,
            sweep_id: "s".to_owned(),
            task_id: 1,
            stage: v1::Stage::RangeTest.into(),
            replica: 0,
            warm_up_start: 2,
            start: 4,
            end: 12,
            learning_rates: vec![1e-3; 10],
            trainer: trainer(),
            group: Some(v1::Group {
                rank: 0,
                world_size: 1,
                rendezvous: String::new(),
            }),
            traceparent: String::new(),
        }),
    );
    input.byte(much(moves::TRAIN, 6));
    input.byte(much(moves::SAY, 3));
    hear(&mut input, ack(3, 5, false));
    input.byte(moves::CUT);
    input.byte(much(moves::WAIT, 13));
    hear(
        &mut input,
        Message::Welcome(v1::Welcome {
            heartbeat_interval_ms: 2000,
            lease_ms: 15_000,
        }),
    );
    input.byte(much(moves::TRAIN, 30));
    input.byte(much(moves::SAY, 9));
    hear(
        &mut input,
        Message::Desired(v1::Desired {
            lease_tokens: vec![3],
        }),
    );
    hear(&mut input, ack(3, 12, true));
    hear(&mut input, Message::Drain(v1::Drain {}));
    input.byte(moves::LEAVE);
    vec![input.finish()]
}
