//! What the tests share: specifications over the fixtures, and runs of them.

use std::path::PathBuf;

use rangefinder_proto::v1;
use rangefinder_session::trainer::{Failure, StepLoss, TaskStart, Trainer};
use rangefinder_worker::TorchTrainer;
use tch::Device;

/// A file of the tests, which are elsewhere where the program was built on another machine.
pub fn fixture(name: &str) -> PathBuf {
    let folder = std::env::var_os("RANGEFINDER_FIXTURES").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures"),
        PathBuf::from,
    );
    folder.join(name)
}

pub fn trainer() -> TorchTrainer {
    TorchTrainer::new(Device::Cpu)
}

/// A built-in for a bare name, the fixture for a name that ends in `.pt`.
pub fn model(name: &str) -> v1::trainer_spec::Trainer {
    if name.ends_with(".pt") {
        return v1::trainer_spec::Trainer::Torchscript(v1::TorchScript {
            path: fixture(name).display().to_string(),
        });
    }
    v1::trainer_spec::Trainer::Builtin(v1::Builtin {
        name: name.to_owned(),
        ..Default::default()
    })
}

/// PyTorch's defaults.
pub fn optimizer(name: &str) -> v1::Optimizer {
    let sgd = name == "sgd";
    v1::Optimizer {
        name: name.to_owned(),
        momentum: if sgd { 0.9 } else { 0.0 },
        weight_decay: if name == "adamw" { 0.01 } else { 0.0 },
        beta1: 0.9,
        beta2: 0.999,
        alpha: 0.99,
        eps: 1e-8,
        ..Default::default()
    }
}

/// A model on the digits with one thread, in file order, batches of 64.
pub fn spec(name: &str, optimizer_name: &str) -> v1::TrainerSpec {
    v1::TrainerSpec {
        trainer: Some(model(name)),
        data: Some(v1::Data {
            source: "digits".to_owned(),
            ..Default::default()
        }),
        loss: "cross_entropy".to_owned(),
        optimizer: Some(optimizer(optimizer_name)),
        batch_size: 64,
        shuffle: false,
        drop_last: false,
        seed: 7,
        threads: 1,
        deterministic: false,
        ..Default::default()
    }
}

/// The data of `two_inputs.pt`.
pub fn pairs() -> v1::TrainerSpec {
    v1::TrainerSpec {
        data: Some(v1::Data {
            source: fixture("pairs.npz").display().to_string(),
            input_keys: vec!["a".to_owned(), "b".to_owned()],
            target_key: "y".to_owned(),
            ..Default::default()
        }),
        loss: "mse".to_owned(),
        batch_size: 30,
        ..spec("two_inputs.pt", "sgd")
    }
}

/// Growing learning rates, 1e-8 to 1 in 100 steps.
pub fn lr(step: u64) -> f64 {
    1e-8 * 1e8_f64.powf(step as f64 / 99.0)
}

/// Losses of steps [first, end) of a fresh task.
pub fn losses(
    trainer: &mut TorchTrainer,
    spec: &v1::TrainerSpec,
    first: u64,
    end: u64,
) -> Vec<f64> {
    begin(trainer, spec, first, end).unwrap();
    let mut losses = Vec::new();
    for step in first..end {
        trainer.step(step, lr(step), &mut losses).unwrap();
    }
    trainer.flush(&mut losses).unwrap();
    trainer.stop();
    let steps: Vec<u64> = losses.iter().map(|loss: &StepLoss| loss.step).collect();
    assert_eq!(steps, (first..end).collect::<Vec<_>>());
    losses.iter().map(|loss| loss.loss).collect()
}

pub fn begin(
    trainer: &mut TorchTrainer,
    spec: &v1::TrainerSpec,
    first_step: u64,
    end: u64,
) -> Result<(), Failure> {
    trainer.start(&TaskStart {
        spec: spec.clone(),
        replica: 0,
        first_step,
        end,
    })
}

pub fn bits(losses: &[f64]) -> Vec<u64> {
    losses.iter().map(|loss| loss.to_bits()).collect()
}
