//! The plot's area, its axes, and where a learning rate and a loss stand in it.

use super::canvas::{Anchor, Canvas, Style, WIDTH, colour};
use crate::axes::{Horizontal, Vertical};
use crate::document::SweepDocument;
use crate::words;

const LEFT: f64 = 78.0;
const RIGHT: f64 = WIDTH - 28.0;
/// Room at both ends of the learning rates, as a share of the width.
const PAD: f64 = 0.022;

/// The plot's area.
pub(super) struct Frame {
    pub horizontal: Horizontal,
    pub vertical: Vertical,
    /// What the losses are.
    loss: String,
    pub left: f64,
    pub right: f64,
    pub top: f64,
    pub bottom: f64,
}

impl Frame {
    /// The area between the header, which ends at `top`, and the legend, which begins at `bottom`.
    pub fn new(document: &SweepDocument, top: f64, bottom: f64) -> Self {
        Self {
            horizontal: Horizontal::of(document),
            vertical: Vertical::of(document),
            loss: words::loss(document),
            left: LEFT,
            right: RIGHT,
            top,
            bottom: bottom - 46.0,
        }
    }

    /// Where a learning rate stands; kept within the area.
    pub fn x(&self, lr: f64) -> Option<f64> {
        self.horizontal
            .at(lr)
            .map(|at| self.x_at(at).clamp(self.left, self.right))
    }

    fn x_at(&self, at: f64) -> f64 {
        let width = self.right - self.left;
        self.left + width * (PAD + at * (1.0 - 2.0 * PAD))
    }

    /// Where a loss stands, also above and below the area, but not beyond drawing; `None` for NaN.
    pub fn y(&self, loss: f64) -> Option<f64> {
        let height = self.bottom - self.top;
        let at = self.vertical.at(loss)?.clamp(-9.0, 9.0);
        Some(self.bottom - at * height)
    }

    /// Whether a height lies within the area.
    pub fn shows(&self, y: f64) -> bool {
        (self.top..=self.bottom).contains(&y)
    }

    /// Grid, ticks and names of the axes; drawn beneath everything else.
    pub fn draw_grid(&self, canvas: &mut Canvas) {
        let label = Style::new(12.0, colour::MUTED);
        let grid = format!("stroke=\"{}\" stroke-width=\"1\"", colour::GRID);
        let edge = format!("stroke=\"{}\" stroke-width=\"1\"", colour::RAW);
        for tick in self.vertical.ticks(6) {
            let y = self.bottom - tick.at * (self.bottom - self.top);
            canvas.line([self.left, y, self.right, y], &grid);
            canvas.text(
                (self.left - 8.0, y + 4.0),
                &tick.label,
                label.anchored(Anchor::End),
            );
        }
        for at in self.horizontal.minor() {
            let x = self.x_at(at);
            canvas.line([x, self.bottom, x, self.bottom + 3.0], &edge);
        }
        for tick in self.horizontal.ticks(13) {
            let x = self.x_at(tick.at);
            canvas.line([x, self.top, x, self.bottom], &grid);
            canvas.line([x, self.bottom, x, self.bottom + 6.0], &edge);
            canvas.text(
                (x, self.bottom + 20.0),
                &tick.label,
                label.anchored(Anchor::Middle),
            );
        }
        let name = if self.horizontal.logarithmic {
            "learning rate (logarithmic)"
        } else {
            "learning rate"
        };
        let middle = (self.left + self.right) / 2.0;
        let style = Style::new(12.5, colour::INK).anchored(Anchor::Middle);
        canvas.text((middle, self.bottom + 40.0), name, style);
        canvas.upward_text((24.0, (self.top + self.bottom) / 2.0), &self.loss, style);
    }

    /// The outline of the area; drawn above everything that is clipped to it.
    pub fn draw_outline(&self, canvas: &mut Canvas) {
        let attributes = format!("fill=\"none\" stroke=\"{}\"", colour::RAW);
        let size = [
            self.left,
            self.top,
            self.right - self.left,
            self.bottom - self.top,
        ];
        canvas.rect(size, &attributes);
    }
}
