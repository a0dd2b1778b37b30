//! The data as tensors: batches by index, on the CPU or on a GPU.

use rangefinder_errors::Code;
use std::cell::Cell;
use std::ops::Range;

use rangefinder_data::{Column, Dataset, Dtype, Labels, Outside, Source};
use rangefinder_session::trainer::Failure;
use tch::{Device, Kind, TchError, Tensor};

use crate::column::HostColumn;
use crate::{failure, foreign};

/// Data up to this size is copied to a GPU once; of larger data each batch is.
pub(crate) const RESIDENT_LIMIT_BYTES: usize = 2 << 30;

/// Inputs and targets of all samples.
pub(crate) struct Samples {
    dataset: Dataset,
    columns: Vec<Stored>,
    /// The range of the labels, read once, since it takes reading all of them.
    /// With the ignored index that it was read for.
    labels: Cell<Option<(i64, Option<Labels>)>>,
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

/// One column.
struct Stored {
    host: HostColumn,
    /// A copy on the GPU.
    resident: Option<Tensor>,
}

impl Samples {
    pub(crate) fn new(dataset: Dataset) -> Result<Self, Failure> {
        let columns = dataset
            .inputs()
            .iter()
            .chain([dataset.targets()])
            .map(|column| {
                Ok(Stored {
                    host: HostColumn::new(column)?,
                    resident: None,
                })
            })
            .collect::<Result<_, TchError>>()
            .map_err(|error| failure::worker(failure::sentence(&error)))?;
        Ok(Self {
            dataset,
            columns,
            labels: Cell::new(None),
        })
    }

    /// Other data of the same columns and classes.
    pub(crate) fn load_like(&self, source: &Source) -> Result<Self, Failure> {
        Self::new(rangefinder_data::load_like(source, &self.dataset).map_err(failure::data)?)
    }

    pub(crate) fn count(&self) -> u64 {
        self.dataset.samples()
    }

    pub(crate) fn inputs(&self) -> &[Column] {
        self.dataset.inputs()
    }

    pub(crate) fn targets(&self) -> &Column {
        self.dataset.targets()
    }

    /// Puts the data on a GPU, unless it is there or too large.
    pub(crate) fn settle(&mut self, device: Device, limit_bytes: usize) -> Result<(), TchError> {
        let Device::Cuda(index) = device else {
            return Ok(());
        };
        let columns = self.dataset.inputs().iter().chain([self.dataset.targets()]);
        let bytes: usize = columns.map(Column::len_bytes).sum();
        if bytes > limit_bytes {
            self.columns
                .iter_mut()
                .for_each(|column| column.resident = None);
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
        // Data that are on the GPU are there in all columns.
        let on_device = match self.columns.iter().any(|column| column.resident.is_some()) {
            true if device.is_cuda() => {
                Some(foreign::upload(&Tensor::f_from_slice(indices)?, device)?)
            }
            _ => None,
        };
        let select = |column: &Stored, kind: Kind| {
            let selected = match (&column.resident, &on_device) {
                (Some(resident), Some(indices)) => resident.f_index_select(0, indices)?,
                _ => foreign::upload(&column.host.select(indices)?, device)?,
            };
            column.host.convert(&selected, kind)
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

    /// The largest token of the first input and of the targets, which follow each of its tokens.
    ///
    /// # Errors
    /// A user's failure that names the first token which is negative, or at or above `vocabulary`.
    pub(crate) fn check_tokens(
        &self,
        vocabulary: Option<i64>,
        ignored: i64,
    ) -> Result<i64, Failure> {
        // No token is ignored as an input.
        const NONE: i64 = i64::MIN;
        let input = self.inputs().first();
        let columns = [
            input.map(|tokens| (tokens, NONE, tokens.labels(NONE))),
            Some((self.targets(), ignored, self.labels(ignored))),
        ];
        let ranges = columns.iter().flatten().filter_map(|(.., range)| *range);
        let largest = ranges.map(|range| range.largest).max().unwrap_or(0);
        let valid = 0..vocabulary.unwrap_or(i64::MAX);
        let outside = columns
            .into_iter()
            .flatten()
            .find_map(|(tokens, ignored, range)| {
                range.filter(|range| !fits(range, &valid))?;
                Some((tokens, tokens.first_outside(&valid, ignored)?))
            });
        let Some((tokens, Outside { sample, label })) = outside else {
            return Ok(largest);
        };
        let (field, expected, remedy) = match vocabulary {
            Some(vocabulary) if label >= vocabulary => (
                "vocabulary",
                format!("0 to {}", vocabulary - 1),
                format!("use vocabulary {}, or leave it out", largest + 1),
            ),
            _ => (
                "data",
                "0 or more".to_owned(),
                "number the tokens from 0".to_owned(),
            ),
        };
        Err(failure::user(
            Code::LabelOutOfRange,
            field,
            format!(
                "token out of range: `{}` of sample {sample} has {label}, expected {expected}",
                tokens.name()
            ),
            remedy,
        ))
    }

    /// The largest class index; `None` when every sample is ignored.
    ///
    /// # Errors
    /// A user's failure that names the first index which is negative, or at or above `classes`.
    pub(crate) fn check_labels(
        &self,
        classes: Option<i64>,
        ignored: i64,
    ) -> Result<Option<i64>, Failure> {
        let Some(labels) = self.labels(ignored) else {
            return Ok(None);
        };
        let valid = 0..classes.unwrap_or(i64::MAX);
        let outside = if fits(&labels, &valid) {
            None
        } else {
            self.targets().first_outside(&valid, ignored)
        };
        let Some(Outside { sample, label }) = outside else {
            return Ok(Some(labels.largest));
        };
        let targets = self.targets().name();
        let below = |what: &str| match classes {
            Some(classes) => format!("0 to {} ({classes} {what})", classes - 1),
            None => "0 or more".to_owned(),
        };
        let (message, remedy) = if self.are_tokens() {
            (
                format!(
                    "token out of range: `{targets}` of sample {sample} has {label}, expected {}",
                    below("tokens are known to the model")
                ),
                "number the tokens from 0, and give the model an output for each: for `gpt` that \
                 is --vocabulary",
            )
        } else {
            (
                format!(
                    "label out of range: `{targets}` of sample {sample} is {label}, expected {}",
                    below("classes")
                ),
                "number the classes from 0, and give the model as many outputs as there are classes",
            )
        };
        Err(failure::user(
            Code::LabelOutOfRange,
            "data",
            message,
            remedy,
        ))
    }

    /// The range of the targets, but for those that are ignored; `None` when all are.
    fn labels(&self, ignored: i64) -> Option<Labels> {
        let labels = match self.labels.get() {
            Some((same, labels)) if same == ignored => labels,
            _ => self.targets().labels(ignored),
        };
        self.labels.set(Some((ignored, labels)));
        labels
    }

    /// Whether the targets are tokens that follow those of the input.
    fn are_tokens(&self) -> bool {
        let [input] = self.inputs() else {
            return false;
        };
        input_kind(input.dtype(), Kind::Float) == Kind::Int64
            && input.shape().len() == 2
            && input.shape() == self.targets().shape()
    }
}

/// Whether all labels are valid.
fn fits(labels: &Labels, valid: &Range<i64>) -> bool {
    valid.contains(&labels.smallest) && valid.contains(&labels.largest)
}

/// The type in which an input is given to the model.
fn input_kind(stored: Dtype, float: Kind) -> Kind {
    match stored {
        Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::Bf16 | Dtype::U8 => float,
        Dtype::I64 | Dtype::I32 | Dtype::I16 | Dtype::I8 | Dtype::U16 | Dtype::U32 => Kind::Int64,
        Dtype::Bool => Kind::Bool,
    }
}
