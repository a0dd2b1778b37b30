//! Tensors as they are stored.

use bytes::Bytes;
use rangefinder_data::Dtype;

/// A tensor in C order, little-endian.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTensor {
    /// Its dimensions; none for a single number.
    pub shape: Vec<usize>,
    /// Type of its elements.
    pub dtype: Dtype,
    /// Its elements: product of the shape times the size of one bytes, of any alignment.
    pub bytes: Bytes,
}

impl StoredTensor {
    /// The value of a tensor of one element; `None` for others.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        let bytes = self.bytes.as_ref();
        match self.dtype {
            Dtype::F64 => Some(f64::from_le_bytes(bytes.try_into().ok()?)),
            Dtype::F32 => Some(f32::from_le_bytes(bytes.try_into().ok()?).into()),
            #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
            Dtype::I64 => Some(i64::from_le_bytes(bytes.try_into().ok()?) as f64),
            _ => None,
        }
    }
}

/// The type of the elements of a class such as `FloatStorage`.
pub(crate) fn of_storage(class: &str) -> Option<Dtype> {
    Some(match class {
        "DoubleStorage" => Dtype::F64,
        "FloatStorage" => Dtype::F32,
        "HalfStorage" => Dtype::F16,
        "BFloat16Storage" => Dtype::Bf16,
        "LongStorage" => Dtype::I64,
        "IntStorage" => Dtype::I32,
        "ShortStorage" => Dtype::I16,
        "CharStorage" => Dtype::I8,
        "ByteStorage" => Dtype::U8,
        "BoolStorage" => Dtype::Bool,
        _ => return None,
    })
}
