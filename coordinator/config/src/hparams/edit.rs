//! A text with one value replaced, and the proof that nothing else has changed.

use super::Wrong;
use super::field::{Found, Leaf, leaves};
use crate::tree::{self, Format, Node, Value};
use rangefinder_errors::Code;
use std::ops::Range;

/// A learning rate as it is written into a file: the shortest digits that read back as the same
/// number, in a form that TOML, JSON, YAML 1.2 and YAML 1.1 all take for a number. (PyYAML reads
/// `1e-3` as text: it wants a point, and a sign in the exponent.)
#[must_use]
pub fn number(lr: f64) -> String {
    let digits = format!("{lr:?}");
    let Some((mantissa, exponent)) = digits.split_once('e') else {
        return digits;
    };
    let point = if mantissa.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with('-') { "" } else { "+" };
    format!("{mantissa}{point}e{sign}{exponent}")
}

/// The text with `lr` in the place of the found value.
///
/// # Errors
/// If the new text would not be the old one with just that value changed, as where an anchor of
/// YAML shares it with other fields.
pub(super) fn set(
    format: Format,
    text: &str,
    root: &Node,
    found: &Found,
    lr: f64,
) -> Result<String, Wrong> {
    let (place, lead) = place(text, found).ok_or_else(|| {
        (
            Code::HparamsField,
            format!("`{}` has no value that could be replaced", found.path),
            "write a number there first".to_owned(),
        )
    })?;
    let mut after = text.to_owned();
    after.replace_range(place, &format!("{lead}{}", number(lr)));
    let others = match tree::parse(format, &after) {
        Ok(changed) => others_changed(root, &changed, &found.path, lr),
        Err(error) => Some(format!("the rest of the file ({error})")),
    };
    match others {
        None => Ok(after),
        Some(others) => Err((
            Code::HparamsShared,
            format!(
                "`{}` cannot be changed without changing {others}",
                found.path
            ),
            "write it as a number of its own, not as an anchor that others share".to_owned(),
        )),
    }
}

/// Where the value stands; for one that is not written, where it would: after its colon, with a
/// space before it.
fn place(text: &str, found: &Found) -> Option<(Range<usize>, &'static str)> {
    let span = found.node.span.clone();
    if !span.is_empty() {
        return Some((span, ""));
    }
    let key_end = found.entry?.key_span.end;
    let rest = text.get(key_end..)?;
    let colon = rest.find(|c: char| c != ' ' && c != '\t')?;
    let at = key_end + colon + 1;
    rest[colon..].starts_with(':').then_some((at..at, " "))
}

/// What else differs between two trees, `None` if only the field does and it holds `lr`.
fn others_changed(before: &Node, after: &Node, path: &str, lr: f64) -> Option<String> {
    let (before, after) = (leaves(before), leaves(after));
    if before.len() != after.len() {
        return Some("the rest of the file".to_owned());
    }
    for (old, new) in before.iter().zip(&after) {
        if old.path != new.path {
            return Some(format!("`{}`", old.path));
        }
        if new.path == path {
            if !matches!(new.node.value, Value::Float(value) if value.to_bits() == lr.to_bits()) {
                return Some("what the file means".to_owned());
            }
        } else if !same(old, new) {
            return Some(format!("`{}`", old.path));
        }
    }
    None
}

/// Equality by bits, so that NaN equals itself.
fn same(old: &Leaf, new: &Leaf) -> bool {
    match (&old.node.value, &new.node.value) {
        (Value::Float(old), Value::Float(new)) => old.to_bits() == new.to_bits(),
        (old, new) => old == new,
    }
}
