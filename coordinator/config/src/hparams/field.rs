//! Which value of a file is the learning rate.

use super::Wrong;
use crate::names::{any_of, nearest};
use crate::tree::{Entry, Node, Value};
use rangefinder_errors::Code;

/// Names that are looked for at the top level when none is given.
const DEFAULTS: [&str; 2] = ["lr", "learning_rate"];
const MOST_CANDIDATES: usize = 12;

/// A value that holds no others, by its dotted path; list elements by their index.
pub(super) struct Leaf<'a> {
    pub(super) path: String,
    pub(super) node: &'a Node,
}

/// The value to change.
pub(super) struct Found<'a> {
    pub(super) path: String,
    pub(super) node: &'a Node,
    /// The key that it stands under, unless it is an element of a list.
    pub(super) entry: Option<&'a Entry>,
}

/// All values of a tree in the order of the file. An empty list or table counts as a value.
pub(super) fn leaves(root: &Node) -> Vec<Leaf<'_>> {
    let mut leaves = Vec::new();
    gather(root, String::new(), &mut leaves);
    leaves
}

/// The field of that dotted path, or the default one.
///
/// # Errors
/// What is wrong, and what to do, if there is none or it holds something else than a number.
pub(super) fn find<'a>(root: &'a Node, asked: Option<&str>) -> Result<Found<'a>, Wrong> {
    let found = match asked {
        Some(path) => step(root, None, path).ok_or_else(|| {
            let message = format!("there is no field `{path}`");
            (Code::HparamsField, message, remedy(root, path))
        })?,
        None => DEFAULTS
            .iter()
            .find_map(|name| step(root, None, name))
            .ok_or_else(|| {
                let message = "there is neither `lr` nor `learning_rate` at the top level";
                (Code::HparamsField, message.to_owned(), remedy(root, "lr"))
            })?,
    };
    let path = asked.map_or_else(
        || {
            found
                .entry
                .map(|entry| entry.key.clone())
                .unwrap_or_default()
        },
        str::to_owned,
    );
    match found.node.value {
        Value::Integer(_) | Value::Float(_) | Value::Null => Ok(Found { path, ..found }),
        ref other => Err((
            Code::HparamsField,
            format!("`{path}` is {}; expected a number", other.describe()),
            match other {
                Value::Text(text) if text.parse::<f64>().is_ok() => {
                    "remove the quotes around the number".to_owned()
                }
                _ => remedy(root, &path),
            },
        )),
    }
}

/// Follows a dotted path. Keys may hold dots themselves: the shortest key that leads to the end is
/// taken.
fn step<'a>(node: &'a Node, entry: Option<&'a Entry>, path: &str) -> Option<Found<'a>> {
    if path.is_empty() {
        return Some(Found {
            path: String::new(),
            node,
            entry,
        });
    }
    let ends = path
        .match_indices('.')
        .map(|(at, _)| at)
        .chain([path.len()]);
    for end in ends {
        let (key, rest) = (&path[..end], path.get(end + 1..).unwrap_or_default());
        if end < path.len() && rest.is_empty() {
            continue;
        }
        let found = match &node.value {
            Value::Map(entries) => entries
                .iter()
                .find(|entry| entry.key == key)
                .and_then(|entry| step(&entry.node, Some(entry), rest)),
            Value::List(list) => key
                .parse()
                .ok()
                .and_then(|index: usize| list.get(index))
                .and_then(|node| step(node, None, rest)),
            _ => None,
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// Names the fields that could have been meant.
fn remedy(root: &Node, asked: &str) -> String {
    let leaves = leaves(root);
    let numbers = || {
        leaves.iter().filter(|leaf| {
            matches!(
                leaf.node.value,
                Value::Integer(_) | Value::Float(_) | Value::Null
            )
        })
    };
    let mut candidates: Vec<&str> = numbers()
        .map(|leaf| leaf.path.as_str())
        .filter(|path| is_like_a_learning_rate(path) && *path != asked)
        .collect();
    if candidates.is_empty() {
        candidates.extend(nearest(asked, numbers().map(|leaf| leaf.path.as_str())));
    }
    let more = candidates.len().saturating_sub(MOST_CANDIDATES);
    candidates.truncate(MOST_CANDIDATES);
    match (candidates.is_empty(), more) {
        (true, _) => "add the field, or name another with --auto-lr-find FIELD".to_owned(),
        (_, 0) => format!("name one with --auto-lr-find: {}", any_of(candidates)),
        _ => format!(
            "name one with --auto-lr-find: {}, or one of {more} others",
            any_of(candidates)
        ),
    }
}

fn is_like_a_learning_rate(path: &str) -> bool {
    let key = path.rsplit('.').next().unwrap_or(path).to_lowercase();
    key.contains("lr") || key.replace(['-', '_'], "").contains("learningrate")
}

fn gather<'a>(node: &'a Node, path: String, leaves: &mut Vec<Leaf<'a>>) {
    let join = |key: &str| {
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        }
    };
    match &node.value {
        Value::Map(entries) if !entries.is_empty() => {
            for entry in entries {
                gather(&entry.node, join(&entry.key), leaves);
            }
        }
        Value::List(list) if !list.is_empty() => {
            for (index, node) in list.iter().enumerate() {
                gather(node, join(&index.to_string()), leaves);
            }
        }
        _ => leaves.push(Leaf { path, node }),
    }
}
