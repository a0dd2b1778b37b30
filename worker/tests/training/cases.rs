//! Cases that the scripts of the fixtures made: a specification, and what PyTorch's own loop makes of it.

use std::fmt;

use rangefinder_proto::v1;
use rangefinder_session::trainer::{TaskStart, Trainer};
use serde_json::Value;

use crate::support::{fixture, model, trainer};

/// Largest error of a weight or buffer, relative to the largest magnitude in its tensor.
const WEIGHTS_WITHIN: f64 = 1e-5;

/// Largest relative error of a loss.
const LOSSES_WITHIN: f64 = 1e-6;

/// Batches of `open_book.npz` to train on; from the next one on, each asks for a number.
const TRAINED: u64 = 12;

/// One case of a file.
pub struct Case {
    pub name: String,
    pub spec: v1::TrainerSpec,
    pub replica: u32,
    /// Learning rate of each step.
    pub rates: Vec<f64>,
    /// PyTorch's losses of these steps.
    pub losses: Vec<f64>,
    /// PyTorch's parameters and buffers after them, as `open_book.pt` tells them; else empty.
    pub told: Vec<(String, Vec<f64>)>,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// All cases of a file, at least one.
pub fn cases(file: &str) -> Vec<Case> {
    let text = std::fs::read_to_string(fixture(file)).unwrap();
    let cases: Value = serde_json::from_str(&text).unwrap();
    let cases: Vec<Case> = list(&cases).iter().map(Case::parse).collect();
    assert!(!cases.is_empty(), "{file}");
    cases
}

/// The case of a name.
pub fn case(file: &str, name: &str) -> Case {
    cases(file)
        .into_iter()
        .find(|case| case.name == name)
        .expect(name)
}

impl Case {
    fn parse(value: &Value) -> Self {
        let told = list(&value["told"]);
        Self {
            name: text(&value["name"]),
            spec: specification(&value["spec"]),
            replica: whole(&value["replica"]),
            rates: numbers(&value["rates"]),
            losses: numbers(&value["losses"]),
            told: told.iter().map(|v| (text(&v[0]), numbers(&v[1]))).collect(),
        }
    }

    /// Trains all steps.
    pub fn run(&self) -> Ran {
        let mut ran = Ran {
            trainer: trainer(),
            losses: Vec::new(),
        };
        ran.trainer
            .start(&TaskStart {
                spec: self.spec.clone(),
                replica: self.replica,
                first_step: 0,
                end: self.rates.len() as u64,
            })
            .expect(&self.name);
        for (step, &rate) in (0..).zip(&self.rates) {
            let loss = ran.step(step, rate);
            ran.losses.push(loss);
        }
        ran
    }

    /// Makes sure that the trainer's losses are PyTorch's, and its weights too where PyTorch told them.
    #[track_caller]
    pub fn assert_as_in_pytorch(&self) {
        self.assert_losses_within(LOSSES_WITHIN);
    }

    /// The same, where another processor may round otherwise.
    #[track_caller]
    pub fn assert_losses_within(&self, within: f64) {
        let mut ran = self.run();
        assert_eq!(ran.losses.len(), self.losses.len());
        for (step, (&got, &expected)) in ran.losses.iter().zip(&self.losses).enumerate() {
            let equal = if expected.is_nan() {
                got.is_nan()
            } else {
                (got - expected).abs() <= within * expected.abs()
            };
            assert!(equal, "{self:?}, step {step}: {got} instead of {expected}");
        }
        let mut told = ran.told(self.told.iter().map(|(_, numbers)| numbers.len()).sum());
        for (name, expected) in &self.told {
            let largest = expected.iter().fold(0.0_f64, |most, n| most.max(n.abs()));
            for (got, expected) in told.drain(..expected.len()).zip(expected) {
                assert!(
                    (got - expected).abs() <= WEIGHTS_WITHIN * largest,
                    "{self:?}, {name}: {got} instead of {expected}, where the largest is {largest}"
                );
            }
        }
    }
}

/// A trained model.
pub struct Ran {
    trainer: rangefinder_worker::TorchTrainer,
    pub losses: Vec<f64>,
}

impl Ran {
    /// The parameters and buffers of `open_book.pt` as they are. At a learning rate of 0 nothing moves.
    pub fn told(&mut self, count: usize) -> Vec<f64> {
        let steps = TRAINED..TRAINED + count as u64;
        steps.map(|step| self.step(step, 0.0)).collect()
    }

    fn step(&mut self, step: u64, rate: f64) -> f64 {
        let mut losses = Vec::new();
        self.trainer.step(step, rate, &mut losses).unwrap();
        self.trainer.flush(&mut losses).unwrap();
        assert_eq!((losses.len(), losses[0].step), (1, step));
        losses[0].loss
    }
}

fn specification(value: &Value) -> v1::TrainerSpec {
    v1::TrainerSpec {
        trainer: Some(trained(&value["model"])),
        data: Some(data(&value["data"])),
        loss: text(&value["loss"]),
        optimizer: Some(optimizer(&value["optimizer"])),
        batch_size: whole(&value["batch_size"]),
        seed: whole(&value["seed"]).into(),
        threads: 1,
        accumulate: whole(&value["accumulate"]),
        precision: text(&value["precision"]),
        label_smoothing: number(&value["label_smoothing"], 0.0),
        ignore_index: value["ignore_index"].as_i64(),
        weights: path(&value["weights"]),
        freeze: list(&value["freeze"]).iter().map(text).collect(),
        evaluation: value.get("evaluation").map(|evaluation| v1::Evaluation {
            data: Some(data(&evaluation["data"])),
            batches: whole(&evaluation["batches"]),
            every: whole(&evaluation["every"]),
        }),
        ..v1::TrainerSpec::default()
    }
}

fn trained(value: &Value) -> v1::trainer_spec::Trainer {
    if value.is_string() {
        return model(&text(value));
    }
    v1::trainer_spec::Trainer::Builtin(v1::Builtin {
        name: text(&value["name"]),
        hidden_sizes: list(&value["hidden_sizes"]).iter().map(whole).collect(),
        layers: whole(&value["layers"]),
        heads: whole(&value["heads"]),
        width: whole(&value["width"]),
        vocabulary: whole(&value["vocabulary"]),
    })
}

fn data(value: &Value) -> v1::Data {
    v1::Data {
        source: match text(&value["source"]).as_str() {
            "digits" => "digits".to_owned(),
            _ => path(&value["source"]),
        },
        input_keys: list(&value["input_keys"]).iter().map(text).collect(),
        target_key: text(&value["target_key"]),
        augmentation: value.get("augmentation").map(|how| v1::Augmentation {
            crop: whole(&how["crop"]),
            flip: how["flip"].as_bool().unwrap(),
        }),
        ..v1::Data::default()
    }
}

fn optimizer(value: &Value) -> v1::Optimizer {
    v1::Optimizer {
        name: text(&value["name"]),
        momentum: number(&value["momentum"], 0.0),
        dampening: number(&value["dampening"], 0.0),
        nesterov: value["nesterov"].as_bool().unwrap_or(false),
        weight_decay: number(&value["weight_decay"], 0.0),
        beta1: number(&value["beta1"], 0.9),
        beta2: number(&value["beta2"], 0.999),
        alpha: number(&value["alpha"], 0.99),
        eps: number(&value["eps"], 1e-8),
        groups: list(&value["groups"])
            .iter()
            .map(|group| v1::ParameterGroup {
                pattern: text(&group["pattern"]),
                lr_ratio: group["lr_ratio"].as_f64().unwrap(),
                weight_decay: group["weight_decay"].as_f64(),
            })
            .collect(),
        clip_norm: value["clip_norm"].as_f64(),
        clip_value: value["clip_value"].as_f64(),
        state: path(&value["state"]),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// JSON has no NaN: null stands for it.
fn numbers(value: &Value) -> Vec<f64> {
    list(value).iter().map(|v| number(v, f64::NAN)).collect()
}

fn number(value: &Value, default: f64) -> f64 {
    value.as_f64().unwrap_or(default)
}

fn whole(value: &Value) -> u32 {
    value.as_u64().unwrap_or(0).try_into().unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Where a file of the fixtures is; empty for none.
fn path(value: &Value) -> String {
    match value.as_str() {
        Some(name) => fixture(name).display().to_string(),
        None => String::new(),
    }
}
