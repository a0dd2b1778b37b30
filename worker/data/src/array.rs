//! Arrays of samples: a shape, a type of elements, and shared bytes.

use rangefinder_errors::Code;
use std::fmt;

use bytes::Bytes;

use crate::error::Defect;
use crate::memory::AlignedBytes;

/// Most dimensions an array may have, as in NumPy and PyTorch.
pub const MAX_DIMENSIONS: usize = 64;

/// An array whose first dimension counts samples. A clone shares the bytes.
///
/// A tensor may alias [`bytes`](Self::bytes): address and content stay as they are for as long as
/// any clone of the `Bytes`, the array or the dataset lives, so keep one beside the tensor. The
/// memory may be a read-only map of the file: never write to it.
#[derive(Clone, Debug)]
pub struct Array {
    name: String,
    shape: Vec<usize>,
    dtype: Dtype,
    bytes: Bytes,
}

impl Array {
    /// An array over `bytes`, which hold its elements in C order, little-endian. Bytes that do not
    /// start at a multiple of the size of an element are copied to memory that does.
    ///
    /// # Errors
    /// When there are no dimensions, an empty one or too many; when the number of bytes is not
    /// what shape and type need; when a boolean is neither 0 nor 1.
    pub(crate) fn new(
        name: &str,
        shape: Vec<usize>,
        dtype: Dtype,
        bytes: Bytes,
    ) -> Result<Self, Defect> {
        let expected = checked_length(&shape, dtype)?;
        if bytes.len() != expected {
            return Err(Defect::damaged(format!(
                "has {} bytes of elements where shape {} of {dtype} needs {expected}",
                bytes.len(),
                Shape(&shape)
            )));
        }
        if dtype == Dtype::Bool
            && let Some(at) = bytes.iter().position(|&byte| byte > 1)
        {
            return Err(Defect::damaged(format!(
                "has the byte {} as its boolean number {at}, where only 0 and 1 exist",
                bytes[at]
            )));
        }
        let bytes = if bytes.as_ptr().addr().is_multiple_of(dtype.size()) {
            bytes
        } else {
            AlignedBytes::copy(&bytes)?.into()
        };
        Ok(Self {
            name: name.to_owned(),
            shape,
            dtype,
            bytes,
        })
    }

    /// Its key in the file; `inputs` or `targets` where a file holds one array.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its dimensions, 1 to [`MAX_DIMENSIONS`] of them, none of them 0. The first counts samples.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Type of its elements.
    #[must_use]
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Its elements in C order, little-endian: product of the shape times the size of an element
    /// bytes, at most `isize::MAX`, starting at a multiple of that size.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

/// Bytes that an array of this shape needs.
///
/// # Errors
/// When there are no dimensions, an empty one or too many, or when the product overflows.
pub(crate) fn checked_length(shape: &[usize], dtype: Dtype) -> Result<usize, Defect> {
    if shape.is_empty() {
        return Err(Defect::new(
            Code::ArrayShape,
            "is a single number, without a dimension of samples",
            "save an array whose first dimension counts the samples",
        ));
    }
    if shape.len() > MAX_DIMENSIONS {
        return Err(Defect::new(
            Code::ArrayShape,
            format!("has {} dimensions, more than {MAX_DIMENSIONS}", shape.len()),
            "reshape it to fewer dimensions",
        ));
    }
    if shape.contains(&0) {
        let what = if shape[0] == 0 {
            "no samples"
        } else {
            "no elements"
        };
        return Err(Defect::new(
            Code::ArrayShape,
            format!("has {what}: its shape is {}", Shape(shape)),
            "save an array with at least one sample and no empty dimension",
        ));
    }
    shape
        .iter()
        .try_fold(dtype.size(), |length, &n| length.checked_mul(n))
        .filter(|&length| isize::try_from(length).is_ok())
        .ok_or_else(|| {
            Defect::damaged(format!(
                "claims the shape {} of {dtype}, more bytes than any memory has",
                Shape(shape)
            ))
        })
}

/// Type of the elements of an array: those that libtorch computes with, and of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// 16-bit unsigned integer, for tokens: libtorch computes with them as int64.
    U16,
    /// 32-bit unsigned integer, for tokens: libtorch computes with them as int64.
    U32,
    /// One byte, 0 or 1.
    Bool,
}

impl Dtype {
    /// Bytes of one element.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F16 | Self::Bf16 | Self::I16 | Self::U16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }

    /// The type as a `.safetensors` file names it; `None` for those that libtorch cannot train with.
    #[must_use]
    pub fn of_safetensors(stored: safetensors::Dtype) -> Option<Self> {
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

    /// Whether elements are floating-point numbers.
    #[must_use]
    pub fn is_float(self) -> bool {
        matches!(self, Self::F64 | Self::F32 | Self::F16 | Self::Bf16)
    }

    /// Whether elements are integers; booleans are not.
    #[must_use]
    pub fn is_integer(self) -> bool {
        !self.is_float() && self != Self::Bool
    }
}

/// The name in NumPy and PyTorch.
impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
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
            Self::U16 => "uint16",
            Self::U32 => "uint32",
            Self::Bool => "bool",
        })
    }
}

/// A shape as Python writes it, cut after eight dimensions.
pub(crate) struct Shape<'a>(pub &'a [usize]);

impl fmt::Display for Shape<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("(")?;
        for (i, n) in self.0.iter().take(8).enumerate() {
            write!(f, "{}{n}", if i == 0 { "" } else { ", " })?;
        }
        f.write_str(match self.0.len() {
            1 => ",)",
            0..=8 => ")",
            _ => ", ...)",
        })
    }
}
