//! The canonical JSON of events is frozen: every line of `tests/events` reads back in every later
//! release, and `docs/events.md` documents every event and every field of them.
//!
//! `v1.jsonl` holds what this release writes, byte for byte; `v1_earlier.jsonl` what only earlier
//! ones wrote. A field that is added has a default: the lines without it move there, and lines with
//! it take their place.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use rangefinder_sweep::curve::StopReason;
use rangefinder_sweep::event::{
    AttemptOutcome, FailureKind, Happening, Outcome, SweepEvent, WorkKind,
};
use rangefinder_sweep::plan::Split;
use serde_json::Value;
use std::collections::BTreeSet;

const LINES: &str = include_str!("events/v1.jsonl");
const EARLIER: &str = include_str!("events/v1_earlier.jsonl");
const DOCS: &str = include_str!("../../docs/events.md");

/// The names of all variants of an enum, and which one a value is. A new variant does not compile
/// until it is named here, and then needs a line and a place in the documentation.
macro_rules! kinds {
    ($all:ident, $name:ident: $of:ident { $($variant:ident => $kind:literal,)* }) => {
        const $all: &[&str] = &[$($kind),*];
        fn $name(value: &$of) -> &'static str {
            match value {
                $($of::$variant { .. } => $kind,)*
            }
        }
    };
}

kinds!(HAPPENINGS, happening: Happening {
    Created => "created",
    WorkerJoined => "worker_joined",
    WorkerGone => "worker_gone",
    WorkerSetAside => "worker_set_aside",
    Waiting => "waiting",
    Described => "described",
    Probed => "probed",
    Planned => "planned",
    Granted => "granted",
    Observed => "observed",
    AttemptEnded => "attempt_ended",
    Stopped => "stopped",
    Warned => "warned",
    Ended => "ended",
});
kinds!(WORK, work: WorkKind {
    Describe => "describe",
    Probe => "probe",
    Task => "task",
});
kinds!(ATTEMPT_OUTCOMES, attempt_outcome: AttemptOutcome {
    Completed => "completed",
    Diverged => "diverged",
    DataExhausted => "data_exhausted",
    Failed => "failed",
    Lost => "lost",
    Preempted => "preempted",
    Cancelled => "cancelled",
});
kinds!(OUTCOMES, outcome: Outcome {
    Completed => "completed",
    Cancelled => "cancelled",
    Failed => "failed",
});
kinds!(STOP_REASONS, stop_reason: StopReason {
    Completed => "completed",
    Diverged => "diverged",
    NonFinite => "non_finite",
    DataExhausted => "data_exhausted",
    Cancelled => "cancelled",
    Failed => "failed",
});
kinds!(FAILURE_KINDS, failure_kind: FailureKind {
    User => "user",
    OutOfMemory => "out_of_memory",
    Worker => "worker",
});
kinds!(SPLITS, split: Split {
    Auto => "auto",
    None => "none",
    Segments => "segments",
    Replicas => "replicas",
    Hybrid => "hybrid",
});

/// The names in an event, each with the field that it is a value of.
fn names(event: &Happening) -> Vec<(&'static str, &'static str)> {
    let mut names = vec![("event", happening(event))];
    match event {
        Happening::Granted { work: it, .. } => names.push(("work", work(it))),
        Happening::AttemptEnded {
            work: it,
            outcome: end,
            ..
        } => {
            names.push(("work", work(it)));
            names.push(("attempt's outcome", attempt_outcome(end)));
            if let AttemptOutcome::Failed(failure) = end {
                names.push(("kind", failure_kind(&failure.kind)));
            }
        }
        Happening::Stopped { reason, .. } => names.push(("reason", stop_reason(reason))),
        Happening::Ended { outcome: end } => names.push(("outcome", outcome(end))),
        Happening::Planned { plan } => names.push(("split", split(&plan.split))),
        _ => {}
    }
    names
}

fn read(line: &str) -> SweepEvent {
    let read = serde_json::from_str(line);
    read.map_err(|error| format!("{error}: {line}")).unwrap()
}

fn value(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

/// Text between a heading and the next one of its rank.
fn section(heading: &str) -> &'static str {
    let rank = heading.split(' ').next().unwrap();
    let begin = DOCS.find(&format!("\n{heading}\n"));
    let text = &DOCS[begin.ok_or(heading).unwrap() + 1 + heading.len()..];
    let end = text.find(&format!("\n{rank} ")).unwrap_or(text.len());
    &text[..end]
}

/// Names in the first column of the tables of a text.
fn rows(text: &str) -> BTreeSet<String> {
    let rows = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    rows.map(|(name, _)| name.to_owned()).collect()
}

/// Names of the fields of objects at any depth, but not those of `versions`, which are free.
fn fields(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                found.insert(name.clone());
                if name != "versions" {
                    fields(value, found);
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| fields(value, found)),
        _ => {}
    }
}

/// Whether `new` says all that `old` says; a number may be written in another way.
fn extends(new: &Value, old: &Value) -> bool {
    match (new, old) {
        (Value::Object(new), Value::Object(old)) => old
            .iter()
            .all(|(name, old)| new.get(name).is_some_and(|new| extends(new, old))),
        (Value::Array(new), Value::Array(old)) => {
            new.len() == old.len() && new.iter().zip(old).all(|(new, old)| extends(new, old))
        }
        (Value::Number(new), Value::Number(old)) => new == old || new.as_f64() == old.as_f64(),
        (new, old) => new == old,
    }
}

#[test]
fn every_frozen_line_is_read_and_written_again_byte_for_byte() {
    for line in LINES.lines() {
        assert_eq!(serde_json::to_string(&read(line)).unwrap(), line);
    }
}

#[test]
fn lines_of_earlier_releases_are_read_and_keep_all_they_say() {
    for line in EARLIER.lines() {
        let event = read(line);
        let now = serde_json::to_string(&event).unwrap();
        assert!(
            extends(&value(&now), &value(line)),
            "{now} lost some of {line}"
        );
        assert_eq!(read(&now), event);
    }
}

#[test]
fn every_kind_of_event_and_of_what_is_in_it_has_a_frozen_line() {
    let lines: BTreeSet<_> = LINES
        .lines()
        .flat_map(|line| names(&read(line).happening))
        .collect();
    let all = [
        ("event", HAPPENINGS),
        ("work", WORK),
        ("attempt's outcome", ATTEMPT_OUTCOMES),
        ("outcome", OUTCOMES),
        ("reason", STOP_REASONS),
        ("kind", FAILURE_KINDS),
        ("split", SPLITS),
    ];
    for (field, kinds) in all {
        for kind in kinds {
            assert!(
                lines.contains(&(field, *kind)),
                "no line with {field} `{kind}`"
            );
            assert!(
                DOCS.contains(&format!("`{kind}`")) || DOCS.contains(&format!("`\"{kind}\"`")),
                "docs/events.md lacks {field} `{kind}`"
            );
        }
    }
}

#[test]
fn an_event_s_name_in_json_is_the_one_that_is_documented() {
    for line in LINES.lines() {
        assert_eq!(
            value(line)["happening"]["event"],
            happening(&read(line).happening)
        );
    }
}

#[test]
fn the_documentation_has_every_event_with_its_fields_and_no_other() {
    let documented = DOCS
        .lines()
        .filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'));
    assert_eq!(documented.collect::<Vec<_>>(), HAPPENINGS);
    for kind in HAPPENINGS {
        let text = section(&format!("### `{kind}`"));
        let lines = LINES.lines().map(value);
        let lines = lines.filter(|line| line["happening"]["event"] == *kind);
        let fields: BTreeSet<_> = lines
            .flat_map(|line| line["happening"].as_object().unwrap().clone())
            .map(|(field, _)| field)
            .filter(|field| field != "event")
            .collect();
        assert_eq!(rows(text), fields, "fields of `{kind}`");
        let example = text
            .split("```json\n")
            .nth(1)
            .unwrap()
            .split("\n```")
            .next()
            .unwrap();
        let is_frozen = LINES.lines().any(|line| line == example);
        assert!(is_frozen, "the example of `{kind}` is not in v1.jsonl");
        assert_eq!(value(example)["happening"]["event"], *kind);
    }
}

#[test]
fn every_field_at_any_depth_is_documented_and_no_other() {
    let mut used = BTreeSet::new();
    for line in LINES.lines() {
        fields(&value(line), &mut used);
    }
    // Values that carry something have keys too: `{"failed":...}`, `{"task":3}`.
    assert_eq!(rows(DOCS), used);
}
