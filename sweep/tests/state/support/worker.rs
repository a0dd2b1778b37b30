//! A worker as the state machine sees one.

use rangefinder_sweep::curve::StopReason;
use rangefinder_sweep::event::{Described, Observation};
use rangefinder_sweep::ids::{Incarnation, LeaseToken};
use rangefinder_sweep::plan::{Probe, Task};
use rangefinder_sweep::state::{Command, Held, Report};

/// What training gives: a function of replica, segment and step alone.
#[derive(Clone, Debug)]
pub struct Training {
    pub described: Described,
    pub probe: Probe,
    /// Step from which the loss grows without bound.
    pub diverges_at: Option<u32>,
    /// How far a segment is off at the start of its warm-up.
    pub trace: f64,
    /// A task whose steps from this one on are NaN, as (segment, step).
    pub nan_at: Option<(u32, u32)>,
    /// The data ends before this step.
    pub data_ends: Option<u32>,
}

impl Default for Training {
    fn default() -> Self {
        Self {
            described: Described {
                parameters: Vec::new(),
                parameter_count: 10,
                initial_loss: 2.3,
                optimizer: "sgd".to_owned(),
                beta: Some(0.5),
                seekable: true,
                replayable: true,
                samples: 1000,
                steps_per_epoch: 10,
                effective_batch_size: 32,
            },
            probe: Probe {
                initial_loss: 2.3,
                gradient_squared: 1e4,
                gradient_l1: 10.0,
                seconds_per_step: 0.01,
                peak_memory_bytes: 0,
            },
            diverges_at: None,
            trace: 0.01,
            nan_at: None,
            data_ends: None,
        }
    }
}

impl Training {
    pub fn loss(&self, task: &Task, step: u32) -> f64 {
        if self
            .nan_at
            .is_some_and(|(segment, at)| segment == task.segment && step >= at)
        {
            return f64::NAN;
        }
        let blown_up = self
            .diverges_at
            .map_or(0, |at| step.saturating_sub(at).min(100));
        let noise = f64::from((step * 7919 + task.replica * 31) % 97) / 970.0;
        // Segments agree but for a trace that fades over the warm-up.
        let trace = self.trace * f64::from(task.segment) / f64::from(step - task.warm_up_start + 1);
        2.3 / (1.0 + f64::from(step) / 50.0) + noise + trace + 10.0 * f64::from(blown_up)
    }
}

#[derive(Clone, Debug)]
enum Kind {
    Describe,
    Probe,
    Task(Task, Vec<f64>),
}

/// A lease and what was done under it.
#[derive(Clone, Debug)]
pub struct Job {
    pub token: LeaseToken,
    kind: Kind,
    /// All observations; those before `acknowledged` need not be sent again.
    observations: Vec<Observation>,
    acknowledged: usize,
    sent: usize,
    /// What is left to say at the end.
    last_word: Option<Report>,
    said: bool,
}

#[derive(Clone, Debug)]
pub struct Worker {
    pub incarnation: Incarnation,
    pub connected: bool,
    pub job: Option<Job>,
}

impl Worker {
    pub fn new(incarnation: Incarnation) -> Self {
        Self {
            incarnation,
            connected: false,
            job: None,
        }
    }

    pub fn held(&self) -> Vec<Held> {
        let held = |job: &Job| Held {
            token: job.token,
            progress: job.observations.len() as u64,
        };
        self.job.iter().map(held).collect()
    }

    pub fn token(&self) -> Option<LeaseToken> {
        self.job.as_ref().map(|job| job.token)
    }

    pub fn take(&mut self, command: &Command) {
        let mut start = |token: &LeaseToken, kind| {
            self.job = Some(Job {
                token: *token,
                kind,
                observations: Vec::new(),
                acknowledged: 0,
                sent: 0,
                last_word: None,
                said: false,
            });
        };
        match command {
            Command::Describe { token, .. } => start(token, Kind::Describe),
            Command::Probe { token, .. } => start(token, Kind::Probe),
            Command::Assign {
                token,
                task,
                learning_rates,
                ..
            } => {
                start(token, Kind::Task(*task, learning_rates.clone()));
            }
            Command::Ack {
                token,
                next_step,
                finished,
            } => {
                if let Some(job) = self.job.as_mut().filter(|job| job.token == *token) {
                    if *finished {
                        self.job = None;
                    } else if let Kind::Task(task, _) = &job.kind {
                        job.acknowledged = (next_step - task.warm_up_start) as usize;
                        job.sent = job.sent.max(job.acknowledged);
                    }
                }
            }
            Command::Stop { token, .. } => {
                self.job = self.job.take().filter(|job| job.token != *token)
            }
            Command::Desired(tokens) => {
                self.job = self.job.take().filter(|job| tokens.contains(&job.token));
            }
            Command::Drain => {}
        }
    }

    /// Sends everything again that is not acknowledged.
    pub fn go_back(&mut self) {
        if let Some(job) = &mut self.job {
            job.sent = job.acknowledged;
            job.said = false;
        }
    }

    pub fn train(&mut self, training: &Training, steps: u32) {
        let Some(job) = self.job.as_mut().filter(|job| job.last_word.is_none()) else {
            return;
        };
        let token = job.token;
        let (task, rates) = match &job.kind {
            Kind::Describe => {
                job.last_word = Some(Report::Described(
                    token,
                    Box::new(training.described.clone()),
                ));
                return;
            }
            Kind::Probe => {
                job.last_word = Some(Report::Probed(token, training.probe));
                return;
            }
            Kind::Task(task, rates) => (*task, rates),
        };
        for _ in 0..steps {
            let step =
                task.warm_up_start + u32::try_from(job.observations.len()).expect("few steps");
            let lost = job
                .observations
                .last()
                .is_some_and(|last| !last.loss.is_finite());
            let reason = if lost {
                StopReason::NonFinite
            } else if step == task.end {
                StopReason::Completed
            } else if training.data_ends == Some(step) {
                StopReason::DataExhausted
            } else {
                job.observations.push(Observation {
                    step,
                    lr: rates[job.observations.len()],
                    loss: training.loss(&task, step),
                    samples: 32,
                });
                continue;
            };
            job.last_word = Some(Report::Finished {
                token,
                reason,
                end: step,
            });
            return;
        }
    }

    /// What is to be sent.
    pub fn unsent(&mut self) -> Vec<Report> {
        let Some(job) = &mut self.job else {
            return Vec::new();
        };
        let mut reports = Vec::new();
        if job.sent < job.observations.len() {
            let fresh = job.observations[job.sent..].to_vec();
            job.sent = job.observations.len();
            reports.push(Report::Observations(job.token, fresh));
        }
        if let Some(last_word) = job.last_word.clone().filter(|_| !job.said) {
            job.said = true;
            reports.push(last_word);
        }
        reports
    }
}
