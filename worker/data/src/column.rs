//! Columns: one array, or those of several files end to end.

use crate::array::{Array, Dtype, Shape};
use crate::error::{DataError, Defect};
use crate::names::Quoted;
use rangefinder_errors::Code;

/// The samples of one input, or of the targets: one array, or the arrays of several files (shards)
/// end to end, which stay where they are. A clone shares the bytes.
#[derive(Clone, Debug)]
pub struct Column {
    parts: Vec<Array>,
    /// Samples up to the end of each part.
    ends: Vec<usize>,
    shape: Vec<usize>,
    divisor: Option<f64>,
}

/// An array and the file it is from.
pub(crate) type Part<'a> = (&'a str, Array);

impl Column {
    /// A column of one array.
    pub(crate) fn whole(array: Array) -> Self {
        Self {
            ends: vec![array.shape()[0]],
            shape: array.shape().to_vec(),
            parts: vec![array],
            divisor: None,
        }
    }

    /// A column of the arrays of several files, in their order.
    ///
    /// # Errors
    /// When there is none, when two differ in type or in the shape of a sample, or when there are
    /// more samples than a number can count. The error blames `field`.
    pub(crate) fn end_to_end(parts: Vec<Part<'_>>, field: &'static str) -> Result<Self, DataError> {
        let mut parts = parts.into_iter();
        let Some((first_file, first)) = parts.next() else {
            return Err(Defect::damaged("no array was read").in_field(field));
        };
        let mut column = Self::whole(first);
        for (file, array) in parts {
            let (shape, dtype) = (array.shape(), array.dtype());
            if shape[1..] != column.shape[1..] || dtype != column.dtype() {
                return Err(Defect::new(
                    Code::FilesDiffer,
                    format!(
                        "has {} as {dtype} {}, but {} has it as {} {}",
                        Quoted(array.name()),
                        Shape(shape),
                        Quoted(first_file),
                        column.dtype(),
                        Shape(column.parts[0].shape()),
                    ),
                    "save all files with one type and one shape of a sample; only the first dimension may differ",
                )
                .of(Quoted(file))
                .in_field(field));
            }
            let samples = column.shape[0]
                .checked_add(shape[0])
                .ok_or_else(|| Defect::memory(usize::MAX).of(Quoted(file)).in_field(field))?;
            column.shape[0] = samples;
            column.ends.push(samples);
            column.parts.push(array);
        }
        Ok(column)
    }

    /// The same column, whose elements are `divisor` times what a model should see.
    pub(crate) fn divided_by(self, divisor: f64) -> Self {
        Self {
            divisor: Some(divisor),
            ..self
        }
    }

    /// Its key in the file; `inputs` or `targets` where a file holds one array.
    #[must_use]
    pub fn name(&self) -> &str {
        self.parts[0].name()
    }

    /// Its dimensions, at least one, none of them 0. The first counts the samples of all parts.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Type of its elements.
    #[must_use]
    pub fn dtype(&self) -> Dtype {
        self.parts[0].dtype()
    }

    /// What elements are to be divided by once they are real numbers: 255 for grey levels.
    #[must_use]
    pub fn divisor(&self) -> Option<f64> {
        self.divisor
    }

    /// The arrays, at least one, each with at least one sample.
    #[must_use]
    pub fn parts(&self) -> &[Array] {
        &self.parts
    }

    /// Bytes of all parts together.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        self.parts
            .iter()
            .fold(0, |sum, part| sum.saturating_add(part.bytes().len()))
    }

    /// The part that has a sample, and the number of the sample there; `None` beyond the last one.
    #[must_use]
    pub fn locate(&self, sample: usize) -> Option<(usize, usize)> {
        let part = self.ends.partition_point(|&end| end <= sample);
        let end = *self.ends.get(part)?;
        Some((part, sample + self.parts[part].shape()[0] - end))
    }
}
