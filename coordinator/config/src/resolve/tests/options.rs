//! The options of the wider trainer: models, losses, parameters, batches, evaluation, data.

use super::{mistakes, resolve, resolved};

#[test]
fn the_global_batch_size_chooses_how_many_batches_are_accumulated() {
    let steps = |json| {
        let trainer = resolved(json).trainer;
        (trainer.batch_size, trainer.accumulate)
    };
    assert_eq!(steps(serde_json::json!({})), (64, 1));
    assert_eq!(
        steps(serde_json::json!({"batch_size": 32, "accumulate": 8})),
        (32, 8)
    );
    let global = serde_json::json!({"batch_size": 32, "global_batch_size": 4096});
    assert_eq!(steps(global.clone()), (32, 128));
    let once = resolved(global);
    assert_eq!(once.spec.accumulate, Some(128));
    assert_eq!(resolve(once.spec.clone(), 2, 8).unwrap(), once);
}

#[test]
fn batch_sizes_that_contradict_each_other_are_named_both() {
    insta::assert_snapshot!([
        serde_json::json!({"batch_size": 48, "global_batch_size": 100}),
        serde_json::json!({"batch_size": 64, "global_batch_size": 32}),
        serde_json::json!({"batch_size": 64, "global_batch_size": 0}),
        serde_json::json!({"batch_size": 3_000_000_000_u32, "global_batch_size": 4_000_000_000_u32}),
        serde_json::json!({"global_batch_size": 1 << 30}),
        serde_json::json!({"batch_size": 64, "global_batch_size": 512, "accumulate": 4}),
        serde_json::json!({"accumulate": 0}),
    ]
    .map(mistakes)
    .concat());
}

#[test]
fn precision_is_one_of_three_and_tf32_needs_a_gpu() {
    assert_eq!(resolved(serde_json::json!({})).trainer.precision, "fp32");
    let tf32 = serde_json::json!({"precision": "tf32"});
    assert_eq!(resolved(tf32).trainer.precision, "tf32");
    insta::assert_snapshot!(
        [
            serde_json::json!({"precision": "bf61"}),
            serde_json::json!({"precision": "tf32", "device": "cpu"}),
        ]
        .map(mistakes)
        .concat()
    );
}

#[test]
fn each_model_has_its_own_sizes() {
    let gpt = resolved(serde_json::json!({
        "model": "gpt", "layers": 2, "heads": 4, "width": 32, "data": "*.bin",
    }));
    assert_eq!(gpt.spec.layers, Some(2));
    assert!(gpt.spec.hidden_sizes.is_empty());
    assert_eq!(gpt.spec.vocabulary, None);
    let resnet = resolved(serde_json::json!({"model": "resnet18"}));
    assert_eq!((resnet.spec.width, resnet.spec.layers), (Some(64), None));
    insta::assert_snapshot!(
        [
            serde_json::json!({
                "model": "gpt", "width": 10, "heads": 4, "hidden_sizes": [1], "data": "*.bin",
            }),
            serde_json::json!({"model": "resnet18", "width": 0, "layers": 2}),
            serde_json::json!({"model": "mlp", "heads": 2, "vocabulary": 5, "width": 5}),
        ]
        .map(mistakes)
        .concat()
    );
}

#[test]
fn options_of_losses_parameters_and_evaluation_reach_the_workers() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, "").unwrap();
        path.display().to_string()
    };
    let once = resolved(serde_json::json!({
        "data": file("train.npz"), "input_keys": ["x"], "label_smoothing": 0.1, "ignore_index": -1,
        "weights": file("w.pt"), "optimizer_state": file("o.pt"), "freeze": ["layers.0.*"],
        "groups": ["*.bias:weight_decay=0", "layers.2.*:lr=0.1"], "clip_norm": 1.0,
        "eval_data": file("validation.npz"), "eval_every": 5,
    }));
    let trainer = &once.trainer;
    assert_eq!(trainer.label_smoothing, 0.1);
    assert_eq!(trainer.ignore_index, Some(-1));
    assert!(trainer.weights.ends_with("w.pt"));
    assert_eq!(trainer.freeze, ["layers.0.*"]);
    let evaluation = trainer.evaluation.as_ref().unwrap();
    assert_eq!((evaluation.batches, evaluation.every), (8, 5));
    let data = evaluation.data.as_ref().unwrap();
    assert!(data.source.ends_with("validation.npz"));
    assert_eq!(data.input_keys, ["x"]);
    let optimizer = trainer.optimizer.as_ref().unwrap();
    assert_eq!(optimizer.groups.len(), 2);
    assert_eq!(optimizer.groups[1].lr_ratio, 0.1);
    assert_eq!(optimizer.clip_norm, Some(1.0));
    assert!(optimizer.state.ends_with("o.pt"));
    assert_eq!(resolve(once.spec.clone(), 2, 8).unwrap(), once);

    let pairs = resolved(serde_json::json!({
        "data": file("x.npy"), "targets": file("y.npy"),
        "eval_data": file("vx.npy"), "eval_targets": file("vy.npy"),
    }));
    let evaluation = pairs.trainer.evaluation.unwrap().data.unwrap();
    assert!(evaluation.source.ends_with("vx.npy") && evaluation.targets.ends_with("vy.npy"));
}

#[test]
fn options_that_do_not_fit_the_loss_the_gradients_or_the_evaluation_are_mistakes() {
    insta::assert_snapshot!(
        [
            serde_json::json!({"loss": "mse", "label_smoothing": 0.1, "ignore_index": 0}),
            serde_json::json!({"label_smoothing": 1.0, "loss": "cross_entropy"}),
            serde_json::json!({"loss": "nll"}),
            serde_json::json!({"clip_norm": 1.0, "clip_value": 0.5}),
            serde_json::json!({"clip_norm": 0.0}),
            serde_json::json!({"clip_value": -1.0}),
            serde_json::json!({"freeze": ["  "], "groups": [
                "head", ":lr=1", "a:", "a:lr", "a:lr=1,lr=2", "a:lr=0", "a:weight_decay=-1",
                "a:weight_deca=1", "a:momentum=1", "b:lr=1", "b:lr=2",
            ]}),
            serde_json::json!({"weights": "/nowhere/w.pt", "optimizer_state": "/nowhere/o.pt"}),
            serde_json::json!({"eval_batches": 3, "eval_every": 2}),
            serde_json::json!({"data": "*.npz", "eval_data": "/nowhere/v.npz", "eval_batches": 0}),
            serde_json::json!({"data": "*.npz", "eval_data": "*.csv"}),
            serde_json::json!({"data": "x*.npy", "targets": "y*.npy", "eval_data": "v*.npz"}),
            serde_json::json!({"data": "x*.npy", "targets": "y*.npy", "eval_data": "v*.npy"}),
            serde_json::json!({"data": "*.npz", "eval_data": "v*.npz", "eval_targets": "y*.npy"}),
            serde_json::json!({"eval_targets": "y*.npy"}),
            serde_json::json!({"eval_data": "*.npz"}),
        ]
        .map(mistakes)
        .concat()
    );
}

#[test]
fn data_say_what_their_format_needs_and_nothing_else() {
    let tokens = resolved(serde_json::json!({"model": "gpt", "data": "*.bin"}));
    let data = tokens.trainer.data.unwrap();
    assert_eq!((data.token_dtype.as_str(), data.context), ("u16", 256));
    let table = |loss| {
        let asked = serde_json::json!({"data": "*.csv", "target_column": "y", "loss": loss});
        resolved(asked).trainer.data.unwrap().target_type
    };
    assert_eq!(table("cross_entropy"), "categorical");
    assert_eq!(table("mse"), "numeric");
    let images =
        resolved(serde_json::json!({"augment": ["crop=2", "flip"], "eval_data": "digits"}));
    let varied = images.trainer.data.unwrap().augmentation.unwrap();
    assert_eq!((varied.crop, varied.flip), (2, true));
    let evaluated = images.trainer.evaluation.unwrap().data.unwrap();
    assert_eq!(
        evaluated.augmentation, None,
        "an evaluation is never varied"
    );

    insta::assert_snapshot!([
        serde_json::json!({"context": 8, "token_dtype": "u16", "target_column": "y", "target_type": "numeric"}),
        serde_json::json!({"model": "gpt", "data": "*.bin", "context": 0, "token_dtype": "u64", "target_key": "y"}),
        serde_json::json!({"data": "*.bin", "loss": "mse"}),
        serde_json::json!({"model": "gpt", "loss": "mse"}),
        serde_json::json!({"data": "*.csv", "input_keys": ["x"]}),
        serde_json::json!({"data": "*.csv", "target_column": "y", "target_type": "number", "loss": "mse"}),
        serde_json::json!({"data": "*.csv", "target_column": "y", "target_type": "numeric"}),
        serde_json::json!({"data": "*.csv", "target_column": "y", "target_type": "categorical", "loss": "mse"}),
        serde_json::json!({"data": "*.npz", "input_keys": ["x", "y"], "target_key": "y"}),
        serde_json::json!({"data": "*.txt"}),
        serde_json::json!({"data": "x*.npy"}),
        serde_json::json!({"augment": ["crop", "crop=0", "flip=1", "flop", "flip", "flip"]}),
    ]
    .map(mistakes)
    .concat());
}

#[test]
fn a_row_of_the_table_of_methods_is_told_how_to_be_asked_for() {
    for (field, name, remedy) in [
        (
            "profile",
            "fastai/valley",
            "give --profile fastai --method valley",
        ),
        (
            "method",
            "fastai/slide",
            "give --profile fastai --method slide",
        ),
        ("profile", "fastai/drop80", "give --profile fastai"),
        ("method", "lightning", "give --profile lightning"),
        ("profile", "steepest", "give --method steepest"),
        ("profile", "fastia", "did you mean `fastai`?"),
    ] {
        let told = mistakes(serde_json::json!({ field: name }));
        assert!(
            told.contains(&format!("{field}: `{name}` is unknown")),
            "{told}"
        );
        assert!(told.trim_end().ends_with(remedy), "{told}");
    }
}

#[test]
fn data_that_are_not_read_are_told_how_to_become_so() {
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str| serde_json::json!({ "data": name });
    let endings = [
        "txt", "pt", "PTH", "parquet", "jsonl", "json", "tsv", "png", "h5",
    ];
    let unread: String = endings
        .iter()
        .map(|ending| mistakes(of(&format!("*.{ending}"))))
        .collect();
    let path = folder.path().display().to_string();
    let folder = mistakes(of(&path)).replace(&path, "images");
    insta::assert_snapshot!(unread + &folder);
}

#[test]
fn what_the_probe_does_not_see_is_told_to_the_planner() {
    let once = resolved(serde_json::json!({"eval_data": "digits", "eval_every": 2}));
    assert_eq!(once.request.plan.updates_per_step, 2);
    assert_eq!(once.answer.beta, Some(0.9f64.powf(2.0)));
    assert_eq!(crate::memory(&once.spec), once.answer.beta);
    let planner = crate::trainability(&once);
    assert_eq!(
        (planner.beta, planner.adaptive),
        (Some(0.9), true),
        "from update to update"
    );
    let groups = resolved(serde_json::json!({"groups": ["a:lr=0.1", "b:lr=10", "c:lr=3"]}));
    assert_eq!(groups.request.plan.largest_lr_ratio, 10.0);
    let accumulated = resolved(serde_json::json!({"accumulate": 8}));
    assert_eq!(accumulated.request.plan.updates_per_step, 1);
    assert_eq!(accumulated.answer.beta, Some(0.9));
}
