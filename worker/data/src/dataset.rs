//! From what the user named to inputs and targets of one length.

use rangefinder_errors::Code;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use crate::array::{Array, Dtype};
use crate::column::{Column, Part};
use crate::error::{DataError, Defect};
use crate::formats::{Format, csv, idx, npy, npz, safetensors, tokens};
use crate::names::{Names, Quoted};
use crate::{digits, map, pattern};

/// Name of the inputs where none is given.
pub const DEFAULT_INPUT_KEY: &str = "inputs";

/// Name of the targets where none is given.
pub const DEFAULT_TARGET_KEY: &str = "targets";

/// The highest grey level of a byte.
const WHITE: f64 = 255.0;

/// Where samples come from, field by field the message `Data` of the wire. Whatever is empty or 0
/// is not given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// `digits`, or the path of a file; `*`, `?`, `[...]` and `{000..003}` in its name stand for
    /// several.
    pub source: String,
    /// Path of the file of the targets, likewise, where `source` is the `.npy` or IDX file of the
    /// inputs.
    pub targets: String,
    /// Names of the input arrays in a `.npz` or `.safetensors` file, in the order of the model's
    /// arguments; by default [`DEFAULT_INPUT_KEY`] alone.
    pub input_keys: Vec<String>,
    /// Name of the target array there; by default [`DEFAULT_TARGET_KEY`].
    pub target_key: String,
    /// Type of the tokens in a `.bin` file: `u16`, the default, or `u32`.
    pub token_dtype: String,
    /// Tokens of a sample there; by default 256.
    pub context: u32,
    /// Name of the target's column in a `.csv` file.
    pub target_column: String,
    /// What that column holds: `categorical`, the default, or `numeric`.
    pub target_type: String,
}

/// Inputs and targets of the same number of samples. A clone shares the bytes.
#[derive(Clone, Debug)]
pub struct Dataset {
    inputs: Vec<Column>,
    targets: Column,
    /// Columns and classes of a table.
    layout: Option<Arc<csv::Layout>>,
}

impl Dataset {
    /// Puts columns together; their names go into the error, which blames `field`.
    ///
    /// # Errors
    /// When the columns do not have the same number of samples.
    pub(crate) fn new(
        inputs: Vec<Column>,
        targets: Column,
        field: &'static str,
    ) -> Result<Self, DataError> {
        let samples = targets.shape()[0];
        if let Some(input) = inputs.iter().find(|input| input.shape()[0] != samples) {
            return Err(DataError {
                code: Code::SampleCounts,
                field,
                message: format!(
                    "{} has {} samples but {} has {samples}",
                    Quoted(input.name()),
                    input.shape()[0],
                    Quoted(targets.name()),
                ),
                remedy: "the first dimension of every array counts the same samples: save arrays that belong together".to_owned(),
            });
        }
        Ok(Self {
            inputs,
            targets,
            layout: None,
        })
    }

    /// The same data, bytes of inputs read as grey levels.
    fn with_grey_levels(mut self) -> Self {
        let grey = |column: Column| match column.dtype() {
            Dtype::U8 => column.divided_by(WHITE),
            _ => column,
        };
        self.inputs = self.inputs.into_iter().map(grey).collect();
        self
    }

    /// The inputs, at least one, in the order of the model's arguments.
    #[must_use]
    pub fn inputs(&self) -> &[Column] {
        &self.inputs
    }

    /// The targets.
    #[must_use]
    pub fn targets(&self) -> &Column {
        &self.targets
    }

    /// Samples: the first dimension of every column, 1 to `i64::MAX`.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.targets.shape()[0] as u64
    }
}

/// Loads `digits` or the files that `source` names. Memory-mapped files must not be changed for as
/// long as the dataset lives.
///
/// # Errors
/// Every mistake that can be seen in the files and names: missing, unreadable, damaged or unfit
/// files, missing arrays, types that libtorch cannot compute with, numbers of samples that differ.
pub fn load(source: &Source) -> Result<Dataset, DataError> {
    read(source, None)
}

/// As [`load`], for data to evaluate on: the columns of a `.csv` file must be those of `training`, and
/// a class has the index that it has there.
///
/// # Errors
/// As [`load`], and for other columns, or a class that `training` does not have.
pub fn load_like(source: &Source, training: &Dataset) -> Result<Dataset, DataError> {
    read(source, training.layout.clone())
}

fn read(source: &Source, like: Option<Arc<csv::Layout>>) -> Result<Dataset, DataError> {
    if source.source.is_empty() {
        return Err(DataError {
            code: Code::Missing,
            field: "data",
            message: "no data is named".to_owned(),
            remedy: format!("give {KNOWN}"),
        });
    }
    if source.source == digits::NAME {
        refuse_options(source, None)?;
        return digits::load();
    }
    let files = files(&source.source, "data")?;
    let format = common_format(&files)?;
    refuse_options(source, Some(format))?;
    match format {
        Format::Npy => load_pair(source, &files, npy::read, npy::read),
        Format::Idx => {
            let images =
                |name: &str, bytes: &Bytes| idx::read(name, bytes).and_then(idx::with_channel);
            let dataset = load_pair(source, &files, images, idx::read)?;
            Ok(dataset.with_grey_levels())
        }
        Format::Npz => load_containers(source, &files, |bytes, keys| npz::read(&bytes, keys)),
        Format::Safetensors => load_containers(source, &files, |bytes, keys| {
            safetensors::read(&bytes, keys)
        }),
        Format::Tokens => load_tokens(source, &files),
        Format::Csv => load_csv(source, &files, like),
    }
}

const KNOWN: &str = "`digits`, a .npz, .safetensors, .csv or .bin (tokens) file, or the .npy or IDX file of the inputs with `targets`";

/// The files that a field names.
fn files(path: &str, field: &'static str) -> Result<Vec<String>, DataError> {
    pattern::files(path).map_err(|defect| defect.of(Quoted(path)).in_field(field))
}

/// Opens a file that a field names.
fn open(file: &str, field: &'static str) -> Result<Bytes, DataError> {
    map::open(Path::new(file)).map_err(|defect| defect.of(Quoted(file)).in_field(field))
}

/// The format that all files have.
fn common_format(files: &[String]) -> Result<Format, DataError> {
    let mut common: Option<(Format, &str)> = None;
    for file in files {
        let Some(format) = Format::of(file) else {
            // A path that does not exist is the likelier mistake: say so first.
            open(file, "data")?;
            return Err(DataError {
                code: Code::DataFormat,
                field: "data",
                message: format!(
                    "{} is in no format that is known by its ending",
                    Quoted(file)
                ),
                remedy: format!(
                    "give {KNOWN}; numpy.savez(path, inputs=x, targets=y) writes a .npz"
                ),
            });
        };
        let (first, of) = *common.get_or_insert((format, file));
        if format != first {
            return Err(DataError {
                code: Code::FilesDiffer,
                field: "data",
                message: format!(
                    "{} is a {} file, but {} is a {} file",
                    Quoted(file),
                    format.name(),
                    Quoted(of),
                    first.name()
                ),
                remedy: "write a pattern that names files of one format".to_owned(),
            });
        }
    }
    common
        .map(|(format, _)| format)
        .ok_or_else(|| Defect::damaged("no file is named").in_field("data"))
}

/// Loads inputs and targets from files of their own.
fn load_pair(
    source: &Source,
    files_of_inputs: &[String],
    read_inputs: impl Fn(&str, &Bytes) -> Result<Array, Defect>,
    read_targets: impl Fn(&str, &Bytes) -> Result<Array, Defect>,
) -> Result<Dataset, DataError> {
    if source.targets.is_empty() {
        return Err(DataError {
            code: Code::Missing,
            field: "targets",
            message: format!("{} holds the inputs alone", Quoted(&source.source)),
            remedy: "give the file of the targets as `targets`, or both in one .npz".to_owned(),
        });
    }
    let inputs = column(files_of_inputs, DEFAULT_INPUT_KEY, "data", read_inputs)?;
    let files_of_targets = files(&source.targets, "targets")?;
    let targets = column(
        &files_of_targets,
        DEFAULT_TARGET_KEY,
        "targets",
        read_targets,
    )?;
    Dataset::new(vec![inputs], targets, "targets")
}

/// A column of files with one array each.
fn column(
    files: &[String],
    name: &str,
    field: &'static str,
    read: impl Fn(&str, &Bytes) -> Result<Array, Defect>,
) -> Result<Column, DataError> {
    let mut parts = Vec::with_capacity(files.len());
    for file in files {
        let array = read(name, &open(file, field)?)
            .map_err(|defect| defect.of(Quoted(file)).in_field(field))?;
        parts.push((file.as_str(), array));
    }
    Column::end_to_end(parts, field)
}

fn load_tokens(source: &Source, files: &[String]) -> Result<Dataset, DataError> {
    let dtype = tokens::dtype(&source.token_dtype).ok_or_else(|| DataError {
        code: Code::UnknownName,
        field: "token_dtype",
        message: format!("{} is no type of tokens", Quoted(&source.token_dtype)),
        remedy: "use u16 or u32".to_owned(),
    })?;
    let context = match source.context {
        0 => tokens::DEFAULT_CONTEXT,
        context => context,
    };
    let context =
        usize::try_from(context).map_err(|_| Defect::memory(usize::MAX).in_field("context"))?;
    let (mut inputs, mut targets) = (Vec::new(), Vec::new());
    for file in files {
        let (input, target) = tokens::read(&open(file, "data")?, dtype, context)
            .map_err(|defect| defect.of(Quoted(file)).in_field("data"))?;
        inputs.push((file.as_str(), input));
        targets.push((file.as_str(), target));
    }
    let inputs = Column::end_to_end(inputs, "data")?;
    Dataset::new(vec![inputs], Column::end_to_end(targets, "data")?, "data")
}

fn load_csv(
    source: &Source,
    files: &[String],
    like: Option<Arc<csv::Layout>>,
) -> Result<Dataset, DataError> {
    if source.target_column.is_empty() {
        return Err(DataError {
            code: Code::Missing,
            field: "target_column",
            message: format!(
                "no column of {} is named as the target",
                Quoted(&source.source)
            ),
            remedy: "give the name of the target's column".to_owned(),
        });
    }
    let target = csv::Target::parse(&source.target_type).ok_or_else(|| DataError {
        code: Code::UnknownName,
        field: "target_type",
        message: format!("{} is no type of targets", Quoted(&source.target_type)),
        remedy: "use categorical or numeric".to_owned(),
    })?;
    let mut table = csv::Table::new(&source.target_column, target, like);
    for file in files {
        table
            .append(file, &open(file, "data")?)
            .map_err(|wrong| match wrong {
                csv::Wrong::File(defect) => defect.of(Quoted(file)).in_field("data"),
                csv::Wrong::Column(defect) => defect.of(Quoted(file)).in_field("target_column"),
            })?;
    }
    let (inputs, targets, layout) = table
        .finish()
        .map_err(|defect| defect.of(Quoted(&source.source)).in_field("data"))?;
    let dataset = Dataset::new(vec![Column::whole(inputs)], Column::whole(targets), "data")?;
    Ok(Dataset {
        layout: Some(layout),
        ..dataset
    })
}

/// An array that a file with several holds, or what is wrong with it.
pub(crate) type Found = Result<Array, Missing>;

/// Why there is no array of a name.
#[derive(Debug)]
pub(crate) enum Missing {
    /// The file has others.
    Absent(Names),
    /// It is there and unfit.
    Unfit(Defect),
}

/// Loads files of named arrays. `read` answers each name, or says why the whole file is unfit.
fn load_containers(
    source: &Source,
    files: &[String],
    read: impl Fn(Bytes, &[&str]) -> Result<Vec<Found>, Defect>,
) -> Result<Dataset, DataError> {
    let mut keys: Vec<&str> = source.input_keys.iter().map(String::as_str).collect();
    if keys.is_empty() {
        keys.push(DEFAULT_INPUT_KEY);
    }
    let inputs = keys.len();
    keys.push(match source.target_key.as_str() {
        "" => DEFAULT_TARGET_KEY,
        key => key,
    });
    let mut parts: Vec<Vec<Part>> = keys.iter().map(|_| Vec::new()).collect();
    for file in files {
        let found = read(open(file, "data")?, &keys)
            .map_err(|defect| defect.of(Quoted(file)).in_field("data"))?;
        let mut samples = None;
        for (index, (found, key)) in found.into_iter().zip(&keys).enumerate() {
            let field = if index < inputs {
                "input_keys"
            } else {
                "target_key"
            };
            let array = found.map_err(|missing| match missing {
                Missing::Unfit(defect) => defect
                    .of(format_args!("{} in {}", Quoted(key), Quoted(file)))
                    .in_field("data"),
                Missing::Absent(names) => {
                    names.lacking(key, field).of(Quoted(file)).in_field(field)
                }
            })?;
            // Of several files, which one is wrong is seen here and no more when they are together.
            let (first, first_key) = *samples.get_or_insert((array.shape()[0], *key));
            if files.len() > 1 && array.shape()[0] != first {
                return Err(Defect::new(
                    Code::SampleCounts,
                    format!(
                        "has {} samples of {} but {first} of {}",
                        array.shape()[0],
                        Quoted(key),
                        Quoted(first_key)
                    ),
                    "save arrays that belong together in each file",
                )
                .of(Quoted(file))
                .in_field("data"));
            }
            parts[index].push((file, array));
        }
    }
    let mut columns = parts
        .into_iter()
        .map(|parts| Column::end_to_end(parts, "data"))
        .collect::<Result<Vec<_>, _>>()?;
    let Some(targets) = columns.pop() else {
        return Err(Defect::damaged("no array was read").in_field("data"));
    };
    Dataset::new(columns, targets, "data")
}

/// Refuses what was given and means nothing in this format; `None` is the embedded data.
fn refuse_options(source: &Source, format: Option<Format>) -> Result<(), DataError> {
    let what = match format {
        None => "`digits`".to_owned(),
        Some(format) => format!("a {} file", format.name()),
    };
    match format {
        Some(Format::Npy | Format::Idx) => {}
        None => refuse_targets(source, "`digits` brings its own targets")?,
        Some(_) => refuse_targets(source, "this file holds the targets too")?,
    }
    if !matches!(format, Some(Format::Npz | Format::Safetensors)) {
        refuse_keys(source, &what)?;
    }
    let refuse = |field, given: bool, needed: Format| {
        if !given || format == Some(needed) {
            return Ok(());
        }
        Err(DataError {
            code: Code::DoesNotApply,
            field,
            message: format!("`{field}` is given, but means nothing for {what}"),
            remedy: format!("leave `{field}` out; it goes with a {} file", needed.name()),
        })
    };
    refuse(
        "token_dtype",
        !source.token_dtype.is_empty(),
        Format::Tokens,
    )?;
    refuse("context", source.context > 0, Format::Tokens)?;
    refuse(
        "target_column",
        !source.target_column.is_empty(),
        Format::Csv,
    )?;
    refuse("target_type", !source.target_type.is_empty(), Format::Csv)
}

fn refuse_targets(source: &Source, why: &str) -> Result<(), DataError> {
    if source.targets.is_empty() {
        return Ok(());
    }
    Err(DataError {
        code: Code::DoesNotApply,
        field: "targets",
        message: format!("{} is given, but {why}", Quoted(&source.targets)),
        remedy: "leave `targets` out; it goes with a .npy or IDX file of inputs".to_owned(),
    })
}

/// Names are accepted where there is nothing to choose if they are the default ones, which a
/// resolved specification may carry.
fn refuse_keys(source: &Source, what: &str) -> Result<(), DataError> {
    let refuse = |field, key: &str| {
        Err(DataError {
            code: Code::DoesNotApply,
            field,
            message: format!("{} is given, but {what} has no named arrays", Quoted(key)),
            remedy: format!("leave `{field}` out; it goes with a .npz or .safetensors file"),
        })
    };
    if let Some(key) = source
        .input_keys
        .iter()
        .find(|key| *key != DEFAULT_INPUT_KEY)
    {
        return refuse("input_keys", key);
    }
    if let [_, extra, ..] = source.input_keys.as_slice() {
        return refuse("input_keys", extra);
    }
    match source.target_key.as_str() {
        "" | DEFAULT_TARGET_KEY => Ok(()),
        key => refuse("target_key", key),
    }
}
