//! stdout, which is data, and messages of mistakes, which are for people.

use crate::exit;
use rangefinder_config::fields;
use rangefinder_report::terminal;
use rangefinder_sweep::event::FieldError;
use std::io::{self, Write as _};

/// Why a command ends early: what is said, and the exit code.
#[derive(Debug)]
pub(super) struct Trouble {
    code: u8,
    text: String,
}

impl Trouble {
    pub(super) fn new(code: u8, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
        }
    }

    /// What was asked for is wrong.
    pub(super) fn input(text: impl ToString) -> Self {
        Self::new(exit::WRONG_INPUT, text.to_string())
    }

    /// Something could not be done.
    pub(super) fn failed(text: impl ToString) -> Self {
        Self::new(exit::FAILED, text.to_string())
    }

    /// Mistakes in fields of the specification, or in other flags by their name in snake case.
    pub(super) fn fields(errors: &[FieldError]) -> Self {
        Self::input(describe(errors))
    }

    /// Says it on stderr and returns the exit code.
    pub(super) fn report(&self) -> u8 {
        terminal::say(&format!("error: {}\n", self.text.trim_end()));
        self.code
    }
}

/// One mistake on a line with its remedy below; several as a list.
pub(super) fn describe(errors: &[FieldError]) -> String {
    let one = |error: &FieldError, indent: &str| {
        let name = fields::all()
            .iter()
            .find(|field| field.name == error.field)
            .map_or_else(
                || format!("--{}", error.field.replace('_', "-")),
                fields::Field::flag,
            );
        let remedy = match error.remedy.as_str() {
            "" => String::new(),
            remedy => format!("\n{indent}  {remedy}"),
        };
        format!("{name}: {}{remedy}", error.message)
    };
    match errors {
        [only] => one(only, ""),
        several => {
            let list: Vec<_> = several
                .iter()
                .map(|error| format!("\n  {}", one(error, "  ")))
                .collect();
            format!("{} mistakes:{}", several.len(), list.concat())
        }
    }
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
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Trouble::failed(format!(
            "the result cannot be written to stdout: {error}"
        ))),
        _ => Ok(()),
    }
}
