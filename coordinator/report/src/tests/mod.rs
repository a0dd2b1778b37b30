//! Tests over whole documents; what a person reads is kept as snapshots.

mod document;
mod files;
mod never_panics;
mod plot;
mod progress;
mod samples;
mod terminal;
mod variants;
