//! `.npy`: one array as NumPy saves it, versions 1 to 3 (`numpy.lib.format`).
//!
//! - [`header`]: the text that says type, order and shape.
//! - [`fortran`]: arrays in column-major order, turned around.

mod fortran;
mod header;

use bytes::Bytes;

use crate::array::{Array, Shape, checked_length};
use crate::error::Defect;
use header::Header;
use rangefinder_errors::Code;

/// First bytes of every `.npy` file.
pub(crate) const MAGIC: &[u8] = b"\x93NUMPY";

/// Reads the array that `bytes` hold, sharing them where they are in C order and aligned, as NumPy
/// writes them.
///
/// # Errors
/// When they are not exactly one array of a type and shape that a dataset can have.
pub(crate) fn read(name: &str, bytes: &Bytes) -> Result<Array, Defect> {
    let (header, start) = Header::read(bytes)?;
    let expected = checked_length(&header.shape, header.dtype)?;
    let found = bytes.len() - start;
    let short = format!(
        "{found} bytes of elements from byte {start} on, where shape {} of {} needs {expected}",
        Shape(&header.shape),
        header.dtype
    );
    if found < expected {
        return Err(Defect::damaged(format!("has only {short}")));
    }
    if found > expected {
        return Err(Defect::new(
            Code::NotThatFormat,
            format!("has {short}"),
            "save one array alone in the file",
        ));
    }
    let elements = bytes.slice(start..);
    let elements = if header.fortran_order {
        fortran::to_c_order(elements, &header.shape, header.dtype.size())?
    } else {
        elements
    };
    Array::new(name, header.shape, header.dtype, elements)
}
