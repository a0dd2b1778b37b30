//! `.safetensors`: arrays by name, laid out to be mapped into memory.

use ::safetensors::{Dtype as Stored, SafeTensors};
use bytes::Bytes;

use crate::array::{Array, Dtype};
use crate::dataset::{Found, Missing};
use crate::error::Defect;
use crate::names::{Names, cut};

/// Reads the arrays of these names, sharing the file's bytes.
///
/// # Errors
/// When the bytes are not a safetensors file; its header is checked as a whole.
pub(crate) fn read(bytes: &Bytes, keys: &[&str]) -> Result<Vec<Found>, Defect> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| {
        Defect::damaged(format!(
            "is not a safetensors file, or a damaged one of {} bytes: {}",
            bytes.len(),
            cut(&error.to_string())
        ))
    })?;
    Ok(keys.iter().map(|key| array(&file, bytes, key)).collect())
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
    Ok(match stored {
        Stored::F64 => Dtype::F64,
        Stored::F32 => Dtype::F32,
        Stored::F16 => Dtype::F16,
        Stored::BF16 => Dtype::Bf16,
        Stored::I64 => Dtype::I64,
        Stored::I32 => Dtype::I32,
        Stored::I16 => Dtype::I16,
        Stored::I8 => Dtype::I8,
        Stored::U8 => Dtype::U8,
        Stored::BOOL => Dtype::Bool,
        other => {
            return Err(Defect::new(
                format!("has the type {other:?}, which libtorch cannot train on"),
                "convert to F32 for inputs, I64 for labels",
            ));
        }
    })
}
