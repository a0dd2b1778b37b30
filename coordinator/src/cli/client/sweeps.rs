//! A sweep as data and in words.

use super::table::plain;
use super::times;
use crate::wire::sweeps;
use jiff::Timestamp;
use rangefinder_proto::v1;
use rangefinder_report::{learning_rate, terminal};
use rangefinder_sweep::suggest::{Suggestion, Verdict};
use serde::Serialize;

/// Digits of a learning rate in a table.
const DIGITS: usize = 4;

/// A sweep as `--json` prints it.
#[derive(Debug, Serialize)]
pub(super) struct SweepJson<'a> {
    id: &'a str,
    name: &'a str,
    owner: &'a str,
    state: &'static str,
    /// What it waits for; empty where its work runs.
    waiting_for: &'a str,
    workers: u32,
    priority: i32,
    /// In UTC, as of RFC 3339.
    created: Option<String>,
    ended: Option<String>,
    progress: ProgressJson,
    last_event_number: u64,
    failure: Option<FailureJson<'a>>,
    suggestion: Option<Suggestion>,
    verdict: Option<Verdict>,
    spec: Option<&'a v1::SweepSpec>,
}

#[derive(Debug, Serialize)]
struct ProgressJson {
    steps_done: u64,
    /// 0 before there is a plan.
    steps_planned: u64,
    workers_busy: u32,
}

#[derive(Debug, Serialize)]
struct FailureJson<'a> {
    code: &'a str,
    message: &'a str,
}

impl<'a> SweepJson<'a> {
    /// Of a sweep as the service tells it.
    pub(super) fn of(sweep: &'a v1::Sweep) -> Result<Self, sweeps::Unknown> {
        let progress = sweep.progress.unwrap_or_default();
        Ok(Self {
            id: &sweep.id,
            name: &sweep.name,
            owner: &sweep.owner,
            state: sweeps::sweep_state_name(sweep.state()),
            waiting_for: &sweep.waiting_for,
            workers: sweep.workers,
            priority: sweep.priority,
            created: sweep.create_time.as_ref().and_then(times::exact),
            ended: sweep.end_time.as_ref().and_then(times::exact),
            progress: ProgressJson {
                steps_done: progress.steps_done,
                steps_planned: progress.steps_planned,
                workers_busy: progress.workers_busy,
            },
            last_event_number: sweep.last_event_number,
            failure: sweep.failure.as_ref().map(|failure| FailureJson {
                code: &failure.code,
                message: &failure.message,
            }),
            suggestion: sweep
                .suggestion
                .as_ref()
                .map(sweeps::read_suggestion)
                .transpose()?,
            verdict: sweep
                .verdict
                .as_ref()
                .map(sweeps::read_verdict)
                .transpose()?,
            spec: sweep.spec.as_ref(),
        })
    }
}

/// The columns of `coordinator list`.
pub(super) const COLUMNS: [&str; 7] = ["id", "name", "owner", "state", "steps", "created", "lr"];

/// A row of `coordinator list`; the owner is of interest to admins.
pub(super) fn row(sweep: &v1::Sweep, with_owner: bool, now: Timestamp) -> Vec<String> {
    let owner = if with_owner { &sweep.owner } else { "" };
    let created = sweep.create_time.as_ref();
    let lr = sweep.suggestion.as_ref();
    vec![
        plain(&sweep.id),
        plain(&sweep.name),
        plain(owner),
        sweeps::sweep_state_name(sweep.state()).to_owned(),
        steps(sweep),
        created.map_or_else(String::new, |then| times::ago(then, now)),
        lr.map_or_else(String::new, |found| learning_rate(found.lr, DIGITS)),
    ]
}

/// `412 of 900`; nothing before there is a plan.
fn steps(sweep: &v1::Sweep) -> String {
    match sweep.progress {
        Some(progress) if progress.steps_planned > 0 => {
            format!("{} of {}", progress.steps_done, progress.steps_planned)
        }
        _ => String::new(),
    }
}

/// All that is known of a sweep, for people.
pub(super) fn described(sweep: &v1::Sweep, now: Timestamp, width: usize) -> String {
    let mut text = format!(
        "Sweep {}: {}\n",
        plain(&sweep.id),
        sweeps::sweep_state_name(sweep.state())
    );
    let mut line = |name: &str, value: String| {
        if !value.is_empty() {
            let line = format!("  {name:<14} {}", plain(&value));
            text.push_str(&terminal::fold(&line, width, 15));
            text.push('\n');
        }
    };
    line("name", sweep.name.clone());
    line("created", times(sweep, now));
    line("waits for", sweep.waiting_for.clone());
    line("trains", trained(sweep.spec.as_ref()));
    line("range", range(sweep.spec.as_ref()));
    line("plan", plan(sweep));
    line("steps", progress(sweep));
    line("learning rate", found(sweep.suggestion.as_ref()));
    if let Some(verdict) = &sweep.verdict {
        line("verdict", verdict.message.clone());
    }
    if let Some(failure) = &sweep.failure {
        line("failure", format!("[{}] {}", failure.code, failure.message));
    }
    text
}

fn times(sweep: &v1::Sweep, now: Timestamp) -> String {
    let Some(created) = &sweep.create_time else {
        return String::new();
    };
    let mut text = times::ago(created, now);
    if !sweep.owner.is_empty() {
        text.push_str(&format!(" by {}", sweep.owner));
    }
    if let Some(ended) = &sweep.end_time {
        text.push_str(&format!(", ended {}", times::ago(ended, now)));
    }
    text
}

fn trained(spec: Option<&v1::SweepSpec>) -> String {
    let Some(spec) = spec else {
        return String::new();
    };
    if let Some(entry) = &spec.entry {
        return format!("`{entry}`, with a worker of its own");
    }
    let of = |field: &Option<String>| field.as_deref().map(short).unwrap_or_default().to_owned();
    let mut text = format!("{} on {}", of(&spec.model), of(&spec.data));
    if let Some(optimizer) = &spec.optimizer {
        text.push_str(&format!(" with {optimizer}"));
    }
    if let Some(size) = rangefinder_report::document::effective_batch_size(spec) {
        text.push_str(&format!(", {size} samples a step"));
    }
    text
}

/// The name of a file without the digits of its content.
fn short(name: &str) -> &str {
    match name.strip_prefix("artifact:") {
        Some(artifact) => artifact.split_once('/').map_or(artifact, |(_, name)| name),
        None => name,
    }
}

fn range(spec: Option<&v1::SweepSpec>) -> String {
    let Some((min, max, steps)) =
        spec.and_then(|spec| Some((spec.min_lr?, spec.max_lr?, spec.num_training?)))
    else {
        return String::new();
    };
    format!(
        "{} to {} in {steps} steps",
        learning_rate(min, DIGITS),
        learning_rate(max, DIGITS)
    )
}

fn plan(sweep: &v1::Sweep) -> String {
    let workers = match sweep.workers {
        1 => "for 1 worker".to_owned(),
        count => format!("for {count} workers"),
    };
    match sweep.priority {
        0 => workers,
        priority => format!("{workers}, priority {priority}"),
    }
}

fn progress(sweep: &v1::Sweep) -> String {
    let steps = steps(sweep);
    let busy = sweep.progress.map_or(0, |progress| progress.workers_busy);
    match (steps.is_empty(), busy) {
        (true, _) => String::new(),
        (false, 0) => steps,
        (false, 1) => format!("{steps}, 1 worker works on it"),
        (false, busy) => format!("{steps}, {busy} workers work on it"),
    }
}

fn found(suggestion: Option<&v1::Suggestion>) -> String {
    let Some(suggestion) = suggestion else {
        return String::new();
    };
    let mut text = format!(
        "{} by `{}`",
        learning_rate(suggestion.lr, DIGITS),
        suggestion.method
    );
    if let Some(interval) = &suggestion.interval {
        text.push_str(&format!(
            ", {} to {} at {:.0} %",
            learning_rate(interval.low, DIGITS),
            learning_rate(interval.high, DIGITS),
            100.0 * interval.level
        ));
    }
    text
}
