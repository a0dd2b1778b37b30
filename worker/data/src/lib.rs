//! Data readers and the order of batches, without libtorch.
//!
//! - [`load`]: from what the user named to a [`Dataset`] of [`Array`]s whose bytes a tensor may alias.
//! - [`BatchOrder`]: which samples make the batch of a global step.
//! - [`Augmentation`]: how the images of a global step are varied.
//! - [`DataError`]: what is wrong with a field of the specification, and what to do.
//!
//! # Formats
//!
//! | source | inputs and targets | memory |
//! |---|---|---|
//! | `digits` | UCI handwritten digits: inputs float32 (1797, 1, 8, 8) from 0 to 1, targets int64 (1797,) | 0.5 MB |
//! | `.npz` | arrays `inputs` and `targets`, or those that `input_keys` and `target_key` name; as `numpy.savez` and `numpy.savez_compressed` write them | the arrays that are named |
//! | `.safetensors` | the same names | mapped |
//! | `.npy` | the inputs; `targets` is a `.npy` file of their own | mapped |
//! | IDX: `...-ubyte` or `.idx`, also with `.gz` | MNIST's files: the inputs, with a dimension for the channel after that of the samples; `targets` is the file of the labels | mapped; unpacked with `.gz` |
//! | `.bin` | a stream of tokens, `token_dtype` u16 or u32, little-endian: inputs (samples, `context`), and as targets of the same shape the token after each | mapped |
//! | `.csv` | the column `target_column` is the target, all others are inputs, float32 (samples, columns) | 4 bytes a number |
//!
//! The first dimension of every array counts samples, the same number in each. Types are those
//! that libtorch computes with (see [`Dtype`]); others are refused with the conversion to do.
//! Numbers are not looked at: NaN and infinities are data. Arrays in Fortran order are turned into
//! C order in memory, and elements that are not aligned in the file are copied.
//!
//! **IDX.** Bytes of inputs are grey levels: a model sees them divided by 255, from 0 to 1, as
//! torchvision's `ToTensor` does (see [`Column::divisor`]). Bytes of other formats are numbers as
//! they are.
//!
//! **Tokens.** Samples come one after the other and share no prediction: the last target of one is
//! the first input of the next. What is too short for a sample at the end of a file is left out.
//!
//! **CSV.** Commas separate columns, a header gives each a name of its own, cells may be quoted, empty
//! lines are passed over. With `target_type`
//! categorical, classes are numbered from 0 in sorted order: integers by their value, and if there
//! is any that is not an integer, all by their UTF-8 bytes; targets are int64 (samples,). With
//! numeric they are float32 (samples, 1). A cell of an input that is not a number is an error, as is
//! an empty cell, or the class `nan`.
//!
//! # Several files
//!
//! `source`, and `targets` where it names a file, may name several (shards): `train-*.npz` with `*`,
//! `?` and `[...]` as in a shell, or `part-{000..003}.npz`. Only the name of the file is a pattern,
//! not its folder. The files are put end to end, each mapped where one would be, and nothing is
//! copied ([`Column`]). Those of a range are in the order of its numbers; those that match a pattern
//! in the order of their names, byte by byte: `part-10` is before `part-2`, so write `part-{0..10}`
//! where that matters. They must agree in types and in the shape of a sample. A sample of tokens lies within one file; classes of CSV files are those
//! of all together.
//!
//! # Files that lie
//!
//! Every size that a file claims is checked against the bytes that are there before memory is asked
//! for, so a damaged or hostile file ends in an error that says what is wrong and where. A
//! compressed array takes memory as it really inflates; above 1 GiB it may have 200 times its
//! compressed size.

#[cfg(target_endian = "big")]
compile_error!(
    "arrays are little-endian and aliased as they are: only such machines are supported"
);

mod array;
mod augment;
mod column;
mod dataset;
mod digits;
mod error;
mod formats;
mod labels;
mod map;
mod memory;
mod names;
mod order;
mod pattern;
mod permutation;
mod random;

pub use array::{Array, Dtype, MAX_DIMENSIONS};
pub use augment::{Augmentation, Variation};
pub use bytes::Bytes;
pub use column::Column;
pub use dataset::{DEFAULT_INPUT_KEY, DEFAULT_TARGET_KEY, Dataset, Source, load, load_like};
pub use error::DataError;
pub use labels::{Labels, Outside};
pub use order::BatchOrder;
