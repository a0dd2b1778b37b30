//! The picture of a sweep, as SVG and as PNG, without a display.
//!
//! - `canvas`: SVG text, element by element; sizes, typefaces and colours.
//! - `header`: what was trained and the learning rate in large, or why there is none.
//! - `frame`: the plot's area, its axes, and where a learning rate and a loss stand in it.
//! - `layers`: what is drawn into it: segments, replicas, losses, the stop, the suggestion.
//! - `legend`: what the layers mean.
//! - `raster`: SVG into PNG.

mod canvas;
mod frame;
mod header;
mod layers;
mod legend;
mod raster;

use crate::document::SweepDocument;
use crate::words;
use canvas::Canvas;
use frame::Frame;

/// Why a picture could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the picture cannot be drawn: {0}")]
pub struct PlotError(String);

/// The picture as SVG, on an opaque white card: the same in light and dark viewers.
///
/// It shows the raw losses and the smoothed curve over the learning rates; replicas as thin lines
/// with their band; boundaries and overlaps of segments; where and why the curve ends; and the
/// suggestion with its interval, in red, if the curve is usable, else in grey what the rule would
/// have said. An explosion at the end is cut off at the top, with arrows.
#[must_use]
pub fn svg(document: &SweepDocument) -> String {
    let headline = header::headline(document);
    let title = format!("Learning-rate range test: {}", words::trained(document));
    let found = format!("{}{}", headline.text, words::at_batch_size(document));
    let mut canvas = Canvas::new(&title, &found);
    let top = header::draw(&mut canvas, document, &headline);
    let entries = legend::entries(document);
    let bottom = legend::draw(&mut canvas, &entries);
    let frame = Frame::new(document, top, bottom);
    layers::draw(&mut canvas, document, &frame);
    canvas.finish()
}

/// The picture of [`svg`] as a PNG of 1600 x 1000 pixels, drawn with the fonts that come with the
/// program.
///
/// # Errors
/// When `svg` is not SVG.
pub fn png(svg: &str) -> Result<Vec<u8>, PlotError> {
    raster::png(svg)
}
