//! An event as a log line: one line an event, with its reason. Observations have one at `debug`.

use super::Context;
use rangefinder_sweep::event::{AttemptOutcome, Failure, Happening, Outcome, SweepEvent, WorkKind};
use rangefinder_sweep::ids::{LeaseToken, TaskId, WorkerId};

/// The fields of a line; what an event does not have is left out.
#[derive(Debug, Default)]
struct Line<'a> {
    worker: Option<&'a WorkerId>,
    work: Option<WorkKind>,
    task: Option<TaskId>,
    replica: Option<u32>,
    attempt: Option<u32>,
    token: Option<LeaseToken>,
    /// How it ended; of a warning, its kind.
    outcome: Option<&'a str>,
    /// Code of docs/errors.md.
    code: Option<String>,
    reason: Option<String>,
    observations: Option<usize>,
}

/// Writes the line of an event.
pub(super) fn log(event: &SweepEvent, context: Context<'_>) {
    let (name, line) = line(&event.happening);
    let trace = context.trace.map(|trace| trace.trace_id());
    // The macros want the level, which is part of what they compile, as a constant.
    macro_rules! write {
        ($level:expr) => {
            tracing::event!(
                target: "rangefinder::events",
                $level,
                sweep = event.sweep.0,
                owner = context.owner,
                number = event.number,
                event = name,
                trace_id = trace,
                worker = line.worker.map(|worker| worker.0.as_str()),
                work = line.work.map(work_name),
                task = line.task.map(|task| task.0),
                replica = line.replica,
                attempt = line.attempt,
                lease = line.token.map(|token| token.0),
                outcome = line.outcome,
                code = line.code,
                reason = line.reason,
                observations = line.observations,
                "{name}",
            )
        };
    }
    match severity(&event.happening) {
        Severity::Detail => write!(tracing::Level::DEBUG),
        Severity::News => write!(tracing::Level::INFO),
        Severity::Trouble => write!(tracing::Level::WARN),
    }
}

/// Who has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Severity {
    /// Who looks for a fault.
    Detail,
    /// Who follows.
    News,
    /// Who keeps the service well.
    Trouble,
}

fn severity(happening: &Happening) -> Severity {
    match happening {
        Happening::Observed { .. } => Severity::Detail,
        Happening::WorkerSetAside { .. }
        | Happening::Warned { .. }
        | Happening::AttemptEnded {
            outcome: AttemptOutcome::Failed(_) | AttemptOutcome::Lost(_),
            ..
        }
        | Happening::Ended {
            outcome: Outcome::Failed(_),
        } => Severity::Trouble,
        _ => Severity::News,
    }
}

fn line(happening: &Happening) -> (&'static str, Line<'_>) {
    let of = Line::default();
    match happening {
        Happening::Created => ("created", of),
        Happening::WorkerJoined { worker, device, .. } => (
            "worker_joined",
            Line {
                worker: Some(worker),
                reason: Some(format!("it trains on {device}")),
                ..of
            },
        ),
        Happening::WorkerGone { worker, cause } => (
            "worker_gone",
            Line {
                worker: Some(worker),
                reason: Some(cause.clone()),
                ..of
            },
        ),
        Happening::WorkerSetAside { worker, reason, .. } => (
            "worker_set_aside",
            Line {
                worker: Some(worker),
                reason: Some(reason.clone()),
                ..of
            },
        ),
        Happening::Waiting { reason } => (
            "waiting",
            Line {
                reason: Some(reason.clone()),
                ..of
            },
        ),
        Happening::Described { .. } => ("described", of),
        Happening::Probed { .. } => ("probed", of),
        Happening::Planned { .. } => ("planned", of),
        Happening::Granted {
            worker,
            work,
            attempt,
            token,
            ..
        } => (
            "granted",
            Line {
                worker: Some(worker),
                work: Some(*work),
                task: task(*work),
                attempt: Some(*attempt),
                token: Some(*token),
                ..of
            },
        ),
        Happening::Observed {
            task,
            replica,
            token,
            observations,
        } => (
            "observed",
            Line {
                task: Some(*task),
                replica: Some(*replica),
                token: Some(*token),
                observations: Some(observations.len()),
                ..of
            },
        ),
        Happening::AttemptEnded {
            work,
            worker,
            token,
            outcome,
        } => {
            let (code, reason) = why(outcome);
            (
                "attempt_ended",
                Line {
                    worker: Some(worker),
                    work: Some(*work),
                    task: task(*work),
                    token: Some(*token),
                    outcome: Some(attempt_outcome(outcome)),
                    code,
                    reason,
                    ..of
                },
            )
        }
        Happening::Stopped {
            replica,
            reason,
            step,
        } => (
            "stopped",
            Line {
                replica: Some(*replica),
                reason: Some(match step {
                    Some(step) => format!("{reason:?} at step {step}"),
                    None => format!("{reason:?} before the first step"),
                }),
                ..of
            },
        ),
        Happening::Warned { warning } => (
            "warned",
            Line {
                outcome: Some(&warning.code),
                reason: Some(warning.message.clone()),
                ..of
            },
        ),
        Happening::Ended { outcome } => {
            let (code, reason) = match outcome {
                Outcome::Failed(failure) => told(failure),
                Outcome::Completed | Outcome::Cancelled => (None, None),
            };
            (
                "ended",
                Line {
                    outcome: Some(sweep_outcome(outcome)),
                    code,
                    reason,
                    ..of
                },
            )
        }
    }
}

fn why(outcome: &AttemptOutcome) -> (Option<String>, Option<String>) {
    match outcome {
        AttemptOutcome::Failed(failure) => told(failure),
        AttemptOutcome::Lost(reason) | AttemptOutcome::Preempted(reason) => {
            (None, Some(reason.clone()))
        }
        _ => (None, None),
    }
}

fn told(failure: &Failure) -> (Option<String>, Option<String>) {
    let fields = failure.fields.iter().map(|field| format!("; {field}"));
    let reason = failure.message.clone() + &fields.collect::<String>();
    (Some(failure.code.to_string()), Some(reason))
}

fn task(work: WorkKind) -> Option<TaskId> {
    match work {
        WorkKind::Task(task) => Some(task),
        WorkKind::Describe | WorkKind::Probe => None,
    }
}

/// What an attempt is at, as logs, metrics and spans call it.
pub(super) fn work_name(work: WorkKind) -> &'static str {
    match work {
        WorkKind::Describe => "describe",
        WorkKind::Probe => "probe",
        WorkKind::Task(_) => "task",
    }
}

/// How an attempt ended, as logs, metrics and spans call it.
pub(super) fn attempt_outcome(outcome: &AttemptOutcome) -> &'static str {
    match outcome {
        AttemptOutcome::Completed => "completed",
        AttemptOutcome::Diverged => "diverged",
        AttemptOutcome::DataExhausted => "data_exhausted",
        AttemptOutcome::Failed(_) => "failed",
        AttemptOutcome::Lost(_) => "lost",
        AttemptOutcome::Preempted(_) => "preempted",
        AttemptOutcome::Cancelled => "cancelled",
    }
}

/// Why an attempt ended so, where that is to be said.
#[cfg(feature = "otlp")]
pub(super) fn attempt_reason(outcome: &AttemptOutcome) -> Option<String> {
    why(outcome).1
}

/// How a sweep ended, as logs, metrics and spans call it.
pub(super) fn sweep_outcome(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Completed => "completed",
        Outcome::Cancelled => "cancelled",
        Outcome::Failed(_) => "failed",
    }
}
