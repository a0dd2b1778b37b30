//! The whole configuration with its comments: the manual, made from the definition of the
//! specification, so that it cannot say anything else.

use crate::fields::{self, Field};
use crate::resolve;
use rangefinder_proto::v1;
use std::fmt::Write as _;

const WIDTH: usize = 96;

const HEADER: &str = "\
# Rangefinder's configuration: every key with its default. For `coordinator --config FILE`.
# Each key is a flag too (num_training: --num-training); a flag wins over the file.
# A line that begins with `#` and holds a key shows a value that depends on other choices, or an
# example. A line without takes effect: with `profile`, remove those whose values you want from it.
";

/// Values of fields that have no default.
const EXAMPLES: [(&str, &str); 22] = [
    ("targets", "\"targets.npy\""),
    ("input_keys", "[\"inputs\"]"),
    ("target_key", "\"targets\""),
    ("target_column", "\"price\""),
    ("augment", "[\"crop=4\", \"flip\"]"),
    ("global_batch_size", "512"),
    ("segments", "4"),
    ("replicas", "4"),
    ("profile", "\"lightning\""),
    ("skip_begin", "10"),
    ("skip_end", "1"),
    ("vocabulary", "256"),
    ("weights", "\"model.safetensors\""),
    ("freeze", "[\"layer1.*\"]"),
    ("groups", "[\"head.*:lr=10,weight_decay=0\"]"),
    ("clip_norm", "1.0"),
    ("clip_value", "1.0"),
    ("optimizer_state", "\"optimizer.pt\""),
    ("eval_data", "\"validation.npz\""),
    ("eval_targets", "\"validation-labels.npy\""),
    ("entry", "\"module:setup\""),
    ("custom_config", "'{\"width\": 32}'"),
];

/// The configuration as TOML.
///
/// Keys whose default holds whatever else is chosen take effect; the others are commented out.
#[must_use]
pub fn print() -> String {
    let variants = variants();
    let mut text = HEADER.to_owned();
    let mut section = "";
    for field in fields::all() {
        if field.section != section {
            section = field.section;
            // Writing to a string cannot fail.
            let _ = write!(text, "\n\n## {section}\n");
        }
        let (prefix, value) = setting(field, &variants);
        let _ = write!(
            text,
            "\n{}{prefix}{} = {value}\n",
            comment(field),
            field.name
        );
    }
    text
}

/// Default of a field in words, for `--help`; `None` where it depends on other choices.
#[must_use]
pub fn default_of(field: &Field) -> Option<String> {
    match setting(field, &variants()) {
        ("", value) => Some(value.trim_matches('"').to_owned()),
        _ => None,
    }
}

/// What is resolved under choices that change defaults; the plain one first. Patterns stand for
/// files, which need not exist.
fn variants() -> Vec<serde_json::Value> {
    let choices = [
        (r#"{}"#, 1),
        (r#"{}"#, 2),
        (r#"{"optimizer": "sgd"}"#, 1),
        (r#"{"optimizer": "rmsprop"}"#, 1),
        (r#"{"model": "cnn"}"#, 1),
        (r#"{"model": "resnet18"}"#, 1),
        (r#"{"model": "gpt", "data": "*.bin"}"#, 1),
        (r#"{"data": "*.npz", "eval_data": "*.npz"}"#, 1),
        (r#"{"data": "*.csv", "target_column": "price"}"#, 1),
        (r#"{"loss": "mse"}"#, 1),
        (r#"{"device": "cpu"}"#, 1),
        (r#"{"global_batch_size": 512}"#, 1),
    ];
    choices
        .into_iter()
        .filter_map(|(choice, workers)| {
            let asked: v1::SweepSpec = serde_json::from_str(choice).ok()?;
            let chosen = serde_json::to_value(&asked).ok()?;
            let resolved = resolve(asked, workers, 8);
            debug_assert!(resolved.is_ok(), "{choice}: {resolved:?}");
            let mut all = serde_json::to_value(resolved.ok()?.spec).ok()?;
            // What was chosen is no default.
            for key in chosen.as_object()?.keys() {
                all[key] = serde_json::Value::Null;
            }
            Some(all)
        })
        .collect()
}

/// `"# "` for a line that takes no effect, and the value in TOML.
fn setting(field: &Field, variants: &[serde_json::Value]) -> (&'static str, String) {
    let mut values = variants.iter().map(|variant| &variant[&field.name]);
    let chosen = |value: &serde_json::Value| value.is_null();
    let plain = values.clone().next().unwrap_or(&serde_json::Value::Null);
    let fixed = !plain.is_null()
        && variants.iter().all(|variant| {
            variant
                .get(&field.name)
                .is_some_and(|value| value == plain || chosen(value))
        });
    let value = values.find(|value| !value.is_null());
    match (fixed, value) {
        (true, Some(value)) => ("", toml(value)),
        (false, Some(value)) => ("# ", toml(value)),
        _ => {
            let example = EXAMPLES.iter().find(|(name, _)| *name == field.name);
            (
                "# ",
                example.map_or("...", |(_, example)| example).to_owned(),
            )
        }
    }
}

/// A value in TOML; the specification holds neither tables nor dates.
pub(crate) fn toml(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Number(number) if number.is_f64() => {
            format!("{:?}", number.as_f64().unwrap_or_default())
        }
        serde_json::Value::String(text) => toml_edit::Value::from(text.as_str()).to_string(),
        serde_json::Value::Array(list) => {
            let list: Vec<_> = list.iter().map(toml).collect();
            format!("[{}]", list.join(", "))
        }
        other => other.to_string(),
    }
}

/// A field's comment in lines of `# ...`.
fn comment(field: &Field) -> String {
    let mut text = String::new();
    let mut line = String::from("#");
    for word in field.comment.split(' ') {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            text += &line;
            text.push('\n');
            line = "#".to_owned();
        }
        line.push(' ');
        line += word;
    }
    text + &line + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file;
    use crate::tree::Format;

    #[test]
    fn the_printed_configuration_is_the_default_one() {
        let read = file::parse(&print(), Format::Toml).unwrap();
        let asked = resolve(read, 3, 6).unwrap();
        assert_eq!(asked, resolve(v1::SweepSpec::default(), 3, 6).unwrap());
    }

    #[test]
    fn what_is_printed_stands_in_nobodys_way() {
        for choice in [
            r#"{"optimizer": "sgd", "momentum": 0.9}"#,
            r#"{"optimizer": "rmsprop"}"#,
            r#"{"model": "cnn"}"#,
            r#"{"device": "cpu"}"#,
            r#"{"split": "none"}"#,
            r#"{"replicas": 2}"#,
            r#"{"profile": "fastai"}"#,
        ] {
            let mut spec = file::parse(&print(), Format::Toml).unwrap();
            file::overlay(&mut spec, &serde_json::from_str(choice).unwrap());
            assert_eq!(resolve(spec, 2, 8).err(), None, "{choice}");
        }
    }

    #[test]
    fn every_field_is_printed_with_a_value_that_it_takes() {
        let text = print();
        for field in fields::all() {
            let line = text
                .lines()
                .map(|line| line.trim_start_matches("# "))
                .find(|line| line.starts_with(&format!("{} = ", field.name)))
                .unwrap_or_else(|| panic!("{} is not printed", field.name));
            file::parse(line, Format::Toml).unwrap_or_else(|error| panic!("{line}: {error:?}"));
        }
    }

    #[test]
    fn the_manual_reads_well() {
        insta::assert_snapshot!(print());
    }
}
