//! Log lines, on stderr: for people, or one JSON object a line.

use std::io;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

/// The variable that says what is logged, as `warn` or `info,rangefinder_coordinator=debug`.
pub const VARIABLE: &str = "RANGEFINDER_LOG";

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, the fields of the event beside time, level and message.
    Json,
}

/// Starts logging. `otherwise` is what is logged where [`VARIABLE`] says nothing.
pub fn start(otherwise: LevelFilter, format: Format) {
    let filter = EnvFilter::builder()
        .with_default_directive(otherwise.into())
        .with_env_var(VARIABLE)
        .from_env_lossy();
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        // Saying on a stderr that is gone that it is gone would panic.
        .log_internal_errors(false);
    // Fails only if someone else has set up logs in this process already.
    let _ = match format {
        Format::Text => lines
            .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
            .try_init(),
        Format::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .try_init(),
    };
}
