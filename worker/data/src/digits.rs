//! The data set that comes with the program: the UCI handwritten digits, 1,797 images of 8 by 8
//! pixels. Origin, authors and licence are in `assets/README.md`.

use bytes::Bytes;

use crate::array::{Array, Dtype};
use crate::column::Column;
use crate::dataset::{DEFAULT_INPUT_KEY, DEFAULT_TARGET_KEY, Dataset, Missing};
use crate::error::{DataError, Defect};
use crate::formats::npz;
use crate::memory::AlignedBytes;

/// What a user writes to get it.
pub(crate) const NAME: &str = "digits";

/// Grey levels 0 to 16 as uint8 (1797, 1, 8, 8), and labels as uint8 (1797,).
static FILE: &[u8] = include_bytes!("../assets/digits.npz");

/// The highest grey level.
const WHITE: f32 = 16.0;

/// Loads the digits: inputs float32 (1797, 1, 8, 8) from 0 to 1 (grey level / 16), as a
/// convolution wants them, and targets int64 (1797,) from 0 to 9.
///
/// # Errors
/// When there is no memory for them.
pub fn load() -> Result<Dataset, DataError> {
    let blame = |defect: Defect| defect.of("`digits`").in_field("data");
    let arrays = npz::read(FILE, &[DEFAULT_INPUT_KEY, DEFAULT_TARGET_KEY]).map_err(blame)?;
    let mut widened = arrays.into_iter().map(|array| {
        let array = array.map_err(|missing| match missing {
            Missing::Unfit(defect) => defect,
            Missing::Absent(_) => Defect::damaged("lacks an array"),
        })?;
        match array.name() {
            DEFAULT_INPUT_KEY => widen(&array, Dtype::F32, |grey| {
                (f32::from(grey) / WHITE).to_le_bytes()
            }),
            _ => widen(&array, Dtype::I64, |label| i64::from(label).to_le_bytes()),
        }
    });
    let mut next = || {
        widened
            .next()
            .unwrap_or_else(|| Err(Defect::damaged("lacks an array")))
            .map_err(blame)
    };
    let (inputs, targets) = (next()?, next()?);
    Dataset::new(vec![Column::whole(inputs)], Column::whole(targets), "data")
}

/// The same array with each byte made an element of another type.
fn widen<const SIZE: usize>(
    array: &Array,
    dtype: Dtype,
    element: impl Fn(u8) -> [u8; SIZE],
) -> Result<Array, Defect> {
    let mut widened = AlignedBytes::zeroed(array.bytes().len() * SIZE)?;
    for (to, &from) in widened.as_mut().chunks_exact_mut(SIZE).zip(array.bytes()) {
        to.copy_from_slice(&element(from));
    }
    Array::new(
        array.name(),
        array.shape().to_vec(),
        dtype,
        Bytes::from(widened),
    )
}
