//! What the layers mean.

use super::canvas::{Canvas, HEIGHT, Style, WIDTH, colour, text_width};
use crate::document::SweepDocument;
use crate::words;

const LEFT: f64 = 24.0;
const LINE: f64 = 20.0;
/// Between a sample and its text, and between a text and the next sample.
const GAPS: [f64; 2] = [7.0, 18.0];

/// One meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Raw,
    Evaluation,
    Mean(usize),
    Smoothed,
    Replica,
    Band,
    Boundary,
    Overlap,
    Suggestion,
    Interval,
    RuleValue,
    Stop,
}

impl Entry {
    fn text(self) -> String {
        match self {
            Self::Raw => "raw loss".to_owned(),
            Self::Evaluation => "evaluation loss".to_owned(),
            Self::Mean(replicas) => format!("loss, mean of {replicas}"),
            Self::Smoothed => "smoothed".to_owned(),
            Self::Replica => "one replica".to_owned(),
            Self::Band => "range of replicas".to_owned(),
            Self::Boundary => "segment boundary".to_owned(),
            Self::Overlap => "warm-up before it".to_owned(),
            Self::Suggestion => "suggestion".to_owned(),
            Self::Interval => "its interval".to_owned(),
            Self::RuleValue => "rule's value, not a suggestion".to_owned(),
            Self::Stop => "end of the curve".to_owned(),
        }
    }

    /// Width of what is drawn.
    fn sample(self) -> f64 {
        match self {
            Self::Boundary | Self::Stop => 4.0,
            Self::Suggestion | Self::RuleValue => 12.0,
            _ => 22.0,
        }
    }

    fn draw(self, canvas: &mut Canvas, x: f64, y: f64) {
        let (middle, end) = (x + self.sample() / 2.0, x + self.sample());
        let line = |stroke: &str, rest: &str| format!("stroke=\"{stroke}\" {rest}");
        match self {
            Self::Raw | Self::Evaluation | Self::Mean(_) => {
                let dots = [(x + 4.0, y + 2.0), (middle, y - 3.0), (end - 4.0, y + 1.0)];
                canvas.dots(&dots, 3.2, &line(colour::RAW, "stroke-opacity=\"0.75\""));
            }
            Self::Smoothed => {
                canvas.line([x, y, end, y], &line(colour::CURVE, "stroke-width=\"2.8\""))
            }
            Self::Replica => canvas.line(
                [x, y, end, y],
                &line(colour::CURVE, "stroke-width=\"1\" stroke-opacity=\"0.5\""),
            ),
            Self::Band => canvas.rect(
                [x, y - 6.0, self.sample(), 12.0],
                &format!("fill=\"{}\" fill-opacity=\"0.14\"", colour::CURVE),
            ),
            Self::Boundary => canvas.line(
                [middle, y - 7.0, middle, y + 7.0],
                &line(colour::MUTED, "stroke-dasharray=\"3 3\""),
            ),
            Self::Overlap => canvas.rect(
                [x, y - 6.0, self.sample(), 12.0],
                &format!("fill=\"{}\" fill-opacity=\"0.16\"", colour::OVERLAP),
            ),
            Self::Suggestion => canvas.circle(
                (middle, y),
                5.0,
                &format!("fill=\"{}\"", colour::SUGGESTION),
            ),
            Self::Interval => {
                canvas.rect(
                    [x, y - 6.0, self.sample(), 12.0],
                    &format!("fill=\"{}\" fill-opacity=\"0.12\"", colour::SUGGESTION),
                );
                let red = line(colour::SUGGESTION, "stroke-width=\"2\"");
                canvas.line([x, y, end, y], &red);
                canvas.line([x, y - 4.0, x, y + 4.0], &red);
                canvas.line([end, y - 4.0, end, y + 4.0], &red);
            }
            Self::RuleValue => canvas.circle(
                (middle, y),
                5.0,
                &line(colour::MUTED, "fill=\"none\" stroke-width=\"2\""),
            ),
            Self::Stop => canvas.line(
                [middle, y - 7.0, middle, y + 7.0],
                &line(colour::INK, "stroke-width=\"1.5\""),
            ),
        }
    }
}

/// What a document's picture shows.
pub(super) fn entries(document: &SweepDocument) -> Vec<Entry> {
    let mut entries = Vec::new();
    let replicas = document.replicas.len();
    if !document.curve.loss.is_empty() {
        entries.push(if replicas > 1 {
            Entry::Mean(replicas)
        } else if words::is_evaluation(document) {
            Entry::Evaluation
        } else {
            Entry::Raw
        });
    }
    if !document.curve.smoothed.is_empty() {
        entries.push(Entry::Smoothed);
    }
    if replicas > 1 {
        entries.extend([Entry::Replica, Entry::Band]);
    }
    if words::segments(document).next().is_some() {
        entries.extend([Entry::Boundary, Entry::Overlap]);
    }
    if words::stop(document).is_some() && !document.curve.loss.is_empty() {
        entries.push(Entry::Stop);
    }
    match words::usable(document) {
        Some(suggestion) => {
            entries.push(Entry::Suggestion);
            entries.extend(suggestion.interval.map(|_| Entry::Interval));
        }
        None => entries.extend(document.rule_value.as_ref().map(|_| Entry::RuleValue)),
    }
    entries
}

/// Draws the entries at the bottom, in as many lines as they need, and returns where they begin.
pub(super) fn draw(canvas: &mut Canvas, entries: &[Entry]) -> f64 {
    let style = Style::new(12.0, colour::MUTED);
    let mut lines: Vec<Vec<(f64, Entry)>> = vec![Vec::new()];
    let mut x = LEFT;
    for entry in entries {
        let width = entry.sample() + GAPS[0] + text_width(&entry.text(), style);
        if x + width > WIDTH - LEFT {
            lines.push(Vec::new());
            x = LEFT;
        }
        if let Some(line) = lines.last_mut() {
            line.push((x, *entry));
        }
        x += width + GAPS[1];
    }
    let top = HEIGHT - 16.0 - LINE * crate::numbers::real(lines.len() - 1);
    let mut y = top;
    for line in lines {
        for (x, entry) in line {
            entry.draw(canvas, x, y - 4.0);
            canvas.text((x + entry.sample() + GAPS[0], y), &entry.text(), style);
        }
        y += LINE;
    }
    top - 14.0
}
