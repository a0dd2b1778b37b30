//! How wide stderr is, whether colours are wanted, and writing to it without failing.

use console::{Style, Term};
use std::io::Write as _;

/// Narrower terminals are written to as if they had this many columns.
pub(super) const NARROWEST: usize = 40;

/// Columns of stderr (80 when it is not a terminal), and whether colours are wanted there: on a
/// terminal, unless `NO_COLOR` is set to something or the terminal cannot show them.
#[must_use]
pub fn stderr_style() -> (usize, bool) {
    let term = Term::stderr();
    if !term.is_term() {
        return (80, false);
    }
    let columns = term
        .size_checked()
        .map_or(80, |(_, columns)| usize::from(columns));
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    (
        columns.max(NARROWEST),
        !refused && term.features().colors_supported(),
    )
}

/// Writes text to stderr; a closed or broken stderr is no reason to stop a sweep.
pub fn say(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes());
    let _ = stderr.flush();
}

/// Colours, or none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint {
    pub colour: bool,
}

impl Paint {
    fn apply(self, style: Style, text: &str) -> String {
        if self.colour {
            style.force_styling(true).apply_to(text).to_string()
        } else {
            text.to_owned()
        }
    }

    pub fn bold(self, text: &str) -> String {
        self.apply(Style::new().bold(), text)
    }

    pub fn dim(self, text: &str) -> String {
        self.apply(Style::new().dim(), text)
    }

    pub fn curve(self, text: &str) -> String {
        self.apply(Style::new().blue().bright(), text)
    }

    pub fn suggestion(self, text: &str) -> String {
        self.apply(Style::new().red().bold(), text)
    }

    pub fn warning(self, text: &str) -> String {
        self.apply(Style::new().yellow(), text)
    }
}

/// A message from elsewhere as lines without control characters.
pub(super) fn clean_lines(text: &str) -> Vec<String> {
    let plain = console::strip_ansi_codes(text);
    plain
        .lines()
        .map(|line| {
            line.chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .collect::<String>()
        })
        .map(|line| line.trim_end().to_owned())
        .filter(|line| !line.is_empty())
        .collect()
}
