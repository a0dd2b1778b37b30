//! IDX, the format of MNIST: two zero bytes, the type of the elements, the number of dimensions,
//! the dimensions as big-endian u32, and the elements, big-endian; as it is or in gzip.
//! <http://yann.lecun.com/exdb/mnist/>

use rangefinder_errors::Code;
use std::io::Read;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;

use super::inflate::{damaged_at, inflate};
use crate::array::{Array, Dtype, checked_length};
use crate::error::Defect;
use crate::memory::AlignedBytes;

/// First bytes of a gzip file.
const GZIP: &[u8] = b"\x1f\x8b";

/// Bytes before the dimensions.
const MAGIC_LENGTH: usize = 4;

/// Reads the array of a file, sharing the bytes where they are single ones and not compressed.
///
/// # Errors
/// When the bytes are not exactly one array.
pub(crate) fn read(name: &str, bytes: &Bytes) -> Result<Array, Defect> {
    if bytes.starts_with(GZIP) {
        return read_gzip(name, bytes);
    }
    let mut rest = &bytes[..];
    let header = Header::read(&mut rest).map_err(|cut| cut.within(bytes.len()))?;
    let start = bytes.len() - rest.len();
    let expected = header.length()?;
    if rest.len() < expected {
        return Err(Defect::damaged(format!(
            "has only {} bytes of elements from byte {start} on, where its header claims {expected}",
            rest.len()
        )));
    }
    if rest.len() > expected {
        return Err(Defect::damaged(format!(
            "goes on after byte {}, where its elements end",
            start + expected
        )));
    }
    let elements = bytes.slice(start..);
    if header.dtype.size() == 1 {
        return Array::new(name, header.shape, header.dtype, elements);
    }
    let swapped = header.swap(AlignedBytes::copy(&elements)?);
    Array::new(name, header.shape, header.dtype, swapped)
}

fn read_gzip(name: &str, bytes: &[u8]) -> Result<Array, Defect> {
    let mut unpacked = MultiGzDecoder::new(bytes);
    let header = Header::read(&mut unpacked).map_err(|cut| cut.within(bytes.len()))?;
    let elements = inflate(
        unpacked,
        header.length()? as u64,
        bytes.len() as u64,
        "unpack it with gunzip",
    )?;
    let swapped = header.swap(elements);
    Array::new(name, header.shape, header.dtype, swapped)
}

struct Header {
    dtype: Dtype,
    shape: Vec<usize>,
}

/// Why there is no header.
enum Cut {
    /// The content ends or is damaged after so many bytes.
    At(usize, std::io::Error),
    /// It is another content.
    Other(Defect),
}

impl Cut {
    /// As the defect of a file of `length` bytes.
    fn within(self, length: usize) -> Defect {
        match self {
            Self::Other(defect) => defect,
            Self::At(_, error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                Defect::damaged(format!("ends within its header, at byte {length}"))
            }
            Self::At(byte, error) => damaged_at(byte, &error),
        }
    }
}

impl Header {
    fn read(content: &mut impl Read) -> Result<Self, Cut> {
        let mut magic = [0; MAGIC_LENGTH];
        content
            .read_exact(&mut magic)
            .map_err(|error| Cut::At(0, error))?;
        let [0, 0, code, dimensions] = magic else {
            return Err(Cut::Other(Defect::new(
                Code::NotThatFormat,
                format!("is not an IDX file: it begins with {magic:02x?}, not with two zeros"),
                "give MNIST's own files, or save the arrays with numpy.savez(path, inputs=x, targets=y)",
            )));
        };
        let dtype = dtype(code).map_err(Cut::Other)?;
        let mut shape = Vec::new();
        for dimension in 0..usize::from(dimensions) {
            let mut length = [0; 4];
            content
                .read_exact(&mut length)
                .map_err(|error| Cut::At(MAGIC_LENGTH + dimension * 4, error))?;
            let length = usize::try_from(u32::from_be_bytes(length));
            shape.push(length.map_err(|_| Cut::Other(Defect::memory(usize::MAX)))?);
        }
        Ok(Self { dtype, shape })
    }

    /// Bytes of the elements, by the header's claim.
    fn length(&self) -> Result<usize, Defect> {
        checked_length(&self.shape, self.dtype)
    }

    /// The elements in this machine's order of bytes.
    fn swap(&self, mut elements: AlignedBytes) -> Bytes {
        if self.dtype.size() > 1 {
            for element in elements.as_mut().chunks_exact_mut(self.dtype.size()) {
                element.reverse();
            }
        }
        elements.into()
    }
}

/// The type that the third byte stands for.
fn dtype(code: u8) -> Result<Dtype, Defect> {
    Ok(match code {
        0x08 => Dtype::U8,
        0x09 => Dtype::I8,
        0x0b => Dtype::I16,
        0x0c => Dtype::I32,
        0x0d => Dtype::F32,
        0x0e => Dtype::F64,
        _ => {
            return Err(Defect::damaged(format!(
                "has the unknown type {code:#04x} at byte 2 of its content"
            )));
        }
    })
}

/// Images of two dimensions get the one of the channel, as a convolution wants them; others stay.
pub(crate) fn with_channel(images: Array) -> Result<Array, Defect> {
    let &[samples, height, width] = images.shape() else {
        return Ok(images);
    };
    Array::new(
        images.name(),
        vec![samples, 1, height, width],
        images.dtype(),
        images.bytes().clone(),
    )
}
