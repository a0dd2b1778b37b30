//! What was trained, and the learning rate in large, or why there is none.

use super::canvas::{Canvas, Style, WIDTH, colour, text_width};
use crate::document::SweepDocument;
use crate::numbers::learning_rate;
use crate::words;

const LEFT: f64 = 24.0;
/// Characters of the small type that fit into a line.
const COLUMNS: usize = 128;

/// The largest line of the picture.
pub(super) struct Headline {
    pub text: String,
    usable: bool,
}

/// The learning rate, or that there is none.
pub(super) fn headline(document: &SweepDocument) -> Headline {
    match words::usable(document) {
        Some(suggestion) => Headline {
            text: format!("Learning rate {}", learning_rate(suggestion.lr, 3)),
            usable: true,
        },
        None => Headline {
            text: words::no_suggestion(document).to_owned(),
            usable: false,
        },
    }
}

/// Draws the header and returns where it ends.
pub(super) fn draw(canvas: &mut Canvas, document: &SweepDocument, headline: &Headline) -> f64 {
    let small = Style::new(13.0, colour::MUTED);
    let title = Style::new(14.0, colour::INK).bold();
    let mut base = 32.0;
    for line in title_lines(document, title) {
        canvas.text((LEFT, base), &line, title);
        base += 20.0;
    }
    // The headline stands below the last of them.
    base += 18.0;

    let fill = if headline.usable {
        colour::SUGGESTION
    } else {
        colour::INK
    };
    let large = Style::new(28.0, fill).bold();
    canvas.text((LEFT, base), &headline.text, large);
    let mut y = base + 4.0;
    if let Some(suggestion) = words::usable(document) {
        let beside = LEFT + text_width(&headline.text, large) + 14.0;
        let found_at = words::at_batch_size(document);
        let style = Style::new(15.0, colour::INK);
        canvas.text((beside, base), found_at.trim_start(), style);
        let mut note = format!("by {}", suggestion.method);
        if let Some(interval) = &suggestion.interval {
            note = format!("{note}, {}", words::interval(interval));
        }
        y += 20.0;
        canvas.text((LEFT, y), &note, small);
    } else {
        let mut lines: Vec<String> = Vec::new();
        if let Some(verdict) = &document.verdict {
            lines.extend(words::wrap(&words::sentence(&verdict.message), COLUMNS));
        }
        let value = words::not_a_suggestion(document);
        lines.extend(value.iter().flat_map(|line| words::wrap(line, COLUMNS)));
        lines.truncate(4);
        // Quotes of code mean something in a terminal, not in a picture.
        let lines = lines.iter().map(|line| line.replace('`', ""));
        for line in lines {
            y += 20.0;
            canvas.text((LEFT, y), &line, small);
        }
    }
    for text in [words::groups(document), words::evaluation(document)] {
        let text = text.filter(|_| document.rule_value.is_some());
        let lines = text.map(|text| words::wrap(&text.replace('`', ""), COLUMNS));
        for line in lines.iter().flatten().take(2) {
            y += 20.0;
            canvas.text((LEFT, y), line, small);
        }
    }
    y += 24.0;
    if let Some(status) = words::status(document) {
        canvas.text(
            (LEFT, y - 4.0),
            &words::shorten(&status, COLUMNS),
            Style::new(13.0, colour::INK).bold(),
        );
        y += 18.0;
    }
    y
}

/// What was trained and the size of the sweep: on one line where it fits, else on one each.
fn title_lines(document: &SweepDocument, style: Style) -> Vec<String> {
    let fits = |line: &str| text_width(line, style) <= WIDTH - 2.0 * LEFT;
    let parts = [words::trained(document), words::size(document)];
    let parts = Vec::from_iter(parts.into_iter().filter(|part| !part.is_empty()));
    let line = parts.join(" · ");
    if fits(&line) {
        return vec![line];
    }
    let fitted = |part: &String| {
        let lengths = (1..=part.chars().count()).rev();
        let mut shortened = lengths.map(|most| words::shorten(part, most));
        shortened.find(|line| fits(line)).unwrap_or_default()
    };
    parts.iter().map(fitted).collect()
}
