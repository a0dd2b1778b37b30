//! What the worker's log says of its work: a span around it, and a line at its beginning and end.

use crate::trainer::Failure;
use crate::work::{Job, Outcome};
use rangefinder_proto::v1;
use tracing::Span;

/// The span around a task.
pub(crate) fn about_task(order: &v1::Assign) -> Span {
    let task = Some((order.sweep_id.as_str(), order.task_id));
    about(order.lease_token, task, &order.traceparent)
}

/// The span around the work of a lease: all lines within it have its fields, whatever their level.
/// `traceparent` names the attempt in the trace of its sweep.
pub(crate) fn about(lease: u64, task: Option<(&str, u32)>, traceparent: &str) -> Span {
    let (sweep, task) = task.unzip();
    let mut trace = traceparent.split('-').skip(1);
    let (trace_id, span_id) = (trace.next(), trace.next());
    tracing::error_span!("work", lease, sweep, task, trace_id, span_id)
}

/// Work was taken, or refused.
pub(crate) fn taken(about: &Span, job: &Result<Job, Failure>) {
    about.in_scope(|| match job {
        Ok(Job::Describe(_)) => tracing::info!("describing model and data"),
        Ok(Job::Probe(_, steps)) => tracing::info!(steps, "probing"),
        Ok(Job::Task(start, _)) => {
            let (replica, first_step, end) = (start.replica, start.first_step, start.end);
            tracing::info!(replica, first_step, end, "a task begins");
        }
        Err(failure) => tracing::warn!(reason = failure.message, "an order means nothing"),
    });
}

/// Work has ended.
pub(crate) fn done(about: &Span, outcome: &Outcome) {
    about.in_scope(|| match outcome {
        Outcome::Described(_) => tracing::info!("described"),
        Outcome::Probed(_) => tracing::info!("probed"),
        Outcome::Finished { reason, end } => tracing::info!(?reason, end, "the task is done"),
        Outcome::Failed(failure) => {
            tracing::warn!(code = %failure.code, reason = failure.message, "failed");
        }
        Outcome::HandBack(reason) => tracing::info!(reason, "handed back"),
    });
}
