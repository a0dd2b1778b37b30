//! A resolved specification says all there is: it resolves to itself, whatever it is written as.

use crate::fields::{self, Kind};
use crate::manual;
use crate::tree::Format;
use crate::{file, resolve};
use proptest::prelude::*;
use rangefinder_proto::v1;

/// Choices that go together with every one of the other lists. Patterns stand for files, which
/// need not exist.
const CHOICES: [&[&str]; 8] = [
    &[
        r#"{}"#,
        r#"{"hidden_sizes": [3, 5], "label_smoothing": 0.1, "ignore_index": -1}"#,
        r#"{"model": "cnn", "data": "x*.npy", "targets": "y*.npy", "augment": ["crop=4", "flip"]}"#,
        r#"{"model": "resnet18", "width": 8, "data": "train-*-ubyte.gz", "targets": "labels*.idx"}"#,
        r#"{"model": "gpt", "data": "*.bin"}"#,
        r#"{"model": "gpt", "data": "*.bin", "context": 8, "token_dtype": "u32", "vocabulary": 77,
            "layers": 1, "heads": 2, "width": 4}"#,
        r#"{"data": "part-{0..3}.csv", "target_column": "price", "loss": "l1"}"#,
        r#"{"data": "*.csv", "target_column": "a \"name\"", "eval_data": "v*.csv"}"#,
        r#"{"data": "*.npz", "input_keys": ["a", "b"], "target_key": "c", "loss": "bce_with_logits",
            "eval_data": "*.safetensors", "eval_batches": 3, "eval_every": 5}"#,
        r#"{"data": "x*.npy", "targets": "y*.npy", "eval_data": "v*.npy", "eval_targets": "w*.npy"}"#,
        r#"{"eval_data": "digits", "eval_every": 10, "loss": "cross_entropy"}"#,
    ],
    &[
        r#"{}"#,
        r#"{"optimizer": "sgd", "momentum": 0.9, "nesterov": true}"#,
        r#"{"optimizer": "rmsprop", "alpha": 0.5}"#,
        r#"{"optimizer": "adam", "beta1": 0.7, "eps": 1e-6}"#,
    ],
    &[
        r#"{}"#,
        r#"{"freeze": ["layer1.*"], "groups": ["*.bias:weight_decay=0", "head.*:lr=10"]}"#,
        r#"{"clip_norm": 1.5}"#,
        r#"{"clip_value": 1e-3}"#,
    ],
    &[
        r#"{}"#,
        r#"{"batch_size": 12, "accumulate": 3}"#,
        r#"{"batch_size": 12, "global_batch_size": 48, "drop_last": true}"#,
        r#"{"shuffle": false, "seed": 9223372036854775807}"#,
    ],
    &[
        r#"{}"#,
        r#"{"min_lr": 1e-5, "max_lr": 0.3, "early_stop_threshold": "none", "num_training": 300}"#,
        r#"{"mode": "linear"}"#,
    ],
    &[
        r#"{}"#,
        r#"{"segments": 3, "overlap": 1.5}"#,
        r#"{"replicas": 2}"#,
        r#"{"split": "none"}"#,
    ],
    &[
        r#"{}"#,
        r#"{"method": "drop80", "skip_end": 3}"#,
        r#"{"profile": "fastai"}"#,
        r#"{"profile": "ignite"}"#,
        r#"{"profile": "lightning", "skip_begin": 4}"#,
    ],
    &[
        r#"{}"#,
        r#"{"device": "cpu", "threads_per_worker": 2, "precision": "bf16"}"#,
        r#"{"device": "cuda:1", "workers_per_gpu": 2, "deterministic": true, "precision": "tf32"}"#,
    ],
];

fn chosen(picks: &[prop::sample::Index]) -> v1::SweepSpec {
    let mut spec = v1::SweepSpec::default();
    for (choices, pick) in CHOICES.into_iter().zip(picks) {
        file::overlay(
            &mut spec,
            &serde_json::from_str(pick.get::<&str>(choices)).unwrap(),
        );
    }
    spec
}

proptest! {
    #[test]
    fn a_resolved_specification_resolves_to_itself_whatever_it_is_written_as(
        picks in prop::collection::vec(any::<prop::sample::Index>(), CHOICES.len()),
    ) {
        let once = resolve(chosen(&picks), 2, 8).unwrap();
        prop_assert_eq!(&resolve(once.spec.clone(), 2, 8).unwrap(), &once);

        let json = serde_json::to_string(&once.spec).unwrap();
        prop_assert_eq!(&serde_json::from_str::<v1::SweepSpec>(&json).unwrap(), &once.spec);
        prop_assert_eq!(&file::parse(&json, Format::Json).unwrap(), &once.spec);

        let fields = serde_json::to_value(&once.spec).unwrap();
        let lines = fields.as_object().unwrap().iter();
        let toml: String = lines
            .map(|(key, value)| format!("{key} = {}\n", manual::toml(value)))
            .collect();
        prop_assert_eq!(&file::parse(&toml, Format::Toml).unwrap(), &once.spec, "{}", toml);
    }
}

proptest! {
    /// Every field gets values of its kind, sensible and not, in any company.
    #[test]
    fn no_values_of_any_fields_make_it_panic(
        values in prop::collection::vec(
            (any::<prop::sample::Index>(), any::<u32>(), -2.0..20.0f64, words()),
            0..12,
        ),
    ) {
        let fields = fields::all();
        let object: serde_json::Map<_, _> = values
            .into_iter()
            .map(|(field, integer, number, word)| {
                let field = field.get(fields);
                let value: serde_json::Value = match field.kind {
                    Kind::Text => word.into(),
                    Kind::Texts => vec![word].into(),
                    Kind::Number => number.into(),
                    Kind::Integer => integer.into(),
                    Kind::Integers => vec![integer].into(),
                    Kind::Bool => (integer % 2 == 0).into(),
                };
                (field.name.clone(), value)
            })
            .collect();
        let asked: v1::SweepSpec = serde_json::from_value(object.into()).unwrap();
        for mistake in resolve(asked, 2, 8).err().unwrap_or_default() {
            prop_assert!(fields.iter().any(|field| field.name == mistake.field), "{mistake:?}");
            prop_assert!(!mistake.message.is_empty() && !mistake.remedy.is_empty());
        }
    }
}

fn words() -> impl Strategy<Value = String> {
    const KNOWN: [&str; 19] = [
        "gpt", "resnet18", "*.bin", "*.npz", "*.csv", "x*.npy", "digits", "mse", "nll", "sgd",
        "rmsprop", "tf32", "cpu", "a:lr=2", "crop=4", "flip", "u32", "numeric", "linear",
    ];
    prop_oneof![
        prop::sample::select(&KNOWN[..]).prop_map(str::to_owned),
        "[a-z0-9.:=,*é /]{0,10}",
    ]
}

#[test]
fn the_choices_name_every_field_of_our_own_worker_but_files_that_must_exist() {
    let named: std::collections::BTreeSet<String> = CHOICES
        .iter()
        .copied()
        .flatten()
        .flat_map(|choice| {
            let choice: serde_json::Value = serde_json::from_str(choice).unwrap();
            choice
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect::<Vec<_>>()
        })
        .collect();
    let missing: Vec<_> = fields::all()
        .iter()
        .map(|field| field.name.as_str())
        .filter(|name| !named.contains(*name))
        .collect();
    let completed = ["target_type", "dampening", "weight_decay", "beta2"];
    let elsewhere = ["weights", "optimizer_state", "entry", "custom_config"];
    assert!(
        missing
            .iter()
            .all(|it| completed.contains(it) || elsewhere.contains(it)),
        "{missing:?}"
    );
}
