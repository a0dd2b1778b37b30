//! Every loss, with its options and over several inputs, trains as in PyTorch.

use crate::cases::{case, cases};
use crate::support::trainer;
use rangefinder_proto::v1;
use rangefinder_session::trainer::Trainer;

#[test]
fn every_loss_trains_as_in_pytorch() {
    let cases = cases("losses.json");
    for loss in [
        "mse",
        "l1",
        "smooth_l1",
        "bce_with_logits",
        "cross_entropy",
        "nll",
    ] {
        assert!(cases.iter().any(|case| case.spec.loss == loss), "{loss}");
    }
    for case in cases {
        case.assert_as_in_pytorch();
    }
}

#[test]
fn a_batch_without_a_target_has_no_loss_and_moves_nothing_as_in_pytorch() {
    let case = case("losses.json", "cross_entropy, a batch without a target");
    let without: Vec<usize> = (0..12).filter(|&step| case.losses[step].is_nan()).collect();
    assert_eq!(
        without,
        [2, 9],
        "batch 2 of each of the epochs of 7 batches"
    );
    case.assert_as_in_pytorch();
}

#[test]
fn a_first_batch_without_a_target_is_a_mistake_of_the_data() {
    let mut spec = case("losses.json", "cross_entropy").spec;
    spec.batch_size = 1;
    spec.ignore_index = Some(0);
    // The first sample is of class 0.
    let failure = trainer().describe(&spec).unwrap_err();
    assert_eq!(failure.fields[0].field, "data", "{failure:?}");
    assert!(failure.message.contains("NaN"), "{failure:?}");
}

#[test]
fn a_label_smoothing_out_of_its_range_is_a_mistake() {
    let mut spec = case("losses.json", "cross_entropy, smoothed").spec;
    for smoothing in [-0.1, 1.0, f64::NAN] {
        spec.label_smoothing = smoothing;
        let failure = trainer().describe(&spec).unwrap_err();
        assert_eq!(failure.fields[0].field, "label_smoothing");
    }
}

#[test]
fn nll_of_a_builtin_is_a_mistake_since_it_gives_no_log_probabilities() {
    let spec = v1::TrainerSpec {
        loss: "nll".to_owned(),
        ..case("losses.json", "cross_entropy").spec
    };
    let failure = trainer().describe(&spec).unwrap_err();
    assert_eq!(failure.fields[0].field, "loss");
    assert!(failure.message.contains("log-probabilities"), "{failure:?}");
}

#[test]
fn the_new_losses_name_both_shapes_that_do_not_fit() {
    for loss in ["l1", "smooth_l1", "bce_with_logits"] {
        let mut spec = case("losses.json", "nll of several inputs").spec;
        spec.loss = loss.to_owned();
        spec.data.as_mut().unwrap().target_key = "more".to_owned();
        let failure = trainer().describe(&spec).unwrap_err();
        for part in [loss, "[8, 3]", "[8, 2]"] {
            assert!(failure.message.contains(part), "{failure:?}");
        }
    }
}
