//! stdout, which is data, and messages of mistakes, which are for people.

use crate::{client, exit};
use rangefinder_config::fields;
use rangefinder_config::file::ConfigError;
use rangefinder_errors::{Code, Coded};
use rangefinder_report::terminal;
use rangefinder_sweep::event::{Failure, FailureKind, FieldError};
use std::io::{self, Write as _};

/// Why a command ends early: what is said, each with its code, and the exit code.
#[derive(Debug)]
pub(super) struct Trouble {
    exit: u8,
    told: Vec<(Code, String)>,
}

impl Trouble {
    pub(super) fn new(exit: u8, code: Code, text: impl Into<String>) -> Self {
        let told = vec![(code, text.into())];
        Self { exit, told }
    }

    /// What was asked for is wrong.
    pub(super) fn input(error: &impl Coded) -> Self {
        Self::new(exit::WRONG_INPUT, error.code(), error.to_string())
    }

    /// Something could not be done.
    pub(super) fn failed(error: &impl Coded) -> Self {
        Self::new(exit::FAILED, error.code(), error.to_string())
    }

    /// What is wrong with the input, or could not be done, as its code says.
    pub(super) fn of(error: &impl Coded) -> Self {
        let exit = error.code().exits().first().copied();
        Self::new(
            exit.unwrap_or(exit::FAILED),
            error.code(),
            error.to_string(),
        )
    }

    /// An object that is to be printed does not become JSON.
    pub(super) fn not_json(error: &serde_json::Error) -> Self {
        Self::new(exit::FAILED, Code::Defect, error.to_string())
    }

    /// A service says no, or is away: by field where it names some.
    pub(super) fn service(error: &client::Error) -> Self {
        if error.fields.is_empty() {
            Self::new(error.exit(), error.code, error.to_string())
        } else {
            Self::fields(&error.fields)
        }
    }

    /// Mistakes in a configuration file.
    pub(super) fn config(error: &ConfigError) -> Self {
        Self {
            exit: exit::WRONG_INPUT,
            told: error.told().collect(),
        }
    }

    /// Mistakes in fields of the specification, or in other flags by their name in snake case.
    pub(super) fn fields(errors: &[FieldError]) -> Self {
        Self {
            exit: exit::WRONG_INPUT,
            told: errors.iter().map(described).collect(),
        }
    }

    /// A failed sweep: by field where it has some, else in the worker's words.
    pub(super) fn sweep(failure: &Failure) -> Self {
        let exit = match failure.kind {
            FailureKind::User => exit::WRONG_INPUT,
            FailureKind::OutOfMemory | FailureKind::Worker => exit::FAILED,
        };
        let told = if failure.fields.is_empty() {
            vec![(failure.code, failure.message.clone())]
        } else {
            failure.fields.iter().map(described).collect()
        };
        Self { exit, told }
    }

    /// Says it on stderr, several mistakes as a list, and returns the exit code.
    pub(super) fn report(&self) -> u8 {
        let said = match self.told.as_slice() {
            [(code, text)] => format!("error[{code}]: {}", text.trim_end()),
            several => several
                .iter()
                .map(|(code, text)| {
                    format!("\n  [{code}] {}", text.trim_end().replace('\n', "\n  "))
                })
                .fold(
                    format!("error: {} mistakes:", several.len()),
                    |list, one| list + &one,
                ),
        };
        terminal::complain(&said);
        self.exit
    }
}

/// A mistake in a field on a line, its remedy below.
fn described(error: &FieldError) -> (Code, String) {
    let name = fields::all()
        .iter()
        .find(|field| field.name == error.field)
        .map_or_else(
            || format!("--{}", error.field.replace('_', "-")),
            fields::Field::flag,
        );
    let remedy = match error.remedy.as_str() {
        "" => String::new(),
        remedy => format!("\n  {remedy}"),
    };
    (error.code, format!("{name}: {}{remedy}", error.message))
}

/// Prints a line of data. A reader who has left is no mistake.
pub(super) fn print(text: &str) -> Result<(), Trouble> {
    let mut stdout = io::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| {
            if text.ends_with('\n') {
                Ok(())
            } else {
                stdout.write_all(b"\n")
            }
        })
        .and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Trouble::new(
            exit::FAILED,
            Code::Stdout,
            format!("the result cannot be written to stdout: {error}"),
        )),
        _ => Ok(()),
    }
}
