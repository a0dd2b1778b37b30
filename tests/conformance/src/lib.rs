//! Holds any worker program to the protocol, over real gRPC and as a real process: what
//! `docs/workers.md` asks of a worker, each sentence a case.
//!
//! - [`Subject`]: the program under test, and what it is told to train for each [`Scenario`].
//! - [`run`]: all cases, one after the other, each with a process of its own; [`broken`]: what of
//!   them fails.
//! - `cases`: the cases. `coordinator`: the scripted coordinator that they drive. `process`: the
//!   worker under test. `task`: the tasks that it is given.

mod cases;
mod coordinator;
mod process;
mod task;

use rangefinder_proto::v1;
use std::ffi::OsString;

/// What a worker is to be told to train. A worker of one's own gets the scenario in
/// `TrainerSpec.custom.entry`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Something that trains: fast steps, finite losses at small learning rates.
    Ordinary,
    /// Trains five steps or so, then a step never returns.
    Hang,
    /// The loss becomes NaN or infinite: at the latest when step 8 has run at a learning rate of 1e30.
    Nan,
    /// A mistake of the user, found by Describe.
    UserError,
    /// Runs out of memory in Describe or Probe.
    OutOfMemory,
}

impl Scenario {
    /// Its name, `user_error` say.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ordinary => "ordinary",
            Self::Hang => "hang",
            Self::Nan => "nan",
            Self::UserError => "user_error",
            Self::OutOfMemory => "out_of_memory",
        }
    }
}

/// A worker program under test.
pub struct Subject {
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// What it is told to train for a scenario.
    pub spec: Box<dyn Fn(Scenario) -> v1::TrainerSpec>,
}

impl Subject {
    /// A worker of one's own, whose `custom.entry` is the scenario's name behind `prefix`:
    /// `conformance:nan`, say.
    #[must_use]
    pub fn custom(command: Vec<OsString>, prefix: &str) -> Self {
        let prefix = prefix.to_owned();
        let spec = move |scenario: Scenario| v1::TrainerSpec {
            trainer: Some(v1::trainer_spec::Trainer::Custom(v1::Custom {
                entry: format!("{prefix}{}", scenario.name()),
                config: Vec::new(),
            })),
            ..common()
        };
        Self {
            command,
            spec: Box::new(spec),
        }
    }
}

/// What the specifications of all scenarios share.
#[must_use]
pub fn common() -> v1::TrainerSpec {
    v1::TrainerSpec {
        batch_size: 32,
        shuffle: true,
        seed: 7,
        threads: 1,
        ..v1::TrainerSpec::default()
    }
}

/// How a case went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The case: a promise in words.
    pub case: &'static str,
    /// What went otherwise than promised, with the last words of the worker.
    pub result: Result<(), String>,
}

/// Names of all cases, in the order in which they run.
#[must_use]
pub fn cases() -> Vec<&'static str> {
    cases::all().iter().map(|(name, _)| *name).collect()
}

/// Runs all cases; those that the worker does not keep.
pub async fn broken(subject: &Subject) -> Vec<Verdict> {
    let mut verdicts = run(subject, "", |_| {}).await;
    verdicts.retain(|verdict| verdict.result.is_err());
    verdicts
}

/// Runs the cases whose names contain `filter`, and tells of each as soon as it is over.
pub async fn run(subject: &Subject, filter: &str, mut each: impl FnMut(&Verdict)) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for (case, body) in cases::all() {
        if !case.contains(filter) {
            continue;
        }
        let verdict = Verdict {
            case,
            result: body(subject).await,
        };
        each(&verdict);
        verdicts.push(verdict);
    }
    verdicts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_is_explained_where_people_read_what_a_worker_must_do() {
        let page = include_str!("../../../docs/workers.md");
        for case in cases() {
            assert!(page.contains(&format!("| `{case}` |")), "{case}");
        }
    }

    #[test]
    fn the_cases_are_found_by_what_they_are_about() {
        for word in [
            "describe",
            "probe",
            "replay",
            "stop",
            "drain",
            "reconnect",
            "stale_token",
            "hang",
            "user_error",
            "nan",
            "out_of_memory",
        ] {
            assert!(cases().iter().any(|case| case.contains(word)), "{word}");
        }
    }
}
