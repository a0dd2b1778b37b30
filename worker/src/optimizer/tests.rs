//! Step by step against PyTorch.

use serde_json::Value;
use tch::{Kind, Tensor};

use super::Optimizer;
use super::config::Algorithm;
use super::plan::Plan;
use crate::parameters::{Gradients, Named, Parameters};
use rangefinder_proto::v1;

const FIXTURE: &str = include_str!("../../tests/fixtures/optimizers.json");

fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_f64().unwrap())
        .collect()
}

fn lists(value: &Value) -> Vec<Vec<f64>> {
    value.as_array().unwrap().iter().map(numbers).collect()
}

fn shapes(value: &Value) -> Vec<Vec<i64>> {
    serde_json::from_value(value.clone()).unwrap()
}

fn tensor(values: &[f64], shape: &[i64]) -> Tensor {
    Tensor::from_slice(values)
        .to_kind(Kind::Float)
        .reshape(shape)
}

fn algorithm(case: &Value) -> Algorithm {
    let number = |key: &str| case[key].as_f64().unwrap();
    Algorithm::parse(&v1::Optimizer {
        name: case["name"].as_str().unwrap().to_owned(),
        momentum: number("momentum"),
        dampening: number("dampening"),
        nesterov: case["nesterov"].as_bool().unwrap(),
        weight_decay: number("weight_decay"),
        beta1: number("beta1"),
        beta2: number("beta2"),
        alpha: number("alpha"),
        eps: number("eps"),
        ..Default::default()
    })
    .unwrap()
}

#[test]
fn every_optimizer_equals_pytorchs_step_by_step_also_where_gradients_are_absent() {
    let fixture: Value = serde_json::from_str(FIXTURE).unwrap();
    let (shapes, initial) = (shapes(&fixture["shapes"]), lists(&fixture["initial"]));
    let lrs = numbers(&fixture["lrs"]);
    let mut checked = 0;
    for case in fixture["cases"].as_array().unwrap() {
        let leaves: Vec<Named> = initial
            .iter()
            .zip(&shapes)
            .enumerate()
            .map(|(index, (values, shape))| Named {
                name: index.to_string(),
                tensor: tensor(values, shape).set_requires_grad(true),
            })
            .collect();
        let parameters = Parameters::new(&leaves).unwrap();
        let mut optimizer = Optimizer::new(&Plan::from(algorithm(case)), &parameters);
        let absent = lists(&case["absent"]);
        for (step, (&lr, expected)) in lrs.iter().zip(lists(&case["after"])).enumerate() {
            let given = lists(&fixture["gradients"][step]);
            let mut gradients: Gradients = given
                .iter()
                .zip(&shapes)
                .enumerate()
                .map(|(index, (values, shape))| {
                    let gone = absent.contains(&vec![step as f64, index as f64]);
                    (!gone).then(|| tensor(values, shape))
                })
                .collect();
            optimizer.step(&parameters, &mut gradients, lr).unwrap();
            let flat: Vec<Tensor> = leaves
                .iter()
                .map(|leaf| leaf.tensor.detach().reshape([-1]))
                .collect();
            let after = Vec::<f64>::try_from(Tensor::cat(&flat, 0).to_kind(Kind::Double)).unwrap();
            assert_eq!(after.len(), expected.len());
            for (after, expected) in after.iter().zip(&expected) {
                assert!(
                    (after - expected).abs() <= 1e-6 * expected.abs() + 1e-6,
                    "step {step} of {case}: {after} instead of {expected}",
                );
                checked += 1;
            }
        }
    }
    assert!(
        checked >= 32 * 10 * 13,
        "only {checked} values were checked"
    );
}

/// One parameter of float64, and a gradient of its type.
fn double(values: &[f64]) -> (Parameters, Gradients) {
    let named = Named {
        name: "w".to_owned(),
        tensor: Tensor::zeros_like(&Tensor::from_slice(values)).set_requires_grad(true),
    };
    let parameters = Parameters::new(&[named]).unwrap();
    (parameters, vec![Some(Tensor::from_slice(values))])
}

fn values(gradients: &Gradients) -> Vec<f64> {
    let gradient = gradients[0].as_ref().unwrap();
    Vec::try_from(gradient.to_kind(Kind::Double)).unwrap()
}

#[test]
fn norms_of_float64_are_limited_in_float64() {
    let (parameters, mut gradients) = double(&[0.3, -0.4, 1.2]);
    let plan = Plan {
        clip: Some(super::clip::Clip::Norm(0.65)),
        ..Plan::from(
            Algorithm::parse(&v1::Optimizer {
                name: "sgd".to_owned(),
                ..Default::default()
            })
            .unwrap(),
        )
    };
    Optimizer::new(&plan, &parameters)
        .step(&parameters, &mut gradients, 0.1)
        .unwrap();
    // The norm is 1.3.
    let scale = 0.65 / (1.3 + 1e-6);
    for (got, given) in values(&gradients).into_iter().zip([0.3, -0.4, 1.2]) {
        assert!((got / (given * scale) - 1.0).abs() < 1e-14, "{got}");
    }
}

#[test]
fn weight_decay_and_momentum_leave_the_gradients_alone() {
    for name in ["sgd", "adam", "adamw", "rmsprop"] {
        let algorithm = Algorithm::parse(&v1::Optimizer {
            name: name.to_owned(),
            momentum: if name == "sgd" { 0.9 } else { 0.0 },
            nesterov: name == "sgd",
            weight_decay: 0.5,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            ..Default::default()
        });
        let (parameters, mut gradients) = double(&[1.0, -2.0]);
        let mut optimizer = Optimizer::new(&Plan::from(algorithm.unwrap()), &parameters);
        for _ in 0..3 {
            optimizer.step(&parameters, &mut gradients, 0.1).unwrap();
            assert_eq!(values(&gradients), [1.0, -2.0], "{name}");
        }
    }
}

/// The memory of an optimizer after updates with one and the same gradient at a learning rate of 0.
fn remembered(optimizer: &Optimizer) -> Vec<f64> {
    let state = &optimizer.states[0];
    let parts = [&state.first, &state.second, &state.steps];
    parts
        .into_iter()
        .flatten()
        .flat_map(|part| Vec::<f64>::try_from(part.to_kind(Kind::Double).reshape([-1])).unwrap())
        .collect()
}

#[test]
fn an_optimizer_that_starts_late_soon_remembers_what_it_has_missed() {
    for (name, momentum) in [
        ("adam", 0.0),
        ("adamw", 0.0),
        ("rmsprop", 0.0),
        ("sgd", 0.9),
    ] {
        for saved in [0, 3] {
            let algorithm = Algorithm::parse(&v1::Optimizer {
                name: name.to_owned(),
                momentum,
                beta1: 0.9,
                beta2: 0.999,
                alpha: 0.99,
                eps: 1e-8,
                ..Default::default()
            })
            .unwrap();
            let updates = |late: Option<u64>, count: u32| {
                let (parameters, mut gradients) = double(&[0.25, -3.0]);
                let mut optimizer = Optimizer::new(&Plan::from(algorithm.clone()), &parameters);
                // What went on from a saved state remembers other gradients.
                let mut before = vec![Some(Tensor::from_slice(&[7.0, 0.5]))];
                for _ in 0..saved {
                    optimizer.step(&parameters, &mut before, 0.0).unwrap();
                }
                if let Some(missed) = late {
                    optimizer.start_late(missed);
                }
                for _ in 0..count {
                    optimizer.step(&parameters, &mut gradients, 0.0).unwrap();
                }
                remembered(&optimizer)
            };
            let sample = super::ageing::SAMPLE;
            let compare = |late: &[f64], all: &[f64]| {
                assert_eq!(late.len(), all.len());
                let close = |(a, b): (&f64, &f64)| (a / b - 1.0).abs() < 1e-9;
                late.iter().zip(all).all(close)
            };
            for more in [0, 5] {
                let late = updates(Some(150), sample + more);
                let all = updates(None, 150 + sample + more);
                // SGD remembers too little for it to matter; its buffer stays as it is.
                let expected = if name == "sgd" {
                    updates(None, sample + more)
                } else {
                    all
                };
                assert!(
                    compare(&late, &expected),
                    "{name} from a state of {saved} updates: {late:?} instead of {expected:?}"
                );
            }
            let early = updates(Some(150), sample - 1);
            assert!(
                compare(&early, &updates(None, sample - 1)),
                "{name}: too early"
            );
        }
    }
}

#[test]
fn hyperparameters_that_pytorch_refuses_are_named() {
    let sgd = |momentum: f64, nesterov: bool, weight_decay: f64| {
        Algorithm::parse(&v1::Optimizer {
            name: "sgd".to_owned(),
            momentum,
            nesterov,
            weight_decay,
            ..Default::default()
        })
        .map_err(|failure| failure.fields[0].field.clone())
    };
    assert_eq!(sgd(1.0, false, 0.0), Err("momentum".to_owned()));
    assert_eq!(sgd(0.0, true, 0.0), Err("nesterov".to_owned()));
    assert_eq!(sgd(0.0, false, f64::NAN), Err("weight_decay".to_owned()));
    assert!(sgd(0.9, true, 0.1).is_ok());
}
