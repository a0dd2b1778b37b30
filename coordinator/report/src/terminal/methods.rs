//! What every method gives, as a table.

use super::style::{Paint, clean_lines};
use super::table::columns;
use crate::document::SweepDocument;
use crate::numbers::learning_rate;
use crate::words;

const HEADER: [&str; 3] = ["method", "lr", "step"];
/// In place of a learning rate.
const NONE: &str = "none";

/// The chosen method first, then every other, side by side where there is room. Nothing where none
/// gives anything: the verdict says why.
pub(super) fn methods(document: &SweepDocument, width: usize, paint: Paint) -> Vec<String> {
    let rows = rows(document);
    if rows.iter().all(|[_, lr, _]| lr == NONE) {
        return Vec::new();
    }
    let side_by_side = columns(&beside(&rows), width);
    let fits = |lines: &Vec<String>| {
        lines.len() == 1 && lines.iter().all(|line| line.chars().count() <= width)
    };
    let table = if side_by_side.iter().all(fits) {
        side_by_side
    } else {
        let header = HEADER.map(str::to_owned);
        let rows = std::iter::once(&header).chain(&rows);
        columns(&Vec::from_iter(rows.map(|row| row.to_vec())), width)
    };
    let caption = words::wrap(&caption(document), width.saturating_sub(2));
    let caption = caption.into_iter().map(|line| format!("  {line}"));
    // As far as the line that names the columns.
    let dim = caption.len() + table.first().map_or(0, Vec::len);
    caption
        .chain(table.into_iter().flatten())
        .enumerate()
        .map(|(index, line)| if index < dim { paint.dim(&line) } else { line })
        .collect()
}

fn caption(document: &SweepDocument) -> String {
    let at = words::at_batch_size(document);
    match words::usable(document) {
        Some(_) => format!("What each method and tool reads off this curve{at}:"),
        None => format!(
            "What each method and tool would read off this curve{at}; none of it is a suggestion:"
        ),
    }
}

/// Method, learning rate, and step or why there is none.
fn rows(document: &SweepDocument) -> Vec<[String; 3]> {
    let chosen = document.rule_value.as_ref();
    let others = document
        .methods
        .iter()
        .filter(|it| chosen.is_none_or(|value| value.method != it.method))
        .map(|it| (&it.method, it.value.as_ref(), it.why.as_str()));
    chosen
        .map(|value| (&value.method, Some(value), ""))
        .into_iter()
        .chain(others)
        .map(|(method, value, why)| match value {
            Some(value) => [
                method.clone(),
                learning_rate(value.lr, 4),
                value.index.to_string(),
            ],
            None => [method.clone(), NONE.to_owned(), clean_lines(why).join(" ")],
        })
        .collect()
}

/// The second half of the rows beside the first, beneath a header for each.
fn beside(rows: &[[String; 3]]) -> Vec<Vec<String>> {
    let header = HEADER.map(str::to_owned);
    let (left, right) = rows.split_at(rows.len().div_ceil(2));
    let left = std::iter::once(&header).chain(left);
    let mut right = std::iter::once(&header).chain(right);
    left.map(|[method, lr, step]| {
        let mut row = vec![method.clone(), lr.clone(), format!("{step}  ")];
        row.extend(right.next().into_iter().flatten().cloned());
        row
    })
    .collect()
}
