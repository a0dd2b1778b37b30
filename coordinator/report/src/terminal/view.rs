//! What a running sweep looks like, as a function of its events: no clock, no terminal.

use super::plan::{self, plan};
use super::style::clean_lines;
use crate::numbers::{duration, real, whole};
use crate::words;
use rangefinder_sweep::curve::StopReason;
use rangefinder_sweep::event::{
    AttemptOutcome, FailureKind, Happening, Observation, Outcome, SweepEvent, WorkKind,
};
use rangefinder_sweep::ids::{LeaseToken, TaskId, WorkerId};
use rangefinder_sweep::plan::Plan;
use std::collections::BTreeMap;

/// Width of the loss in small: the most, and the least at which it says something.
const SPARKS: std::ops::RangeInclusive<usize> = 6..=16;
/// Words before the loss in small.
const LOSS: &str = "  loss ";
/// Share of the first loss below which a change is no change to look at: the noise of batches
/// would else fill the whole height of the loss in small.
const FLAT: f64 = 0.1;

/// A line for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Note {
    pub text: String,
    /// Whether it is shown to those who want nothing but errors.
    pub error: bool,
}

/// One task as far as it has come.
#[derive(Clone, Copy, Debug)]
struct Run {
    token: LeaseToken,
    done: u32,
    /// Steps that it will have run: fewer than planned once it has ended early.
    total: u32,
    planned: u32,
}

/// All that the live view shows.
#[derive(Debug, Default)]
pub(super) struct View {
    learning_rates: Vec<f64>,
    effective_batch_size: Option<u64>,
    phase: String,
    runs: BTreeMap<TaskId, Run>,
    starts: BTreeMap<TaskId, u32>,
    /// What the drawing of the plan calls the tasks.
    names: BTreeMap<TaskId, String>,
    /// Why each worker was last gone.
    causes: BTreeMap<WorkerId, String>,
    losses: BTreeMap<u32, f64>,
    attempts: BTreeMap<u64, u32>,
    first_ms: Option<u64>,
    last_ms: u64,
    steps_run: u64,
    replicas: u32,
    ended: bool,
}

impl View {
    pub fn new(learning_rates: Vec<f64>) -> Self {
        Self {
            learning_rates,
            phase: "waiting for a worker".to_owned(),
            ..Self::default()
        }
    }

    /// Takes in an event; what it returns stays on the screen.
    pub fn take(&mut self, event: &SweepEvent, width: usize, colour: bool) -> Vec<Note> {
        self.last_ms = self.last_ms.max(event.at_ms);
        let note = |text: String| {
            vec![Note {
                text: clean_lines(&text).join("\n  "),
                error: false,
            }]
        };
        match &event.happening {
            Happening::Created => Vec::new(),
            Happening::Probed { probe } => words::probe(probe).map_or_else(Vec::new, note),
            Happening::Described { described } => {
                let size = described.effective_batch_size;
                self.effective_batch_size = Some(size).filter(|size| *size > 0);
                Vec::new()
            }
            Happening::WorkerJoined { worker, device, .. } => {
                note(format!("{worker} joined on {device}"))
            }
            Happening::WorkerGone { worker, cause } => note(self.gone(worker, cause)),
            Happening::WorkerSetAside { worker, reason, .. } => {
                note(format!("{worker} is set aside: {reason}"))
            }
            Happening::Waiting { reason } => {
                self.phase = clean_lines(&format!("waiting: {reason}")).join(" ");
                note(format!("waiting: {reason}"))
            }
            Happening::Planned { plan: planned } => {
                self.planned(planned);
                let (lrs, size) = (&self.learning_rates, self.effective_batch_size);
                let text = plan(planned, lrs, size, width, colour);
                vec![Note {
                    text: text.trim_end().to_owned(),
                    error: false,
                }]
            }
            Happening::Granted {
                worker,
                work,
                attempt,
                token,
                ..
            } => self.granted(worker, *work, *attempt, *token),
            Happening::Observed {
                task,
                token,
                observations,
                ..
            } => {
                self.observed(*task, *token, observations);
                Vec::new()
            }
            Happening::AttemptEnded {
                work,
                worker,
                token,
                outcome,
            } => self.attempt_ended(*work, worker, *token, outcome),
            Happening::Stopped {
                replica,
                reason,
                step,
            } => self
                .stopped(*replica, *reason, *step)
                .map_or_else(Vec::new, note),
            Happening::Warned { warning } => {
                note(format!("warning: {}", words::full_stop(&warning.message)))
            }
            Happening::Ended { outcome } => {
                self.ended = true;
                if *outcome != Outcome::Completed {
                    // What was broken off did not come to its end.
                    for run in self.runs.values_mut() {
                        run.total = run.planned;
                    }
                }
                Vec::new()
            }
        }
    }

    fn planned(&mut self, plan: &Plan) {
        let run = |total| Run {
            token: LeaseToken(0),
            done: 0,
            total,
            planned: total,
        };
        self.runs = plan
            .tasks
            .iter()
            .map(|task| (task.id, run(task.steps())))
            .collect();
        self.replicas = plan.replicas;
        self.names = plan
            .tasks
            .iter()
            .map(|task| (task.id, plan::name(plan, task)))
            .collect();
        self.starts = plan
            .tasks
            .iter()
            .map(|task| (task.id, task.start))
            .collect();
        self.phase = "training".to_owned();
    }

    fn granted(
        &mut self,
        worker: &WorkerId,
        work: WorkKind,
        attempt: u32,
        token: LeaseToken,
    ) -> Vec<Note> {
        self.attempts.insert(token.0, attempt);
        match work {
            WorkKind::Describe => self.phase = "loading model and data".to_owned(),
            WorkKind::Probe => self.phase = "probing the gradient".to_owned(),
            WorkKind::Task(task) => {
                self.first_ms.get_or_insert(self.last_ms);
                if let Some(run) = self.runs.get_mut(&task) {
                    *run = Run {
                        token,
                        done: 0,
                        ..*run
                    };
                }
            }
        }
        if attempt < 2 {
            return Vec::new();
        }
        let text = format!("{} goes to {worker}, attempt {attempt}", self.name(work));
        vec![Note { text, error: false }]
    }

    fn observed(&mut self, task: TaskId, token: LeaseToken, observations: &[Observation]) {
        self.steps_run += u64::try_from(observations.len()).unwrap_or(u64::MAX);
        let Some(run) = self.runs.get_mut(&task).filter(|run| run.token == token) else {
            return;
        };
        let seen = u32::try_from(observations.len()).unwrap_or(u32::MAX);
        run.done = run.done.saturating_add(seen).min(run.total);
        let start = self.starts.get(&task).copied().unwrap_or(0);
        for observation in observations
            .iter()
            .filter(|observation| observation.step >= start)
        {
            self.losses.insert(observation.step, observation.loss);
        }
    }

    fn attempt_ended(
        &mut self,
        work: WorkKind,
        worker: &WorkerId,
        token: LeaseToken,
        outcome: &AttemptOutcome,
    ) -> Vec<Note> {
        let attempt = self.attempts.remove(&token.0).unwrap_or(1);
        let what = self.name(work);
        let run = match work {
            WorkKind::Task(task) => self.runs.get_mut(&task).filter(|run| run.token == token),
            WorkKind::Describe | WorkKind::Probe => None,
        };
        let (text, error) = match outcome {
            AttemptOutcome::Completed
            | AttemptOutcome::Diverged
            | AttemptOutcome::DataExhausted
            | AttemptOutcome::Cancelled => {
                if let Some(run) = run {
                    run.total = run.done;
                }
                return Vec::new();
            }
            // The user's own mistakes and a full memory end the command, which says so itself.
            AttemptOutcome::Failed(failure) if failure.kind != FailureKind::Worker => {
                return Vec::new();
            }
            AttemptOutcome::Failed(failure) => (
                format!(
                    "{worker} failed at {what}, attempt {attempt}: {}",
                    failure.message
                ),
                true,
            ),
            AttemptOutcome::Lost(cause) => {
                // That the worker is gone is said on a line of its own.
                let why = match cause.strip_prefix("the worker is gone: ") {
                    Some(_) => String::new(),
                    None => format!(": {cause}"),
                };
                (
                    format!("{worker} lost {what}, attempt {attempt}{why}"),
                    false,
                )
            }
            AttemptOutcome::Preempted(reason) => {
                (format!("{worker} gave {what} back: {reason}"), false)
            }
        };
        if let Some(run) = run {
            run.done = 0;
        }
        vec![Note {
            text: clean_lines(&text).join("\n  "),
            error,
        }]
    }

    /// What ends a curve early. That the sweep was cancelled or has failed ends every curve of it,
    /// and is said once, by the caller.
    fn stopped(&self, replica: u32, reason: StopReason, step: Option<u32>) -> Option<String> {
        let why = match reason {
            StopReason::Completed | StopReason::Cancelled | StopReason::Failed => return None,
            StopReason::Diverged => "the loss diverged",
            StopReason::NonFinite => "the loss is not finite",
            StopReason::DataExhausted => "the data ended",
        };
        let place = step.map_or_else(String::new, |step| format!(" at step {step}"));
        let curve = if self.replicas > 1 {
            format!("the curve of replica {replica}")
        } else {
            "the curve".to_owned()
        };
        Some(format!("{curve} ends{place}: {why}"))
    }

    fn name(&self, work: WorkKind) -> String {
        match work {
            WorkKind::Describe => "loading model and data".to_owned(),
            WorkKind::Probe => "the probe".to_owned(),
            WorkKind::Task(task) => match self.names.get(&task).filter(|_| self.names.len() > 1) {
                Some(name) => format!("task {task} ({name})"),
                None => format!("task {task}"),
            },
        }
    }

    /// That a worker is gone, its last words once: one that cannot start is gone several times in
    /// the same way.
    fn gone(&mut self, worker: &WorkerId, cause: &str) -> String {
        // Its process says who it is as well: "worker w0 was killed by SIGKILL".
        let how = match cause.strip_prefix(&format!("worker {worker} ")) {
            Some(how) => format!("{worker} {how}"),
            None => format!("{worker} is gone: {cause}"),
        };
        let before = self.causes.insert(worker.clone(), cause.to_owned());
        let first = how.lines().next().unwrap_or_default();
        match first.strip_suffix(':') {
            Some(first) if before.is_some_and(|before| before == cause) => {
                format!("{first} were the same")
            }
            _ => how,
        }
    }

    /// Steps that are done, and that there will be.
    pub fn steps(&self) -> (u64, u64) {
        let sum = |of: fn(&Run) -> u32| self.runs.values().map(|run| u64::from(of(run))).sum();
        (sum(|run| run.done), sum(|run| run.total))
    }

    /// Milliseconds of the latest event.
    pub fn at_ms(&self) -> u64 {
        self.last_ms
    }

    /// Whether there is nothing more to come.
    pub fn ended(&self) -> bool {
        self.ended
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of steps and milliseconds are far below 2^52"
    )]
    fn rate(&self) -> Option<f64> {
        let seconds = self.last_ms.checked_sub(self.first_ms?)? as f64 / 1000.0;
        (seconds > 0.0 && self.steps_run > 0).then(|| self.steps_run as f64 / seconds)
    }

    /// The line of the bar: `[=====>    ] 41/100 steps, 80 steps/s, 1 s left ▇▇▆▃`.
    pub fn bar(&self, width: usize) -> String {
        let line = if self.runs.is_empty() {
            self.phase.clone()
        } else {
            self.bar_of_steps(width)
        };
        words::shorten(&line, width)
    }

    fn bar_of_steps(&self, width: usize) -> String {
        let (done, total) = self.steps();
        let bar = match width {
            120.. => 32,
            100.. => 24,
            60.. => 16,
            _ => 10,
        };
        #[expect(
            clippy::cast_precision_loss,
            reason = "counts of steps are far below 2^52"
        )]
        let share = if total == 0 {
            1.0
        } else {
            done as f64 / total as f64
        };
        let full = whole(share * real(bar), bar);
        let mut line = format!(
            "{}{} {done}/{total} steps",
            "━".repeat(full),
            "╌".repeat(bar - full)
        );
        for part in [self.speed(), self.left(done, total)].into_iter().flatten() {
            if line.chars().count() + part.chars().count() + 2 <= width {
                line = format!("{line}, {part}");
            }
        }
        let room = width.saturating_sub(line.chars().count() + LOSS.len());
        if SPARKS.contains(&room) || room > *SPARKS.end() {
            let sparks = sparkline(&self.losses, room.min(*SPARKS.end()));
            if !sparks.is_empty() {
                line = format!("{line}{LOSS}{sparks}");
            }
        }
        line
    }

    /// The bar in words, for where there is no terminal.
    pub fn plain(&self) -> String {
        let (done, total) = self.steps();
        let parts = [
            Some(format!("{done}/{total} steps")),
            self.speed(),
            self.left(done, total),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    fn speed(&self) -> Option<String> {
        self.rate().map(|rate| format!("{rate:.0} steps/s"))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of steps are far below 2^52"
    )]
    fn left(&self, done: u64, total: u64) -> Option<String> {
        /// Less than this is over before it is read.
        const LEAST_SECONDS: f64 = 0.5;
        let left = total.saturating_sub(done) as f64 / self.rate()?;
        (left >= LEAST_SECONDS).then(|| format!("{} left", duration(left)))
    }
}

/// The losses in one line of at most `width` characters; an explosion at the end is cut off.
fn sparkline(losses: &BTreeMap<u32, f64>, width: usize) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let finite: Vec<f64> = losses
        .values()
        .copied()
        .filter(|loss| loss.is_finite())
        .collect();
    if finite.len() < 2 {
        return String::new();
    }
    let chunk = finite.len().div_ceil(width.max(1));
    let means: Vec<f64> = finite
        .chunks(chunk)
        .map(|losses| losses.iter().map(|loss| loss / real(losses.len())).sum())
        .collect();
    let low = means.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = means.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let first = means.first().copied().unwrap_or(low);
    let high = if first > low {
        highest.min(first + 0.5 * (first - low))
    } else {
        highest
    };
    let span = (high - low).max(FLAT * first.abs());
    means
        .iter()
        .map(|mean| {
            let below = if span > 0.0 {
                (high - mean) / span
            } else {
                0.0
            };
            BARS[whole((1.0 - below.clamp(0.0, 1.0)) * 7.0, 7)]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explosion_does_not_flatten_the_sparkline() {
        let losses = [2.3, 2.3, 2.2, 1.5, 0.9, 0.6, 0.5, 900.0];
        let losses = losses
            .into_iter()
            .zip(0..)
            .map(|(loss, step)| (step, loss))
            .collect();
        assert_eq!(sparkline(&losses, 8), "▆▆▅▄▂▁▁█");
    }

    #[test]
    fn the_noise_of_batches_is_no_mountain_range() {
        let losses = [2.31, 2.30, 2.33, 2.29, 2.32, 2.31];
        let losses = (0..).zip(losses).collect();
        let bars = sparkline(&losses, 6);
        assert!(bars.chars().all(|bar| "▆▇█".contains(bar)), "{bars}");
    }
}
