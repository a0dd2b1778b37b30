//! Tests over whole documents; what a person reads is kept as snapshots.

mod plot;
mod samples;
