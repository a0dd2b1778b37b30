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

/// Says on stderr what went wrong: on a terminal its first words up to the colon stand out, and its
/// lines are broken between words.
pub fn complain(text: &str) {
    let text = text.trim_end();
    if !Term::stderr().is_term() {
        return say(&format!("{text}\n"));
    }
    let (width, colour) = stderr_style();
    let folded = fold(text, width, 0);
    let said = match folded.split_once(':') {
        Some((what, why)) => format!("{}:{why}\n", Paint { colour }.bad(what)),
        None => format!("{folded}\n"),
    };
    say(&said);
}

/// Text whose lines are at most `width` columns long, broken between words: a terminal would break
/// the words. The rest of a line stands `hang` columns further in than its beginning. A word that
/// does not fit, such as a path, stays whole, for copying.
#[must_use]
pub fn fold(text: &str, width: usize, hang: usize) -> String {
    let lines: Vec<String> = text
        .lines()
        .map(|line| fold_line(line, width, hang))
        .collect();
    lines.join("\n")
}

fn fold_line(line: &str, width: usize, hang: usize) -> String {
    if console::measure_text_width(line) <= width {
        return line.to_owned();
    }
    let words = line.trim_start();
    let indent = line.len() - words.len();
    let mut folded = " ".repeat(indent);
    let (mut column, mut is_first) = (indent, true);
    for word in words.split(' ') {
        let length = console::measure_text_width(word);
        if !is_first && column + 1 + length > width {
            folded.push('\n');
            folded.push_str(&" ".repeat(indent + hang));
            column = indent + hang;
        } else if !is_first {
            folded.push(' ');
            column += 1;
        }
        folded.push_str(word);
        column += length;
        is_first = false;
    }
    folded
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

    /// Its mark and its interval in the chart, in the colour that they have in the picture. Words
    /// are not painted with it: red words tell what went wrong.
    pub fn suggestion(self, text: &str) -> String {
        self.apply(Style::new().red().bold(), text)
    }

    /// Words that tell what went wrong.
    pub fn bad(self, text: &str) -> String {
        self.apply(Style::new().red().bold(), text)
    }

    /// For a sign, not for text to be read: yellow is hard to see on a light background.
    pub fn warning(self, text: &str) -> String {
        self.apply(Style::new().yellow().bold(), text)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folded_lines_fit_and_keep_their_indent_and_whole_words() {
        let path = "/a/path/that/is/longer/than/the/line.npz";
        let text = format!("an error: at {path} it\n  do something about it soon");
        let folded = fold(&text, 20, 2);
        let expected = format!("an error: at\n  {path}\n  it\n  do something about\n    it soon");
        assert_eq!(folded, expected);
        assert_eq!(fold(&text, 200, 2), text);
    }
}
