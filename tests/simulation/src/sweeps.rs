//! The sweeps that are run, their losses, and what an undisturbed run makes of them.

use rangefinder_sweep::curve::{StopReason, StopRule};
use rangefinder_sweep::event::{Described, Observation, Outcome};
use rangefinder_sweep::ids::{Incarnation, LeaseToken, SweepId, WorkerId};
use rangefinder_sweep::plan::{PlanRequest, Probe, Split, Task};
use rangefinder_sweep::schedule::{Grid, Mode, Range};
use rangefinder_sweep::state::{
    Action, Command, Event, Options, Report, State, SweepRequest, SweepResult, Time,
};
use std::collections::{BTreeMap, VecDeque};
use std::sync::OnceLock;

/// What a sweep is and how its losses go.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    split: Split,
    segments: Option<u32>,
    replicas: Option<u32>,
    steps: u32,
    /// From which step on losses explode.
    diverges_at: Option<u32>,
    /// Segment and step from which on it is NaN.
    nan_at: Option<(u32, u32)>,
    /// Step at which the data end.
    data_ends: Option<u32>,
}

/// All kinds; a sweep's name begins with the number of its kind.
pub(crate) fn kinds() -> &'static [Kind] {
    static KINDS: OnceLock<Vec<Kind>> = OnceLock::new();
    KINDS.get_or_init(|| {
        let shapes = [
            (Split::None, None, None, 40),
            (Split::Segments, Some(3), None, 60),
            (Split::Replicas, None, Some(3), 24),
            (Split::Hybrid, Some(2), Some(2), 60),
        ];
        let troubles = [
            (None, None, None),
            (Some(22), None, None),
            (None, Some((0, 9)), None),
            (None, Some((1, 20)), None),
            (None, None, Some(19)),
        ];
        let mut kinds = Vec::new();
        for (split, segments, replicas, steps) in shapes {
            for (diverges_at, nan_at, data_ends) in troubles {
                kinds.push(Kind {
                    split,
                    segments,
                    replicas,
                    steps,
                    diverges_at,
                    nan_at,
                    data_ends,
                });
            }
        }
        kinds
    })
}

/// The kind of a sweep, by its name.
pub(crate) fn kind_of(sweep: &SweepId) -> Option<&'static Kind> {
    let (number, _) = sweep.0.split_once('-')?;
    kinds().get(number.parse::<usize>().ok()?)
}

impl Kind {
    pub(crate) fn request(&self, owner: &str, priority: i32) -> SweepRequest {
        SweepRequest {
            plan: PlanRequest {
                range: Range {
                    mode: Mode::Exponential,
                    grid: Grid::BothEnds,
                    min_lr: 1e-8,
                    max_lr: 1.0,
                    steps: self.steps,
                },
                split: self.split,
                segments: self.segments,
                replicas: self.replicas,
                overlap_decades: 1.0,
                workers: self.segments.unwrap_or(1) * self.replicas.unwrap_or(1),
                updates_per_step: 1,
                largest_lr_ratio: 1.0,
            },
            stop: StopRule {
                threshold: 4.0,
                profile: None,
                planned_steps: self.steps,
            },
            owner: owner.to_owned(),
            priority,
        }
    }

    /// The loss of a step: a function of the sweep, the replica, the step and where it started.
    pub(crate) fn loss(&self, task: &Task, step: u32) -> f64 {
        if self
            .nan_at
            .is_some_and(|(segment, at)| segment == task.segment && step >= at)
        {
            return f64::NAN;
        }
        let past = self.diverges_at.map_or(0, |at| step.saturating_sub(at));
        let noise = f64::from((step * 7919 + task.replica * 31) % 97) / 970.0;
        let trace = 0.01 / f64::from(step - task.warm_up_start + 1);
        let calm = 2.3 / (1.0 + f64::from(step) / 50.0);
        calm + noise + f64::from(task.segment) * trace + 10.0 * f64::from(past)
    }

    /// Why a task ends before `step`, if it does; `last` is the loss of the step before.
    pub(crate) fn end(&self, task: &Task, step: u32, last: Option<f64>) -> Option<StopReason> {
        if last.is_some_and(|loss| !loss.is_finite()) {
            Some(StopReason::NonFinite)
        } else if step == task.end {
            Some(StopReason::Completed)
        } else {
            (self.data_ends == Some(step)).then_some(StopReason::DataExhausted)
        }
    }

    pub(crate) fn described(&self) -> Described {
        Described {
            parameters: Vec::new(),
            parameter_count: 10,
            initial_loss: 2.3,
            optimizer: "sgd".to_owned(),
            beta: Some(0.0),
            seekable: true,
            replayable: true,
            samples: 0,
            steps_per_epoch: 0,
            effective_batch_size: 32,
        }
    }

    pub(crate) fn probe(&self) -> Probe {
        Probe {
            initial_loss: 2.3,
            gradient_squared: 1e-4,
            gradient_l1: 0.1,
            seconds_per_step: 0.01,
            peak_memory_bytes: 0,
        }
    }
}

/// What a run has to end in, whatever happened: everything but who did what when. The number of
/// samples tells the attempt apart that made an observation.
pub(crate) fn essence(mut result: SweepResult) -> String {
    let unmark = |observations: &mut Vec<Observation>| {
        for observation in observations {
            observation.samples = 0;
        }
    };
    for replica in &mut result.replicas {
        unmark(&mut replica.curve);
        for task in &mut replica.tasks {
            let mut kept = task
                .attempts
                .pop()
                .map(|attempt| attempt.observations)
                .unwrap_or_default();
            unmark(&mut kept);
            task.attempts.clear();
            replica.curve.append(&mut kept);
        }
    }
    format!("{result:?}")
}

/// The essence of an undisturbed run of each kind.
pub(crate) fn reference(sweep: &SweepId) -> Option<&'static String> {
    static REFERENCES: OnceLock<Vec<String>> = OnceLock::new();
    let references = REFERENCES.get_or_init(|| kinds().iter().map(undisturbed).collect());
    let (number, _) = sweep.0.split_once('-')?;
    references.get(number.parse::<usize>().ok()?)
}

/// Runs one sweep on one worker that answers at once.
fn undisturbed(kind: &Kind) -> String {
    let sweep = SweepId("reference".to_owned());
    let worker = WorkerId("w".to_owned());
    let incarnation = Incarnation(1);
    let mut state = State::new(Options::default());
    let mut events = VecDeque::from([
        Event::Joined {
            worker: worker.clone(),
            incarnation,
            device: "cpu".to_owned(),
            versions: BTreeMap::new(),
            leases: Vec::new(),
        },
        Event::Create {
            sweep: sweep.clone(),
            request: Box::new(kind.request("", 0)),
        },
    ]);
    while let Some(event) = events.pop_front() {
        for action in state.apply(Time(0), event) {
            let Action::Send { command, .. } = action else {
                continue;
            };
            events.extend(
                answers(kind, command)
                    .into_iter()
                    .map(|report| Event::Report {
                        worker: worker.clone(),
                        incarnation,
                        report,
                    }),
            );
        }
    }
    let result = state.result(&sweep);
    let completed = |result: &SweepResult| result.outcome == Some(Outcome::Completed);
    result.filter(completed).map_or_else(String::new, essence)
}

fn answers(kind: &Kind, command: Command) -> Vec<Report> {
    match command {
        Command::Describe { token, .. } => {
            vec![Report::Described(token, Box::new(kind.described()))]
        }
        Command::Probe { token, .. } => vec![Report::Probed(token, kind.probe())],
        Command::Assign {
            token,
            task,
            learning_rates,
            ..
        } => {
            let mut observations = Vec::new();
            loop {
                match next(kind, token, &task, &learning_rates, &observations) {
                    Next::Observation(observation) => observations.push(observation),
                    Next::End(reason, end) => {
                        return vec![
                            Report::Observations(token, observations),
                            Report::Finished { token, reason, end },
                        ];
                    }
                }
            }
        }
        _ => Vec::new(),
    }
}

/// What a task's next step brings.
pub(crate) enum Next {
    Observation(Observation),
    End(StopReason, u32),
}

/// The step after those that were observed. Its samples are the number of the lease, by which
/// losses of different attempts are told apart.
pub(crate) fn next(
    kind: &Kind,
    token: LeaseToken,
    task: &Task,
    learning_rates: &[f64],
    observed: &[Observation],
) -> Next {
    let done = u32::try_from(observed.len()).unwrap_or(u32::MAX);
    let step = task.warm_up_start.saturating_add(done);
    let last = observed.last().map(|last| last.loss);
    match (
        kind.end(task, step, last),
        learning_rates.get(observed.len()),
    ) {
        (None, Some(lr)) => Next::Observation(Observation {
            step,
            lr: *lr,
            loss: kind.loss(task, step),
            samples: mark(token),
        }),
        (reason, _) => Next::End(reason.unwrap_or(StopReason::Completed), step),
    }
}

/// What observations made under a lease have in place of their number of samples.
pub(crate) fn mark(token: LeaseToken) -> u32 {
    u32::try_from(token.0).unwrap_or(u32::MAX)
}
