//! The hyperparameters as a file now holds them.

use super::style::{NARROWEST, Paint};
use super::table::columns;
use crate::words::{batch_size, shorten};

/// One hyperparameter as a file now holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hyperparameter {
    /// Dotted name.
    pub key: String,
    /// Value as the file has it.
    pub value: String,
    /// What it was before, for the one that was changed.
    pub before: Option<String>,
}

/// All hyperparameters, one a line; the changed ones marked, old value and new, with the effective
/// batch size that the new one was found at, where it is known.
#[must_use]
pub fn hyperparameters(
    all: &[Hyperparameter],
    effective_batch_size: Option<u64>,
    width: usize,
    colour: bool,
) -> String {
    let (width, paint) = (width.max(NARROWEST), Paint { colour });
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let found_at = effective_batch_size
        .map(|size| format!(" ({})", batch_size(size)))
        .unwrap_or_default();
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|it| {
            let value = match &it.before {
                Some(before) => {
                    format!("{} -> {}{found_at}", one_line(before), one_line(&it.value))
                }
                None => one_line(&it.value),
            };
            vec![shorten(&one_line(&it.key), width / 2), value]
        })
        .collect();
    let mut text = String::new();
    for (lines, it) in columns(&rows, width).into_iter().zip(all) {
        for line in lines {
            // The mark is for those who see no colours.
            let line = match &it.before {
                Some(_) => paint.bold(&format!("*{}", line.get(1..).unwrap_or(&line))),
                None => line,
            };
            text.push_str(&line);
            text.push('\n');
        }
    }
    text
}
