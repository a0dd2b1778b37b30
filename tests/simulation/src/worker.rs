//! A worker process, as the session of the real worker behaves.
//!
//! It trains on a clock of its own, connected or not; keeps its losses until they are acknowledged;
//! sends them again from the first that is missing, at once after a reconnection and else when no
//! acknowledgement comes; drops what it holds when it has heard nothing for as long as a lease lives.

use crate::sweeps::{Next, kind_of, next};
use rangefinder_errors::Code;
use rangefinder_sweep::event::{Failure, FailureKind, Observation};
use rangefinder_sweep::ids::{Incarnation, LeaseToken, SweepId, WorkerId};
use rangefinder_sweep::plan::Task;
use rangefinder_sweep::state::{Command, Held, Report};
use std::collections::{BTreeMap, BTreeSet};

/// How long a trainer that does not stop may take before its process ends itself.
const STUCK_MS: u64 = 30_000;
/// How long a worker that leaves goes on with what it has.
const DRAIN_MS: u64 = 20_000;
/// Most steps in one message.
const BATCH: usize = 7;

/// What a worker does in its turn.
pub(crate) enum Effect {
    Send(Report),
    /// Connects anew, with what it holds.
    Dial(Vec<Held>),
    HangUp,
    /// Its process ends.
    Exit,
}

#[derive(Clone, Debug)]
enum Order {
    Describe,
    Probe,
    Task(Task, Vec<f64>),
}

#[derive(Clone, Debug)]
struct Job {
    sweep: SweepId,
    order: Order,
    observed: Vec<Observation>,
    acknowledged: usize,
    sent: usize,
    last_word: Option<Report>,
    said: bool,
    resend_at: Option<u64>,
}

/// A process.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) id: WorkerId,
    pub(crate) incarnation: Incarnation,
    pub(crate) link: Option<u64>,
    /// Whether it was greeted on its link.
    greeted: bool,
    dialled_at: u64,
    jobs: BTreeMap<LeaseToken, Job>,
    ended: BTreeSet<LeaseToken>,
    running: Option<LeaseToken>,
    /// Its trainer does not come back from a step.
    pub(crate) hung: bool,
    /// Since when the hung trainer was told to stop.
    stuck_since: Option<u64>,
    leaving_since: Option<u64>,
    trained_until: u64,
    step_ms: u64,
    heartbeat_at: u64,
    last_contact: u64,
    lease_ms: u64,
    heartbeat_ms: u64,
}

impl Process {
    pub(crate) fn new(
        id: WorkerId,
        incarnation: Incarnation,
        now: u64,
        step_ms: u64,
        (lease_ms, heartbeat_ms): (u64, u64),
    ) -> Self {
        Self {
            id,
            incarnation,
            link: None,
            greeted: false,
            dialled_at: 0,
            jobs: BTreeMap::new(),
            ended: BTreeSet::new(),
            running: None,
            hung: false,
            stuck_since: None,
            leaving_since: None,
            trained_until: now,
            step_ms,
            heartbeat_at: now,
            last_contact: now,
            lease_ms,
            heartbeat_ms,
        }
    }

    fn held(&self) -> Vec<Held> {
        let handed_back = |job: &Job| matches!(job.last_word, Some(Report::HandBack(..)));
        let jobs = self.jobs.iter().filter(|(_, job)| !handed_back(job));
        jobs.map(|(token, job)| Held {
            token: *token,
            progress: job.observed.len() as u64,
        })
        .collect()
    }

    /// The link is gone, as it sees.
    pub(crate) fn cut(&mut self) {
        self.link = None;
        self.greeted = false;
    }

    pub(crate) fn welcome(&mut self, now: u64) {
        self.greeted = true;
        self.last_contact = now;
        self.heartbeat_at = now + self.heartbeat_ms;
        self.ended.clear();
        for job in self.jobs.values_mut() {
            job.go_back();
        }
    }

    /// Wants to leave.
    pub(crate) fn leave(&mut self, now: u64) {
        self.leaving_since.get_or_insert(now);
    }

    /// What it runs fails.
    pub(crate) fn fail(&mut self) {
        if let Some(token) = self.running.take()
            && let Some(job) = self.jobs.get_mut(&token)
        {
            let failure = Failure {
                kind: FailureKind::Worker,
                code: Code::WorkerFailed,
                message: "a cosmic ray".to_owned(),
                fields: Vec::new(),
            };
            job.last_word = Some(Report::Failed(token, failure));
        }
    }

    /// It gives back what it runs.
    pub(crate) fn hand_back(&mut self) {
        if let Some(token) = self.running.take()
            && let Some(job) = self.jobs.get_mut(&token)
        {
            job.hand_back(token);
        }
    }

    pub(crate) fn take(&mut self, now: u64, command: Command) {
        self.last_contact = now;
        match command {
            Command::Describe { sweep, token } => self.start(token, sweep, Order::Describe),
            Command::Probe { sweep, token, .. } => self.start(token, sweep, Order::Probe),
            Command::Assign {
                sweep,
                token,
                task,
                learning_rates,
            } => self.start(token, sweep, Order::Task(task, learning_rates)),
            Command::Ack {
                token,
                finished: true,
                ..
            }
            | Command::Stop { token, .. } => self.forget(now, token),
            Command::Ack {
                token, next_step, ..
            } => {
                if let Some(job) = self.jobs.get_mut(&token)
                    && let Order::Task(task, _) = &job.order
                {
                    let accepted = next_step.saturating_sub(task.warm_up_start) as usize;
                    if accepted > job.acknowledged && accepted <= job.observed.len() {
                        job.acknowledged = accepted;
                        job.sent = job.sent.max(accepted);
                        job.resend_at = Some(now + 2 * self.heartbeat_ms);
                    }
                }
            }
            Command::Desired(tokens) => {
                let held: Vec<_> = self.jobs.keys().copied().collect();
                for token in held.into_iter().filter(|token| !tokens.contains(token)) {
                    self.forget(now, token);
                }
            }
            Command::Drain => self.leave(now),
        }
    }

    fn start(&mut self, token: LeaseToken, sweep: SweepId, order: Order) {
        if self.jobs.contains_key(&token) || self.ended.contains(&token) {
            return;
        }
        let mut job = Job {
            sweep,
            order,
            observed: Vec::new(),
            acknowledged: 0,
            sent: 0,
            last_word: None,
            said: false,
            resend_at: None,
        };
        if self.leaving_since.is_some() {
            job.hand_back(token);
        }
        self.jobs.insert(token, job);
    }

    fn forget(&mut self, now: u64, token: LeaseToken) {
        self.jobs.remove(&token);
        self.ended.insert(token);
        if self.running == Some(token) {
            if self.hung {
                self.stuck_since.get_or_insert(now);
            } else {
                self.running = None;
            }
        }
    }

    /// Its turn: trains up to now, and says what it does.
    pub(crate) fn turn(&mut self, now: u64) -> Vec<Effect> {
        if self.stuck_since.is_some_and(|at| now >= at + STUCK_MS) {
            return vec![Effect::Exit];
        }
        self.train(now);
        let mut effects = Vec::new();
        if self.link.is_some() && self.greeted {
            let silence_ms = (3 * self.heartbeat_ms).max(self.lease_ms.min(60_000) / 2);
            if now >= self.last_contact + silence_ms {
                self.cut();
                effects.push(Effect::HangUp);
            } else {
                self.talk(now, &mut effects);
            }
        } else if now >= self.dialled_at + 2_000 {
            if self.link.is_some() {
                effects.push(Effect::HangUp);
            }
            self.cut();
            self.dialled_at = now;
            effects.push(Effect::Dial(self.held()));
        }
        if !self.greeted && now >= self.last_contact.saturating_add(self.lease_ms) {
            let held: Vec<_> = self.jobs.keys().copied().collect();
            for token in held {
                self.forget(now, token);
            }
        }
        if let Some(since) = self.leaving_since {
            if now >= since + DRAIN_MS {
                for (token, job) in &mut self.jobs {
                    if job.last_word.is_none() {
                        job.hand_back(*token);
                    }
                }
            }
            if self.jobs.is_empty() || now >= since + 2 * DRAIN_MS {
                effects.push(Effect::Exit);
            }
        }
        effects
    }

    fn train(&mut self, now: u64) {
        while self.trained_until + self.step_ms <= now {
            self.trained_until += self.step_ms;
            let open = |job: &Job| job.last_word.is_none();
            let running = self
                .running
                .filter(|token| self.jobs.get(token).is_some_and(open));
            let next_up = || {
                let mut jobs = self.jobs.iter().filter(|(_, job)| open(job));
                jobs.next().map(|(token, _)| *token)
            };
            self.running = running.or_else(next_up);
            let Some(token) = self.running else {
                // Nothing to do until the next turn.
                self.trained_until = now;
                return;
            };
            if let Some(job) = self.jobs.get_mut(&token).filter(|_| !self.hung) {
                job.step(token);
            }
        }
    }

    fn talk(&mut self, now: u64, effects: &mut Vec<Effect>) {
        let resend_ms = 2 * self.heartbeat_ms;
        if now >= self.heartbeat_at {
            self.heartbeat_at = now + self.heartbeat_ms;
            effects.push(Effect::Send(Report::Heartbeat(self.held())));
        }
        let mut handed_back = Vec::new();
        for (token, job) in &mut self.jobs {
            if job.resend_at.is_some_and(|at| now >= at) {
                job.go_back();
            }
            while job.sent < job.observed.len() {
                let until = (job.sent + BATCH).min(job.observed.len());
                let batch = job.observed.get(job.sent..until).unwrap_or_default();
                effects.push(Effect::Send(Report::Observations(*token, batch.to_vec())));
                job.sent = until;
                job.resend_at.get_or_insert(now + resend_ms);
            }
            if let Some(last_word) = job.last_word.clone().filter(|_| !job.said) {
                job.said = true;
                job.resend_at.get_or_insert(now + resend_ms);
                if matches!(last_word, Report::HandBack(..)) {
                    handed_back.push(*token);
                }
                effects.push(Effect::Send(last_word));
            }
        }
        for token in handed_back {
            self.jobs.remove(&token);
        }
    }
}

impl Job {
    fn go_back(&mut self) {
        self.sent = self.acknowledged;
        self.said = false;
        self.resend_at = None;
    }

    fn hand_back(&mut self, token: LeaseToken) {
        self.observed.clear();
        self.acknowledged = 0;
        self.go_back();
        self.last_word = Some(Report::HandBack(token, "it has to leave".to_owned()));
    }

    fn step(&mut self, token: LeaseToken) {
        let Some(kind) = kind_of(&self.sweep) else {
            return;
        };
        self.last_word = match &self.order {
            Order::Describe => Some(Report::Described(token, Box::new(kind.described()))),
            Order::Probe => Some(Report::Probed(token, kind.probe())),
            Order::Task(task, rates) => match next(kind, token, task, rates, &self.observed) {
                Next::Observation(observation) => {
                    self.observed.push(observation);
                    None
                }
                Next::End(reason, end) => Some(Report::Finished { token, reason, end }),
            },
        };
    }
}
