//! Parameter groups, frozen parameters and limits of gradients are those of PyTorch's own loop.

use crate::cases::{case, cases};
use rangefinder_errors::Code;
use rangefinder_proto::v1;
use rangefinder_session::trainer::{Failure, Trainer};

use crate::support::trainer;

#[test]
fn every_optimizer_trains_groups_step_by_step_as_pytorchs_own_loop() {
    let cases = cases("groups.json");
    assert_eq!(cases.len(), 25);
    for case in cases {
        case.assert_as_in_pytorch();
    }
}

#[test]
fn the_swept_rate_is_the_reference_groups() {
    // All parameters at twice the rate are none at a rate twice as high.
    let mut plain = case("groups.json", "adam, loose");
    let rates: Vec<f64> = plain.rates.iter().map(|rate| rate * 2.0).collect();
    let mut doubled = case("groups.json", "adam, loose");
    doubled.spec.optimizer.as_mut().unwrap().groups = vec![v1::ParameterGroup {
        pattern: "*".to_owned(),
        lr_ratio: 2.0,
        weight_decay: None,
    }];
    plain.rates = rates;
    assert_eq!(plain.run().losses, doubled.run().losses);
}

fn refusal(change: impl FnOnce(&mut v1::TrainerSpec)) -> Failure {
    let mut spec = case("groups.json", "sgd, groups").spec;
    change(&mut spec);
    let failure = trainer().describe(&spec).unwrap_err();
    assert_eq!(failure.kind, v1::FailureKind::User, "{failure:?}");
    failure
}

fn group(pattern: &str) -> v1::ParameterGroup {
    v1::ParameterGroup {
        pattern: pattern.to_owned(),
        lr_ratio: 2.0,
        weight_decay: None,
    }
}

#[test]
fn a_pattern_that_fits_no_parameter_is_named_with_the_parameters_there_are() {
    let failure = refusal(|spec| {
        spec.optimizer.as_mut().unwrap().groups = vec![group("haed.weight")];
    });
    assert_eq!(failure.code, Code::PatternFitsNothing);
    assert_eq!(failure.fields[0].field, "groups");
    for part in ["`haed.weight`", "`head.weight`", "`norm.bias`"] {
        assert!(failure.message.contains(part), "{failure:?}");
    }
    assert!(
        failure.fields[0].remedy.contains("`head.weight`"),
        "{failure:?}"
    );

    let failure = refusal(|spec| spec.freeze = vec!["tail.*".to_owned()]);
    assert_eq!(failure.fields[0].field, "freeze");
    assert!(failure.message.contains("`tail.*`"), "{failure:?}");
}

#[test]
fn a_group_of_frozen_parameters_alone_is_a_mistake() {
    let failure = refusal(|spec| {
        spec.freeze = vec!["head.*".to_owned()];
        spec.optimizer.as_mut().unwrap().groups = vec![group("head.*")];
    });
    assert_eq!(failure.fields[0].field, "groups");
}

#[test]
fn a_group_of_which_others_before_it_take_everything_is_a_mistake() {
    let failure = refusal(|spec| {
        let optimizer = spec.optimizer.as_mut().unwrap();
        optimizer.groups = vec![group("*"), group("*.weight")];
    });
    assert_eq!(failure.code, Code::PatternTaken);
    assert_eq!(failure.fields[0].field, "groups");
    assert!(
        failure.message.contains("`*.weight` fits only what"),
        "{failure:?}"
    );
}

#[test]
fn a_model_that_is_frozen_whole_is_a_mistake() {
    let failure = refusal(|spec| {
        spec.freeze = vec!["*".to_owned()];
        spec.optimizer.as_mut().unwrap().groups.clear();
    });
    assert_eq!(failure.code, Code::NothingToTrain);
    assert_eq!(failure.fields[0].field, "freeze", "{failure:?}");
}

#[test]
fn frozen_parameters_are_not_described() {
    let described = trainer()
        .describe(&case("groups.json", "adam, frozen").spec)
        .unwrap();
    let names: Vec<_> = described
        .parameters
        .iter()
        .map(|p| p.name.as_str())
        .collect();
    assert_eq!(names, ["norm.weight", "head.weight", "head.bias"]);
    assert_eq!(described.parameter_count, 5 + 15 + 3);
}

#[test]
fn gradients_are_limited_by_norm_or_by_value_not_both() {
    let failure = refusal(|spec| {
        let optimizer = spec.optimizer.as_mut().unwrap();
        (optimizer.clip_norm, optimizer.clip_value) = (Some(1.0), Some(1.0));
    });
    assert_eq!(failure.fields[0].field, "clip_value");
    for limit in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let failure = refusal(|spec| spec.optimizer.as_mut().unwrap().clip_norm = Some(limit));
        assert_eq!(failure.fields[0].field, "clip_norm");
    }
}
