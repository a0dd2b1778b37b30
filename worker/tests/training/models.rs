//! The large built-ins, through the interface that the session drives; their gradients are compared
//! with PyTorch's beside their code.

use crate::cases;
use crate::support::{fixture, losses, spec, trainer};
use rangefinder_proto::v1;
use rangefinder_session::trainer::Trainer;
use serde_json::Value;

fn builtin(builtin: v1::Builtin) -> v1::TrainerSpec {
    let name = builtin.name.clone();
    v1::TrainerSpec {
        trainer: Some(v1::trainer_spec::Trainer::Builtin(builtin)),
        data: Some(v1::Data {
            source: fixture(&format!("{name}.npz")).display().to_string(),
            ..v1::Data::default()
        }),
        batch_size: 6,
        ..spec("mlp", "sgd")
    }
}

fn resnet18() -> v1::TrainerSpec {
    builtin(v1::Builtin {
        name: "resnet18".to_owned(),
        width: 4,
        ..v1::Builtin::default()
    })
}

fn gpt() -> v1::TrainerSpec {
    builtin(v1::Builtin {
        name: "gpt".to_owned(),
        layers: 2,
        heads: 2,
        width: 16,
        ..v1::Builtin::default()
    })
}

/// Names and shapes, as the scripts write them.
fn described(spec: &v1::TrainerSpec) -> Vec<(String, Vec<i64>)> {
    let described = trainer().describe(spec).unwrap();
    let parameters: Vec<_> = described
        .parameters
        .into_iter()
        .map(|p| (p.name, p.shape))
        .collect();
    let count: i64 = parameters
        .iter()
        .map(|(_, shape)| shape.iter().product::<i64>())
        .sum();
    assert_eq!(u64::try_from(count), Ok(described.parameter_count));
    parameters
}

#[test]
fn names_and_shapes_are_pytorchs() {
    for (name, spec) in [("resnet18", resnet18()), ("gpt", gpt())] {
        let text = std::fs::read_to_string(fixture(&format!("{name}.json"))).unwrap();
        let reference: Value = serde_json::from_str(&text).unwrap();
        let expected: Vec<(String, Vec<i64>)> =
            serde_json::from_value(reference["parameters"].clone()).unwrap();
        assert_eq!(described(&spec), expected);
    }
}

#[test]
fn fresh_weights_know_nothing_yet() {
    // Of c classes or tokens that are equally likely, the loss is ln(c).
    let initial = |spec| trainer().describe(&spec).unwrap().initial_loss;
    let gpt = initial(gpt());
    assert!((gpt - 32.0_f64.ln()).abs() < 0.1, "{gpt}");
    let resnet18 = initial(resnet18());
    assert!((resnet18 - 5.0_f64.ln()).abs() < 1.0, "{resnet18}");
}

#[test]
fn a_seed_gives_the_same_weights_and_another_gives_others() {
    for spec in [resnet18(), gpt()] {
        let first = |seed| {
            let spec = v1::TrainerSpec {
                seed,
                ..spec.clone()
            };
            losses(&mut trainer(), &spec, 0, 1)[0].to_bits()
        };
        assert_eq!(first(1), first(1));
        assert_ne!(first(1), first(2));
    }
}

#[test]
fn heads_must_share_the_width_evenly() {
    let mut spec = gpt();
    if let Some(v1::trainer_spec::Trainer::Builtin(builtin)) = &mut spec.trainer {
        builtin.heads = 3;
    }
    let failure = trainer().describe(&spec).unwrap_err();
    assert_eq!(failure.fields[0].field, "heads");
    for part in ["3 heads", "width of 16"] {
        assert!(failure.message.contains(part), "{failure:?}");
    }
}

#[test]
fn a_token_beyond_the_vocabulary_is_named() {
    let mut spec = gpt();
    if let Some(v1::trainer_spec::Trainer::Builtin(builtin)) = &mut spec.trainer {
        builtin.vocabulary = 31;
    }
    let failure = trainer().describe(&spec).unwrap_err();
    let field = &failure.fields[0];
    assert_eq!(field.field, "vocabulary");
    assert_eq!(field.remedy, "use vocabulary 32, or leave it out");
    for part in ["token out of range: `inputs`", "has 31, expected 0 to 30"] {
        assert!(failure.message.contains(part), "{failure:?}");
    }
}

/// A stream of 8 samples, the last of whose targets is alone too large for any model here.
fn stream_with_a_large_token(folder: &tempfile::TempDir) -> v1::Data {
    let tokens = (0..32).map(|at| at % 4).chain([999_u16]);
    let bytes: Vec<u8> = tokens.flat_map(u16::to_le_bytes).collect();
    let file = folder.path().join("tokens.bin");
    std::fs::write(&file, bytes).unwrap();
    v1::Data {
        source: file.display().to_string(),
        context: 4,
        ..v1::Data::default()
    }
}

#[test]
fn a_token_that_only_the_targets_have_counts_for_the_vocabulary() {
    let folder = tempfile::tempdir().unwrap();
    let mut spec = gpt();
    spec.data = Some(stream_with_a_large_token(&folder));
    if let Some(v1::trainer_spec::Trainer::Builtin(builtin)) = &mut spec.trainer {
        builtin.vocabulary = 31;
    }
    let failure = trainer().describe(&spec).unwrap_err();
    assert!(
        failure.message.contains("`targets` of sample 7 has 999"),
        "{failure:?}"
    );
    assert_eq!(
        failure.fields[0].remedy,
        "use vocabulary 1000, or leave it out"
    );
}

#[test]
fn a_model_of_tokens_of_ones_own_is_told_of_tokens_and_not_of_classes() {
    let folder = tempfile::tempdir().unwrap();
    let mut spec = cases::case("losses.json", "tokens, classes last").spec;
    spec.data = Some(stream_with_a_large_token(&folder));
    let failure = trainer().describe(&spec).unwrap_err();
    let field = &failure.fields[0];
    assert_eq!(field.code.as_deref(), Some("RF409"), "{failure:?}");
    assert!(
        failure.message.contains("token out of range: `targets`"),
        "{failure:?}"
    );
    assert!(field.remedy.contains("number the tokens"), "{failure:?}");
}

#[test]
fn a_model_of_images_refuses_tokens_and_one_of_tokens_refuses_images() {
    let data = |of: &v1::TrainerSpec| of.data.clone();
    let images = v1::TrainerSpec {
        data: data(&resnet18()),
        ..gpt()
    };
    let failure = trainer().describe(&images).unwrap_err();
    assert!(
        failure.message.contains("needs integer tokens"),
        "{failure:?}"
    );
    let tokens = v1::TrainerSpec {
        data: data(&gpt()),
        ..resnet18()
    };
    let failure = trainer().describe(&tokens).unwrap_err();
    assert_eq!(failure.kind, v1::FailureKind::User, "{failure:?}");
}

#[test]
fn gpt_trains_as_in_pytorch_from_a_state_dict_with_its_tied_head() {
    let name = "gpt, smoothed, an ignored token";
    cases::case("losses.json", name).assert_as_in_pytorch();
}
