//! What is wrong in a request is refused, all of it at once.

use prost_reflect::DescriptorPool;
use rangefinder_errors::Code;
use rangefinder_proto::v1;
use rangefinder_service_tests::calls::{list, mistakes, named, reason, spec, try_create};
use rangefinder_service_tests::{ANN, Service};
use serde_json::Value;
use std::collections::BTreeSet;

/// A wrong value for each field of a specification.
fn wrong() -> Value {
    let text = r#"{
        "model": "perceptron", "hidden_sizes": [0], "layers": 3, "heads": 2, "width": 8, "vocabulary": 5,
        "weights": "../w.safetensors", "freeze": [""], "data": "../d.npz", "targets": "t.npy",
        "input_keys": ["a"], "target_key": "b", "token_dtype": "u8", "context": 4, "target_column": "c",
        "target_type": "numeric", "augment": ["zoom"], "loss": "hinge", "label_smoothing": 1.5,
        "optimizer": "adamm", "momentum": 1.5, "dampening": 0.1, "nesterov": true, "weight_decay": -1.0,
        "beta1": 1.0, "beta2": -0.5, "alpha": 2.0, "eps": -1.0, "groups": ["no settings"],
        "clip_norm": -1.0, "clip_value": 0.0, "optimizer_state": "../o.pt", "batch_size": 0,
        "accumulate": 0, "global_batch_size": 63, "eval_data": "../e.npz", "eval_targets": "f.npy",
        "eval_batches": 0, "eval_every": 0, "min_lr": -1.0, "max_lr": 0.0, "num_training": 1,
        "mode": "cubic", "early_stop_threshold": 0.5, "split": "halves", "segments": 0, "replicas": 0,
        "overlap": "much", "method": "best", "profile": "keras", "skip_begin": 100000,
        "skip_end": 100000, "device": "tpu", "threads_per_worker": 0, "workers_per_gpu": 0,
        "precision": "fp8", "custom_config": "{}"
    }"#;
    serde_json::from_str(text).unwrap()
}

/// Fields of which no value is wrong for every sweep.
const FREE: [&str; 6] = [
    "shuffle",
    "drop_last",
    "seed",
    "deterministic",
    "ignore_index",
    "entry",
];

fn fields() -> BTreeSet<String> {
    let pool = DescriptorPool::decode(rangefinder_proto::DESCRIPTORS).unwrap();
    let spec = pool
        .get_message_by_name("rangefinder.v1.SweepSpec")
        .unwrap();
    spec.fields().map(|field| field.name().to_owned()).collect()
}

/// Every mistake has a field, a code of docs/errors.md, and words.
fn well_said(status: &tonic::Status) -> BTreeSet<String> {
    assert_eq!(status.code(), tonic::Code::InvalidArgument, "{status:?}");
    assert_eq!(reason(status), "FIELDS");
    let found = mistakes(status);
    let mut named = BTreeSet::new();
    for (field, code, description) in found {
        assert!(Code::parse(&code).is_some(), "{field}: {code}");
        // Many gRPC libraries take 8 KiB of headers, in base64.
        assert!(status.details().len() < 6000, "{}", status.details().len());
        let (what, remedy) = description.split_once('\n').unwrap_or_default();
        assert!(
            !what.is_empty() && !remedy.is_empty(),
            "{field}: {description}"
        );
        named.insert(field);
    }
    named
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_field_is_named_with_a_code_and_a_remedy() {
    let service = Service::start().await;
    let mut ann = service.sweeps(ANN);
    let wrong = wrong();
    let tried: BTreeSet<_> = wrong.as_object().unwrap().keys().cloned().collect();
    let free = FREE.map(str::to_owned).into();
    assert_eq!(fields(), &tried | &free, "a wrong value for each field");
    let usual = serde_json::to_value(spec()).unwrap();
    for (field, value) in wrong.as_object().unwrap() {
        let mut one = usual.clone();
        one[field] = value.clone();
        let request = v1::CreateSweepRequest {
            spec: Some(serde_json::from_value(one).unwrap()),
            ..named("wrong")
        };
        let refused = try_create(&mut ann, request).await;
        let refused = refused.expect_err(field);
        let named = well_said(&refused);
        assert!(
            named.contains(&format!("spec.{field}")),
            "{field}: {named:?}"
        );
        assert!(refused.message().contains("mistake"), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn much_that_is_wrong_and_long_still_fits_into_an_answer() {
    let service = Service::start().await;
    let mut ann = service.sweeps(ANN);
    let all = v1::CreateSweepRequest {
        spec: Some(serde_json::from_value(wrong()).unwrap()),
        ..named("all")
    };
    let refused = try_create(&mut ann, all).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{refused:?}");
    let found = mistakes(&refused);
    assert!(found.len() > 40, "{}", found.len());
    assert!(
        refused.details().len() < 6000,
        "{}",
        refused.details().len()
    );
    let long = "\u{1f980}".repeat(300_000);
    let long = v1::CreateSweepRequest {
        spec: Some(v1::SweepSpec {
            data: Some(long.clone()),
            method: Some(long.clone()),
            optimizer: Some(long),
            ..spec()
        }),
        ..named("long")
    };
    let refused = try_create(&mut ann, long).await.unwrap_err();
    let expected = ["spec.data", "spec.method", "spec.optimizer"];
    assert_eq!(well_said(&refused), expected.map(str::to_owned).into());
    let states = v1::ListSweepsRequest {
        states: vec![77; 100_000],
        ..v1::ListSweepsRequest::default()
    };
    let refused = list(&mut ann, states).await.unwrap_err();
    assert_eq!(mistakes(&refused).len(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_wrong_is_said_at_once() {
    let service = Service::start().await;
    let mut ann = service.sweeps(ANN);
    let request = v1::CreateSweepRequest {
        request_id: "r".repeat(129),
        name: "two\nlines".to_owned(),
        workers: 1025,
        priority: -101,
        spec: Some(v1::SweepSpec {
            data: Some("../secret".to_owned()),
            weights: Some("/etc/passwd".to_owned()),
            batch_size: Some(0),
            min_lr: Some(f64::NAN),
            method: Some("best".to_owned()),
            ..spec()
        }),
        validate_only: false,
    };
    let expected = [
        "name",
        "priority",
        "request_id",
        "spec.batch_size",
        "spec.data",
        "spec.method",
        "spec.min_lr",
        "spec.weights",
        "workers",
    ];
    let refused = try_create(&mut ann, request).await.unwrap_err();
    let named = well_said(&refused);
    assert_eq!(named, expected.map(str::to_owned).into());
    // A path that leads nowhere is one mistake.
    let data = mistakes(&refused)
        .into_iter()
        .filter(|(field, ..)| field == "spec.data");
    assert_eq!(data.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_a_request_are_where_they_are_said_to_be() {
    let service = Service::start().await;
    let mut ann = service.sweeps(ANN);
    let checked = |workers, priority, bytes: usize| v1::CreateSweepRequest {
        workers,
        priority,
        request_id: "r".repeat(bytes),
        validate_only: true,
        ..named(&"n".repeat(bytes))
    };
    for (workers, priority, bytes) in [(1, -100, 0), (1024, 100, 128)] {
        let sweep = try_create(&mut ann, checked(workers, priority, bytes)).await;
        assert_eq!(sweep.unwrap().workers, workers);
    }
    for (request, fields) in [
        (checked(1025, 0, 1), vec!["workers"]),
        (checked(1, 101, 1), vec!["priority"]),
        (checked(1, 0, 129), vec!["name", "request_id"]),
    ] {
        let refused = try_create(&mut ann, request).await.unwrap_err();
        let fields = fields.into_iter().map(str::to_owned).collect();
        assert_eq!(well_said(&refused), fields);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_specification_that_says_nothing_is_told_what_it_must_say() {
    let service = Service::start().await;
    let mut ann = service.sweeps(ANN);
    let request = v1::CreateSweepRequest {
        spec: None,
        validate_only: true,
        ..named("nothing")
    };
    // All fields have defaults.
    let sweep = try_create(&mut ann, request).await.unwrap();
    let spec = sweep.spec.unwrap();
    assert_eq!(
        (spec.model.as_deref(), spec.data.as_deref()),
        (Some("mlp"), Some("digits"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_asked_for_wrongly_is_refused_whole() {
    let service = Service::start().await;
    let mut ann = service.sweeps(ANN);
    for token in ["nonsense", "1", "1.x", ".", "1.2.3", "-"] {
        let request = v1::ListSweepsRequest {
            page_token: token.to_owned(),
            states: vec![0, 2, 77],
            ..v1::ListSweepsRequest::default()
        };
        let refused = list(&mut ann, request).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{token}");
        let fields: Vec<_> = mistakes(&refused)
            .into_iter()
            .map(|(field, ..)| field)
            .collect();
        assert_eq!(fields, ["page_token", "states", "states"], "{token}");
    }
}
