//! Parameters that are not what most are: of other types, tied, with sparse gradients, or in memory not
//! in the order of their indices.

use crate::cases::{case, cases};
use crate::support::{bits, losses, model, spec, trainer};
use rangefinder_errors::Code;
use rangefinder_proto::v1;
use rangefinder_session::trainer::{Failure, Trainer};

#[test]
fn they_train_as_in_pytorch() {
    let cases = cases("unusual.json");
    assert_eq!(cases.len(), 10);
    for case in cases {
        if case.name.starts_with("half") {
            // Eleven bits of a number: processors round otherwise.
            case.assert_losses_within(5e-3);
        } else {
            case.assert_as_in_pytorch();
        }
    }
}

#[test]
fn float64_stays_float64_under_bf16() {
    let mut case = case("unusual.json", "double, adam");
    let plain = case.run().losses;
    case.spec.precision = "bf16".to_owned();
    assert_eq!(plain, case.run().losses);
}

fn refusal(spec: &v1::TrainerSpec) -> Failure {
    let failure = trainer().describe(spec).unwrap_err();
    assert_eq!(failure.kind, v1::FailureKind::User, "{failure:?}");
    failure
}

#[test]
fn a_parameter_with_gaps_in_its_memory_is_a_mistake_of_the_model() {
    let mut case = case("unusual.json", "transposed, gone on with");
    case.spec.optimizer.as_mut().unwrap().state.clear();
    case.spec.trainer = Some(model("unusual/with_gaps.pt"));
    let failure = refusal(&case.spec);
    assert_eq!(failure.code, Code::ParameterWithGaps);
    assert_eq!(failure.fields[0].field, "model");
    for part in ["`body.weight`", "[5, 6]", "[12, 1]"] {
        assert!(failure.message.contains(part), "{failure:?}");
    }
    assert!(failure.fields[0].remedy.contains("contiguous"));
    // Where it is not trained, it does no harm.
    case.spec.freeze = vec!["body.*".to_owned()];
    assert!(trainer().describe(&case.spec).is_ok());
}

#[test]
fn a_tied_weight_has_its_first_name_alone_as_in_pytorch() {
    let described = trainer().describe(&spec("tied.pt", "sgd")).unwrap();
    let names: Vec<&str> = described
        .parameters
        .iter()
        .map(|p| p.name.as_str())
        .collect();
    assert_eq!(names, ["encode.weight", "head.weight", "head.bias"]);

    let mut second = spec("tied.pt", "sgd");
    second.freeze = vec!["decode.*".to_owned()];
    let failure = refusal(&second);
    assert!(
        failure.message.contains("`decode.*` fits no parameter"),
        "{failure:?}"
    );
}

#[test]
fn a_tied_weight_that_is_frozen_is_frozen_under_both_names() {
    let mut frozen = spec("tied.pt", "sgd");
    frozen.freeze = vec!["encode.*".to_owned()];
    let described = trainer().describe(&frozen).unwrap();
    assert_eq!(described.parameter_count, 64 * 10 + 10);

    // The same where it is not to be moved by its rate, but for the bits of the rest.
    let mut still = spec("tied.pt", "sgd");
    still.optimizer.as_mut().unwrap().groups = vec![v1::ParameterGroup {
        pattern: "encode.*".to_owned(),
        lr_ratio: 1e-300,
        weight_decay: None,
    }];
    let run = |spec| bits(&losses(&mut trainer(), spec, 0, 100));
    assert_eq!(run(&frozen), run(&still));
}
