//! Data readers and the order of batches, without libtorch.
//!
//! - [`load`]: from what the user named to a [`Dataset`] of [`Array`]s whose bytes a tensor may alias.
//! - [`BatchOrder`]: which samples make the batch of a global step.
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
//!
//! The first dimension of every array counts samples, the same number in each. Types are those
//! that libtorch computes with (see [`Dtype`]); others are refused with the conversion to do.
//! Numbers are not looked at: NaN and infinities are data. Arrays in Fortran order are turned into
//! C order in memory, and elements that are not aligned in the file are copied.
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
mod dataset;
mod digits;
mod error;
mod formats;
mod map;
mod memory;
mod names;
mod order;
mod permutation;

pub use array::{Array, Dtype, MAX_DIMENSIONS};
pub use bytes::Bytes;
pub use dataset::{DEFAULT_INPUT_KEY, DEFAULT_TARGET_KEY, Dataset, Source, load};
pub use error::DataError;
pub use order::BatchOrder;
