mod options;
mod round_trips;

use super::*;
use crate::Device;
use proptest::prelude::*;
use rangefinder_sweep::plan::Split;
use rangefinder_sweep::schedule::Grid;
use rangefinder_sweep::suggest::{Method, Profile};

fn spec(toml_like: serde_json::Value) -> v1::SweepSpec {
    serde_json::from_value(toml_like).unwrap()
}

fn resolved(json: serde_json::Value) -> Resolved {
    resolve(spec(json), 2, 8).unwrap()
}

/// The mistakes, as people will read them.
fn mistakes(json: serde_json::Value) -> String {
    resolve(spec(json), 2, 8)
        .unwrap_err()
        .iter()
        .map(|error| format!("{}: {}\n    {}\n", error.field, error.message, error.remedy))
        .collect()
}

#[test]
fn nothing_asked_is_the_embedded_default() {
    let resolved = resolved(serde_json::json!({}));
    let spec = &resolved.spec;
    assert_eq!(spec.model.as_deref(), Some("mlp"));
    assert_eq!(spec.hidden_sizes, [256, 256]);
    assert_eq!(spec.data.as_deref(), Some("digits"));
    assert_eq!(spec.optimizer.as_deref(), Some("adamw"));
    assert_eq!(spec.weight_decay, Some(0.01));
    assert_eq!(spec.batch_size, Some(64));
    assert_eq!(spec.threads_per_worker, Some(4));
    assert_eq!(spec.momentum, None);
    let range = resolved.request.plan.range;
    assert_eq!((range.min_lr, range.max_lr, range.steps), (1e-8, 1.0, 100));
    assert_eq!(range.grid, Grid::BothEnds);
    assert_eq!(resolved.request.plan.overlap_decades, 1.0);
    assert_eq!(resolved.request.stop.threshold, 4.0);
    assert_eq!(resolved.answer.method, Method::Auto);
    assert_eq!(resolved.answer.beta, Some(0.9));
    assert_eq!(resolved.device, Device::Auto);
}

#[test]
fn a_profile_brings_its_own_habits_where_nothing_else_is_said() {
    let fastai = resolved(serde_json::json!({"profile": "fastai"}));
    let range = fastai.request.plan.range;
    assert_eq!(
        (range.min_lr, range.max_lr, range.grid),
        (1e-7, 10.0, Grid::UpperOpen)
    );
    assert_eq!(fastai.answer.method, Method::Valley);

    let torch = resolved(serde_json::json!({"profile": "torch-lr-finder", "max_lr": 2.0}));
    let range = torch.request.plan.range;
    assert_eq!((range.min_lr, range.max_lr), (1e-3, 2.0));
    assert_eq!(torch.request.stop.threshold, 5.0);
    assert_eq!(torch.answer.threshold, Some(5.0));
    assert_eq!(torch.request.stop.profile, Some(Profile::TorchLrFinder));
}

#[test]
fn the_optimizers_memory_is_momentum_or_beta1() {
    let beta = |json| resolved(json).answer.beta;
    assert_eq!(beta(serde_json::json!({"optimizer": "sgd"})), Some(0.0));
    assert_eq!(
        beta(serde_json::json!({"optimizer": "sgd", "momentum": 0.5})),
        Some(0.5)
    );
    assert_eq!(
        beta(serde_json::json!({"optimizer": "adam", "beta1": 0.8})),
        Some(0.8)
    );
    assert_eq!(beta(serde_json::json!({"optimizer": "rmsprop"})), Some(0.0));
}

#[test]
fn naming_segments_or_replicas_chooses_the_split() {
    let split = |json| resolved(json).request.plan.split;
    assert_eq!(split(serde_json::json!({})), Split::Auto);
    assert_eq!(split(serde_json::json!({"segments": 2})), Split::Segments);
    assert_eq!(split(serde_json::json!({"replicas": 2})), Split::Replicas);
    assert_eq!(
        split(serde_json::json!({"replicas": 2, "split": "auto"})),
        Split::Replicas
    );
    assert_eq!(
        split(serde_json::json!({"replicas": 2, "segments": 2})),
        Split::Hybrid
    );
}

#[test]
fn workers_have_at_least_one_thread() {
    assert_eq!(
        resolve(v1::SweepSpec::default(), 4, 2)
            .unwrap()
            .trainer
            .threads,
        1
    );
}

#[test]
fn all_mistakes_come_at_once_in_the_order_of_the_fields() {
    insta::assert_snapshot!(mistakes(serde_json::json!({
        "model": "mpl",
        "data": "/nowhere/data.npz",
        "loss": "module",
        "optimizer": "sgd",
        "nesterov": true,
        "beta1": 0.9,
        "momentum": 0.0,
        "weight_decay": -1.0,
        "batch_size": 0,
        "min_lr": 1.0,
        "max_lr": 0.1,
        "num_training": 5,
        "mode": "exp",
        "early_stop_threshold": 1.0,
        "split": "segments",
        "replicas": 2,
        "overlap": "fats",
        "method": "drop08",
        "device": "cuda",
        "threads_per_worker": 0,
        "workers_per_gpu": 0,
    })));
}

#[test]
fn what_does_not_apply_is_a_mistake() {
    insta::assert_snapshot!(mistakes(serde_json::json!({
        "targets": "y.npy",
        "input_keys": ["x"],
        "target_key": "y",
        "momentum": 0.9,
        "dampening": 0.1,
        "nesterov": true,
        "alpha": 0.9,
        "split": "none",
        "segments": 2,
        "replicas": 2,
        "profile": "ignite",
        "method": "valley",
        "device": "cpu",
        "workers_per_gpu": 2,
    })));
}

#[test]
fn learning_rates_that_are_no_numbers_are_mistakes() {
    for (min_lr, max_lr) in [
        (0.0, 1.0),
        (-1.0, 1.0),
        (f64::NAN, 1.0),
        (1e-8, f64::INFINITY),
    ] {
        let asked = v1::SweepSpec {
            min_lr: Some(min_lr),
            max_lr: Some(max_lr),
            ..v1::SweepSpec::default()
        };
        let errors = resolve(asked, 1, 1).unwrap_err();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(
            errors[0].message.contains("not a learning rate"),
            "{errors:?}"
        );
    }
}

#[test]
fn too_many_workers_for_the_machine_are_a_mistake() {
    for workers in [0, 17, u32::MAX] {
        let errors = resolve(v1::SweepSpec::default(), workers, 2).unwrap_err();
        assert_eq!(errors[0].field, "workers");
        assert!(errors[0].message.contains("expected 1 to 16"), "{errors:?}");
    }
    assert!(resolve(v1::SweepSpec::default(), 16, 2).is_ok());
}

#[test]
fn a_file_is_told_from_a_misspelt_one() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model.pt");
    std::fs::write(&model, "").unwrap();
    let inputs = folder.path().join("x.npy");
    std::fs::write(&inputs, "").unwrap();
    let resolved = resolved(serde_json::json!({
        "model": model, "data": inputs, "targets": inputs,
    }));
    assert!(resolved.spec.hidden_sizes.is_empty());
    assert!(resolved.spec.input_keys.is_empty());

    let text = mistakes(serde_json::json!({
        "model": folder.path().join("modle.pt"),
        "data": inputs,
        "hidden_sizes": [1],
    }));
    assert!(text.contains("did you mean"), "{text}");
    assert!(text.contains("model.pt"), "{text}");
    assert!(text.contains("targets: is missing"), "{text}");
}

proptest! {
    #[test]
    fn no_specification_makes_it_panic(
        numbers in prop::collection::vec(prop::num::f64::ANY, 10),
        integers in prop::collection::vec(any::<u32>(), 9),
        words in prop::collection::vec("[a-z:0-9.]{0,12}", 9),
        set in prop::collection::vec(any::<bool>(), 28),
        workers in any::<u32>(),
        cores in any::<u32>(),
    ) {
        let mut set = set.into_iter();
        let mut number = numbers.into_iter();
        let mut integer = integers.into_iter();
        let mut word = words.into_iter();
        let mut number = || number.next().filter(|_| set.next().unwrap_or(true));
        let asked = v1::SweepSpec {
            momentum: number(), dampening: number(), weight_decay: number(), beta1: number(),
            beta2: number(), alpha: number(), eps: number(), min_lr: number(), max_lr: number(),
            early_stop_threshold: number(),
            batch_size: integer.next(), num_training: integer.next(), segments: integer.next(),
            replicas: integer.next(), skip_begin: integer.next(), skip_end: integer.next(),
            threads_per_worker: integer.next(), workers_per_gpu: integer.next(),
            model: word.next(), data: word.next(), loss: word.next(), optimizer: word.next(),
            mode: word.next(), split: word.next(), overlap: word.next(), method: word.next(),
            device: word.next(),
            ..v1::SweepSpec::default()
        };
        let _ = resolve(asked, workers, cores);
    }
}
