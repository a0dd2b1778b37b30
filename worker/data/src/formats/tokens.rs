//! Token streams: nothing but token ids, little-endian, one after the other.

use bytes::Bytes;

use crate::array::{Array, Dtype};
use crate::dataset::{DEFAULT_INPUT_KEY, DEFAULT_TARGET_KEY};
use crate::error::Defect;
use rangefinder_errors::Code;

/// Tokens of a sample where nothing is said.
pub(crate) const DEFAULT_CONTEXT: u32 = 256;

/// The type of the ids by its name in the specification; `u16` where it is empty.
pub(crate) fn dtype(name: &str) -> Option<Dtype> {
    match name {
        "" | "u16" => Some(Dtype::U16),
        "u32" => Some(Dtype::U32),
        _ => None,
    }
}

/// Cuts a stream into samples of `context` inputs, at least 1, and as many targets, the tokens that
/// follow each. Samples come one after the other: the last target of one is the first input of the
/// next, so that every token but the first is predicted exactly once. What is left at the end is
/// too short for a sample and left out. Both arrays share the bytes.
///
/// # Errors
/// When the bytes are not whole tokens, or fewer than one sample needs.
pub(crate) fn read(bytes: &Bytes, dtype: Dtype, context: usize) -> Result<(Array, Array), Defect> {
    let size = dtype.size();
    if !bytes.len().is_multiple_of(size) {
        return Err(Defect::new(
            Code::Tokens,
            format!(
                "ends within a token: its {} bytes are not a multiple of {size}, the size of {dtype}",
                bytes.len()
            ),
            "set `token_dtype` to the type that the tokens were saved in, or write the file again",
        ));
    }
    let tokens = bytes.len() / size;
    let samples = tokens.saturating_sub(1) / context;
    if samples == 0 {
        return Err(Defect::new(
            Code::Tokens,
            format!(
                "has {tokens} tokens, but a sample of `context` {context} takes one more than that"
            ),
            "set a smaller `context`, or give a longer file",
        ));
    }
    let array = |name, first: usize| {
        let length = samples * context * size;
        let shape = vec![samples, context];
        Array::new(
            name,
            shape,
            dtype,
            bytes.slice(first * size..first * size + length),
        )
    };
    Ok((array(DEFAULT_INPUT_KEY, 0)?, array(DEFAULT_TARGET_KEY, 1)?))
}
