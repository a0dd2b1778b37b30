//! `.safetensors`: arrays by name, laid out to be mapped into memory.

use ::safetensors::{Dtype as Stored, SafeTensorError, SafeTensors};
use bytes::Bytes;

use crate::array::{Array, Dtype};
use crate::dataset::{Found, Missing};
use crate::error::Defect;
use crate::names::{Names, Quoted, cut};
use rangefinder_errors::Code;

/// Bytes before the header, which say how long it is.
const LENGTH_BYTES: usize = 8;

/// Reads the arrays of these names, sharing the file's bytes.
///
/// # Errors
/// When the bytes are not a safetensors file; its header is checked as a whole.
pub(crate) fn read(bytes: &Bytes, keys: &[&str]) -> Result<Vec<Found>, Defect> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| damage(bytes, &error))?;
    Ok(keys.iter().map(|key| array(&file, bytes, key)).collect())
}

/// What is wrong, and at which byte.
fn damage(bytes: &[u8], error: &SafeTensorError) -> Defect {
    let claimed = bytes
        .first_chunk()
        .map_or(0, |length| u64::from_le_bytes(*length));
    let end = claimed.saturating_add(LENGTH_BYTES as u64);
    let length = bytes.len();
    let what = match error {
        SafeTensorError::HeaderTooSmall => {
            format!("ends within the length of its header, at byte {length}")
        }
        SafeTensorError::HeaderTooLarge | SafeTensorError::InvalidHeaderLength => {
            format!("claims at byte 0 a header of {claimed} bytes, and has {length} bytes in all")
        }
        SafeTensorError::InvalidHeader(error) => format!(
            "has a header that is not UTF-8 at byte {}",
            LENGTH_BYTES + error.valid_up_to()
        ),
        SafeTensorError::InvalidHeaderDeserialization(error) => {
            let place = format!("line {} column {}", error.line(), error.column());
            let message = error.to_string();
            let message = message.trim_end_matches(&place).trim_end_matches(" at ");
            format!(
                "has a damaged header, which begins at byte {LENGTH_BYTES}, at its {place}: {}",
                cut(message)
            )
        }
        SafeTensorError::InvalidOffset(name) => format!(
            "has a header, at bytes {LENGTH_BYTES} to {end}, that places {} where it cannot be",
            Quoted(name)
        ),
        SafeTensorError::MetadataIncompleteBuffer => format!(
            "has {} bytes of elements from byte {end} on, which are not those that its header claims",
            (length as u64).saturating_sub(end)
        ),
        other => format!(
            "has a header, at bytes {LENGTH_BYTES} to {end}, that is wrong: {}",
            cut(&other.to_string())
        ),
    };
    Defect::damaged(format!(
        "is not a safetensors file, or a damaged one: it {what}"
    ))
}

fn array(file: &SafeTensors, bytes: &Bytes, key: &str) -> Found {
    let Ok(view) = file.tensor(key) else {
        let names = file.names().into_iter().map(str::to_owned);
        return Err(Missing::Absent(Names::sorted(names)));
    };
    dtype(view.dtype())
        .and_then(|dtype| {
            Array::new(
                key,
                view.shape().to_vec(),
                dtype,
                bytes.slice_ref(view.data()),
            )
        })
        .map_err(Missing::Unfit)
}

fn dtype(stored: Stored) -> Result<Dtype, Defect> {
    Dtype::of_safetensors(stored).ok_or_else(|| {
        Defect::new(
            Code::ElementType,
            format!("has the type {stored:?}, which libtorch cannot train on"),
            "convert to F32 for inputs, I64 for labels",
        )
    })
}
