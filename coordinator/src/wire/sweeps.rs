//! Between the messages of the API for clients and the values of the core, in both directions.
//!
//! What is read is checked: a message of a newer release that means nothing here is a typed
//! [`Unknown`], never a guess.

use crate::catalogue::Entry;
use rangefinder_proto::v1;
use rangefinder_sweep::event::{Failure, Outcome, SweepEvent};
use rangefinder_sweep::state::{WorkerState, WorkerView};
use rangefinder_sweep::suggest::{
    Answer, Interval, MethodValue, Reason, Suggestion, Value, Verdict,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A value that this release does not know, most likely of a newer one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} is `{value}`, which this release does not know")]
pub struct Unknown {
    /// What has the value, such as `verdict.reason`.
    pub what: &'static str,
    /// The value.
    pub value: String,
}

/// The states of a sweep by the names that people read and write.
pub const SWEEP_STATES: [(&str, v1::SweepState); 5] = [
    ("waiting", v1::SweepState::Waiting),
    ("running", v1::SweepState::Running),
    ("completed", v1::SweepState::Completed),
    ("cancelled", v1::SweepState::Cancelled),
    ("failed", v1::SweepState::Failed),
];

/// The states of a worker by the names that people read.
pub const WORKER_STATES: [(&str, v1::WorkerState); 5] = [
    ("idle", v1::WorkerState::Idle),
    ("busy", v1::WorkerState::Busy),
    ("draining", v1::WorkerState::Draining),
    ("disconnected", v1::WorkerState::Disconnected),
    ("set aside", v1::WorkerState::SetAside),
];

/// The name of a sweep's state; `unknown` for one of a newer release.
#[must_use]
pub fn sweep_state_name(state: v1::SweepState) -> &'static str {
    named(&SWEEP_STATES, state)
}

/// The name of a worker's state; `unknown` for one of a newer release.
#[must_use]
pub fn worker_state_name(state: v1::WorkerState) -> &'static str {
    named(&WORKER_STATES, state)
}

fn named<T: Copy + PartialEq>(names: &[(&'static str, T)], state: T) -> &'static str {
    names
        .iter()
        .find(|(_, known)| *known == state)
        .map_or("unknown", |(name, _)| name)
}

/// The state of a sweep: how it ended, else whether work of it has begun.
#[must_use]
pub fn sweep_state(outcome: Option<&Outcome>, has_begun: bool) -> v1::SweepState {
    match outcome {
        Some(Outcome::Completed) => v1::SweepState::Completed,
        Some(Outcome::Cancelled) => v1::SweepState::Cancelled,
        Some(Outcome::Failed(_)) => v1::SweepState::Failed,
        None if has_begun => v1::SweepState::Running,
        None => v1::SweepState::Waiting,
    }
}

/// Whether a sweep in this state has ended.
#[must_use]
pub fn has_ended(state: v1::SweepState) -> bool {
    matches!(
        state,
        v1::SweepState::Completed | v1::SweepState::Cancelled | v1::SweepState::Failed
    )
}

/// A failure for people: field by field on lines of their own where it has fields, else in the
/// worker's words.
#[must_use]
pub fn failure(failure: &Failure) -> v1::SweepFailure {
    let fields: Vec<_> = failure.fields.iter().map(ToString::to_string).collect();
    v1::SweepFailure {
        code: failure.code.to_string(),
        message: if fields.is_empty() {
            failure.message.clone()
        } else {
            fields.join("\n")
        },
    }
}

/// An event in its canonical form, with the time of day at which it happened where that is known.
///
/// # Errors
/// Never for an event of this release; the serializer's own otherwise.
pub fn event(
    event: &SweepEvent,
    time: Option<prost_types::Timestamp>,
) -> serde_json::Result<v1::SweepEvent> {
    let kind = serde_json::to_value(&event.happening)?;
    Ok(v1::SweepEvent {
        sweep_id: event.sweep.0.clone(),
        number: event.number,
        time,
        r#type: kind["event"].as_str().unwrap_or_default().to_owned(),
        json: serde_json::to_string(event)?,
    })
}

/// Reads an event.
///
/// # Errors
/// For one of a kind that this release does not know.
pub fn read_event(event: &v1::SweepEvent) -> Result<SweepEvent, Unknown> {
    serde_json::from_str(&event.json).map_err(|_| Unknown {
        what: "an event's type",
        value: event.r#type.clone(),
    })
}

/// What was read off a curve.
#[must_use]
pub fn answer(answer: &Answer) -> v1::CurveAnswer {
    v1::CurveAnswer {
        suggestion: answer.suggestion.as_ref().map(suggestion),
        verdict: Some(verdict(&answer.verdict)),
        rule_value: answer.rule_value.as_ref().map(|value| value.lr),
        methods: answer.methods.iter().map(method_value).collect(),
    }
}

/// A learning rate with its interval.
#[must_use]
pub fn suggestion(suggestion: &Suggestion) -> v1::Suggestion {
    v1::Suggestion {
        lr: suggestion.lr,
        method: suggestion.method.clone(),
        interval: suggestion.interval.as_ref().map(|interval| v1::Interval {
            low: interval.low,
            high: interval.high,
            level: interval.level,
            method: name(&interval.method),
        }),
        step: suggestion.index,
    }
}

/// Reads a learning rate with its interval.
///
/// # Errors
/// For an interval made in a way that this release does not know.
pub fn read_suggestion(suggestion: &v1::Suggestion) -> Result<Suggestion, Unknown> {
    let interval = suggestion.interval.as_ref().map(|interval| {
        Ok(Interval {
            low: interval.low,
            high: interval.high,
            level: interval.level,
            method: by_name("interval.method", &interval.method)?,
        })
    });
    Ok(Suggestion {
        lr: suggestion.lr,
        index: suggestion.step,
        method: suggestion.method.clone(),
        interval: interval.transpose()?,
    })
}

/// A verdict.
#[must_use]
pub fn verdict(verdict: &Verdict) -> v1::Verdict {
    v1::Verdict {
        usable: verdict.usable,
        reason: verdict.reason.as_ref().map(name).unwrap_or_default(),
        message: verdict.message.clone(),
    }
}

/// Reads a verdict.
///
/// # Errors
/// For a reason that this release does not know.
pub fn read_verdict(verdict: &v1::Verdict) -> Result<Verdict, Unknown> {
    let reason: Option<Reason> = match verdict.reason.as_str() {
        "" => None,
        reason => Some(by_name("verdict.reason", reason)?),
    };
    Ok(Verdict {
        usable: verdict.usable,
        reason,
        message: verdict.message.clone(),
    })
}

/// What a method gives.
#[must_use]
pub fn method_value(value: &MethodValue) -> v1::MethodValue {
    v1::MethodValue {
        method: value.method.clone(),
        lr: value.value.as_ref().map(|value| value.lr),
        why: value.why.clone(),
    }
}

/// Reads what a method gives, on a curve over these learning rates: the message has no step, it is
/// the one whose learning rate is nearest.
#[must_use]
pub fn read_method_value(value: &v1::MethodValue, learning_rates: &[f64]) -> MethodValue {
    MethodValue {
        method: value.method.clone(),
        value: value
            .lr
            .map(|lr| value_at(lr, &value.method, learning_rates)),
        why: value.why.clone(),
    }
}

/// A learning rate with the step whose learning rate is nearest on a logarithmic scale.
#[must_use]
pub fn value_at(lr: f64, method: &str, learning_rates: &[f64]) -> Value {
    let distance = |rate: f64| (rate.ln() - lr.ln()).abs();
    let nearest = (0..)
        .zip(learning_rates)
        .min_by(|(_, one), (_, other)| distance(**one).total_cmp(&distance(**other)));
    Value {
        lr,
        index: nearest.map_or(0, |(step, _)| step),
        method: method.to_owned(),
    }
}

/// A time of day, from milliseconds since 1970.
#[must_use]
pub fn timestamp(unix_ms: i64) -> prost_types::Timestamp {
    let nanos = unix_ms.rem_euclid(1000) * 1_000_000;
    prost_types::Timestamp {
        seconds: unix_ms.div_euclid(1000),
        nanos: i32::try_from(nanos).unwrap_or(0),
    }
}

/// What is known of a sweep, without its specification.
#[must_use]
pub fn sweep(entry: &Entry) -> v1::Sweep {
    let summary = &entry.summary;
    let state = match entry.outcome.as_deref() {
        Some("completed") => v1::SweepState::Completed,
        Some("cancelled") => v1::SweepState::Cancelled,
        Some(_) => v1::SweepState::Failed,
        None if entry.started => v1::SweepState::Running,
        None => v1::SweepState::Waiting,
    };
    v1::Sweep {
        id: entry.id.0.clone(),
        name: summary.name.clone(),
        owner: entry.owner.clone(),
        state: state.into(),
        waiting_for: entry.waiting_for.clone().unwrap_or_default(),
        spec: None,
        workers: summary.workers,
        priority: summary.priority,
        create_time: Some(timestamp(entry.created_ms)),
        end_time: entry.ended_ms.map(timestamp),
        progress: Some(v1::SweepProgress {
            steps_done: summary.progress.steps_run,
            steps_planned: summary.progress.steps_planned,
            workers_busy: summary.progress.workers_busy,
        }),
        last_event_number: summary.last_event,
        failure: summary.failure.as_ref().map(failure),
        suggestion: summary.suggestion.as_ref().map(suggestion),
        verdict: summary.verdict.as_ref().map(verdict),
    }
}

/// A worker, without the sweep that it works on.
#[must_use]
pub fn worker(view: &WorkerView) -> v1::Worker {
    let (state, reason) = match &view.state {
        WorkerState::SetAside(reason) => (v1::WorkerState::SetAside, reason.clone()),
        WorkerState::Silent => (
            v1::WorkerState::Disconnected,
            "its lease expired, and nothing was heard of it since".to_owned(),
        ),
        WorkerState::Draining => (v1::WorkerState::Draining, "it is to leave".to_owned()),
        WorkerState::Busy { .. } => (v1::WorkerState::Busy, String::new()),
        WorkerState::Disconnected => (
            v1::WorkerState::Disconnected,
            "its connection is lost".to_owned(),
        ),
        WorkerState::Resting => (
            v1::WorkerState::Idle,
            "it handed work back, or hung, and gets none for a while".to_owned(),
        ),
        WorkerState::Idle => (v1::WorkerState::Idle, String::new()),
    };
    v1::Worker {
        id: view.worker.0.clone(),
        state: state.into(),
        reason,
        device: view.device.clone(),
        versions: view.versions.clone().into_iter().collect(),
        sweep_id: String::new(),
        completed: view.completed,
        failed: view.spoilt,
    }
}

/// What a method gives on losses that are smoothed already, of which there is no verdict.
#[must_use]
pub fn of_smoothed(found: &MethodValue, learning_rates: &[f64]) -> v1::CurveAnswer {
    let lr = found.value.as_ref().map(|value| value.lr);
    v1::CurveAnswer {
        suggestion: found.value.as_ref().map(|value| v1::Suggestion {
            lr: value.lr,
            method: value.method.clone(),
            interval: None,
            step: value_at(value.lr, &value.method, learning_rates).index,
        }),
        verdict: None,
        rule_value: lr,
        methods: vec![method_value(found)],
    }
}

/// The name of a value in JSON, which is also its name on the wire.
fn name<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

fn by_name<T: DeserializeOwned>(what: &'static str, name: &str) -> Result<T, Unknown> {
    serde_json::from_value(name.into()).map_err(|_| Unknown {
        what,
        value: name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rangefinder_errors::Code;
    use rangefinder_sweep::event::{FailureKind, FieldError, Happening, Observation};
    use rangefinder_sweep::ids::{LeaseToken, SweepId, TaskId};
    use rangefinder_sweep::suggest::IntervalMethod;

    #[test]
    fn suggestions_and_verdicts_survive_the_wire_whole() {
        for method in [IntervalMethod::Bootstrap, IntervalMethod::StudentT] {
            let sent = Suggestion {
                lr: 0.1,
                index: 7,
                method: "auto".to_owned(),
                interval: Some(Interval {
                    low: 0.05,
                    high: 0.2,
                    level: 0.9,
                    method,
                }),
            };
            assert_eq!(read_suggestion(&suggestion(&sent)), Ok(sent));
        }
        for reason in [None, Some(Reason::Flat), Some(Reason::DivergedAtOnce)] {
            let sent = Verdict {
                usable: reason.is_none(),
                reason,
                message: "m".to_owned(),
            };
            assert_eq!(read_verdict(&verdict(&sent)), Ok(sent));
        }
        let told = v1::Verdict {
            reason: "no_luck".to_owned(),
            ..v1::Verdict::default()
        };
        assert_eq!(
            read_verdict(&told).unwrap_err().to_string(),
            "verdict.reason is `no_luck`, which this release does not know"
        );
    }

    #[test]
    fn a_method_s_value_finds_its_step_again() {
        let rates = [1e-4, 1e-3, 1e-2, 1e-1];
        for (sent, why) in [(Some(value_at(2e-3, "slide", &rates)), ""), (None, "flat")] {
            let sent = MethodValue {
                method: "slide".to_owned(),
                value: sent,
                why: why.to_owned(),
            };
            assert_eq!(read_method_value(&method_value(&sent), &rates), sent);
        }
        let steps = [1e-9, 2e-3, 4e-3, 1.0].map(|lr| value_at(lr, "auto", &rates).index);
        assert_eq!(steps, [0, 1, 2, 3]);
    }

    #[test]
    fn an_event_is_its_canonical_json_whatever_its_losses() {
        let observation = |step, loss| Observation {
            step,
            lr: 0.1,
            loss,
            samples: 64,
        };
        let sent = SweepEvent {
            sweep: SweepId("s1".to_owned()),
            number: 9,
            at_ms: 100,
            happening: Happening::Observed {
                task: TaskId(0),
                replica: 0,
                token: LeaseToken(3),
                observations: vec![observation(0, f64::INFINITY), observation(1, -0.5)],
            },
        };
        let message = event(&sent, None).unwrap();
        assert_eq!((message.number, message.r#type.as_str()), (9, "observed"));
        assert!(message.json.contains("\"Infinity\""), "{}", message.json);
        assert_eq!(read_event(&message), Ok(sent));
        let newer = v1::SweepEvent {
            r#type: "sung".to_owned(),
            json: "{}".to_owned(),
            ..message
        };
        assert_eq!(read_event(&newer).unwrap_err().value, "sung");
    }

    #[test]
    fn states_have_names_and_ends() {
        let failed = Failure {
            kind: FailureKind::User,
            code: Code::OutOfRange,
            message: "m".to_owned(),
            fields: vec![FieldError {
                code: Code::OutOfRange,
                field: "seed".to_owned(),
                message: "is odd".to_owned(),
                remedy: "take an even one".to_owned(),
            }],
        };
        assert_eq!(failure(&failed).message, "seed: is odd; take an even one");
        assert_eq!(failure(&failed).code, "RF202");
        let outcome = Outcome::Failed(failed);
        for (outcome, begun, expected) in [
            (None, false, "waiting"),
            (None, true, "running"),
            (Some(&Outcome::Completed), true, "completed"),
            (Some(&Outcome::Cancelled), false, "cancelled"),
            (Some(&outcome), true, "failed"),
        ] {
            let state = sweep_state(outcome, begun);
            assert_eq!(sweep_state_name(state), expected);
            assert_eq!(has_ended(state), outcome.is_some());
        }
        assert_eq!(sweep_state_name(v1::SweepState::Unspecified), "unknown");
    }
}
