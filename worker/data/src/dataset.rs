//! From what the user named to inputs and targets of one length.

use std::path::Path;

use crate::array::Array;
use crate::digits;
use crate::error::{DataError, Defect};
use crate::formats::{npy, npz, safetensors};
use crate::map;
use crate::names::{Names, Quoted};

/// Name of the inputs where none is given.
pub const DEFAULT_INPUT_KEY: &str = "inputs";

/// Name of the targets where none is given.
pub const DEFAULT_TARGET_KEY: &str = "targets";

/// Where samples come from, field by field the message `Data` of the wire. Whatever is empty is
/// not given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// `digits`, or the path of a `.npz`, `.safetensors` or `.npy` file.
    pub source: String,
    /// Path of the `.npy` file of the targets, where `source` is the `.npy` file of the inputs.
    pub targets: String,
    /// Names of the input arrays in a `.npz` or `.safetensors` file, in the order of the model's
    /// arguments; by default [`DEFAULT_INPUT_KEY`] alone.
    pub input_keys: Vec<String>,
    /// Name of the target array there; by default [`DEFAULT_TARGET_KEY`].
    pub target_key: String,
}

/// Inputs and targets of the same number of samples. A clone shares the bytes.
#[derive(Clone, Debug)]
pub struct Dataset {
    inputs: Vec<Array>,
    targets: Array,
}

impl Dataset {
    /// Puts arrays together; the names of inputs and targets go into the error, which blames `field`.
    ///
    /// # Errors
    /// When the arrays do not have the same number of samples.
    pub(crate) fn new(
        inputs: Vec<Array>,
        targets: Array,
        field: &'static str,
    ) -> Result<Self, DataError> {
        let samples = targets.shape()[0];
        if let Some(input) = inputs.iter().find(|input| input.shape()[0] != samples) {
            return Err(DataError {
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
        Ok(Self { inputs, targets })
    }

    /// The inputs, at least one, in the order of the model's arguments.
    #[must_use]
    pub fn inputs(&self) -> &[Array] {
        &self.inputs
    }

    /// The targets.
    #[must_use]
    pub fn targets(&self) -> &Array {
        &self.targets
    }

    /// Samples: the first dimension of every array, 1 to `i64::MAX`.
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
    if source.source.is_empty() {
        return Err(DataError {
            field: "data",
            message: "no data is named".to_owned(),
            remedy: format!("give {KNOWN}"),
        });
    }
    if source.source == digits::NAME {
        refuse_targets(source, "`digits` brings its own targets")?;
        refuse_keys(source, "`digits`")?;
        return digits::load();
    }
    let path = Path::new(&source.source);
    let extension = path
        .extension()
        .map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    match extension.as_deref() {
        Some("npy") => load_npy_pair(source),
        Some("npz") => load_container(source, |bytes, keys| npz::read(&bytes, keys)),
        Some("safetensors") => {
            load_container(source, |bytes, keys| safetensors::read(&bytes, keys))
        }
        _ => {
            // A path that does not exist is the likelier mistake: say so first.
            map::open(path).map_err(|defect| defect.of(Quoted(&source.source)).in_field("data"))?;
            Err(DataError {
                field: "data",
                message: format!(
                    "{} is in no format that is known by its ending",
                    Quoted(&source.source)
                ),
                remedy: format!(
                    "give {KNOWN}; numpy.savez(path, inputs=x, targets=y) writes a .npz"
                ),
            })
        }
    }
}

const KNOWN: &str =
    "`digits`, a .npz or .safetensors file, or the .npy file of the inputs with `targets`";

fn load_npy_pair(source: &Source) -> Result<Dataset, DataError> {
    refuse_keys(source, "a .npy file")?;
    if source.targets.is_empty() {
        return Err(DataError {
            field: "targets",
            message: format!("{} holds the inputs alone", Quoted(&source.source)),
            remedy: "give the .npy file of the targets as `targets`, or both in one .npz"
                .to_owned(),
        });
    }
    let array = |path: &str, name, field| {
        map::open(Path::new(path))
            .and_then(|bytes| npy::read(name, &bytes))
            .map_err(|defect| defect.of(Quoted(path)).in_field(field))
    };
    let inputs = array(&source.source, DEFAULT_INPUT_KEY, "data")?;
    let targets = array(&source.targets, DEFAULT_TARGET_KEY, "targets")?;
    Dataset::new(vec![inputs], targets, "targets")
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

/// Loads a file of named arrays. `read` answers each name, or says why the whole file is unfit.
fn load_container(
    source: &Source,
    read: impl FnOnce(bytes::Bytes, &[&str]) -> Result<Vec<Found>, Defect>,
) -> Result<Dataset, DataError> {
    refuse_targets(source, "this file holds the targets too")?;
    let mut keys: Vec<&str> = source.input_keys.iter().map(String::as_str).collect();
    if keys.is_empty() {
        keys.push(DEFAULT_INPUT_KEY);
    }
    let inputs = keys.len();
    keys.push(match source.target_key.as_str() {
        "" => DEFAULT_TARGET_KEY,
        key => key,
    });
    let file = Quoted(&source.source);
    let found = map::open(Path::new(&source.source))
        .and_then(|bytes| read(bytes, &keys))
        .map_err(|defect| defect.of(file).in_field("data"))?;
    let mut arrays = Vec::with_capacity(found.len());
    for (index, (found, key)) in found.into_iter().zip(&keys).enumerate() {
        arrays.push(found.map_err(|missing| {
            match missing {
                Missing::Unfit(defect) => defect
                    .of(format_args!("{} in {file}", Quoted(key)))
                    .in_field("data"),
                Missing::Absent(names) => {
                    let field = if index < inputs {
                        "input_keys"
                    } else {
                        "target_key"
                    };
                    names.lacking(key, field).of(file).in_field(field)
                }
            }
        })?);
    }
    let Some(targets) = arrays.pop() else {
        return Err(Defect::damaged("has no arrays").of(file).in_field("data"));
    };
    Dataset::new(arrays, targets, "data")
}

fn refuse_targets(source: &Source, why: &str) -> Result<(), DataError> {
    if source.targets.is_empty() {
        return Ok(());
    }
    Err(DataError {
        field: "targets",
        message: format!("{} is given, but {why}", Quoted(&source.targets)),
        remedy: "leave `targets` out; it goes with a .npy file of inputs".to_owned(),
    })
}

/// Names are accepted where there is nothing to choose if they are the default ones, which a
/// resolved specification may carry.
fn refuse_keys(source: &Source, what: &str) -> Result<(), DataError> {
    let refuse = |field, key: &str| {
        Err(DataError {
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
