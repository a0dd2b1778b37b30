//! Collects what an event leads to.

use super::fencing::Reply;
use super::message::{Action, Command, Time};
use super::sweep::Sweep;
use crate::event::{Happening, SweepEvent};
use crate::ids::{LeaseToken, WorkerId};

pub(super) struct Outbox {
    pub now: Time,
    pub actions: Vec<Action>,
}

impl Outbox {
    pub(super) fn new(now: Time) -> Self {
        Self {
            now,
            actions: Vec::new(),
        }
    }

    pub(super) fn send(&mut self, worker: &WorkerId, command: Command) {
        self.actions.push(Action::Send {
            worker: worker.clone(),
            command,
        });
    }

    pub(super) fn reply(&mut self, worker: &WorkerId, token: LeaseToken, reply: Reply) {
        let command = match reply {
            Reply::Accepted { next_step } => Command::Ack {
                token,
                next_step,
                finished: true,
            },
            Reply::Halt(reason) => Command::Stop { token, reason },
        };
        self.send(worker, command);
    }

    /// Numbers a happening and publishes it.
    pub(super) fn publish(&mut self, sweep: &mut Sweep, happening: Happening) {
        sweep.events += 1;
        self.actions.push(Action::Publish(SweepEvent {
            sweep: sweep.id.clone(),
            number: sweep.events,
            at_ms: self.now.0,
            happening,
        }));
    }
}
