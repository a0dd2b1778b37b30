//! Messages of mistakes that the definition of the command line finds by itself: clap's text with
//! our code.

use crate::exit;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use rangefinder_errors::Code;
use rangefinder_report::terminal;

/// Says a mistake on stderr, or help on stdout, and returns the exit code.
pub(super) fn say(error: &clap::Error) -> u8 {
    if !error.use_stderr() {
        // Nobody is left to tell when this fails.
        let _ = error.print();
        return exit::OK;
    }
    let (_, colour) = terminal::stderr_style();
    let text = error.render();
    let text = if colour {
        text.ansi().to_string()
    } else {
        text.to_string()
    };
    let with_code = format!("error[{}]:", code(error));
    terminal::say(&text.replacen("error:", &with_code, 1));
    exit::WRONG_INPUT
}

/// The code of a mistake.
fn code(error: &clap::Error) -> Code {
    match error.kind() {
        ErrorKind::InvalidValue if is_without_value(error) => Code::MissingArgument,
        ErrorKind::InvalidValue | ErrorKind::ValueValidation | ErrorKind::InvalidUtf8 => {
            Code::WrongType
        }
        ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand => Code::UnknownOption,
        ErrorKind::ArgumentConflict => Code::Conflict,
        // What is left has too few or too many words.
        _ => Code::MissingArgument,
    }
}

/// clap takes a value that is not there for one that is empty.
fn is_without_value(error: &clap::Error) -> bool {
    matches!(error.get(ContextKind::InvalidValue), Some(ContextValue::String(value)) if value.is_empty())
}
