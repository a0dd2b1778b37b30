//! The built-ins against PyTorch's modules, as `tests/fixtures/models.py` wrote them down: the loss and
//! every gradient from the same weights, the names, the shapes and the number of parameters.

use std::path::{Path, PathBuf};

use rangefinder_checkpoint::Weights;
use rangefinder_proto::v1;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::{Blueprint, Model, Outputs, resnet};
use crate::foreign;
use crate::loss::Loss;
use crate::parameters::{Parameters, Slot};
use crate::recipe::Recipe;
use crate::samples::{Batch, Kinds, Samples};

/// Largest error of a gradient, relative to the largest magnitude in its tensor.
const GRADIENTS_WITHIN: f64 = 1e-5;

/// Largest relative error of a loss.
const LOSSES_WITHIN: f64 = 1e-6;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

fn path(name: &str) -> String {
    fixture(name).display().to_string()
}

/// A built-in with the weights, the statistics and the batch of the reference.
struct Loaded {
    model: Model,
    loss: Loss,
    batch: Batch,
    reference: Value,
}

fn specification(builtin: v1::Builtin, data: v1::Data) -> v1::TrainerSpec {
    v1::TrainerSpec {
        trainer: Some(v1::trainer_spec::Trainer::Builtin(builtin)),
        data: Some(data),
        loss: "cross_entropy".to_owned(),
        optimizer: Some(v1::Optimizer {
            name: "sgd".to_owned(),
            ..v1::Optimizer::default()
        }),
        batch_size: 1,
        ..v1::TrainerSpec::default()
    }
}

fn build(spec: &v1::TrainerSpec) -> (Recipe, Samples, Model) {
    let recipe = Recipe::parse(spec).unwrap();
    let samples = Samples::new(rangefinder_data::load(&recipe.data).unwrap()).unwrap();
    let blueprint = Blueprint::read(&recipe, &samples).unwrap();
    let model = blueprint.build(&recipe, Device::Cpu).unwrap();
    (recipe, samples, model)
}

fn load(builtin: v1::Builtin, batch: i64) -> Loaded {
    let name = builtin.name.clone();
    let data = v1::Data {
        source: path(&format!("{name}.npz")),
        ..v1::Data::default()
    };
    let (recipe, samples, model) = build(&v1::TrainerSpec {
        weights: path(&format!("{name}.pt")),
        ..specification(builtin, data)
    });
    let kinds = Kinds {
        float: Kind::Float,
        targets: Kind::Int64,
    };
    let indices: Vec<i64> = (0..batch).collect();
    Loaded {
        model,
        loss: recipe.loss,
        batch: samples.batch(&indices, kinds, Device::Cpu).unwrap(),
        reference: reference(&name),
    }
}

fn reference(name: &str) -> Value {
    let text = std::fs::read_to_string(fixture(&format!("{name}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn resnet18() -> Loaded {
    let builtin = v1::Builtin {
        name: "resnet18".to_owned(),
        width: 4,
        ..v1::Builtin::default()
    };
    load(builtin, 6)
}

fn gpt() -> Loaded {
    let builtin = v1::Builtin {
        name: "gpt".to_owned(),
        layers: 2,
        heads: 2,
        width: 16,
        ..v1::Builtin::default()
    };
    load(builtin, 8)
}

impl Loaded {
    /// The loss of the batch, which is the reference's under `key`.
    #[track_caller]
    fn loss(&self, key: &str) -> Tensor {
        let loss = self.loss.of(&self.model, &self.batch).unwrap();
        let (got, expected) = (
            loss.double_value(&[]),
            self.reference[key].as_f64().unwrap(),
        );
        assert!(
            (got / expected - 1.0).abs() <= LOSSES_WITHIN,
            "{got} instead of {expected}"
        );
        loss
    }
}

#[test]
fn the_loss_and_every_gradient_are_pytorchs() {
    for (name, mut loaded) in [("resnet18", resnet18()), ("gpt", gpt())] {
        let loss = loaded.loss("loss");
        let slots = loaded.model.parameters.slots();
        let leaves: Vec<&Tensor> = slots.iter().map(Slot::weights).collect();
        let gradients = Tensor::run_backward(&[loss], &leaves, false, false);
        let mut expected = Weights::open(&fixture(&format!("{name}_gradients.pt"))).unwrap();
        let names: Vec<String> = expected
            .shapes()
            .iter()
            .map(|(n, _)| (*n).to_owned())
            .collect();
        assert_eq!(names, loaded.model.all_names, "{name}");
        for (place, gradient) in gradients.iter().enumerate() {
            let expected = foreign::tensor(&expected.tensor(place).unwrap().unwrap()).unwrap();
            assert_eq!(gradient.size(), expected.size(), "{}", names[place]);
            let largest = expected.abs().max().double_value(&[]);
            let worst = (gradient - &expected).abs().max().double_value(&[]);
            assert!(
                worst <= GRADIENTS_WITHIN * largest,
                "{name}, {}: an error of {worst}, where the largest is {largest}",
                names[place]
            );
        }
        // The statistics of batch norms were read, and moved as PyTorch moves them.
        loaded.model.set_training(false).unwrap();
        let _ = loaded.loss("evaluated");
    }
}

#[test]
fn parameters_are_torchvisions_and_nanogpts_at_the_usual_sizes() {
    let outputs = Outputs {
        width: 1000,
        shape: vec![1000],
    };
    let plan = resnet::Plan::new(64, &[3, 224, 224], outputs).unwrap();
    let (_, made) = plan.build(0, Device::Cpu).unwrap();
    assert_larger(
        &Parameters::new(&made.parameters).unwrap(),
        "resnet18",
        11_689_512,
    );

    let folder = tempfile::tempdir().unwrap();
    let stream = folder.path().join("tokens.bin");
    let tokens: Vec<u8> = (0..=256_u16).flat_map(|i| (i % 65).to_le_bytes()).collect();
    std::fs::write(&stream, tokens).unwrap();
    // All sizes are the defaults, and the tokens 0 to 64 are counted.
    let builtin = v1::Builtin {
        name: "gpt".to_owned(),
        ..v1::Builtin::default()
    };
    let data = v1::Data {
        source: stream.display().to_string(),
        context: 256,
        ..v1::Data::default()
    };
    let (_, _, model) = build(&specification(builtin, data));
    assert_larger(&model.parameters, "gpt", 10_770_816);
}

#[track_caller]
fn assert_larger(parameters: &Parameters, name: &str, count: i64) {
    let larger = &reference(name)["larger"];
    let got: Vec<(String, Vec<i64>)> = parameters
        .slots()
        .iter()
        .map(|slot| (slot.name().to_owned(), slot.weights().size()))
        .collect();
    let expected: Vec<(String, Vec<i64>)> =
        serde_json::from_value(larger["parameters"].clone()).unwrap();
    assert_eq!(got, expected);
    let sum: i64 = got
        .iter()
        .map(|(_, shape)| shape.iter().product::<i64>())
        .sum();
    assert_eq!((sum, larger["count"].as_i64()), (count, Some(count)));
}
