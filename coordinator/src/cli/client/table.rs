//! Columns that line up, as data: on stdout, never wrapped.

/// Rows below a header, the cells of each column padded to the widest one. Columns that are empty
/// in all rows are left out.
pub(super) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let columns: Vec<(usize, usize)> = header
        .iter()
        .enumerate()
        .map(|(column, name)| (column, name.chars().count(), width(column)))
        .filter(|(_, _, widest)| *widest > 0)
        .map(|(column, name, widest)| (column, name.max(widest)))
        .collect();
    let header = header.iter().map(ToString::to_string).collect();
    std::iter::once(&header)
        .chain(rows)
        .map(|row| {
            let cells: Vec<_> = columns
                .iter()
                .map(|(column, width)| {
                    let cell = row.get(*column).map(String::as_str).unwrap_or_default();
                    format!("{cell:<width$}")
                })
                .collect();
            format!("{}\n", cells.join("  ").trim_end())
        })
        .collect()
}

/// Text from elsewhere on one line, without characters that a terminal would obey.
pub(super) fn plain(text: &str) -> String {
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    text.chars()
        .map(visible)
        .collect::<String>()
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_empty_ones_are_left_out() {
        let rows = [
            vec!["a".to_owned(), String::new(), "1".to_owned()],
            vec!["long".to_owned(), String::new(), String::new()],
        ];
        assert_eq!(
            table(&["id", "owner", "lr"], &rows),
            "id    lr\na     1\nlong\n"
        );
    }

    #[test]
    fn what_a_terminal_would_obey_is_taken_out() {
        assert_eq!(plain("a\u{1b}[31mb\r\nc\n"), "a [31mb  c");
    }
}
