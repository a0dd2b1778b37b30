//! Names that people and files give, as errors show them.

use rangefinder_errors::Code;
use std::fmt;

use crate::error::Defect;

/// Names that a list shows before it counts the rest.
const SHOWN: usize = 10;

/// Characters of a name that are shown or compared: a hostile file may hold names of megabytes.
const COMPARED: usize = 200;

/// Least similarity of two names, 0 to 1, at which one is suggested for the other.
const SIMILAR: f64 = 0.5;

/// A name in backticks, control characters escaped, cut when very long.
#[derive(Clone, Copy)]
pub(crate) struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let cut = cut(self.0);
        let dots = if cut.len() < self.0.len() { "..." } else { "" };
        let mut escaped = String::with_capacity(cut.len());
        for c in cut.chars() {
            if c.is_control() {
                escaped.extend(c.escape_default());
            } else {
                escaped.push(c);
            }
        }
        write!(f, "`{escaped}{dots}`")
    }
}

/// The names of the arrays or columns in a file.
#[derive(Clone, Debug)]
pub(crate) struct Names(Vec<String>);

impl Names {
    /// These names in alphabetical order.
    pub(crate) fn sorted(names: impl Iterator<Item = String>) -> Self {
        let mut names: Vec<String> = names.collect();
        names.sort_unstable();
        Self(names)
    }

    /// The defect of a file that lacks `key`, with the names it has and the nearest one.
    pub(crate) fn lacking(&self, key: &str, field: &str) -> Defect {
        let message = if self.0.is_empty() {
            format!("has no array {}: it has none at all", Quoted(key))
        } else {
            format!("has no array {}; it has {self}", Quoted(key))
        };
        self.with_nearest(message, key, field)
    }

    /// The defect of a table that lacks the column `key`.
    pub(crate) fn lacking_column(&self, key: &str, field: &str) -> Defect {
        let message = format!("has no column {}; it has {self}", Quoted(key));
        self.with_nearest(message, key, field)
    }

    fn with_nearest(&self, message: String, key: &str, field: &str) -> Defect {
        let remedy = match self.nearest(key) {
            Some(name) => format!("did you mean {}? set `{field}`", Quoted(name)),
            None => format!("save it under that name, or set `{field}`"),
        };
        Defect::new(Code::NoSuchArray, message, remedy)
    }

    /// The name most like `key`, if any is.
    fn nearest(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .map(|name| (similarity(name, key), name.as_str()))
            .filter(|(similarity, _)| *similarity >= SIMILAR)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, name)| name)
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (i, name) in self.0.iter().take(SHOWN).enumerate() {
            write!(f, "{}{}", if i == 0 { "" } else { ", " }, Quoted(name))?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            rest => write!(f, " and {rest} more"),
        }
    }
}

/// Likeness of two names without regard to case, 0 to 1.
fn similarity(a: &str, b: &str) -> f64 {
    strsim::normalized_damerau_levenshtein(&cut(a).to_lowercase(), &cut(b).to_lowercase())
}

/// The first characters of a text that may be very long.
pub(crate) fn cut(name: &str) -> &str {
    match name.char_indices().nth(COMPARED) {
        Some((end, _)) => &name[..end],
        None => name,
    }
}
