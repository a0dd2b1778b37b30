//! The curve in characters: the smoothed losses as a braille line over the raw ones as dots.

use super::style::Paint;
use crate::axes::{Horizontal, Tick, Vertical};
use crate::document::SweepDocument;
use crate::numbers::{real, whole};
use crate::words;

/// What a cell shows; later ones cover earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    Empty,
    Boundary,
    Raw,
    Clipped,
    Smoothed,
    Ring,
    Mark,
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    layer: Layer,
    character: char,
    /// Dots of a braille character.
    dots: u8,
}

struct Grid {
    columns: usize,
    rows: usize,
    cells: Vec<Cell>,
}

impl Grid {
    fn new(columns: usize, rows: usize) -> Self {
        let empty = Cell {
            layer: Layer::Empty,
            character: ' ',
            dots: 0,
        };
        Self {
            columns,
            rows,
            cells: vec![empty; columns * rows],
        }
    }

    fn put(&mut self, column: usize, row: usize, layer: Layer, character: char) {
        if let Some(cell) = self.cell(column, row)
            && cell.layer <= layer
        {
            cell.layer = layer;
            cell.character = character;
        }
    }

    fn cell(&mut self, column: usize, row: usize) -> Option<&mut Cell> {
        if column >= self.columns || row >= self.rows {
            return None;
        }
        self.cells.get_mut(row * self.columns + column)
    }

    /// Sets one of the 2 x 4 dots of a cell.
    fn dot(&mut self, x: usize, y: usize) {
        const DOTS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
        if let Some(cell) = self.cell(x / 2, y / 4) {
            cell.layer = cell.layer.max(Layer::Smoothed);
            cell.dots |= DOTS[y % 4][x % 2];
        }
    }

    fn row(&self, row: usize, paint: Paint) -> String {
        let mut text = String::new();
        let cells = &self.cells[row * self.columns..(row + 1) * self.columns];
        for run in cells.chunk_by(|a, b| a.layer == b.layer) {
            let characters: String = run.iter().map(Cell::character).collect();
            text.push_str(&match run.first().map(|cell| cell.layer) {
                Some(Layer::Smoothed) => paint.curve(&characters),
                Some(Layer::Mark) => paint.suggestion(&characters),
                Some(Layer::Ring | Layer::Empty) | None => characters,
                Some(_) => paint.dim(&characters),
            });
        }
        text.trim_end().to_owned()
    }
}

impl Cell {
    fn character(&self) -> char {
        if self.layer == Layer::Smoothed {
            return char::from_u32(0x2800 + u32::from(self.dots)).unwrap_or(' ');
        }
        self.character
    }
}

/// The chart in lines of at most `width` columns; nothing when there is no room or no loss.
pub(super) fn chart(document: &SweepDocument, width: usize, paint: Paint) -> Vec<String> {
    let rows = if width < 60 { 8 } else { 14 };
    let vertical = Vertical::of(document);
    let ticks = vertical.ticks((rows / 3).max(3));
    let margin = ticks
        .iter()
        .map(|tick| tick.label.chars().count())
        .max()
        .unwrap_or(0);
    let columns = width.saturating_sub(margin + 3).min(120);
    if columns < 12 || document.curve.loss.is_empty() {
        return Vec::new();
    }
    let horizontal = Horizontal::of(document);
    let mut grid = Grid::new(columns, rows);
    let scale = Scale {
        horizontal,
        vertical,
        columns,
        rows,
    };
    boundaries(&mut grid, document, &scale);
    raw(&mut grid, document, &scale);
    smoothed(&mut grid, document, &scale);
    let lr = mark(&mut grid, document, &scale);

    let mut lines = Vec::with_capacity(rows + 3);
    for row in 0..rows {
        let at = ticks.iter().find(|tick| scale.row(tick.at) == Some(row));
        let (label, edge) = at.map_or(("", '│'), |tick| (tick.label.as_str(), '┤'));
        lines.push(format!("{label:>margin$} {edge}{}", grid.row(row, paint)));
    }
    let labels = horizontal.ticks(columns / 8);
    lines.push(axis(document, &scale, &labels, margin, lr, paint));
    lines.push(tick_labels(&labels, columns, margin + 2, paint));
    lines.extend(legend(document, width, paint));
    lines
}

struct Scale {
    horizontal: Horizontal,
    vertical: Vertical,
    columns: usize,
    rows: usize,
}

impl Scale {
    fn column(&self, lr: f64) -> Option<usize> {
        let at = self.horizontal.at(lr)?.clamp(0.0, 1.0);
        Some(whole(at * real(self.columns - 1), self.columns - 1))
    }

    /// Row of a share of the height, `None` outside.
    fn row(&self, at: f64) -> Option<usize> {
        (0.0..=1.0)
            .contains(&at)
            .then(|| whole((1.0 - at) * real(self.rows) - 0.5, self.rows - 1))
    }
}

fn boundaries(grid: &mut Grid, document: &SweepDocument, scale: &Scale) {
    for task in words::segments(document) {
        let lr = usize::try_from(task.start)
            .ok()
            .and_then(|step| document.learning_rates.get(step));
        if let Some(column) = lr.and_then(|lr| scale.column(*lr)) {
            (0..scale.rows).for_each(|row| grid.put(column, row, Layer::Boundary, '┊'));
        }
    }
}

fn raw(grid: &mut Grid, document: &SweepDocument, scale: &Scale) {
    for (lr, loss) in document.curve.lr.iter().zip(&document.curve.loss) {
        let Some(column) = scale.column(*lr) else {
            continue;
        };
        match scale.vertical.at(*loss).filter(|_| loss.is_finite()) {
            None => grid.put(column, 0, Layer::Clipped, '✕'),
            Some(at) if at > 1.0 => grid.put(column, 0, Layer::Clipped, '↑'),
            Some(at) if at < 0.0 => grid.put(column, scale.rows - 1, Layer::Clipped, '↓'),
            Some(at) => {
                if let Some(row) = scale.row(at) {
                    grid.put(column, row, Layer::Raw, '·');
                }
            }
        }
    }
}

fn smoothed(grid: &mut Grid, document: &SweepDocument, scale: &Scale) {
    let (width, height) = (real(2 * scale.columns - 1), real(4 * scale.rows - 1));
    let points: Vec<(f64, f64)> = document
        .curve
        .lr
        .iter()
        .zip(&document.curve.smoothed)
        .filter_map(|(lr, loss)| {
            let (x, y) = (scale.horizontal.at(*lr)?, scale.vertical.at(*loss)?);
            Some((
                x.clamp(0.0, 1.0) * width,
                (1.0 - y.clamp(-2.0, 3.0)) * height,
            ))
        })
        .collect();
    let mut dot = |x: f64, y: f64| {
        if (0.0..=height).contains(&y) {
            grid.dot(
                whole(x, 2 * scale.columns - 1),
                whole(y, 4 * scale.rows - 1),
            );
        }
    };
    if let [(x, y)] = points[..] {
        dot(x, y);
    }
    for pair in points.windows(2) {
        let [(x, y), (next_x, next_y)] = *pair else {
            continue;
        };
        let steps = whole((next_x - x).abs().max((next_y - y).abs()).ceil(), 10_000).max(1);
        for step in 0..=steps {
            let share = real(step) / real(steps);
            dot(x + share * (next_x - x), y + share * (next_y - y));
        }
    }
}

/// Marks the suggestion, or where the rule's value is no suggestion, that one with a ring.
fn mark(grid: &mut Grid, document: &SweepDocument, scale: &Scale) -> Option<usize> {
    let (lr, layer, character) = match words::usable(document) {
        Some(suggestion) => (suggestion.lr, Layer::Mark, '●'),
        None => (document.rule_value.as_ref()?.lr, Layer::Ring, '○'),
    };
    let column = scale.column(lr)?;
    let at = words::smoothed_at(document, lr).and_then(|loss| scale.vertical.at(loss));
    if let Some(row) = at.and_then(|at| scale.row(at.clamp(0.0, 1.0))) {
        grid.put(column, row, layer, character);
    }
    Some(column)
}

/// The axis, heavy and red where the interval lies.
fn axis(
    document: &SweepDocument,
    scale: &Scale,
    labels: &[Tick],
    margin: usize,
    marked: Option<usize>,
    paint: Paint,
) -> String {
    let mut characters = vec!['─'; scale.columns];
    for tick in labels.iter().filter(|tick| !tick.label.is_empty()) {
        characters[whole(tick.at * real(scale.columns - 1), scale.columns - 1)] = '┬';
    }
    let plain = |characters: &[char]| characters.iter().collect::<String>();
    let corner = format!("{:margin$} └", "");
    let interval = words::usable(document).and_then(|suggestion| suggestion.interval.as_ref());
    let range = interval.and_then(|it| Some((scale.column(it.low)?, scale.column(it.high)?)));
    let Some((low, high)) = range.filter(|(low, high)| low <= high) else {
        return format!("{corner}{}", plain(&characters));
    };
    let mut heavy = vec!['━'; high - low + 1];
    if let Some(place) = marked
        .and_then(|column| column.checked_sub(low))
        .and_then(|i| heavy.get_mut(i))
    {
        *place = '┻';
    }
    format!(
        "{corner}{}{}{}",
        plain(&characters[..low]),
        paint.suggestion(&plain(&heavy)),
        plain(&characters[high + 1..])
    )
}

/// Labels beneath their ticks, leaving out those that would touch the one before.
fn tick_labels(ticks: &[Tick], columns: usize, margin: usize, paint: Paint) -> String {
    let mut line = String::new();
    let mut length = 0;
    for tick in ticks.iter().filter(|tick| !tick.label.is_empty()) {
        let width = tick.label.chars().count();
        let middle = margin + whole(tick.at * real(columns - 1), columns - 1);
        let start = middle
            .saturating_sub(width / 2)
            .min((margin + columns).saturating_sub(width));
        if length > 0 && start < length + 2 {
            continue;
        }
        line.push_str(&" ".repeat(start - length));
        line.push_str(&tick.label);
        length = start + width;
    }
    paint.dim(&line)
}

/// The signs and what they mean, on as many lines as they take.
fn legend(document: &SweepDocument, width: usize, paint: Paint) -> Vec<String> {
    let mut parts = Vec::new();
    match words::usable(document) {
        Some(suggestion) => {
            parts.push(("●", "suggestion"));
            parts.extend(suggestion.interval.map(|_| ("━", "its interval")));
        }
        None => parts.extend(
            document
                .rule_value
                .as_ref()
                .map(|_| ("○", "not a suggestion")),
        ),
    }
    if !document.curve.smoothed.is_empty() {
        parts.push(("⠒", "smoothed"));
    }
    parts.push(if words::is_evaluation(document) {
        ("·", "evaluation loss")
    } else {
        ("·", "raw loss")
    });
    if words::segments(document).next().is_some() {
        parts.push(("┊", "segment"));
    }
    let scale = if Horizontal::of(document).logarithmic {
        "(log)"
    } else {
        "(linear)"
    };
    let mut lines = vec![format!("  learning rate {scale}")];
    for (sign, meaning) in parts {
        let part = format!("{sign} {meaning}");
        match lines.last_mut() {
            Some(line) if line.chars().count() + 3 + part.chars().count() <= width => {
                line.push_str("   ");
                line.push_str(&part);
            }
            _ => lines.push(format!("  {part}")),
        }
    }
    lines.iter().map(|line| paint.dim(line)).collect()
}
