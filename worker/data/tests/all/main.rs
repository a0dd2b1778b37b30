//! What this crate promises, through its public interface.
//!
//! - `formats`: files of numpy and safetensors, number for number.
//! - `mistakes`: what a user can do wrong, and what is then said.
//! - `hostile`: files of random and changed bytes (`subjects`: which files, and how).
//! - `digits`: the data set that comes with the program.
//! - `idx`, `tokens`, `csv`: the other formats. `shards`: several files.
//! - `batches`: one content in all formats.
//! - `order`: which samples make a batch. `augment`: how images are varied.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends at its first surprise, in its helpers too"
)]

mod augment;
mod batches;
mod common;
mod csv;
mod digits;
mod formats;
mod hostile;
mod idx;
mod mistakes;
mod npy;
mod order;
mod shards;
mod subjects;
mod tokens;
