//! CSV: a header with the names of the columns, then a line a sample (RFC 4180).

use std::collections::HashMap;
use std::sync::Arc;

use ::csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder};

use crate::array::{Array, Dtype};
use crate::dataset::{DEFAULT_INPUT_KEY, DEFAULT_TARGET_KEY};
use crate::error::Defect;
use crate::memory::AlignedBytes;
use crate::names::{Names, Quoted, cut};

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
    /// The index of each class.
    classes: HashMap<String, usize>,
}

/// The rows of one or more files.
pub(crate) struct Table {
    target_column: String,
    target: Target,
    header: ByteRecord,
    /// Place of the target among the columns.
    at: usize,
    samples: usize,
    inputs: Elements,
    numbers: Elements,
    /// Classes by the order in which they came.
    classes: HashMap<String, usize>,
    /// The table to be like: it decides on columns and classes.
    like: Option<Arc<Layout>>,
    /// The class of each sample.
    labels: Vec<usize>,
}

impl Table {
    pub(crate) fn new(target_column: &str, target: Target, like: Option<Arc<Layout>>) -> Self {
        Self {
            target_column: target_column.to_owned(),
            target,
            header: ByteRecord::new(),
            at: 0,
            samples: 0,
            inputs: Elements::new(),
            numbers: Elements::new(),
            classes: HashMap::new(),
            like,
            labels: Vec::new(),
        }
    }

    /// Appends the rows of a file.
    ///
    /// # Errors
    /// When there is no target column, or no other; when another file had other columns; when a row
    /// has more or fewer columns than the header; when a cell is not a number where one must be.
    pub(crate) fn append(&mut self, content: &[u8]) -> Result<(), Wrong> {
        let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
        let mut reader = ReaderBuilder::new().from_reader(content);
        let header = reader.byte_headers().map_err(|error| unreadable(&error))?;
        if self.header.is_empty() {
            if let Some(like) = &self.like
                && like.header != *header
            {
                return Err(Wrong::File(Defect::new(
                    "has other columns than the data to train on",
                    "save it with the same header",
                )));
            }
            self.header = header.clone();
            self.at = self.place_of_target()?;
        } else if self.header != *header {
            return Err(Wrong::File(Defect::new(
                "has other columns than the first file",
                "save all files with the same header",
            )));
        }
        let before = self.samples;
        self.rows(&mut reader)?;
        if self.samples == before {
            return Err(Wrong::File(Defect::new(
                "has a header and no rows",
                "save at least one row",
            )));
        }
        Ok(())
    }

    fn place_of_target(&self) -> Result<usize, Wrong> {
        let wanted = self.target_column.as_bytes();
        let mut places = (0..).zip(&self.header).filter(|(_, name)| *name == wanted);
        let Some((place, _)) = places.next() else {
            let names = self.header.iter().map(lossy);
            return Err(Wrong::Column(
                Names::sorted(names).lacking_column(&self.target_column, "target_column"),
            ));
        };
        if places.next().is_some() {
            return Err(Wrong::Column(Defect::new(
                format!("has several columns {}", Quoted(&self.target_column)),
                "give the columns names of their own",
            )));
        }
        if self.header.len() == 1 {
            return Err(Wrong::File(Defect::new(
                format!("has no column but {}", Quoted(&self.target_column)),
                "give the file at least one column of inputs; columns are separated by commas",
            )));
        }
        Ok(place)
    }

    fn rows(&mut self, reader: &mut Reader<&[u8]>) -> Result<(), Defect> {
        let header = self.header.clone();
        let mut record = ByteRecord::new();
        let mut row = 0_u64;
        while reader
            .read_byte_record(&mut record)
            .map_err(|error| unreadable(&error))?
        {
            row += 1;
            let line = record.position().map_or(0, ::csv::Position::line);
            for (column, cell) in record.iter().enumerate() {
                let place = || Place {
                    column: &header[column],
                    row,
                    line,
                };
                if column != self.at {
                    self.inputs.push(number(cell, place)?.to_le_bytes())?;
                } else if self.target == Target::Numeric {
                    self.numbers.push(number(cell, place)?.to_le_bytes())?;
                } else {
                    let label = self.label(class(cell, place)?).ok_or_else(|| {
                        place().defect(
                            &format!(
                                "the class {}, which the data to train on lacks,",
                                Quoted(&lossy(cell))
                            ),
                            "leave the row out, or train on data that has the class",
                        )
                    })?;
                    self.labels.push(label);
                }
            }
            self.samples += 1;
        }
        Ok(())
    }

    /// The number of a class; `None` where there is none to be had.
    fn label(&mut self, class: &str) -> Option<usize> {
        if let Some(like) = &self.like {
            return like.classes.get(class).copied();
        }
        if let Some(&known) = self.classes.get(class) {
            return Some(known);
        }
        let next = self.classes.len();
        self.classes.insert(class.to_owned(), next);
        Some(next)
    }

    /// The columns as arrays: inputs float32 (samples, columns), in the order of the columns; classes
    /// int64 (samples,), numbered in sorted order; numbers float32 (samples, 1).
    pub(crate) fn finish(self) -> Result<(Array, Array, Arc<Layout>), Defect> {
        let columns = self.header.len().saturating_sub(1);
        // Labels are indices already in a table that is like another.
        let indices = sorted(&self.classes);
        let layout = self.like.unwrap_or_else(|| {
            let classes = self.classes.into_iter();
            Arc::new(Layout {
                header: self.header,
                classes: classes.map(|(class, at)| (class, indices[at])).collect(),
            })
        });
        let inputs = Array::new(
            DEFAULT_INPUT_KEY,
            vec![self.samples, columns],
            Dtype::F32,
            self.inputs.finish()?.into(),
        )?;
        let targets = match self.target {
            Target::Numeric => Array::new(
                DEFAULT_TARGET_KEY,
                vec![self.samples, 1],
                Dtype::F32,
                self.numbers.finish()?.into(),
            )?,
            Target::Categorical => {
                let mut bytes = AlignedBytes::zeroed(self.labels.len() * size_of::<i64>())?;
                let (elements, _) = bytes.as_mut().as_chunks_mut();
                for (element, &label) in elements.iter_mut().zip(&self.labels) {
                    let index = indices.get(label).copied().unwrap_or(label);
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

/// The index of each class, by the order in which classes came: integers in the order of numbers,
/// those of one value being one class; if any is no integer, all in the order of their UTF-8 bytes.
fn sorted(classes: &HashMap<String, usize>) -> Vec<usize> {
    fn number_in_order<K: Ord>(mut keys: Vec<(K, usize)>) -> Vec<usize> {
        keys.sort_unstable();
        let mut indices = vec![0; keys.len()];
        let mut index = 0;
        for at in 0..keys.len() {
            if at > 0 && keys[at].0 != keys[at - 1].0 {
                index += 1;
            }
            indices[keys[at].1] = index;
        }
        indices
    }
    let integers: Option<Vec<(i64, usize)>> = classes
        .iter()
        .map(|(class, &at)| Some((class.parse().ok()?, at)))
        .collect();
    match integers {
        Some(integers) => number_in_order(integers),
        None => number_in_order(classes.iter().map(|(class, &at)| (class, at)).collect()),
    }
}

/// Where a cell is.
struct Place<'a> {
    column: &'a [u8],
    row: u64,
    line: u64,
}

impl Place<'_> {
    fn defect(&self, what: &str, remedy: &str) -> Defect {
        Defect::new(
            format!(
                "has {what} in column {}, row {} (line {})",
                Quoted(&lossy(self.column)),
                self.row,
                self.line
            ),
            remedy,
        )
    }
}

fn number<'a>(cell: &[u8], place: impl Fn() -> Place<'a>) -> Result<f32, Defect> {
    let cell = cell.trim_ascii();
    if let Some(number) = str::from_utf8(cell).ok().and_then(|cell| cell.parse().ok()) {
        return Ok(number);
    }
    let place = place();
    Err(if cell.is_empty() {
        place.defect(
            "an empty cell",
            "fill it in, or leave out the row or the column",
        )
    } else {
        place.defect(
            &format!("{}, which is no number,", Quoted(&lossy(cell))),
            "turn categories into numbers (pandas.get_dummies), or leave the column out",
        )
    })
}

fn class<'a>(cell: &'a [u8], place: impl Fn() -> Place<'a>) -> Result<&'a str, Defect> {
    let place = |what, remedy| Err(place().defect(what, remedy));
    match str::from_utf8(cell.trim_ascii()) {
        Ok("") => place(
            "an empty cell",
            "give every row a class, or leave the row out",
        ),
        Ok(class) => Ok(class),
        Err(_) => place("a class that is not UTF-8", "save the file as UTF-8"),
    }
}

/// Text that is cut when very long: a hostile file may hold megabytes of it.
fn lossy(bytes: &[u8]) -> String {
    const SHOWN_BYTES: usize = 1024;
    String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN_BYTES)]).into_owned()
}

fn unreadable(error: &::csv::Error) -> Defect {
    match error.kind() {
        ErrorKind::UnequalLengths {
            pos,
            expected_len,
            len,
        } => Defect::damaged(format!(
            "has {len} columns in line {}, where the header has {expected_len}",
            pos.as_ref().map_or(0, ::csv::Position::line)
        )),
        _ => Defect::damaged(format!("cannot be read: {}", cut(&error.to_string()))),
    }
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

    fn finish(self) -> Result<AlignedBytes, Defect> {
        AlignedBytes::copy(&self.bytes.as_ref()[..self.filled])
    }
}
