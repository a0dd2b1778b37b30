//! Arrays in column-major ("Fortran") order.

use bytes::Bytes;

use crate::error::Defect;
use crate::memory::AlignedBytes;

/// Copies elements of `size` bytes (1, 2, 4 or 8) from column-major to row-major order. `elements`
/// has as many as the shape says; no dimension is 0.
///
/// # Errors
/// When the memory is not there.
pub(super) fn to_c_order(elements: Bytes, shape: &[usize], size: usize) -> Result<Bytes, Defect> {
    // Dimensions of length 1 do not move anything; with one other the two orders are the same.
    let mut walked = Vec::with_capacity(shape.len());
    let mut stride = size;
    for &length in shape {
        if length > 1 {
            walked.push(Dimension {
                length,
                stride,
                index: 0,
            });
        }
        stride *= length;
    }
    if walked.len() < 2 {
        return Ok(elements);
    }
    let mut turned = AlignedBytes::zeroed(elements.len())?;
    let mut from = 0;
    for element in turned.as_mut().chunks_exact_mut(size) {
        element.copy_from_slice(&elements[from..from + size]);
        // Like an odometer: the last dimension turns fastest.
        for dimension in walked.iter_mut().rev() {
            dimension.index += 1;
            from += dimension.stride;
            if dimension.index < dimension.length {
                break;
            }
            dimension.index = 0;
            from -= dimension.stride * dimension.length;
        }
    }
    Ok(turned.into())
}

/// A dimension that is walked along.
struct Dimension {
    length: usize,
    /// Bytes from one index to the next.
    stride: usize,
    index: usize,
}
