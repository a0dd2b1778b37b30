//! Tensors as they are stored.

use bytes::Bytes;
use std::fmt;

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

/// Type of the elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// IEEE 754 double precision.
    F64,
    /// IEEE 754 single precision.
    F32,
    /// IEEE 754 half precision.
    F16,
    /// The upper half of a single-precision number.
    Bf16,
    /// 64-bit signed integer.
    I64,
    /// 32-bit signed integer.
    I32,
    /// 16-bit signed integer.
    I16,
    /// 8-bit signed integer.
    I8,
    /// 8-bit unsigned integer.
    U8,
    /// One byte, 0 or 1.
    Bool,
}

impl Dtype {
    /// Bytes of one element.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::Bf16 | Self::I16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }

    /// The type of a class such as `FloatStorage`.
    pub(crate) fn of_storage(class: &str) -> Option<Self> {
        Some(match class {
            "DoubleStorage" => Self::F64,
            "FloatStorage" => Self::F32,
            "HalfStorage" => Self::F16,
            "BFloat16Storage" => Self::Bf16,
            "LongStorage" => Self::I64,
            "IntStorage" => Self::I32,
            "ShortStorage" => Self::I16,
            "CharStorage" => Self::I8,
            "ByteStorage" => Self::U8,
            "BoolStorage" => Self::Bool,
            _ => return None,
        })
    }

    /// The type as a .safetensors file names it.
    pub(crate) fn of_safetensors(stored: safetensors::Dtype) -> Option<Self> {
        use safetensors::Dtype as Stored;
        Some(match stored {
            Stored::F64 => Self::F64,
            Stored::F32 => Self::F32,
            Stored::F16 => Self::F16,
            Stored::BF16 => Self::Bf16,
            Stored::I64 => Self::I64,
            Stored::I32 => Self::I32,
            Stored::I16 => Self::I16,
            Stored::I8 => Self::I8,
            Stored::U8 => Self::U8,
            Stored::BOOL => Self::Bool,
            _ => return None,
        })
    }
}

/// The name in PyTorch.
impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F64 => "float64",
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
            Self::I64 => "int64",
            Self::I32 => "int32",
            Self::I16 => "int16",
            Self::I8 => "int8",
            Self::U8 => "uint8",
            Self::Bool => "bool",
        })
    }
}
