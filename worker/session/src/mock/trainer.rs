//! The mock trainer.

use super::config::{Config, Fault, Misdeed, SCRIPT};
use super::curve::{self, Beginning};
use super::gates;
use crate::trainer::{Failure, StepError, StepLoss, TaskStart, Trainer};
use rangefinder_errors::Code;
use rangefinder_proto::v1;
use rangefinder_proto::v1::trainer_spec::Trainer as Kind;
use std::thread;
use std::time::Duration;

/// Trains nothing: its losses are analytic, its steps take the time they are told to take, and it
/// fails as its script says.
///
/// It takes any specification; one that is not `custom` gets the default script.
#[derive(Debug, Default)]
pub struct MockTrainer {
    process: Option<String>,
    task: Option<Task>,
    /// How often each fault of each step was done.
    done: Vec<(u64, Misdeed, u32)>,
}

#[derive(Debug)]
struct Task {
    config: Config,
    seed: u64,
    replica: u32,
    first_step: u64,
    samples: u32,
    beginning: Option<Beginning>,
    kept_back: Vec<StepLoss>,
}

impl MockTrainer {
    /// A trainer whose process has a script of its own, as JSON.
    #[must_use]
    pub fn new(process: Option<String>) -> Self {
        Self {
            process,
            ..Self::default()
        }
    }

    /// A trainer with the script of the environment, [`SCRIPT`].
    #[must_use]
    pub fn from_env() -> Self {
        Self::new(std::env::var(SCRIPT).ok())
    }

    fn config(&self, spec: &v1::TrainerSpec) -> Result<Config, Failure> {
        let task = match &spec.trainer {
            Some(Kind::Custom(custom)) => &custom.config[..],
            _ => &[],
        };
        Config::merged(task, self.process.as_deref()).map_err(|error| Failure {
            kind: v1::FailureKind::User,
            code: Code::FieldRefused,
            message: error.to_string(),
            fields: Vec::new(),
        })
    }

    /// The fault of a step, counted.
    fn fault(&mut self, step: u64) -> Option<Misdeed> {
        let faults = &self.task.as_ref()?.config.faults;
        for Fault {
            step: at,
            what,
            times,
        } in faults
        {
            if *at != step {
                continue;
            }
            let found = self.done.iter().position(|(s, w, _)| (s, w) == (at, what));
            let index = found.unwrap_or_else(|| {
                self.done.push((*at, *what, 0));
                self.done.len() - 1
            });
            let count = &mut self.done[index].2;
            if times.is_none_or(|times| *count < times) {
                *count += 1;
                return Some(*what);
            }
        }
        None
    }
}

impl Trainer for MockTrainer {
    fn describe(&mut self, spec: &v1::TrainerSpec) -> Result<v1::Described, Failure> {
        let config = self.config(spec)?;
        pause(config.describe_ms);
        if !config.mistakes.is_empty() {
            return Err(Failure {
                kind: v1::FailureKind::User,
                code: Code::FieldRefused,
                message: format!("{} fields make no sense", config.mistakes.len()),
                fields: config
                    .mistakes
                    .into_iter()
                    .map(|mistake| v1::FieldError {
                        field: mistake.field,
                        message: mistake.message,
                        remedy: mistake.remedy,
                        code: None,
                    })
                    .collect(),
            });
        }
        let batch = u64::from(batch(spec));
        Ok(v1::Described {
            lease_token: 0,
            parameters: vec![parameter("0.weight", &[10, 64]), parameter("0.bias", &[10])],
            parameter_count: 650,
            initial_loss: config.initial_loss,
            optimizer: spec
                .optimizer
                .as_ref()
                .map_or("sgd", |optimizer| &optimizer.name)
                .to_owned(),
            beta: spec.optimizer.as_ref().map(beta),
            seekable: config.seekable,
            replayable: config.replayable,
            samples: config.samples,
            steps_per_epoch: if spec.drop_last {
                config.samples / batch
            } else {
                config.samples.div_ceil(batch)
            },
            effective_batch_size: batch,
        })
    }

    fn probe(&mut self, spec: &v1::TrainerSpec, steps: u32) -> Result<v1::Probed, Failure> {
        let config = self.config(spec)?;
        if config.out_of_memory {
            return Err(Failure {
                kind: v1::FailureKind::OutOfMemory,
                code: Code::BatchMemory,
                message: format!(
                    "out of memory with a batch size of {}: try half of it",
                    batch(spec)
                ),
                fields: Vec::new(),
            });
        }
        pause(config.step_ms * f64::from(steps));
        // Early learning rates matter from a thirtieth of the fall's on: their sum, five times the
        // last one in a sweep of a dozen steps a decade, times this reaches 0.01 of the loss there.
        let gradient = 0.06 * config.initial_loss / config.fall_lr;
        Ok(v1::Probed {
            lease_token: 0,
            initial_loss: config.initial_loss,
            gradient_squared: gradient,
            gradient_l1: gradient,
            seconds_per_step: config.step_ms / 1e3,
            peak_memory_bytes: 0,
        })
    }

    fn start(&mut self, task: &TaskStart) -> Result<(), Failure> {
        let config = self.config(&task.spec)?;
        if task.first_step > 0 && !config.seekable {
            return Err(Failure {
                kind: v1::FailureKind::Worker,
                code: Code::WorkerFailed,
                message: format!(
                    "the data cannot be sought to step {}: run the sweep unsplit",
                    task.first_step
                ),
                fields: Vec::new(),
            });
        }
        self.task = Some(Task {
            config,
            seed: task.spec.seed,
            replica: task.replica,
            first_step: task.first_step,
            samples: batch(&task.spec),
            beginning: None,
            kept_back: Vec::new(),
        });
        Ok(())
    }

    fn step(&mut self, step: u64, lr: f64, losses: &mut Vec<StepLoss>) -> Result<(), StepError> {
        let fault = self.fault(step);
        let task = self.task.as_mut().ok_or_else(no_task)?;
        if let Some(folder) = &task.config.gates {
            gates::pass(folder, task.replica, task.first_step, step);
        }
        pause(task.config.step_ms);
        match fault {
            Some(Misdeed::Hang) => loop {
                thread::park();
            },
            Some(Misdeed::Fail) => {
                return Err(StepError::Failed(Failure {
                    kind: v1::FailureKind::Worker,
                    code: Code::WorkerFailed,
                    message: format!("step {step} failed as scripted"),
                    fields: Vec::new(),
                }));
            }
            #[expect(clippy::panic, reason = "the script asks for it")]
            Some(Misdeed::Panic) => panic!("step {step} panicked as scripted"),
            Some(Misdeed::Exhausted) => return Err(StepError::DataExhausted),
            Some(Misdeed::Exit) => std::process::exit(137),
            Some(Misdeed::Nan | Misdeed::Infinity) | None => {}
        }
        let beginning = *task.beginning.get_or_insert(Beginning {
            step: task.first_step,
            lr,
        });
        let loss = match fault {
            Some(Misdeed::Nan) => f64::NAN,
            Some(Misdeed::Infinity) => f64::INFINITY,
            _ => curve::loss(&task.config, (task.seed, task.replica), beginning, step, lr),
        };
        task.kept_back.push(StepLoss {
            step,
            lr,
            loss,
            samples: task.samples,
        });
        if u64::try_from(task.kept_back.len()).is_ok_and(|kept| kept >= task.config.losses_every) {
            losses.append(&mut task.kept_back);
        }
        Ok(())
    }

    fn flush(&mut self, losses: &mut Vec<StepLoss>) -> Result<(), StepError> {
        losses.append(&mut self.task.as_mut().ok_or_else(no_task)?.kept_back);
        Ok(())
    }

    fn stop(&mut self) {
        if let Some(task) = self.task.take()
            && let Some(folder) = &task.config.gates
        {
            gates::end(folder, task.replica, task.first_step);
        }
    }
}

fn no_task() -> StepError {
    StepError::Failed(Failure {
        kind: v1::FailureKind::Worker,
        code: Code::WorkerFailed,
        message: "a step outside of a task".to_owned(),
        fields: Vec::new(),
    })
}

fn pause(ms: f64) {
    if ms > 0.0 {
        thread::sleep(Duration::from_secs_f64(ms / 1e3));
    }
}

fn batch(spec: &v1::TrainerSpec) -> u32 {
    match spec.batch_size {
        0 => 64,
        size => size,
    }
}

fn beta(optimizer: &v1::Optimizer) -> f64 {
    match optimizer.name.as_str() {
        "adam" | "adamw" => optimizer.beta1,
        _ => optimizer.momentum,
    }
}

fn parameter(name: &str, shape: &[i64]) -> v1::Parameter {
    v1::Parameter {
        name: name.to_owned(),
        shape: shape.to_vec(),
    }
}
