//! One column of the data as tensors: over the files' own memory, or copied to a GPU.

use rangefinder_data::{Column, Dtype};
use tch::{Kind, TchError, Tensor};

use crate::foreign::Aliased;

/// A column: the memory of each of its files.
pub(crate) struct HostColumn {
    parts: Vec<Aliased>,
    column: Column,
}

impl HostColumn {
    pub(crate) fn new(column: &Column) -> Result<Self, TchError> {
        Ok(Self {
            parts: column
                .parts()
                .iter()
                .map(Aliased::new)
                .collect::<Result<_, _>>()?,
            column: column.clone(),
        })
    }

    /// Copies of the samples at `indices`, in their order, with the elements that the files have.
    pub(crate) fn select(&self, indices: &[i64]) -> Result<Tensor, TchError> {
        if let [part] = self.parts.as_slice() {
            return part.select(&Tensor::f_from_slice(indices)?);
        }
        // Of each part, the samples that are asked for, and where they go.
        let mut wanted: Vec<(Vec<i64>, Vec<i64>)> = vec![Default::default(); self.parts.len()];
        for (to, &index) in (0..).zip(indices) {
            let place = usize::try_from(index)
                .ok()
                .and_then(|index| self.column.locate(index));
            let Some((part, at)) = place else {
                return Err(TchError::Shape(format!("there is no sample {index}")));
            };
            let (from, places) = &mut wanted[part];
            from.push(at.cast_signed() as i64);
            places.push(to);
        }
        let mut selected = Vec::new();
        let mut order = vec![0; indices.len()];
        let mut count = 0;
        for (part, (from, places)) in self.parts.iter().zip(&wanted) {
            if from.is_empty() {
                continue;
            }
            selected.push(part.select(&Tensor::f_from_slice(from)?)?);
            for &to in places {
                order[usize::try_from(to).unwrap_or(0)] = count;
                count += 1;
            }
        }
        Tensor::f_cat(&selected, 0)?.f_index_select(0, &Tensor::f_from_slice(&order)?)
    }

    /// A copy of all samples on a GPU.
    pub(crate) fn copy_to_gpu(&self, index: usize) -> Result<Tensor, TchError> {
        let parts = self
            .parts
            .iter()
            .map(|part| part.copy_to_gpu(index))
            .collect::<Result<Vec<_>, _>>()?;
        match <[Tensor; 1]>::try_from(parts) {
            Ok([whole]) => Ok(whole),
            Err(parts) => Tensor::f_cat(&parts, 0),
        }
    }

    /// Selected samples as a model or loss takes them. Elements of 16 and 32 bits without a sign,
    /// which tensors hold as if they had one, become what they are.
    pub(crate) fn convert(&self, selected: &Tensor, kind: Kind) -> Result<Tensor, TchError> {
        let mask = match self.column.dtype() {
            Dtype::U16 => Some(i64::from(u16::MAX)),
            Dtype::U32 => Some(i64::from(u32::MAX)),
            _ => None,
        };
        if let Some(mask) = mask {
            let wide = selected.f_to_kind(Kind::Int64)?.f_bitwise_and(mask)?;
            return wide.f_to_kind(kind);
        }
        let converted = selected.f_to_kind(kind)?;
        match self.column.divisor() {
            Some(divisor) if is_float(kind) => converted.f_div_scalar(divisor),
            _ => Ok(converted),
        }
    }
}

fn is_float(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Double | Kind::Float | Kind::Half | Kind::BFloat16
    )
}
