//! Where samples come from, with what each format needs, and how they are varied.

use super::files::{missing, place_of};
use super::mistakes::{Files, Mistakes, Wrong};
use super::unread;
use crate::names::{DATA, DATA_FILES, MODELS, TARGET_TYPES, TOKEN_DTYPES, any_of};
use rangefinder_errors::Code;
use rangefinder_proto::v1;
use std::path::Path;

/// Tokens of a sample where nothing is said.
const DEFAULT_CONTEXT: u32 = 256;
/// Most tokens of a sample.
const MAX_CONTEXT: u32 = 1 << 20;
/// Losses that take class indices.
const CLASS_LOSSES: [&str; 2] = ["cross_entropy", "nll"];
/// Losses that take numbers.
const NUMBER_LOSSES: [&str; 4] = ["bce_with_logits", "mse", "l1", "smooth_l1"];
/// Variations of images.
const VARIATIONS: [&str; 2] = ["crop=N", "flip"];
/// Most zeros around an image.
const MAX_CROP: u32 = 1024;

/// What the format of the data is, as far as its name tells.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Embedded,
    NamedArrays,
    /// Inputs and targets in files of their own.
    Pair,
    Tokens,
    Table,
    Unknown,
}

impl Format {
    pub(super) fn of(source: &str) -> Self {
        if DATA.contains(&source) {
            return Self::Embedded;
        }
        let name = source.to_lowercase();
        let ending = |name: &str| {
            let ending = Path::new(name).extension()?.to_str()?;
            Some(ending.to_owned())
        };
        match ending(&name).as_deref() {
            Some("npz" | "safetensors") => Self::NamedArrays,
            Some("npy") => Self::Pair,
            Some("bin") => Self::Tokens,
            Some("csv") => Self::Table,
            _ => {
                let name = name.strip_suffix(".gz").unwrap_or(&name);
                let idx = name.ends_with("-ubyte") || ending(name).as_deref() == Some("idx");
                if idx { Self::Pair } else { Self::Unknown }
            }
        }
    }

    /// What a field that needs something else does not apply to.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded data",
            Self::NamedArrays => "an .npz or .safetensors file",
            Self::Pair => "an .npy or IDX file, whose arrays have no names",
            Self::Tokens => "a .bin file of tokens",
            Self::Table => "a .csv file",
            Self::Unknown => "a file of unknown format",
        }
    }
}

/// The data: embedded, or files that exist, with what their format needs.
pub(super) fn data(spec: &mut v1::SweepSpec, mistakes: &mut Mistakes) -> v1::Data {
    let source = spec.data.get_or_insert_with(|| "digits".to_owned()).clone();
    let format = Format::of(&source);
    if format != Format::Embedded {
        if let Some((code, message, remedy)) =
            missing_files(mistakes.files, &source, &DATA, "a file of data")
        {
            let remedy = match code {
                Code::NotAFile => unread::folder(),
                _ => remedy,
            };
            mistakes.add(code, "data", message, remedy);
        } else if format == Format::Unknown {
            mistakes.add(
                Code::DataFormat,
                "data",
                unknown_format(&source),
                unread::remedy(&source),
            );
        }
    }
    match format {
        Format::Pair => targets("targets", spec.targets.as_deref(), mistakes),
        Format::NamedArrays => named_arrays(spec, mistakes),
        Format::Tokens => tokens(spec, mistakes),
        Format::Table => table(spec, mistakes),
        Format::Embedded | Format::Unknown => {}
    }
    // Of a file whose format is unknown it is unknown what applies to it.
    if format != Format::Unknown {
        unused(spec, mistakes, format);
        fits_model(spec, mistakes, &source, format);
    }
    v1::Data {
        source: match format {
            Format::Embedded => source,
            _ => place_of(mistakes.files, &source),
        },
        targets: spec
            .targets
            .as_deref()
            .map(|targets| place_of(mistakes.files, targets))
            .unwrap_or_default(),
        input_keys: spec.input_keys.clone(),
        target_key: spec.target_key.clone().unwrap_or_default(),
        token_dtype: spec.token_dtype.clone().unwrap_or_default(),
        context: spec.context.unwrap_or_default(),
        target_column: spec.target_column.clone().unwrap_or_default(),
        target_type: spec.target_type.clone().unwrap_or_default(),
        augmentation: augmentation(spec, mistakes),
    }
}

/// What is wrong with a file whose name does not tell its format.
fn unknown_format(source: &str) -> String {
    format!(
        "the format of `{source}` is unknown; expected a file that ends in {} (IDX also with .gz)",
        any_of(DATA_FILES)
    )
}

/// What is wrong when files are missing. A pattern is not looked up here: the worker has the files.
pub(super) fn missing_files(
    files: Files,
    path: &str,
    builtin: &[&str],
    expected: &str,
) -> Option<Wrong> {
    let name = Path::new(path).file_name().and_then(|name| name.to_str());
    let pattern = name.is_some_and(|name| name.contains(['*', '?', '[', '{']));
    if pattern && !path.starts_with(rangefinder_artifacts::PREFIX) {
        return None;
    }
    missing(files, path, builtin, expected)
}

/// The file of the targets, where that of the inputs has none.
pub(super) fn targets(field: &str, file: Option<&str>, mistakes: &mut Mistakes) {
    match file {
        None => mistakes.add(
            Code::Missing,
            field,
            "is missing: the file holds the inputs only",
            "name the .npy or IDX file of the targets",
        ),
        Some(targets) => {
            let missing = missing_files(mistakes.files, targets, &[], "a file of targets");
            if let Some((code, message, remedy)) = missing {
                mistakes.add(code, field, message, remedy);
            }
        }
    }
}

fn named_arrays(spec: &mut v1::SweepSpec, mistakes: &mut Mistakes) {
    if spec.input_keys.is_empty() {
        spec.input_keys = vec!["inputs".to_owned()];
    }
    let target_key = spec.target_key.get_or_insert_with(|| "targets".to_owned());
    if target_key.is_empty() {
        mistakes.add(
            Code::Missing,
            "target_key",
            "is empty",
            "give the name of the target array",
        );
    }
    if spec.input_keys.iter().any(String::is_empty) {
        mistakes.add(
            Code::Missing,
            "input_keys",
            "holds an empty name",
            "give the names of the input arrays",
        );
    }
    if spec.input_keys.contains(target_key) {
        mistakes.add(
            Code::NoSuchArray,
            "target_key",
            format!("`{target_key}` is one of the inputs"),
            "give the name of the target array",
        );
    }
}

/// What a built-in model reads; a TorchScript file alone knows what it does.
fn fits_model(spec: &v1::SweepSpec, mistakes: &mut Mistakes, source: &str, format: Format) {
    let model = spec.model.as_deref().unwrap_or_default();
    let tokens = "give a .bin file of tokens, or an array of integers in an .npz file";
    if model == "gpt" && matches!(format, Format::Embedded | Format::Table) {
        let message = format!("`gpt` reads tokens, which `{source}` does not hold");
        mistakes.add(Code::BuiltinModel, "data", message, tokens);
    } else if MODELS.contains(&model) && model != "gpt" && format == Format::Tokens {
        let message = format!("`{model}` reads numbers, but `{source}` holds tokens");
        mistakes.add(
            Code::BuiltinModel,
            "data",
            message,
            "use the model `gpt`, or one of your own",
        );
    }
}

fn tokens(spec: &mut v1::SweepSpec, mistakes: &mut Mistakes) {
    let loss = spec.loss.as_deref().unwrap_or_default();
    // `gpt` itself says which loss it takes.
    if NUMBER_LOSSES.contains(&loss) && spec.model.as_deref() != Some("gpt") {
        mistakes.add(
            Code::LossAndTargets,
            "loss",
            format!("`{loss}` takes numbers, but the targets in a .bin file are tokens"),
            "use `cross_entropy`",
        );
    }
    let dtype = spec.token_dtype.get_or_insert_with(|| "u16".to_owned());
    if !TOKEN_DTYPES.contains(&dtype.as_str()) {
        mistakes.unknown("token_dtype", dtype, TOKEN_DTYPES);
    }
    let context = *spec.context.get_or_insert(DEFAULT_CONTEXT);
    if !(1..=MAX_CONTEXT).contains(&context) {
        mistakes.add(
            Code::OutOfRange,
            "context",
            format!("{context} is out of range; expected 1 to {MAX_CONTEXT}"),
            "give the tokens that the model takes at once, such as 256",
        );
    }
}

fn table(spec: &mut v1::SweepSpec, mistakes: &mut Mistakes) {
    if spec.target_column.as_deref().unwrap_or_default().is_empty() {
        mistakes.add(
            Code::Missing,
            "target_column",
            "is missing: a .csv file does not say which of its columns is the target",
            "give the name of the target's column",
        );
    }
    let loss = spec.loss.as_deref().unwrap_or("cross_entropy");
    let takes_classes = CLASS_LOSSES.contains(&loss);
    let kind = spec.target_type.get_or_insert_with(|| {
        let kind = if takes_classes {
            "categorical"
        } else {
            "numeric"
        };
        kind.to_owned()
    });
    if !TARGET_TYPES.contains(&kind.as_str()) {
        mistakes.unknown("target_type", kind, TARGET_TYPES);
    } else if takes_classes && kind == "numeric" {
        mistakes.add(
            Code::LossAndTargets,
            "target_type",
            format!("`numeric` does not fit the loss `{loss}`, which takes classes"),
            "use `categorical`, or a loss such as `mse`",
        );
    } else if NUMBER_LOSSES.contains(&loss) && kind == "categorical" {
        mistakes.add(
            Code::LossAndTargets,
            "target_type",
            format!("`categorical` does not fit the loss `{loss}`, which takes numbers"),
            "use `numeric`, or a loss such as `cross_entropy`",
        );
    }
}

/// Notes what is given and means nothing in a format.
fn unused(spec: &v1::SweepSpec, mistakes: &mut Mistakes, format: Format) {
    let mut check = |field, set: bool, needed, applies| {
        mistakes.does_not_apply(field, set && format != needed, format.name(), applies);
    };
    let pair = "the .npy or IDX file of the inputs";
    check("targets", spec.targets.is_some(), Format::Pair, pair);
    let named = "an .npz or .safetensors file";
    let keys = !spec.input_keys.is_empty();
    check("input_keys", keys, Format::NamedArrays, named);
    let key = spec.target_key.is_some();
    check("target_key", key, Format::NamedArrays, named);
    let tokens = "a .bin file of tokens";
    check(
        "token_dtype",
        spec.token_dtype.is_some(),
        Format::Tokens,
        tokens,
    );
    check("context", spec.context.is_some(), Format::Tokens, tokens);
    let column = spec.target_column.is_some();
    check("target_column", column, Format::Table, "a .csv file");
    check(
        "target_type",
        spec.target_type.is_some(),
        Format::Table,
        "a .csv file",
    );
}

fn augmentation(spec: &v1::SweepSpec, mistakes: &mut Mistakes) -> Option<v1::Augmentation> {
    let mut augmentation = v1::Augmentation::default();
    let mut seen = Vec::new();
    for variation in &spec.augment {
        let (name, value) = match variation.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (variation.as_str(), None),
        };
        if seen.contains(&name) && VARIATIONS.iter().any(|known| known.starts_with(name)) {
            mistakes.add(
                Code::Augmentation,
                "augment",
                format!("`{name}` is named twice"),
                "name each variation once",
            );
        }
        seen.push(name);
        match (name, value) {
            ("flip", None) => augmentation.flip = true,
            ("flip", Some(_)) => mistakes.add(
                Code::Augmentation,
                "augment",
                format!("`{variation}` has a value, but `flip` takes none"),
                "write flip alone",
            ),
            ("crop", value) => match value.map(str::parse) {
                Some(Ok(crop)) if (1..=MAX_CROP).contains(&crop) => augmentation.crop = crop,
                _ => mistakes.add(
                    Code::Augmentation,
                    "augment",
                    format!("`{variation}` does not say how many zeros; expected 1 to {MAX_CROP}"),
                    "write the zeros around each image, such as crop=4",
                ),
            },
            _ => mistakes.unknown("augment", variation, VARIATIONS),
        }
    }
    (!spec.augment.is_empty()).then_some(augmentation)
}
