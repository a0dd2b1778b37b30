//! TOML, YAML and JSON as one kind of tree, in which every value knows its place in the text.
//!
//! What a file says is read off the tree; a value is changed by replacing the bytes of its place,
//! so that nothing else of the file is touched.
//!
//! - [`toml`], [`yaml`], [`json`]: one parser each, by libraries that report places.
//! - [`scalar`]: what an unquoted word of YAML is.

mod json;
mod scalar;
mod toml;
mod yaml;

use std::fmt;
use std::ops::Range;
use std::path::Path;

/// A format of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// TOML 1.
    Toml,
    /// YAML 1.2, one document.
    Yaml,
    /// JSON.
    Json,
}

impl Format {
    /// The format that the ending of a file's name says.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_lowercase().as_str() {
            "toml" => Some(Self::Toml),
            "yaml" | "yml" => Some(Self::Yaml),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    /// Bytes of the text, without the anchor or tag of YAML; empty for a value that is not
    /// written, such as the null of `key:`.
    pub(crate) span: Range<usize>,
    /// What it is.
    pub(crate) value: Value,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// Nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number without fraction or exponent.
    Integer(i128),
    /// Any other number.
    Float(f64),
    /// Text.
    Text(String),
    /// What the other formats do not have, such as a date, as it is written.
    Other(String),
    /// A list.
    List(Vec<Node>),
    /// Keys and values in the order of the file.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    /// The key.
    pub(crate) key: String,
    /// Place of the key, quotes included.
    pub(crate) key_span: Range<usize>,
    /// The value.
    pub(crate) node: Node,
}

impl Value {
    /// What it is, for people.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Null => "empty".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Float(value) => format!("{value:?}"),
            Self::Text(text) => format!("the text `{}`", shortened(text)),
            Self::Other(text) => format!("`{}`", shortened(text)),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) => "a table".to_owned(),
        }
    }
}

/// A file that is not what its name says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    /// Line, from 1; `None` where it is not known.
    pub(crate) line: Option<usize>,
    /// What is wrong.
    pub(crate) message: String,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// Reads a text; places count from its first byte, a byte-order mark included.
pub(crate) fn parse(format: Format, text: &str) -> Result<Node, SyntaxError> {
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut node = match format {
        Format::Toml => toml::parse(body),
        Format::Yaml => yaml::parse(body),
        Format::Json => json::parse(body),
    }?;
    shift(&mut node, text.len() - body.len());
    Ok(node)
}

/// Line of a place, from 1.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

/// A text that is short enough for a message.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

fn shift(node: &mut Node, by: usize) {
    if by == 0 {
        return;
    }
    let moved = |span: &Range<usize>| span.start + by..span.end + by;
    node.span = moved(&node.span);
    match &mut node.value {
        Value::List(list) => list.iter_mut().for_each(|node| shift(node, by)),
        Value::Map(entries) => {
            for entry in entries {
                entry.key_span = moved(&entry.key_span);
                shift(&mut entry.node, by);
            }
        }
        _ => {}
    }
}

/// Adds an entry; a second one of the same key is a mistake in every format.
fn push(entries: &mut Vec<Entry>, text: &str, entry: Entry) -> Result<(), SyntaxError> {
    if entries.iter().any(|other| other.key == entry.key) {
        return Err(SyntaxError {
            line: Some(line_of(text, entry.key_span.start)),
            message: format!("the key `{}` stands there twice", shortened(&entry.key)),
        });
    }
    entries.push(entry);
    Ok(())
}

#[cfg(test)]
mod tests;
