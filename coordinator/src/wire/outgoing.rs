//! What the coordinator sends.

use crate::observe::TraceParent;
use rangefinder_proto::v1;
use rangefinder_proto::v1::connect_response::Message;
use rangefinder_sweep::state::{Command, Halt, Options};

/// The answer to Hello.
#[must_use]
pub fn welcome(options: &Options) -> v1::ConnectResponse {
    response(Message::Welcome(v1::Welcome {
        heartbeat_interval_ms: saturated(options.heartbeat_ms),
        lease_ms: saturated(options.lease_ms),
    }))
}

/// The order to take no more work.
#[must_use]
pub fn drain() -> v1::ConnectResponse {
    response(Message::Drain(v1::Drain {}))
}

/// A command of the state machine; `trainer` is that of the sweep that it belongs to, and `trace` the
/// span of that sweep, which commands without a sweep do not read.
#[must_use]
pub fn command(
    command: Command,
    trainer: Option<&v1::TrainerSpec>,
    trace: Option<TraceParent>,
) -> v1::ConnectResponse {
    let trainer = || trainer.cloned();
    let traceparent = |token| trace.map(|sweep| sweep.attempt(token).to_string()).unwrap_or_default();
    response(match command {
        Command::Describe { sweep: _, token } => Message::Describe(v1::Describe {
            lease_token: token.0,
            trainer: trainer(),
            traceparent: traceparent(token),
        }),
        Command::Probe {
            sweep: _,
            token,
            steps,
        } => Message::Probe(v1::Probe {
            lease_token: token.0,
            trainer: trainer(),
            steps,
            traceparent: traceparent(token),
        }),
        Command::Assign {
            sweep,
            token,
            task,
            learning_rates,
        } => Message::Assign(v1::Assign {
            lease_token: token.0,
            sweep_id: sweep.0,
            task_id: task.id.0,
            stage: v1::Stage::RangeTest.into(),
            replica: task.replica,
            warm_up_start: task.warm_up_start.into(),
            start: task.start.into(),
            end: task.end.into(),
            learning_rates,
            trainer: trainer(),
            group: Some(v1::Group {
                rank: 0,
                world_size: 1,
                rendezvous: String::new(),
            }),
            traceparent: traceparent(token),
        }),
        Command::Ack {
            token,
            next_step,
            finished,
        } => Message::Ack(v1::Ack {
            lease_token: token.0,
            next_step: next_step.into(),
            finished,
        }),
        Command::Stop { token, reason } => Message::Stop(v1::Stop {
            lease_token: token.0,
            reason: match reason {
                Halt::Diverged => v1::StopReason::Diverged,
                Halt::Cancelled => v1::StopReason::Cancelled,
                Halt::Failed => v1::StopReason::Failed,
                Halt::Superseded => v1::StopReason::Superseded,
            }
            .into(),
        }),
        Command::Desired(tokens) => Message::Desired(v1::Desired {
            lease_tokens: tokens.into_iter().map(|token| token.0).collect(),
        }),
        Command::Drain => Message::Drain(v1::Drain {}),
    })
}

fn response(message: Message) -> v1::ConnectResponse {
    v1::ConnectResponse {
        message: Some(message),
    }
}

fn saturated(milliseconds: u64) -> u32 {
    u32::try_from(milliseconds).unwrap_or(u32::MAX)
}
