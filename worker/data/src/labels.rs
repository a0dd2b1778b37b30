//! Class indices, looked at where they lie: a column may be larger than memory.

use std::ops::Range;

use crate::array::{Array, Dtype};
use crate::column::Column;

/// The labels of a column without those that are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Labels {
    /// The smallest.
    pub smallest: i64,
    /// The largest.
    pub largest: i64,
}

/// A label where none of its value may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outside {
    /// The sample that has it.
    pub sample: usize,
    /// The label.
    pub label: i64,
}

impl Column {
    /// The range of the labels without `ignored`; `None` when there is no other label, or when the
    /// elements are not integers. Takes no memory, but reads the whole column.
    #[must_use]
    pub fn labels(&self, ignored: i64) -> Option<Labels> {
        let mut range: Option<Labels> = None;
        for part in self.parts() {
            visit(part, |_, label| {
                if label != ignored {
                    let labels = range.get_or_insert(Labels {
                        smallest: label,
                        largest: label,
                    });
                    labels.smallest = labels.smallest.min(label);
                    labels.largest = labels.largest.max(label);
                }
                true
            });
        }
        range
    }

    /// The first label that is neither `ignored` nor in `valid`.
    #[must_use]
    pub fn first_outside(&self, valid: &Range<i64>, ignored: i64) -> Option<Outside> {
        let per_sample = self.shape()[1..].iter().product::<usize>().max(1);
        let mut before = 0;
        for part in self.parts() {
            let mut outside = None;
            visit(part, |at, label| {
                if label != ignored && !valid.contains(&label) {
                    let sample = before + at / per_sample;
                    outside = Some(Outside { sample, label });
                }
                outside.is_none()
            });
            if outside.is_some() {
                return outside;
            }
            before += part.shape()[0];
        }
        None
    }
}

/// Shows each integer and its place to `look` until that answers `false`.
fn visit(array: &Array, look: impl FnMut(usize, i64) -> bool) {
    let bytes = array.bytes();
    match array.dtype() {
        Dtype::I64 => each(bytes, i64::from_le_bytes, look),
        Dtype::I32 => each(bytes, |bytes| i32::from_le_bytes(bytes).into(), look),
        Dtype::U32 => each(bytes, |bytes| u32::from_le_bytes(bytes).into(), look),
        Dtype::I16 => each(bytes, |bytes| i16::from_le_bytes(bytes).into(), look),
        Dtype::U16 => each(bytes, |bytes| u16::from_le_bytes(bytes).into(), look),
        Dtype::I8 => each(bytes, |bytes| i8::from_le_bytes(bytes).into(), look),
        Dtype::U8 => each(bytes, |bytes| u8::from_le_bytes(bytes).into(), look),
        Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::Bf16 | Dtype::Bool => {}
    }
}

fn each<const SIZE: usize>(
    bytes: &[u8],
    read: impl Fn([u8; SIZE]) -> i64,
    mut look: impl FnMut(usize, i64) -> bool,
) {
    for (at, &element) in bytes.as_chunks().0.iter().enumerate() {
        if !look(at, read(element)) {
            return;
        }
    }
}
