//! What a sweep leaves behind, and what people see of it.
//!
//! - [`document`]: [`SweepDocument`], everything that is known of a sweep that has ended; `sweep.json`.
//! - [`files`]: writes a document into a folder: `sweep.json`, two CSV files, two pictures.
//! - [`plot`]: the picture, as SVG and as PNG, without a display.
//! - [`terminal`]: live progress, the plan, the summary, the table of hyperparameters.
//!
//! Everything that is read off a curve comes from `rangefinder-sweep`; nothing is computed here
//! but where to draw it.

mod axes;
pub mod document;
pub mod files;
mod numbers;
pub mod plot;
pub mod terminal;
mod words;

pub use document::SweepDocument;
pub use numbers::{bytes, learning_rate};

#[cfg(test)]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the numbers of tests are small"
)]
mod tests;
