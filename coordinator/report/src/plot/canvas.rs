//! SVG text, element by element.

use std::fmt::Write as _;

/// Width of the picture in its own units.
pub(super) const WIDTH: f64 = 960.0;
/// Height of the picture in its own units.
pub(super) const HEIGHT: f64 = 600.0;

/// The typeface that comes with the program first, then what browsers have of its kind.
const FONTS: &str =
    "'DejaVu Sans', Verdana, 'Bitstream Vera Sans', 'Segoe UI', Helvetica, Arial, sans-serif";

/// Colours, chosen on the picture's own white card so that viewers with a dark background show
/// the same. Blue and red stay apart for the colour-blind too.
pub(super) mod colour {
    pub const CARD: &str = "#ffffff";
    pub const EDGE: &str = "#d0d7de";
    pub const INK: &str = "#1f2328";
    pub const MUTED: &str = "#59636e";
    pub const GRID: &str = "#e7ebef";
    pub const RAW: &str = "#8c959f";
    pub const CURVE: &str = "#0860ca";
    pub const OVERLAP: &str = "#bf8700";
    pub const SUGGESTION: &str = "#cf222e";
    pub const NOT_REACHED: &str = "#f3f4f6";
}

/// Where a text is anchored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub size: f64,
    pub bold: bool,
    pub fill: &'static str,
    pub anchor: Anchor,
    /// Whether it stands on a white outline, for text over lines.
    pub halo: bool,
}

impl Style {
    pub const fn new(size: f64, fill: &'static str) -> Self {
        Self {
            size,
            bold: false,
            fill,
            anchor: Anchor::Start,
            halo: false,
        }
    }

    pub const fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    pub const fn anchored(self, anchor: Anchor) -> Self {
        Self { anchor, ..self }
    }

    pub const fn halo(self) -> Self {
        Self { halo: true, ..self }
    }
}

/// Width that a text takes in the typeface that comes with the program, to a few per cent.
pub(super) fn text_width(text: &str, style: Style) -> f64 {
    let em = |character: char| match character {
        'i' | 'j' | 'l' | '\'' => 0.28,
        ' ' | '.' | ',' | ':' | 'I' | '-' | 'f' | 't' | '(' | ')' | '/' => 0.36,
        'r' => 0.41,
        'm' | 'M' | 'W' => 0.97,
        'w' | '%' | '·' | '…' => 0.85,
        'A'..='Z' => 0.70,
        _ => 0.61,
    };
    let bold = if style.bold { 1.12 } else { 1.0 };
    text.chars().map(em).sum::<f64>() * bold * style.size
}

/// An SVG picture in the making.
pub(super) struct Canvas {
    text: String,
}

impl Canvas {
    /// A white card; `title` and `description` are read by screen readers.
    pub fn new(title: &str, description: &str) -> Self {
        let mut text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
             viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" font-family=\"{FONTS}\">\n"
        );
        let _ = writeln!(text, "<title>{}</title>", escape(title));
        let _ = writeln!(text, "<desc>{}</desc>", escape(description));
        let _ = writeln!(
            text,
            "<rect x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"8\" fill=\"{}\" stroke=\"{}\"/>",
            WIDTH - 1.0,
            HEIGHT - 1.0,
            colour::CARD,
            colour::EDGE
        );
        Self { text }
    }

    /// Adds one element as it is: numbers and constants only.
    pub fn raw(&mut self, element: &str) {
        self.text.push_str(element);
        self.text.push('\n');
    }

    pub fn rect(&mut self, [x, y, width, height]: [f64; 4], attributes: &str) {
        if width > 0.0 && height > 0.0 {
            self.raw(&format!(
                "<rect x=\"{x:.2}\" y=\"{y:.2}\" width=\"{width:.2}\" height=\"{height:.2}\" {attributes}/>"
            ));
        }
    }

    pub fn line(&mut self, [x1, y1, x2, y2]: [f64; 4], attributes: &str) {
        self.raw(&format!(
            "<line x1=\"{x1:.2}\" y1=\"{y1:.2}\" x2=\"{x2:.2}\" y2=\"{y2:.2}\" {attributes}/>"
        ));
    }

    pub fn circle(&mut self, (x, y): (f64, f64), radius: f64, attributes: &str) {
        self.raw(&format!(
            "<circle cx=\"{x:.2}\" cy=\"{y:.2}\" r=\"{radius}\" {attributes}/>"
        ));
    }

    /// A line through the points, each with one decimal; nothing for fewer than two.
    pub fn path(&mut self, points: &[(f64, f64)], close: bool, attributes: &str) {
        if points.len() < 2 {
            return;
        }
        let mut data = String::with_capacity(points.len() * 12);
        for (index, (x, y)) in points.iter().enumerate() {
            let command = if index == 0 { 'M' } else { 'L' };
            let _ = write!(data, "{command}{x:.1} {y:.1}");
        }
        let end = if close { "Z" } else { "" };
        self.raw(&format!("<path d=\"{data}{end}\" {attributes}/>"));
    }

    /// Round dots as one path: a picture of a thousand of them stays small.
    pub fn dots(&mut self, points: &[(f64, f64)], diameter: f64, attributes: &str) {
        if points.is_empty() {
            return;
        }
        let mut data = String::with_capacity(points.len() * 16);
        for (x, y) in points {
            let _ = write!(data, "M{x:.1} {y:.1}h.01");
        }
        self.raw(&format!(
            "<path d=\"{data}\" fill=\"none\" stroke-linecap=\"round\" stroke-width=\"{diameter}\" {attributes}/>"
        ));
    }

    pub fn text(&mut self, (x, y): (f64, f64), text: &str, style: Style) {
        self.placed_text(&format!("x=\"{x:.1}\" y=\"{y:.1}\""), text, style);
    }

    /// Text that runs upwards from (x, y).
    pub fn upward_text(&mut self, (x, y): (f64, f64), text: &str, style: Style) {
        self.placed_text(
            &format!("transform=\"translate({x:.1} {y:.1}) rotate(-90)\""),
            text,
            style,
        );
    }

    fn placed_text(&mut self, place: &str, text: &str, style: Style) {
        let anchor = match style.anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let weight = if style.bold {
            " font-weight=\"bold\""
        } else {
            ""
        };
        let halo = if style.halo {
            " stroke=\"#ffffff\" stroke-width=\"4\" stroke-linejoin=\"round\" paint-order=\"stroke\""
        } else {
            ""
        };
        let element = format!(
            "<text {place} font-size=\"{}\" fill=\"{}\"{anchor}{weight}{halo}>{}</text>",
            style.size,
            style.fill,
            escape(text)
        );
        self.raw(&element);
    }

    pub fn finish(mut self) -> String {
        self.text.push_str("</svg>\n");
        self.text
    }
}

/// Text that cannot end its element; characters that XML forbids become spaces.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\u{FFFE}' | '\u{FFFF}' => escaped.push(' '),
            other if other.is_control() => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}
