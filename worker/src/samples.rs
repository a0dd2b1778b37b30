//! The data as tensors: batches by index, on the CPU or on a GPU.

use rangefinder_data::{Array, Dataset, Dtype};
use rangefinder_session::trainer::Failure;
use tch::{Device, Kind, TchError, Tensor};

use crate::failure;
use crate::foreign::Aliased;
use crate::loss::IGNORED_CLASS;

/// Data up to this size is copied to a GPU once; of larger data each batch is.
const RESIDENT_LIMIT_BYTES: usize = 2 << 30;

/// Inputs and targets of all samples.
pub(crate) struct Samples {
    dataset: Dataset,
    columns: Vec<Column>,
}

/// Inputs and targets of one step, each with the batch as its first dimension.
pub(crate) struct Batch {
    pub inputs: Vec<Tensor>,
    pub targets: Tensor,
}

/// The types in which a model wants its batches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Kinds {
    /// Type of the model's weights: real inputs are converted to it.
    pub float: Kind,
    /// Type of the targets.
    pub targets: Kind,
}

/// One array.
struct Column {
    host: Aliased,
    /// A copy on the GPU.
    resident: Option<Tensor>,
}

impl Samples {
    pub(crate) fn new(dataset: Dataset) -> Result<Self, Failure> {
        let columns = dataset
            .inputs()
            .iter()
            .chain([dataset.targets()])
            .map(|array| {
                Ok(Column {
                    host: Aliased::new(array)?,
                    resident: None,
                })
            })
            .collect::<Result<_, TchError>>()
            .map_err(|error| failure::worker(failure::sentence(&error)))?;
        Ok(Self { dataset, columns })
    }

    pub(crate) fn count(&self) -> u64 {
        self.dataset.samples()
    }

    pub(crate) fn inputs(&self) -> &[Array] {
        self.dataset.inputs()
    }

    pub(crate) fn targets(&self) -> &Array {
        self.dataset.targets()
    }

    /// Puts the data on a GPU, unless it is there or too large.
    pub(crate) fn settle(&mut self, device: Device) -> Result<(), TchError> {
        let Device::Cuda(index) = device else {
            return Ok(());
        };
        let arrays = self.dataset.inputs().iter().chain([self.dataset.targets()]);
        let bytes: usize = arrays.map(|array| array.bytes().len()).sum();
        if bytes > RESIDENT_LIMIT_BYTES {
            return Ok(());
        }
        for column in &mut self.columns {
            if column.resident.is_none() {
                column.resident = Some(column.host.copy_to_gpu(index)?);
            }
        }
        Ok(())
    }

    /// The samples at `indices` on `device`.
    ///
    /// Real inputs come in the model's type, bytes too (images); other integers as int64 (tokens).
    pub(crate) fn batch(
        &self,
        indices: &[i64],
        kinds: Kinds,
        device: Device,
    ) -> Result<Batch, TchError> {
        let host = Tensor::f_from_slice(indices)?;
        let on_device = host.f_to_device(device)?;
        let select = |column: &Column, kind: Kind| {
            let selected = match &column.resident {
                Some(resident) if device.is_cuda() => resident.f_index_select(0, &on_device)?,
                _ => column.host.select(&host)?.f_to_device(device)?,
            };
            selected.f_to_kind(kind)
        };
        let (targets, inputs) = self
            .columns
            .split_last()
            .ok_or_else(|| TchError::Shape("data without targets".to_owned()))?;
        let inputs = inputs
            .iter()
            .zip(self.inputs())
            .map(|(column, array)| select(column, input_kind(array.dtype(), kinds.float)))
            .collect::<Result<_, _>>()?;
        Ok(Batch {
            inputs,
            targets: select(targets, kinds.targets)?,
        })
    }

    /// The largest class index; `None` when every sample is ignored.
    ///
    /// # Errors
    /// A user's failure that names the first index which is negative, or at or above `classes`.
    pub(crate) fn check_labels(&self, classes: Option<i64>) -> Result<Option<i64>, Failure> {
        let labels = self
            .columns
            .last()
            .ok_or_else(|| failure::worker("data without targets"))?;
        let (first_bad, largest) = labels
            .host
            .copy_as(Kind::Int64)
            .and_then(|labels| survey(&labels, classes))
            .map_err(|error| failure::worker(failure::sentence(&error)))?;
        let Some((at, label)) = first_bad else {
            return Ok((largest >= 0).then_some(largest));
        };
        let shape = self.targets().shape();
        let per_sample = shape[1..].iter().product::<usize>().max(1);
        let sample = usize::try_from(at).unwrap_or(0) / per_sample;
        let expected = match classes {
            Some(classes) => format!("0 to {} ({classes} classes)", classes - 1),
            None => "0 or more".to_owned(),
        };
        Err(failure::user(
            "data",
            format!(
                "label out of range: `{}` of sample {sample} is {label}, expected {expected}",
                self.targets().name()
            ),
            "number the classes from 0, and give the model as many outputs as there are classes",
        ))
    }
}

/// The position and value of the first label out of range, and the largest label of all.
fn survey(labels: &Tensor, classes: Option<i64>) -> Result<(Option<(i64, i64)>, i64), TchError> {
    let labels = labels.f_reshape([-1])?;
    let mut bad = labels.f_lt(0)?;
    if let Some(classes) = classes {
        bad = bad.f_logical_or(&labels.f_ge(classes)?)?;
    }
    let bad = bad
        .f_logical_and(&labels.f_ne(IGNORED_CLASS)?)?
        .f_nonzero()?;
    let first_bad = if bad.numel() == 0 {
        None
    } else {
        let at = bad.f_int64_value(&[0, 0])?;
        Some((at, labels.f_int64_value(&[at])?))
    };
    Ok((first_bad, labels.f_max()?.f_int64_value(&[])?))
}

/// The type in which an input is given to the model.
fn input_kind(stored: Dtype, float: Kind) -> Kind {
    match stored {
        Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::Bf16 | Dtype::U8 => float,
        Dtype::I64 | Dtype::I32 | Dtype::I16 | Dtype::I8 => Kind::Int64,
        Dtype::Bool => Kind::Bool,
    }
}
