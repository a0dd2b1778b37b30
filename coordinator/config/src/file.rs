//! Configuration files: the fields of the specification as keys, in TOML, YAML or JSON.

use crate::fields::{self, Field, Kind};
use crate::names::nearest;
use crate::tree::{self, Entry, Format, Node, Value};
use prost::Message as _;
use rangefinder_errors::Code;
use rangefinder_proto::v1;
use std::fmt;
use std::path::{Path, PathBuf};

/// Flags that are no fields of the specification: what belongs to one run, not to the sweep.
const FLAGS_ONLY: [&str; 7] = [
    "workers",
    "out",
    "config",
    "hparams",
    "auto_lr_find",
    "quiet",
    "json",
];

/// All that is wrong with a configuration file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it, in the order of the file; at least one.
    pub mistakes: Vec<ConfigMistake>,
}

/// A mistake in a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigMistake {
    /// What kind of mistake.
    pub code: Code,
    /// Line, from 1; `None` when it is not about one.
    pub line: Option<usize>,
    /// What is wrong, naming the key and the value.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

/// What is wrong with an entry, and what to do.
type Wrong = (Code, String, String);

impl ConfigError {
    /// Each mistake in words with its place and remedy, and its code.
    pub fn told(&self) -> impl Iterator<Item = (Code, String)> {
        self.mistakes.iter().map(|mistake| {
            let place = match mistake.line {
                Some(line) => format!("{}:{line}", self.path.display()),
                None => self.path.display().to_string(),
            };
            let text = format!("{place}: {}\n  {}", mistake.message, mistake.remedy);
            (mistake.code, text)
        })
    }
}

/// Each mistake behind its code.
impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (code, text)) in self.told().enumerate() {
            let newline = if index > 0 { "\n" } else { "" };
            write!(f, "{newline}[{code}] {text}")?;
        }
        Ok(())
    }
}

/// Reads a configuration file; paths in it are relative to the current folder, as flags are.
///
/// # Errors
/// If it cannot be read or parsed, or has unknown keys or values of another type: every mistake,
/// with its line.
pub fn load(path: &Path) -> Result<v1::SweepSpec, ConfigError> {
    let whole = |code, message: String, remedy: &str| ConfigError {
        path: path.to_owned(),
        mistakes: vec![ConfigMistake {
            code,
            line: None,
            message,
            remedy: remedy.to_owned(),
        }],
    };
    let Some(format) = Format::of(path) else {
        return Err(whole(
            Code::SettingsFormat,
            "its format is unknown; expected a name that ends in .toml, .yaml, .yml or .json"
                .into(),
            "rename it, or write a new one with `coordinator --print-config > sweep.toml`",
        ));
    };
    let text = std::fs::read_to_string(path).map_err(|error| {
        whole(
            Code::of_reading(&error),
            format!("cannot be read: {error}"),
            "check the path; `coordinator --print-config` shows a whole file",
        )
    })?;
    parse(&text, format).map_err(|mistakes| ConfigError {
        path: path.to_owned(),
        mistakes,
    })
}

/// Reads the text of a configuration file.
///
/// # Errors
/// Every mistake, with its line.
pub fn parse(text: &str, format: Format) -> Result<v1::SweepSpec, Vec<ConfigMistake>> {
    let root = tree::parse(format, text).map_err(|error| {
        vec![ConfigMistake {
            code: Code::SettingsSyntax,
            line: error.line,
            message: error.message,
            remedy: "correct the file there".to_owned(),
        }]
    })?;
    let entries = match root.value {
        Value::Map(entries) => entries,
        // A YAML document that holds nothing.
        Value::Null if format == Format::Yaml => Vec::new(),
        other => {
            return Err(vec![ConfigMistake {
                code: Code::WrongType,
                line: Some(1),
                message: format!("it is {}; expected keys and values", other.describe()),
                remedy: "`coordinator --print-config` shows a whole file".to_owned(),
            }]);
        }
    };
    let mut spec = v1::SweepSpec::default();
    let mut mistakes = Vec::new();
    for entry in &entries {
        match field(entry) {
            Ok(set) => overlay(&mut spec, &set),
            Err((code, message, remedy)) => mistakes.push(ConfigMistake {
                code,
                line: Some(tree::line_of(text, entry.key_span.start)),
                message,
                remedy,
            }),
        }
    }
    if mistakes.is_empty() {
        Ok(spec)
    } else {
        Err(mistakes)
    }
}

/// Lets every field that `over` sets replace that of `spec`; lists are replaced, not joined.
pub fn overlay(spec: &mut v1::SweepSpec, over: &v1::SweepSpec) {
    if !over.hidden_sizes.is_empty() {
        spec.hidden_sizes.clear();
    }
    if !over.input_keys.is_empty() {
        spec.input_keys.clear();
    }
    if !over.augment.is_empty() {
        spec.augment.clear();
    }
    if !over.freeze.is_empty() {
        spec.freeze.clear();
    }
    if !over.groups.is_empty() {
        spec.groups.clear();
    }
    // Merging encoded messages is what protobuf defines as "set fields win"; what was encoded just
    // now always decodes.
    let merged = spec.merge(over.encode_to_vec().as_slice());
    debug_assert!(merged.is_ok(), "{merged:?}");
}

/// The specification in which one entry sets one field, or what is wrong and what to do.
fn field(entry: &Entry) -> Result<v1::SweepSpec, Wrong> {
    let key = entry.key.as_str();
    let Some(field) = fields::all().iter().find(|field| field.name == key) else {
        return Err(unknown(key));
    };
    let object = [(key.to_owned(), json(&entry.node))];
    let object = serde_json::Value::Object(object.into_iter().collect());
    match serde_json::from_value::<v1::SweepSpec>(object) {
        Ok(spec) if entry.node.value != Value::Null => Ok(spec),
        _ => Err((
            Code::WrongType,
            format!(
                "`{key}` {}; expected {}",
                found(&entry.node.value, field),
                expected(field)
            ),
            match entry.node.value {
                Value::Null => "give a value, or remove the key for its default".to_owned(),
                _ => "correct the value; `coordinator --print-config` shows every key".to_owned(),
            },
        )),
    }
}

/// What stands there instead of what is expected; of a list, its first item that does not belong.
fn found(value: &Value, field: &Field) -> String {
    let belongs = |item: &Node| match field.kind {
        Kind::Texts => matches!(item.value, Value::Text(_)),
        _ => json(item)
            .as_u64()
            .is_some_and(|item| u32::try_from(item).is_ok()),
    };
    match value {
        Value::List(items) if matches!(field.kind, Kind::Texts | Kind::Integers) => {
            items.iter().find(|item| !belongs(item)).map_or_else(
                || format!("is {}", value.describe()),
                |item| format!("holds {}", item.value.describe()),
            )
        }
        _ => format!("is {}", value.describe()),
    }
}

fn unknown(key: &str) -> Wrong {
    let as_key = key.replace('-', "_");
    if FLAGS_ONLY.contains(&as_key.as_str()) {
        return (
            Code::FlagNotKey,
            format!("`{key}` is a flag, not a key of the configuration"),
            format!(
                "remove it, and give --{} on the command line",
                key.replace('_', "-")
            ),
        );
    }
    let known = fields::all().iter().map(|field| field.name.as_str());
    (
        Code::UnknownKey,
        format!("the key `{key}` is unknown"),
        match nearest(key, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`coordinator --print-config` shows every key".to_owned(),
        },
    )
}

fn expected(field: &Field) -> &'static str {
    match (field.name.as_str(), field.kind) {
        ("early_stop_threshold", _) => "a number above 1, or \"none\"",
        ("overlap", _) => "`fast`, `default`, `faithful`, or a number of decades",
        (_, Kind::Text) => "text",
        (_, Kind::Number) => "a number",
        (_, Kind::Integer) if field.name == "seed" => "an integer from 0 to below 2^64",
        (_, Kind::Integer) if field.name == "ignore_index" => "an integer",
        (_, Kind::Integer) => "an integer from 0 to below 2^32",
        (_, Kind::Bool) => "true or false",
        (_, Kind::Texts) => "a list of texts",
        (_, Kind::Integers) => "a list of integers from 0 to below 2^32",
    }
}

fn json(node: &Node) -> serde_json::Value {
    use serde_json::Value as Json;
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Integer(value) => match (u64::try_from(*value), i64::try_from(*value)) {
            (Ok(value), _) => value.into(),
            (_, Ok(value)) => value.into(),
            _ => Json::String(value.to_string()),
        },
        // JSON has no infinities; as text the threshold takes one, and nothing else does.
        Value::Float(value) => serde_json::Number::from_f64(*value)
            .map_or_else(|| Json::String(value.to_string()), Json::Number),
        Value::Text(text) | Value::Other(text) => Json::String(text.clone()),
        Value::List(list) => list.iter().map(json).collect(),
        Value::Map(entries) => entries
            .iter()
            .map(|entry| (entry.key.clone(), json(&entry.node)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn toml(text: &str) -> v1::SweepSpec {
        parse(text, Format::Toml).unwrap()
    }

    fn error(format: Format, text: &str) -> String {
        ConfigError {
            path: "sweep".into(),
            mistakes: parse(text, format).unwrap_err(),
        }
        .to_string()
    }

    #[test]
    fn the_three_formats_say_the_same() {
        let expected = v1::SweepSpec {
            model: Some("cnn".into()),
            hidden_sizes: vec![8, 16],
            max_lr: Some(1.0),
            min_lr: Some(1e-7),
            early_stop_threshold: Some(f64::INFINITY),
            overlap: Some("1.5".into()),
            shuffle: Some(false),
            ..v1::SweepSpec::default()
        };
        assert_eq!(
            toml(
                "model = 'cnn'\nhidden_sizes = [8, 16]\nmax_lr = 1\nmin_lr = 1e-7\n\
                 early_stop_threshold = 'none'\noverlap = 1.5\nshuffle = false\n"
            ),
            expected
        );
        let yaml = "model: cnn\nhidden_sizes: [8, 16]\nmax_lr: 1\nmin_lr: 1e-7\n\
                    early_stop_threshold: none\noverlap: 1.5\nshuffle: false\n";
        assert_eq!(parse(yaml, Format::Yaml).unwrap(), expected);
        let json = r#"{"model": "cnn", "hidden_sizes": [8, 16], "max_lr": 1, "min_lr": 1e-7,
            "early_stop_threshold": "none", "overlap": 1.5, "shuffle": false}"#;
        assert_eq!(parse(json, Format::Json).unwrap(), expected);
    }

    #[test]
    fn flags_win_field_by_field_and_lists_are_replaced() {
        let mut spec = toml("hidden_sizes = [1, 2]\nmin_lr = 1e-6\nmax_lr = 2.0\nshuffle = true\n");
        let flags = v1::SweepSpec {
            hidden_sizes: vec![3],
            max_lr: Some(f64::NAN),
            shuffle: Some(false),
            ..v1::SweepSpec::default()
        };
        overlay(&mut spec, &flags);
        assert_eq!(spec.hidden_sizes, [3]);
        assert_eq!(spec.min_lr, Some(1e-6));
        assert!(spec.max_lr.unwrap().is_nan());
        assert_eq!(spec.shuffle, Some(false));
    }

    #[test]
    fn every_list_is_replaced_by_a_flag() {
        let lists: Vec<_> = fields::all()
            .iter()
            .filter(|field| matches!(field.kind, Kind::Texts | Kind::Integers))
            .map(|field| field.name.as_str())
            .collect();
        for name in &lists {
            let one = |value: serde_json::Value| {
                let object = [((*name).to_owned(), vec![value].into())];
                let object = serde_json::Value::Object(object.into_iter().collect());
                serde_json::from_value::<v1::SweepSpec>(object)
            };
            let pair = match one(1.into()) {
                Ok(spec) => (spec, one(2.into()).unwrap()),
                Err(_) => (one("a".into()).unwrap(), one("b".into()).unwrap()),
            };
            let (mut spec, flag) = pair;
            overlay(&mut spec, &flag);
            assert_eq!(spec, flag, "overlay() must know {name}");
        }
        assert!(lists.len() > 4, "{lists:?}");
    }

    #[test]
    fn mistakes_name_key_line_and_remedy() {
        insta::assert_snapshot!(error(
            Format::Toml,
            "num_trainng = 10\nmin-lr = 1\nworkers = 4\nbatch_size = 2.5\nmax_lr = \"high\"\n\
             mode = 3\nnesterov = 1\nhidden_sizes = 3\ninput_keys = [1]\noverlap = true\n\
             early_stop_threshold = \"off\"\nseed = -1\ndevice = 1979-05-27\n[optimizer]\nname = 1\n"
        ));
    }

    #[test]
    fn an_empty_value_is_not_taken_for_a_default() {
        let text = error(Format::Yaml, "# why\nearly_stop_threshold: null\nseed:\n");
        assert!(
            text.contains("sweep:2: `early_stop_threshold` is empty"),
            "{text}"
        );
        assert!(text.contains("sweep:3: `seed` is empty"), "{text}");
    }

    #[test]
    fn an_empty_file_asks_for_nothing() {
        assert_eq!(toml(""), v1::SweepSpec::default());
        assert_eq!(
            parse("# only\n", Format::Yaml).unwrap(),
            v1::SweepSpec::default()
        );
        assert_eq!(
            parse("---\n", Format::Yaml).unwrap(),
            v1::SweepSpec::default()
        );
    }

    #[test]
    fn a_file_of_another_format_or_a_missing_one_is_named() {
        let text = load(Path::new("sweep.ini")).unwrap_err().to_string();
        assert!(
            text.starts_with("[RF108] sweep.ini: its format is unknown"),
            "{text}"
        );
        let text = load(Path::new("/nowhere/sweep.toml"))
            .unwrap_err()
            .to_string();
        assert!(
            text.starts_with("[RF701] /nowhere/sweep.toml: cannot be read"),
            "{text}"
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "((seed|min_lr|overlap|x)[:=]|[a-z0-9.:=\\[\\]{}'\"\n -]){0,40}") {
            for format in [Format::Toml, Format::Yaml, Format::Json] {
                let _ = parse(&text, format);
            }
        }

        #[test]
        fn every_finite_number_is_read_as_it_was_written(value in prop::num::f64::NORMAL) {
            let text = format!("min_lr = {value:?}\n");
            prop_assert_eq!(toml(&text).min_lr.unwrap().to_bits(), value.to_bits());
            let text = format!("min_lr: {value:?}\n");
            let read = parse(&text, Format::Yaml).unwrap();
            prop_assert_eq!(read.min_lr.unwrap().to_bits(), value.to_bits());
        }
    }
}
