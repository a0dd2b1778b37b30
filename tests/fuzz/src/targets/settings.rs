//! Specifications, configuration and hyperparameter files.

use super::File;
use prost::Message as _;
use rangefinder_config::hparams::{self, Hyperparameter};
use rangefinder_config::{Format, file, resolve};
use rangefinder_proto::v1::SweepSpec;

const CORES: u32 = 4;

/// A specification as a client sends it: the first byte is the number of workers.
pub(super) fn specification(input: &[u8]) -> bool {
    let Some((workers, input)) = input.split_first() else {
        return false;
    };
    SweepSpec::decode(input).is_ok_and(|spec| resolved(spec, (*workers).into()))
}

/// A specification that resolves is stored and resolved again as the same one.
fn resolved(spec: SweepSpec, workers: u32) -> bool {
    let Ok(resolved) = resolve(spec, workers, CORES) else {
        return false;
    };
    let text = serde_json::to_string(&resolved.spec).expect("a specification as JSON");
    let read: SweepSpec = serde_json::from_str(&text).expect("the same specification");
    assert_eq!(read, resolved.spec);
    let again = resolve(read, workers, CORES).expect("a specification that resolves");
    assert_eq!(again.spec, resolved.spec);
    assert_eq!(again.trainer, resolved.trainer);
    true
}

pub(super) fn toml(input: &[u8]) -> bool {
    settings(input, Format::Toml, "f.toml")
}

pub(super) fn yaml(input: &[u8]) -> bool {
    settings(input, Format::Yaml, "f.yaml")
}

pub(super) fn json(input: &[u8]) -> bool {
    settings(input, Format::Json, "f.json")
}

fn settings(input: &[u8], format: Format, name: &str) -> bool {
    let Ok(text) = std::str::from_utf8(input) else {
        return false;
    };
    let asked = file::parse(text, format).is_ok_and(|spec| resolved(spec, 2));
    let fields = [None, Some("optimizer.lr"), Some("stages.1.lr")];
    let edited = fields.map(|field| edited(text, name, field));
    asked || edited.contains(&true)
}

/// A file in which a learning rate is written says so, and nothing else of it has changed.
fn edited(text: &str, name: &str, asked: Option<&str>) -> bool {
    const LR: f64 = 2.5e-3;
    // Most inputs have no such field: the cheap look at the text goes first.
    if !asked
        .unwrap_or("l")
        .split('.')
        .all(|part| text.contains(part.trim_matches('1')))
    {
        return false;
    }
    let file = File::new(name, text.as_bytes());
    let Ok(target) = hparams::Target::check(file.path(), asked) else {
        return false;
    };
    let all = target.write(LR).expect("a checked field can be written");
    let written = std::fs::read_to_string(file.path()).expect("the file");
    let changed: Vec<&Hyperparameter> = all
        .iter()
        .filter(|parameter| parameter.before.is_some())
        .collect();
    assert!(
        matches!(changed[..], [one] if one.field == target.field() && one.value.parse() == Ok(LR)),
        "{changed:?}"
    );
    let outside = |text: &str, other: &str| -> (usize, usize) {
        let same = |(a, b): &(u8, u8)| a == b;
        let start = text.bytes().zip(other.bytes()).take_while(same).count();
        let end = text.bytes().rev().zip(other.bytes().rev());
        (start, end.take_while(same).count())
    };
    let (start, end) = outside(text, &written);
    // What differs is no longer than the number itself, with a space before it.
    assert!(
        written.len().saturating_sub(start + end) <= hparams::number(LR).len() + 1,
        "more than the number has changed: {written:?}"
    );
    let again = hparams::Target::check(file.path(), asked).expect("the same field");
    again.write(LR).expect("the same number");
    assert_eq!(
        std::fs::read_to_string(file.path()).expect("the file"),
        written
    );
    true
}

/// A specification that says much.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let texts = [
        "{}",
        r#"{"optimizer": "sgd", "momentum": 0.9, "nesterov": true, "split": "hybrid", "segments": 2,
            "replicas": 2, "overlap": "1.5", "num_training": 100, "min_lr": 1e-7, "max_lr": 1.0}"#,
        r#"{"model": "gpt", "data": "*.bin", "context": 8, "token_dtype": "u32", "vocabulary": 77,
            "layers": 1, "heads": 2, "width": 4, "freeze": ["layer1.*"],
            "groups": ["*.bias:weight_decay=0", "head.*:lr=10"], "profile": "fastai"}"#,
        r#"{"data": "*.npz", "input_keys": ["a", "b"], "target_key": "c", "loss": "bce_with_logits",
            "eval_data": "*.safetensors", "eval_batches": 3, "eval_every": 5, "clip_norm": 1.5}"#,
        r#"{"entry": "a:b", "custom_config": "x", "early_stop_threshold": "none", "seed": 7}"#,
    ];
    let seeds = texts.iter().map(|text| {
        let spec: SweepSpec = serde_json::from_str(text).expect("a specification");
        let mut input = vec![4];
        input.extend(spec.encode_to_vec());
        input
    });
    seeds.collect()
}
