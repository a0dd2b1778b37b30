//! The losses of a sweep equal those of PyTorch's own training loop.

use crate::support::{self, losses, pairs, spec, trainer};
use rangefinder_proto::v1;
use serde_json::Value;

fn pytorch(name: &str) -> Vec<f64> {
    let text = std::fs::read_to_string(support::fixture("curves.json")).unwrap();
    let curves: Value = serde_json::from_str(&text).unwrap();
    curves[name]
        .as_array()
        .unwrap()
        .iter()
        .map(|loss| loss.as_f64().unwrap_or(f64::NAN))
        .collect()
}

/// Steps until the curve, smoothed by an exponential average of .9 without bias, has fallen by this share
/// of the way from its first value to its minimum.
fn until_fallen(losses: &[f64], share: f64) -> usize {
    let (mut average, mut weight) = (0.0, 0.0);
    let smoothed: Vec<f64> = losses
        .iter()
        .map(|loss| {
            average = 0.9 * average + 0.1 * loss;
            weight = 0.9 * weight + 0.1;
            average / weight
        })
        .collect();
    let lowest = smoothed.iter().copied().fold(f64::INFINITY, f64::min);
    let fallen = smoothed[0] - share * (smoothed[0] - lowest);
    1 + smoothed.iter().position(|loss| *loss <= fallen).unwrap()
}

fn assert_equals_pytorch(name: &str, spec: &v1::TrainerSpec) {
    assert_equals_until_fallen(name, spec, 1.0, 1e-4);
}

fn assert_equals_until_fallen(name: &str, spec: &v1::TrainerSpec, share: f64, within: f64) {
    let expected = pytorch(name);
    let got = losses(&mut trainer(), spec, 0, 100);
    let until = until_fallen(&expected, share);
    assert!(until > 40, "{name} has fallen at step {until}");
    for step in 0..until {
        let error = (got[step] / expected[step] - 1.0).abs();
        assert!(
            error <= within,
            "{name}, step {step} of {until}: {} instead of {}",
            got[step],
            expected[step]
        );
    }
}

#[test]
fn a_torchscript_mlp_trains_as_in_pytorch() {
    assert_equals_pytorch("mlp.pt adamw", &spec("mlp.pt", "adamw"));
}

#[test]
fn a_torchscript_cnn_with_batch_norm_trains_as_in_pytorch() {
    assert_equals_pytorch("cnn.pt sgd", &spec("cnn.pt", "sgd"));
}

#[test]
fn buffers_that_enter_the_loss_move_as_in_pytorch() {
    assert_equals_pytorch("running_norm.pt sgd", &spec("running_norm.pt", "sgd"));
}

#[test]
fn a_model_that_returns_its_loss_trains_as_in_pytorch() {
    let spec = v1::TrainerSpec {
        loss: "module".to_owned(),
        ..spec("module_loss.pt", "adamw")
    };
    assert_equals_pytorch("module_loss.pt adamw", &spec);
}

#[test]
fn several_inputs_and_unused_parameters_train_as_in_pytorch() {
    assert_equals_pytorch("two_inputs.pt sgd", &pairs());
}

#[test]
fn tied_weights_train_as_in_pytorch() {
    assert_equals_pytorch("tied.pt sgd", &spec("tied.pt", "sgd"));
}

#[test]
fn the_builtin_mlp_is_pytorchs_after_manual_seed() {
    assert_equals_pytorch("mlp adamw", &spec("mlp", "adamw"));
}

#[test]
fn the_builtin_cnn_is_pytorchs_after_manual_seed() {
    // Where a processor's rounding decides which of two pixels is the larger, training magnifies it: PyTorch's
    // own curves on processors with AVX2 and with AVX-512 are 6e-6 apart here, and 1e-2 near the minimum.
    assert_equals_until_fallen("cnn sgd", &spec("cnn", "sgd"), 0.25, 3e-5);
}
