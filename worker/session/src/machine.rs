//! The decisions of a session: inputs in, actions out. No clock, no network, no threads.
//!
//! Times are since the start of the session. Messages are not pushed but pulled, one at a time when
//! the connection has room ([`Machine::next_message`]): what waits to be sent is held once, in the
//! [`Ledger`], however slow the network.

use crate::error::{End, Error};
use crate::ledger::Ledger;
use crate::lines;
use crate::mailbox::{Ended, Report};
use crate::options::{Options, Timing};
use crate::pace::{Backoff, Jitter};
use crate::phase::{Leaving, Phase, Running};
use crate::trainer::Failure;
use crate::turn::{Action, Closed, Input};
use crate::work::{self, Job, Outcome, worker_failure};
use rangefinder_proto::v1;
use rangefinder_proto::v1::connect_request::Message as Outgoing;
use rangefinder_proto::v1::connect_response::Message as Incoming;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;
use tracing::Span;

/// Leases ended on this connection that are remembered, so that a late message revives none.
const REMEMBERED: usize = 1024;
/// How long a worker whose time to leave has come still tries to say so.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Bounds of the pace that a coordinator may ask for.
const HEARTBEAT_MIN: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub(crate) struct Machine {
    hello: v1::Hello,
    coordinator: String,
    timing: Timing,
    jitter: Jitter,
    backoff: Backoff,
    phase: Phase,
    heartbeat: Duration,
    lease: Duration,
    /// When the coordinator was last heard; the start, before it ever was.
    last_contact: Duration,
    last_problem: String,
    heartbeat_due: bool,
    ledger: Ledger,
    /// Leases that have ended on this connection, oldest first.
    ended: VecDeque<u64>,
    running: Option<Running>,
    queue: VecDeque<(u64, Job)>,
    /// What log lines say of the work under each lease.
    about: HashMap<u64, Span>,
    leaving: Option<Leaving>,
    over: bool,
    /// The latest time seen.
    now: Duration,
}

impl Machine {
    pub(crate) fn new(options: &Options) -> Self {
        let timing = options.timing.clone();
        Self {
            hello: v1::Hello {
                worker_id: options.worker_id.clone(),
                incarnation: options.incarnation,
                protocol_version: rangefinder_proto::PROTOCOL_VERSION,
                device: options.device.clone(),
                memory_bytes: options.memory_bytes,
                versions: options.versions.clone(),
                leases: Vec::new(),
                leaving: false,
            },
            coordinator: options.coordinator.to_string(),
            jitter: Jitter::new(options.incarnation),
            backoff: Backoff::new(timing.backoff_min, timing.backoff_max),
            timing,
            phase: Phase::Waiting(Duration::ZERO),
            heartbeat: Duration::from_secs(1),
            lease: Duration::ZERO,
            last_contact: Duration::ZERO,
            last_problem: "no attempt was made".to_owned(),
            heartbeat_due: false,
            ledger: Ledger::default(),
            ended: VecDeque::new(),
            running: None,
            queue: VecDeque::new(),
            about: HashMap::new(),
            leaving: None,
            over: false,
            now: Duration::ZERO,
        }
    }

    /// Takes in what happened at `now` and says what to do about it.
    pub(crate) fn handle(&mut self, now: Duration, input: Input) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.over {
            return actions;
        }
        self.now = now;
        match input {
            Input::Tick => {}
            Input::Message(message) => self.on_message(now, *message, &mut actions),
            Input::Closed(Closed::Lost(problem)) => self.on_lost(now, problem),
            Input::Closed(Closed::Refused(error)) => self.finish(Err(error), &mut actions),
            Input::Reported(report) => self.on_report(report, &mut actions),
            Input::Leave(end) => self.on_leave(now, end, &mut actions),
        }
        self.on_time(now, &mut actions);
        self.feed_trainer(&mut actions);
        self.leave_when_done(now, &mut actions);
        actions
    }

    /// When the next [`Input::Tick`] is due.
    pub(crate) fn next_deadline(&self) -> Duration {
        let mut deadline = match self.phase {
            Phase::Waiting(at) | Phase::Greeting(at) => at,
            Phase::Connected(at) => at.min(self.last_contact + self.silence()),
        };
        if let (Phase::Connected(_), Some(at)) = (self.phase, self.ledger.next_resend()) {
            deadline = deadline.min(at);
        }
        if !matches!(self.phase, Phase::Connected(_)) {
            deadline = deadline.min(self.gives_up_at());
        }
        if let Some(at) = self.stuck_at() {
            deadline = deadline.min(at);
        }
        if let Some(leaving) = &self.leaving {
            deadline = match (self.ledger.is_empty(), leaving.handed_back) {
                (true, _) => Duration::ZERO,
                (false, false) => deadline.min(leaving.hand_back_at),
                (false, true) => deadline.min(leaving.hand_back_at + LAST_WORDS),
            };
        }
        deadline
    }

    /// Whether there is something to send on the connection as it is.
    pub(crate) fn has_message(&self) -> bool {
        matches!(self.phase, Phase::Connected(_))
            && !self.over
            && (self.heartbeat_due || self.ledger.wants_to_send())
    }

    /// The next message to send, counted as sent by this call.
    pub(crate) fn next_message(&mut self, now: Duration) -> Option<v1::ConnectRequest> {
        if !self.has_message() {
            return None;
        }
        let message = if self.heartbeat_due {
            self.heartbeat_due = false;
            Outgoing::Heartbeat(v1::Heartbeat {
                leases: self.ledger.held(),
                leaving: self.leaving.is_some(),
            })
        } else {
            let resend = self.resend();
            self.ledger.next_message(now, resend)?
        };
        Some(v1::ConnectRequest {
            message: Some(message),
        })
    }

    /// What log lines say of the work under a lease.
    pub(crate) fn about(&self, token: u64) -> Span {
        self.about.get(&token).cloned().unwrap_or(Span::none())
    }

    /// What must always hold of the ledger; the text says what does not.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn check(&self) -> Result<(), String> {
        self.ledger.check()
    }

    fn on_message(
        &mut self,
        now: Duration,
        message: v1::ConnectResponse,
        actions: &mut Vec<Action>,
    ) {
        let connected = matches!(self.phase, Phase::Connected(_));
        match message.message {
            Some(Incoming::Welcome(welcome)) => self.on_welcome(now, welcome),
            // Nothing is meant for this worker before it was greeted.
            _ if !connected => return,
            Some(Incoming::Describe(message)) => {
                let about = lines::about(message.lease_token, None, &message.traceparent);
                self.on_job(message.lease_token, about, work::describe(message));
            }
            Some(Incoming::Probe(message)) => {
                let about = lines::about(message.lease_token, None, &message.traceparent);
                self.on_job(message.lease_token, about, work::probe(message));
            }
            Some(Incoming::Assign(message)) => {
                let about = lines::about_task(&message);
                self.on_job(message.lease_token, about, work::assign(message));
            }
            Some(Incoming::Ack(ack)) => {
                let resend = self.resend();
                self.ledger.acknowledge(now, resend, &ack);
                if ack.finished {
                    self.forget(ack.lease_token, actions);
                }
            }
            Some(Incoming::Stop(stop)) => {
                tracing::debug!(lease = stop.lease_token, reason = ?stop.reason(), "stopped");
                self.forget(stop.lease_token, actions);
            }
            Some(Incoming::Desired(desired)) => {
                for token in self.ledger.tokens() {
                    if !desired.lease_tokens.contains(&token) {
                        self.forget(token, actions);
                    }
                }
            }
            Some(Incoming::Drain(v1::Drain {})) => self.on_leave(now, End::Drained, actions),
            None => tracing::debug!("passed over a message of a newer protocol"),
        }
        if connected {
            self.backoff.reset();
        }
        self.last_contact = now;
    }

    fn on_welcome(&mut self, now: Duration, welcome: v1::Welcome) {
        self.heartbeat =
            Duration::from_millis(welcome.heartbeat_interval_ms.into()).max(HEARTBEAT_MIN);
        self.lease = Duration::from_millis(welcome.lease_ms.into()).max(self.heartbeat);
        if !matches!(self.phase, Phase::Connected(_)) {
            self.ended.clear();
            self.ledger.go_back();
            self.phase = Phase::Connected(now + self.beat());
        }
    }

    fn on_job(&mut self, token: u64, about: Span, job: Result<Job, Failure>) {
        if self.ledger.holds(token) || self.ended.contains(&token) {
            return;
        }
        lines::taken(&about, &job);
        let steps = job.as_ref().map(Job::steps).unwrap_or_default();
        let refusal = if self.leaving.is_some() {
            Some("the worker is leaving".to_owned())
        } else if self.ledger.has_room(&steps) {
            None
        } else {
            Some(format!(
                "the worker holds too many losses that were not acknowledged (at most {} leases \
                 and {} steps)",
                Ledger::MAX_LEASES,
                Ledger::MAX_STEPS
            ))
        };
        self.ledger.grant(token, steps);
        match (refusal, job) {
            (Some(reason), _) => self.ledger.hand_back(token, reason),
            (None, Ok(job)) => {
                self.about.insert(token, about);
                self.queue.push_back((token, job));
            }
            (None, Err(failure)) => self.ledger.end(token, Outcome::Failed(failure)),
        }
    }

    fn on_lost(&mut self, now: Duration, problem: String) {
        if self.timing.reconnect == Timing::FOREVER && problem != self.last_problem {
            // Nobody hears of it by the end of the process, for that does not come.
            tracing::warn!(
                problem,
                coordinator = self.coordinator,
                "no connection; trying on"
            );
        } else {
            tracing::debug!(problem, "the connection is gone");
        }
        self.last_problem = problem;
        self.heartbeat_due = false;
        self.phase = Phase::Waiting(now + self.backoff.pause(&mut self.jitter));
    }

    fn on_report(&mut self, report: Report, actions: &mut Vec<Action>) {
        let Report {
            token,
            progress,
            fetched_bytes,
            losses,
            ended,
        } = report;
        let wanted = matches!(&self.running, Some(running) if running.dropped.is_none());
        if wanted {
            self.ledger.fetched(token, fetched_bytes);
        }
        if wanted && let Err(gap) = self.ledger.record(token, progress, &losses) {
            let message = format!(
                "the trainer reported the loss of step {} where that of step {} was due",
                gap.got, gap.expected
            );
            let failure = worker_failure(message);
            self.ledger.end(token, Outcome::Failed(failure));
            self.abort(token, actions);
        }
        match ended {
            Some(Ended::With(outcome)) if wanted => {
                let outcome = self.ledger.checked(token, outcome);
                lines::done(&self.about(token), &outcome);
                self.ledger.end(token, outcome);
                self.running = None;
            }
            Some(_) => self.running = None,
            None => {}
        }
    }

    fn on_leave(&mut self, now: Duration, end: End, actions: &mut Vec<Action>) {
        if end == End::CoordinatorGone {
            self.finish(Ok(end), actions);
            return;
        }
        if self.leaving.is_some() {
            return;
        }
        self.leaving = Some(Leaving {
            end,
            hand_back_at: now + self.timing.drain,
            handed_back: false,
        });
        // The coordinator hears of it at once, and gives it no more work.
        self.heartbeat_due = matches!(self.phase, Phase::Connected(_));
        for (token, _) in std::mem::take(&mut self.queue) {
            self.ledger
                .hand_back(token, "the worker is leaving".to_owned());
        }
    }

    /// All that is due by now.
    fn on_time(&mut self, now: Duration, actions: &mut Vec<Action>) {
        if self.over {
            return;
        }
        if self.stuck_at().is_some_and(|at| now >= at) {
            self.finish(Err(Error::Stuck(self.timing.stuck)), actions);
            return;
        }
        match self.phase {
            Phase::Connected(at) => {
                if now >= self.last_contact + self.silence() {
                    actions.push(Action::HangUp);
                    self.on_lost(now, "the coordinator fell silent".to_owned());
                } else if now >= at {
                    self.heartbeat_due = true;
                    self.phase = Phase::Connected(now + self.beat());
                }
                self.ledger.go_back_where_due(now);
            }
            Phase::Greeting(at) if now >= at => {
                actions.push(Action::HangUp);
                self.on_lost(
                    now,
                    "it accepted the connection but sent no Welcome".to_owned(),
                );
            }
            Phase::Greeting(_) | Phase::Waiting(_) => {}
        }
        if matches!(self.phase, Phase::Connected(_)) {
            return;
        }
        if now >= self.gives_up_at() {
            let error = Error::Unreachable {
                coordinator: self.coordinator.clone(),
                silence: now.saturating_sub(self.last_contact),
                cause: self.last_problem.clone(),
            };
            self.finish(Err(error), actions);
        } else if matches!(self.phase, Phase::Waiting(at) if now >= at) {
            self.phase = Phase::Greeting(now + self.timing.welcome);
            actions.push(Action::Dial(Box::new(v1::Hello {
                leases: self.ledger.held(),
                leaving: self.leaving.is_some(),
                ..self.hello.clone()
            })));
        }
    }

    /// Gives the trainer its next job, if it is free.
    fn feed_trainer(&mut self, actions: &mut Vec<Action>) {
        if self.over || self.running.is_some() {
            return;
        }
        if let Some((token, job)) = self.queue.pop_front() {
            self.running = Some(Running {
                token,
                dropped: None,
            });
            actions.push(Action::Run(token, job));
        }
    }

    fn leave_when_done(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let Some(leaving) = &mut self.leaving else {
            return;
        };
        let end = leaving.end;
        let time_is_up = now >= leaving.hand_back_at;
        let last_words_end = leaving.hand_back_at + LAST_WORDS;
        let connected = matches!(self.phase, Phase::Connected(_));
        if time_is_up && !leaving.handed_back {
            leaving.handed_back = true;
            for token in self.ledger.tokens() {
                if !self.ledger.is_done(token) {
                    let reason = "the worker had to leave before the task was done".to_owned();
                    self.ledger.hand_back(token, reason);
                    self.abort(token, actions);
                }
            }
        }
        let out_of_time = time_is_up && (!connected || now >= last_words_end);
        if self.ledger.is_empty() || out_of_time {
            self.finish(Ok(end), actions);
        }
    }

    /// Drops a lease and whatever is done about it.
    fn forget(&mut self, token: u64, actions: &mut Vec<Action>) {
        self.ledger.remove(token);
        self.about.remove(&token);
        self.queue.retain(|(queued, _)| *queued != token);
        self.abort(token, actions);
        if self.ended.len() == REMEMBERED {
            self.ended.pop_front();
        }
        self.ended.push_back(token);
    }

    /// Stops the trainer, if this is what it works on.
    fn abort(&mut self, token: u64, actions: &mut Vec<Action>) {
        if let Some(running) = self.running.as_mut().filter(|job| job.token == token) {
            running.dropped.get_or_insert(self.now);
            actions.push(Action::Abort);
        }
    }

    fn finish(&mut self, result: Result<End, Error>, actions: &mut Vec<Action>) {
        if !self.over {
            self.over = true;
            actions.push(Action::End(result));
        }
    }

    /// When a session without a connection ends: it looks for its coordinator as long as a lease
    /// could be valid, and at least for the time that it was given. Until then it keeps what it
    /// holds: a coordinator that was away itself gives every lease its life again when it is back,
    /// and one that has given the work to another says so.
    fn gives_up_at(&self) -> Duration {
        let patience = if self.ledger.is_empty() {
            self.timing.reconnect
        } else {
            self.timing.reconnect.max(self.lease)
        };
        self.last_contact.saturating_add(patience)
    }

    /// When a trainer that does not leave what it was told to stop counts as stuck: only a new
    /// process can go on from there.
    fn stuck_at(&self) -> Option<Duration> {
        let dropped = self.running.as_ref()?.dropped?;
        Some(dropped + self.timing.stuck)
    }

    /// How long a connection may be silent: some heartbeats without an answer, so that a lease can
    /// still be saved over a new connection.
    fn silence(&self) -> Duration {
        self.heartbeat.saturating_mul(3).max(self.lease / 2)
    }

    /// How long to wait for an acknowledgement before sending again.
    fn resend(&self) -> Duration {
        self.heartbeat.saturating_mul(2)
    }

    /// Time to the next heartbeat: the pace asked for, jittered downwards.
    fn beat(&mut self) -> Duration {
        self.jitter.of(self.heartbeat, 0.8)
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "machine_stories.rs"]
mod stories;
