//! A session's decisions as a fuzzer drives them: the `Machine` with a trainer that does as it is
//! told, without network, threads or clock. No part of the API.

use crate::error::End;
use crate::machine::Machine;
use crate::mailbox::{Ended, Report};
use crate::options::Options;
use crate::trainer::StepLoss;
use crate::turn::{Action, Closed, Input};
use crate::work::Outcome;
use rangefinder_proto::v1;
use std::ops::Range;
use std::time::Duration;

/// Most steps that the trainer runs at a time.
const MOST_STEPS: u64 = 256;

/// A worker in the hands of a coordinator that may say anything.
///
/// # Panics
/// Every method, where the session breaks a promise: a ledger that contradicts itself, two jobs at
/// once, words without a connection.
#[derive(Debug)]
pub struct Worker {
    machine: Machine,
    now: Duration,
    linked: bool,
    /// The lease of the trainer's work, and the steps that it has yet to run.
    job: Option<(u64, Range<u64>)>,
    over: bool,
}

impl Worker {
    /// A worker that begins to connect.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        let mut worker = Self {
            machine: Machine::new(options),
            now: Duration::ZERO,
            linked: false,
            job: None,
            over: false,
        };
        worker.input(Input::Tick);
        worker
    }

    /// Whether the session has ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// The coordinator says something, if there is a connection.
    pub fn hear(&mut self, message: v1::ConnectResponse) {
        if self.linked {
            self.input(Input::Message(Box::new(message)));
        }
    }

    /// The connection breaks, if there is one.
    pub fn cut(&mut self) {
        if std::mem::take(&mut self.linked) {
            self.input(Input::Closed(Closed::Lost("cut".to_owned())));
        }
    }

    /// Time passes, to the next deadline at most.
    pub fn wait(&mut self, time: Duration) {
        self.now += time.min(self.machine.next_deadline().saturating_sub(self.now));
        self.input(Input::Tick);
    }

    /// The trainer runs some of the steps that it was given, and says so; after the last of them its
    /// work is over.
    pub fn train(&mut self, steps: u64) {
        let Some((token, left)) = self.job.take() else {
            return;
        };
        let to = left
            .start
            .saturating_add(steps.min(MOST_STEPS))
            .min(left.end);
        let losses = (left.start..to).map(|step| StepLoss {
            step,
            lr: 1e-3,
            loss: 1.0,
            samples: 1,
        });
        let done = to >= left.end;
        let report = Report {
            token,
            progress: to,
            fetched_bytes: 0,
            losses: losses.collect(),
            ended: done.then_some(Ended::With(Outcome::Finished {
                reason: v1::FinishReason::Completed,
                end: to,
            })),
        };
        self.job = (!done).then_some((token, to..left.end));
        self.input(Input::Reported(report));
    }

    /// The trainer leaves its work, as it does when it is told to.
    pub fn abort(&mut self) {
        if let Some((token, left)) = self.job.take() {
            self.input(Input::Reported(Report {
                token,
                progress: left.start,
                fetched_bytes: 0,
                losses: Vec::new(),
                ended: Some(Ended::Aborted),
            }));
        }
    }

    /// The worker is told to shut down.
    pub fn leave(&mut self) {
        self.input(Input::Leave(End::ShutDown));
    }

    /// The next message to the coordinator.
    pub fn say(&mut self) -> Option<v1::ConnectRequest> {
        let message = self.machine.next_message(self.now)?;
        assert!(self.linked, "it speaks without a connection");
        self.check();
        Some(message)
    }

    fn input(&mut self, input: Input) {
        let actions = self.machine.handle(self.now, input);
        assert!(!self.over || actions.is_empty(), "it acts after its end");
        for action in actions {
            match action {
                Action::Dial(_) => {
                    assert!(!self.linked, "it dials twice");
                    self.linked = true;
                }
                Action::HangUp => self.linked = false,
                Action::Run(token, job) => {
                    assert!(self.job.is_none(), "two jobs at once");
                    self.job = Some((token, job.steps()));
                }
                Action::Abort => {}
                Action::End(_) => self.over = true,
            }
        }
        self.check();
    }

    fn check(&self) {
        let sound = self.machine.check();
        assert!(sound.is_ok(), "the ledger contradicts itself: {sound:?}");
    }
}
