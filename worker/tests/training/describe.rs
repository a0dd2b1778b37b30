//! What a trainer says about model and data, and the user's mistakes that it finds before training.

use std::path::Path;

use crate::support::{self, fixture, losses, pairs, spec, trainer};
use rangefinder_errors::Code;
use rangefinder_proto::v1;
use rangefinder_session::trainer::{Failure, Trainer};
use tempfile::TempDir;

/// Writes a `.npy` file of float32 or int64 numbers.
fn npy(folder: &TempDir, name: &str, descr: &str, shape: &str, bytes: &[u8]) -> String {
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(bytes);
    let path = folder.path().join(name);
    std::fs::write(&path, file).unwrap();
    path.display().to_string()
}

fn floats(folder: &TempDir, name: &str, shape: &str, values: &[f32]) -> String {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    npy(folder, name, "<f4", shape, &bytes)
}

fn integers(folder: &TempDir, name: &str, shape: &str, values: &[i64]) -> String {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    npy(folder, name, "<i8", shape, &bytes)
}

/// A specification over two `.npy` files.
fn on_files(model: &str, inputs: String, targets: String) -> v1::TrainerSpec {
    v1::TrainerSpec {
        data: Some(v1::Data {
            source: inputs,
            targets,
            ..Default::default()
        }),
        batch_size: 4,
        ..spec(model, "sgd")
    }
}

fn mistake(spec: &v1::TrainerSpec) -> Failure {
    let failure = trainer().describe(spec).expect_err("accepted");
    assert_eq!(failure.kind, v1::FailureKind::User, "{failure:?}");
    for text in std::iter::once(&failure.message).chain(failure.fields.iter().map(|f| &f.remedy)) {
        assert!(!text.is_empty(), "{failure:?}");
        for noise in ["frame #", "Exception raised", "Traceback", "\n"] {
            assert!(!text.contains(noise), "{text}");
        }
    }
    failure
}

#[track_caller]
fn assert_mistake(spec: &v1::TrainerSpec, code: Code, field: &str, parts: &[&str]) {
    let failure = mistake(spec);
    assert_eq!(failure.code, code, "{failure:?}");
    assert_eq!(failure.fields[0].code, Some(code.to_string()));
    assert_eq!(failure.fields[0].field, field, "{failure:?}");
    for part in parts {
        assert!(failure.message.contains(part), "{part:?}: {failure:?}");
    }
}

fn with_model_path(path: &Path) -> v1::TrainerSpec {
    v1::TrainerSpec {
        trainer: Some(v1::trainer_spec::Trainer::Torchscript(v1::TorchScript {
            path: path.display().to_string(),
        })),
        ..spec("mlp", "sgd")
    }
}

#[test]
fn the_embedded_default_is_described() {
    let described = trainer().describe(&spec("mlp", "adamw")).unwrap();
    let names: Vec<&str> = described
        .parameters
        .iter()
        .map(|p| p.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "layers.0.weight",
            "layers.0.bias",
            "layers.1.weight",
            "layers.1.bias",
            "layers.2.weight",
            "layers.2.bias"
        ]
    );
    assert_eq!(described.parameters[0].shape, [256, 64]);
    assert_eq!(
        described.parameter_count,
        64 * 256 + 256 + 256 * 256 + 256 + 256 * 10 + 10
    );
    assert_eq!(described.optimizer, "adamw");
    assert_eq!(described.beta, Some(0.9));
    assert!(described.seekable && described.replayable);
    assert_eq!((described.samples, described.steps_per_epoch), (1797, 29));
    assert_eq!(described.effective_batch_size, 64);
}

#[test]
fn the_described_loss_is_that_of_step_0() {
    for spec in [spec("dropout_norm.pt", "sgd"), spec("cnn", "adam"), pairs()] {
        let mut trainer = trainer();
        let described = trainer.describe(&spec).unwrap();
        let first = losses(&mut trainer, &spec, 0, 1)[0];
        assert_eq!(
            described.initial_loss.to_bits(),
            first.to_bits(),
            "{spec:?}"
        );
    }
}

#[test]
fn torchscript_parameters_have_their_dotted_names_and_tied_ones_count_once() {
    let described = trainer().describe(&spec("tied.pt", "sgd")).unwrap();
    let names: Vec<&str> = described
        .parameters
        .iter()
        .map(|p| p.name.as_str())
        .collect();
    assert!(
        names.contains(&"encode.weight") && names.contains(&"head.bias"),
        "{names:?}"
    );
    assert_eq!(described.parameter_count, 64 * 64 + 64 * 10 + 10);
}

#[test]
fn momentum_is_the_memory_of_sgd_and_rmsprop() {
    let mut trainer = trainer();
    let mut beta = |name: &str, momentum: f64| {
        let spec = v1::TrainerSpec {
            optimizer: Some(v1::Optimizer {
                momentum,
                ..support::optimizer(name)
            }),
            ..spec("mlp", name)
        };
        trainer.describe(&spec).unwrap().beta
    };
    assert_eq!(beta("sgd", 0.0), Some(0.0));
    assert_eq!(beta("sgd", 0.9), Some(0.9));
    assert_eq!(beta("rmsprop", 0.5), Some(0.5));
}

#[test]
fn a_mistake_does_not_spoil_the_trainer_for_what_comes_next() {
    let mut trainer = trainer();
    trainer
        .describe(&with_model_path(Path::new("/no/such/model.pt")))
        .unwrap_err();
    assert!(trainer.describe(&spec("mlp", "sgd")).is_ok());
}

#[test]
fn a_missing_model_file_is_named() {
    assert_mistake(
        &with_model_path(Path::new("/no/such/model.pt")),
        Code::NoSuchFile,
        "model",
        &["/no/such/model.pt", "there is no such file"],
    );
}

#[test]
fn a_folder_is_not_a_model() {
    assert_mistake(
        &with_model_path(&fixture("")),
        Code::NotAFile,
        "model",
        &["failed to read"],
    );
}

#[test]
fn a_file_that_is_not_torchscript_is_named() {
    for name in ["make.py", "pairs.npz"] {
        assert_mistake(
            &with_model_path(&fixture(name)),
            Code::NotTorchScript,
            "model",
            &[name, "not a TorchScript file"],
        );
    }
}

#[test]
fn a_truncated_model_file_is_named() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("cut.pt");
    let bytes = std::fs::read(fixture("mlp.pt")).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert_mistake(
        &with_model_path(&path),
        Code::NotTorchScript,
        "model",
        &["cut.pt", "not a TorchScript file"],
    );
}

#[test]
fn missing_data_are_named() {
    let spec = v1::TrainerSpec {
        data: Some(v1::Data {
            source: "/no/such/data.npz".to_owned(),
            ..Default::default()
        }),
        ..spec("mlp", "sgd")
    };
    assert_mistake(&spec, Code::NoSuchFile, "data", &["/no/such/data.npz"]);
}

#[test]
fn shapes_that_do_not_fit_the_model_are_both_named() {
    let folder = TempDir::new().unwrap();
    let inputs = floats(&folder, "x.npy", "(6, 5)", &[0.5; 30]);
    let targets = integers(&folder, "y.npy", "(6,)", &[0, 1, 2, 3, 4, 5]);
    assert_mistake(
        &on_files("mlp.pt", inputs, targets),
        Code::ForwardFails,
        "model",
        &[
            "[4, 5]",
            "mat1 and mat2 shapes cannot be multiplied (4x5 and 64x16)",
        ],
    );
}

#[test]
fn the_wrong_number_of_inputs_is_a_mistake_of_input_keys() {
    let mut one = pairs();
    one.data.as_mut().unwrap().input_keys = vec!["a".to_owned()];
    assert_mistake(
        &one,
        Code::ForwardArguments,
        "input_keys",
        &["does not take 1 argument ("],
    );
    let mut three = pairs();
    three.data.as_mut().unwrap().input_keys = ["a", "b", "a"].map(str::to_owned).to_vec();
    assert_mistake(
        &three,
        Code::ForwardArguments,
        "input_keys",
        &["does not take 3 arguments"],
    );
    let builtin = v1::TrainerSpec {
        trainer: Some(support::model("mlp")),
        ..pairs()
    };
    assert_mistake(
        &builtin,
        Code::BuiltinModel,
        "input_keys",
        &["`mlp` takes one input"],
    );
}

#[test]
fn labels_out_of_range_are_named_with_sample_value_and_classes() {
    let folder = TempDir::new().unwrap();
    let inputs = floats(&folder, "x.npy", "(6, 64)", &[0.5; 6 * 64]);
    let high = integers(&folder, "high.npy", "(6,)", &[0, 1, 2, 3, 10, 5]);
    assert_mistake(
        &on_files("mlp.pt", inputs.clone(), high),
        Code::LabelOutOfRange,
        "data",
        &["sample 4", "is 10", "0 to 9 (10 classes)"],
    );
    let negative = integers(&folder, "negative.npy", "(6,)", &[0, 1, -1, 3, 4, 5]);
    for model in ["mlp.pt", "mlp"] {
        assert_mistake(
            &on_files(model, inputs.clone(), negative.clone()),
            Code::LabelOutOfRange,
            "data",
            &["sample 2", "is -1"],
        );
    }
}

#[test]
fn targets_of_the_wrong_type_or_shape_are_a_mistake_of_the_loss() {
    let folder = TempDir::new().unwrap();
    let inputs = floats(&folder, "x.npy", "(6, 64)", &[0.5; 6 * 64]);
    let real = floats(&folder, "real.npy", "(6,)", &[0.0; 6]);
    let whole = integers(&folder, "whole.npy", "(6,)", &[0; 6]);
    let square = integers(&folder, "square.npy", "(6, 1)", &[0; 6]);
    for model in ["mlp.pt", "mlp"] {
        assert_mistake(
            &on_files(model, inputs.clone(), real.clone()),
            Code::LossAndTargets,
            "loss",
            &["cross_entropy needs class indices", "Float"],
        );
        let mse = v1::TrainerSpec {
            loss: "mse".to_owned(),
            ..on_files(model, inputs.clone(), whole.clone())
        };
        assert_mistake(
            &mse,
            Code::LossAndTargets,
            "loss",
            &["mse needs real targets", "Int64"],
        );
    }
    assert_mistake(
        &on_files("mlp.pt", inputs.clone(), square),
        Code::LossShapes,
        "loss",
        &["cross_entropy does not fit", "[4, 10]", "[4, 1]"],
    );
    let mse = v1::TrainerSpec {
        loss: "mse".to_owned(),
        ..on_files("mlp.pt", inputs, real)
    };
    assert_mistake(
        &mse,
        Code::LossShapes,
        "loss",
        &["mse does not fit", "[4, 10]", "[4]"],
    );
}

#[test]
fn a_batch_larger_than_the_data_is_a_mistake() {
    let spec = v1::TrainerSpec {
        batch_size: 5000,
        ..spec("mlp", "sgd")
    };
    assert_mistake(
        &spec,
        Code::BatchLargerThanData,
        "batch_size",
        &["5000", "1797"],
    );
}

#[test]
fn a_module_must_return_a_number() {
    let spec = v1::TrainerSpec {
        loss: "module".to_owned(),
        ..pairs()
    };
    // It takes two arguments, so with the targets there is one too many.
    assert_mistake(
        &spec,
        Code::ForwardArguments,
        "input_keys",
        &["does not take 3 arguments"],
    );
    let mut one = spec.clone();
    one.data.as_mut().unwrap().input_keys = vec!["a".to_owned()];
    one.data.as_mut().unwrap().target_key = "b".to_owned();
    assert_mistake(
        &one,
        Code::LossAndModel,
        "model",
        &["returns its loss", "[30, 1]"],
    );
}

#[test]
fn a_builtin_does_not_return_its_loss() {
    let spec = v1::TrainerSpec {
        loss: "module".to_owned(),
        ..spec("mlp", "sgd")
    };
    assert_mistake(&spec, Code::LossAndModel, "loss", &["built-in"]);
}

#[test]
fn a_model_without_trainable_parameters_is_a_mistake() {
    assert_mistake(
        &spec("no_parameters.pt", "sgd"),
        Code::NothingToTrain,
        "model",
        &["no trainable parameters"],
    );
}

#[test]
fn data_that_give_no_finite_loss_are_a_mistake() {
    let folder = TempDir::new().unwrap();
    let inputs = floats(&folder, "x.npy", "(6, 64)", &[f32::NAN; 6 * 64]);
    let targets = integers(&folder, "y.npy", "(6,)", &[0, 1, 2, 3, 4, 5]);
    assert_mistake(
        &on_files("mlp", inputs, targets),
        Code::LossNotFinite,
        "data",
        &["NaN"],
    );
}

#[test]
fn unknown_names_are_named() {
    assert_mistake(&spec("vgg", "sgd"), Code::UnknownName, "model", &["vgg"]);
    assert_mistake(
        &spec("mlp", "lion"),
        Code::UnknownName,
        "optimizer",
        &["lion"],
    );
    let loss = v1::TrainerSpec {
        loss: "hinge".to_owned(),
        ..spec("mlp", "sgd")
    };
    assert_mistake(&loss, Code::UnknownName, "loss", &["hinge"]);
}

#[test]
fn a_training_loop_of_its_own_is_a_mistake_of_entry() {
    // Such a specification has nothing else.
    let spec = v1::TrainerSpec {
        trainer: Some(v1::trainer_spec::Trainer::Custom(v1::Custom {
            entry: "module:setup".to_owned(),
            config: Vec::new(),
        })),
        ..v1::TrainerSpec::default()
    };
    assert_mistake(
        &spec,
        Code::EntryWithoutWorker,
        "entry",
        &["`module:setup`"],
    );
    let failure = mistake(&spec);
    assert!(
        failure.fields[0].remedy.contains("--worker-command"),
        "{failure:?}"
    );
}

#[test]
fn the_cnn_needs_images() {
    let folder = TempDir::new().unwrap();
    let inputs = floats(&folder, "x.npy", "(6, 64)", &[0.5; 6 * 64]);
    let targets = integers(&folder, "y.npy", "(6,)", &[0, 1, 2, 3, 4, 5]);
    assert_mistake(
        &on_files("cnn", inputs, targets),
        Code::BuiltinModel,
        "model",
        &["needs images", "[64]"],
    );
}

#[test]
fn images_without_channels_bytes_and_narrow_labels_train() {
    let folder = TempDir::new().unwrap();
    let pixels: Vec<u8> = (0..6 * 25).collect();
    let inputs = npy(&folder, "x.npy", "|u1", "(6, 5, 5)", &pixels);
    let targets = npy(&folder, "y.npy", "|u1", "(6,)", &[0, 1, 2, 0, 1, 2]);
    for model in ["cnn", "mlp"] {
        let spec = on_files(model, inputs.clone(), targets.clone());
        let described = trainer().describe(&spec).unwrap();
        assert!(described.initial_loss.is_finite());
        assert_eq!(described.parameters.last().unwrap().shape, [3]);
    }
}

#[test]
fn builtins_regress_on_targets_of_any_shape() {
    let folder = TempDir::new().unwrap();
    let inputs = floats(&folder, "x.npy", "(6, 4, 4)", &[0.25; 96]);
    for (name, shape, len) in [("a.npy", "(6,)", 6), ("b.npy", "(6, 2, 3)", 36)] {
        let targets = floats(&folder, name, shape, &vec![1.0; len]);
        for model in ["mlp", "cnn"] {
            let spec = v1::TrainerSpec {
                loss: "mse".to_owned(),
                ..on_files(model, inputs.clone(), targets.clone())
            };
            assert!(trainer().describe(&spec).unwrap().initial_loss.is_finite());
        }
    }
}

#[test]
fn tf32_on_a_cpu_is_a_mistake() {
    let failure = mistake(&v1::TrainerSpec {
        precision: "tf32".to_owned(),
        ..spec("mlp", "sgd")
    });
    assert_eq!(failure.fields[0].field, "precision");
}
