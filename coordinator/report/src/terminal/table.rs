//! Columns that line up.

use crate::words::wrap;

/// Rows with the cells of each column padded to the widest one; the last column takes what is
/// left of `width` and is wrapped. Two spaces before and between columns.
pub(super) fn columns(rows: &[Vec<String>], width: usize) -> Vec<Vec<String>> {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widest: Vec<usize> = (0..count.saturating_sub(1))
        .map(|column| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let before = widest.iter().map(|width| width + 2).sum::<usize>() + 2;
    rows.iter()
        .map(|row| {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widest) {
                line.push_str(&format!("  {cell:<width$}"));
            }
            let last = row
                .get(widest.len())
                .map(String::as_str)
                .unwrap_or_default();
            let wrapped = wrap(last, width.saturating_sub(before).max(8));
            let mut lines = Vec::new();
            let mut rest = wrapped.into_iter();
            let first = rest.next().unwrap_or_default();
            lines.push(format!("{line}  {first}").trim_end().to_owned());
            lines.extend(rest.map(|text| format!("{:before$}{text}", "")));
            lines
        })
        .collect()
}
