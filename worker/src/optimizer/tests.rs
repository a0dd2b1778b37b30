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
