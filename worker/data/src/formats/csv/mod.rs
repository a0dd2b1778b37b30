//! CSV: a header with the names of the columns, then a row for each sample (RFC 4180).
//!
//! - [`rows`]: one row after the other, and their lines.
//! - [`cell`]: numbers and classes.
//! - [`classes`]: which index a class has.

mod cell;
mod classes;
mod rows;

use rangefinder_errors::Code;
use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;

use ::csv::ByteRecord;

use crate::array::{Array, Dtype};
use crate::dataset::{DEFAULT_INPUT_KEY, DEFAULT_TARGET_KEY};
use crate::error::Defect;
use crate::memory::AlignedBytes;
use crate::names::{Names, Quoted};
use cell::{Place, class, lossy, number};
use classes::{Classes, Known};
use rows::Rows;

/// What the target column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Classes: integers, or any text.
    Categorical,
    /// Real numbers.
    Numeric,
}

impl Target {
    /// By its name in the specification; categorical where it is empty.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "" | "categorical" => Some(Self::Categorical),
            "numeric" => Some(Self::Numeric),
            _ => None,
        }
    }
}

/// What is wrong, and whether the name of the target column is to blame.
pub(crate) enum Wrong {
    Column(Defect),
    File(Defect),
}

impl From<Defect> for Wrong {
    fn from(defect: Defect) -> Self {
        Self::File(defect)
    }
}

/// What a table tells another one that is to be read like it.
#[derive(Debug)]
pub(crate) struct Layout {
    header: ByteRecord,
    classes: Known,
}

/// The rows of one or more files.
pub(crate) struct Table {
    target_column: String,
    target: Target,
    first_file: String,
    header: ByteRecord,
    /// Place of the target among the columns.
    at: usize,
    samples: usize,
    inputs: Elements,
    numbers: Elements,
    classes: Classes,
    /// The place of the class of each sample among the classes; its index where `like` is given.
    labels: Vec<usize>,
    /// The table to be like: it decides on columns and classes.
    like: Option<Arc<Layout>>,
}

impl Table {
    pub(crate) fn new(target_column: &str, target: Target, like: Option<Arc<Layout>>) -> Self {
        Self {
            target_column: target_column.to_owned(),
            target,
            first_file: String::new(),
            header: ByteRecord::new(),
            at: 0,
            samples: 0,
            inputs: Elements::new(),
            numbers: Elements::new(),
            classes: Classes::default(),
            labels: Vec::new(),
            like,
        }
    }

    /// Appends the rows of a file.
    ///
    /// # Errors
    /// When there is no target column, or no other; when columns have no names of their own, or
    /// others than those of another file; when a row has more or fewer columns than the header;
    /// when a cell is not a number where one must be.
    pub(crate) fn append(&mut self, file: &str, content: &[u8]) -> Result<(), Wrong> {
        let mut rows = Rows::new(content);
        let mut header = ByteRecord::new();
        if !rows.next(&mut header)? {
            return Err(Wrong::File(Defect::damaged("has no header")));
        }
        if self.header.is_empty() {
            if let Some(like) = &self.like {
                compare(&header, &like.header, "the data to train on")?;
            }
            refuse_unclear_names(&header, rows.line())?;
            self.at = self.place_of_target(&header)?;
            self.header = header;
            file.clone_into(&mut self.first_file);
        } else {
            compare(&header, &self.header, Quoted(&self.first_file))?;
        }
        let before = self.samples;
        self.rows(&mut rows)?;
        if self.samples == before {
            return Err(Wrong::File(Defect::new(
                Code::TableHeader,
                "has a header and no rows",
                "save at least one row",
            )));
        }
        Ok(())
    }

    fn place_of_target(&self, header: &ByteRecord) -> Result<usize, Wrong> {
        let wanted = self.target_column.as_bytes();
        let Some(place) = header.iter().position(|name| name == wanted) else {
            let names = header.iter().map(lossy);
            return Err(Wrong::Column(
                Names::sorted(names).lacking_column(&self.target_column, "target_column"),
            ));
        };
        if header.len() == 1 {
            return Err(Wrong::File(Defect::new(
                Code::TableHeader,
                format!("has no column but {}", Quoted(&self.target_column)),
                "give the file at least one column of inputs; columns are separated by commas",
            )));
        }
        Ok(place)
    }

    fn rows(&mut self, rows: &mut Rows) -> Result<(), Defect> {
        let header = self.header.clone();
        let mut record = ByteRecord::new();
        let mut row = 0_u64;
        while rows.next(&mut record)? {
            row += 1;
            if record.len() != header.len() {
                return Err(Defect::new(
                    Code::TableRow,
                    format!(
                        "has {} cells in row {row} (line {}), where the header has {}",
                        record.len(),
                        rows.line(),
                        header.len()
                    ),
                    "write the row again; a comma within a cell needs quotes around the cell",
                ));
            }
            for (column, cell) in record.iter().enumerate() {
                let place = || Place {
                    column: &header[column],
                    row,
                    line: rows.line(),
                };
                if column != self.at {
                    self.inputs.push(number(cell, place)?.to_le_bytes())?;
                } else if self.target == Target::Numeric {
                    let number =
                        number(cell, place).map_err(|defect| classes_instead(cell, defect))?;
                    self.numbers.push(number.to_le_bytes())?;
                } else {
                    let class = class(cell, place)?;
                    let label = match &self.like {
                        None => self.classes.place(class),
                        Some(like) => like
                            .classes
                            .index(class)
                            .ok_or_else(|| unknown(cell, &place()))?,
                    };
                    self.labels.push(label);
                }
            }
            self.samples += 1;
        }
        Ok(())
    }

    /// The columns as arrays: inputs float32 (samples, columns), in the order of the columns; classes
    /// int64 (samples,), numbered in sorted order; numbers float32 (samples, 1).
    ///
    /// # Errors
    /// When the memory is not there, or the classes are numbers of which one has a fraction.
    pub(crate) fn finish(self) -> Result<(Array, Array, Arc<Layout>), Defect> {
        let columns = self.header.len().saturating_sub(1);
        if let (None, Some(fraction)) = (&self.like, self.classes.fraction()) {
            return Err(Defect::new(
                Code::LossAndTargets,
                format!(
                    "has numbers with fractions in the target column, such as {}, which would all be \
                     classes",
                    Quoted(fraction)
                ),
                "use a loss for numbers, such as mse",
            ));
        }
        let (indices, known) = self.classes.number();
        let known_already = self.like.is_some();
        let layout = self.like.unwrap_or_else(|| {
            Arc::new(Layout {
                header: self.header,
                classes: known,
            })
        });
        let inputs = Array::new(
            DEFAULT_INPUT_KEY,
            vec![self.samples, columns],
            Dtype::F32,
            self.inputs.finish().into(),
        )?;
        let targets = match self.target {
            Target::Numeric => Array::new(
                DEFAULT_TARGET_KEY,
                vec![self.samples, 1],
                Dtype::F32,
                self.numbers.finish().into(),
            )?,
            Target::Categorical => {
                let mut bytes = AlignedBytes::zeroed(self.labels.len() * size_of::<i64>())?;
                let (elements, _) = bytes.as_mut().as_chunks_mut();
                for (element, &label) in elements.iter_mut().zip(&self.labels) {
                    let index = if known_already { label } else { indices[label] };
                    *element = (index as u64).to_le_bytes();
                }
                Array::new(
                    DEFAULT_TARGET_KEY,
                    vec![self.samples],
                    Dtype::I64,
                    bytes.into(),
                )?
            }
        };
        Ok((inputs, targets, layout))
    }
}

/// Text in a target column that should be numbers is a class, most likely.
fn classes_instead(cell: &[u8], defect: Defect) -> Defect {
    if cell.trim_ascii().iter().any(u8::is_ascii_alphabetic) {
        return Defect::new(
            Code::LossAndTargets,
            defect.message,
            "use a loss for classes, such as cross_entropy, or write numbers",
        );
    }
    defect
}

/// Refuses columns that cannot be told apart by their names.
fn refuse_unclear_names(header: &ByteRecord, line: usize) -> Result<(), Defect> {
    let mut known = HashMap::new();
    for (number, name) in (1_usize..).zip(header) {
        if name.trim_ascii().is_empty() {
            return Err(Defect::new(
                Code::TableHeader,
                format!("has no name for its column {number} in the header (line {line})"),
                "give the column a name, or leave it out if it only counts rows: pandas does with index=False",
            ));
        }
        if let Some(first) = known.insert(name, number) {
            return Err(Defect::new(
                Code::TableHeader,
                format!(
                    "has the name {} for column {first} and column {number} in the header (line {line})",
                    Quoted(&lossy(name))
                ),
                "give the columns names of their own",
            ));
        }
    }
    Ok(())
}

/// Refuses a header that differs from that of `other`.
fn compare(header: &ByteRecord, expected: &ByteRecord, other: impl Display) -> Result<(), Defect> {
    let remedy = "save all with the same columns in the same order";
    if header.len() != expected.len() {
        let (here, there) = (header.len(), expected.len());
        let message = format!("has {here} columns, where {other} has {there}");
        return Err(Defect::new(Code::FilesDiffer, message, remedy));
    }
    match (1..)
        .zip(header.iter().zip(expected))
        .find(|(_, (a, b))| a != b)
    {
        None => Ok(()),
        Some((number, (here, there))) => Err(Defect::new(
            Code::FilesDiffer,
            format!(
                "has the column {} where {other} has {}, as column {number}",
                Quoted(&lossy(here)),
                Quoted(&lossy(there))
            ),
            remedy,
        )),
    }
}

fn unknown(class: &[u8], place: &Place) -> Defect {
    place.defect(
        &format!(
            "the class {}, which the data to train on lacks,",
            Quoted(&lossy(class))
        ),
        "leave the row out, or train on data that has the class",
    )
}

/// Elements of four bytes, as many as come.
struct Elements {
    bytes: AlignedBytes,
    filled: usize,
}

impl Elements {
    fn new() -> Self {
        Self {
            bytes: AlignedBytes::new(),
            filled: 0,
        }
    }

    fn push(&mut self, element: [u8; 4]) -> Result<(), Defect> {
        let end = self.filled + element.len();
        if end > self.bytes.as_ref().len() {
            self.bytes.grow((self.filled * 2).max(4096))?;
        }
        self.bytes.as_mut()[self.filled..end].copy_from_slice(&element);
        self.filled = end;
        Ok(())
    }

    fn finish(mut self) -> AlignedBytes {
        self.bytes.shrink(self.filled);
        self.bytes
    }
}
