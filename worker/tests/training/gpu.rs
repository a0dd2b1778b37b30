//! What holds on a GPU. Where there is none these tests pass without a check, unless
//! `RANGEFINDER_REQUIRE_GPU` says that there must be one.

use rangefinder_proto::v1;
use rangefinder_session::trainer::Trainer;
use rangefinder_worker::{TorchTrainer, device};
use tch::Device;

use crate::support::{self, bits, losses, lr, spec};

fn gpu() -> Option<Device> {
    match device::resolve("cuda:0") {
        Ok(device) => Some(device),
        Err(error) => {
            let required = std::env::var_os("RANGEFINDER_REQUIRE_GPU").is_some();
            assert!(!required, "{error}");
            None
        }
    }
}

fn deterministic(name: &str, optimizer: &str) -> v1::TrainerSpec {
    v1::TrainerSpec {
        deterministic: true,
        ..spec(name, optimizer)
    }
}

#[test]
fn training_waits_for_the_gpu_at_most_once_in_32_steps() {
    let Some(device) = gpu() else { return };
    for (accumulate, precision) in [(1, "fp32"), (3, "bf16")] {
        let spec = v1::TrainerSpec {
            accumulate,
            precision: precision.to_owned(),
            ..spec("mlp", "adamw")
        };
        let mut trainer = TorchTrainer::new(device);
        support::begin(&mut trainer, &spec, 0, 320).unwrap();
        let mut seen = Vec::new();
        for step in 0..320 {
            trainer.step(step, lr(step % 50), &mut seen).unwrap();
        }
        assert_eq!(seen.len(), 320);
        let waited = trainer.synchronisations();
        assert!(waited <= 10, "{waited} synchronisations in 320 steps");
    }
}

#[test]
fn a_gpu_draws_the_curve_of_the_cpu() {
    let Some(device) = gpu() else { return };
    for (model, optimizer) in [("mlp", "adamw"), ("cnn", "sgd"), ("mlp", "rmsprop")] {
        let spec = spec(model, optimizer);
        let cpu = losses(&mut support::trainer(), &spec, 0, 60);
        let gpu = losses(&mut TorchTrainer::new(device), &spec, 0, 60);
        for (step, (cpu, gpu)) in cpu.iter().zip(&gpu).enumerate() {
            assert!(
                (gpu / cpu - 1.0).abs() < 1e-3,
                "{model}, {step}: {gpu}, {cpu}"
            );
        }
    }
}

#[test]
fn a_task_run_again_with_deterministic_kernels_gives_the_same_bits() {
    let Some(device) = gpu() else { return };
    for (model, optimizer) in [("mlp", "adamw"), ("dropout_norm.pt", "sgd")] {
        let spec = deterministic(model, optimizer);
        let run = || bits(&losses(&mut TorchTrainer::new(device), &spec, 3, 40));
        assert_eq!(run(), run(), "{model}");
    }
}

#[test]
fn data_that_are_uploaded_batch_by_batch_train_as_data_that_stay_on_the_gpu() {
    let Some(device) = gpu() else { return };
    let spec = v1::TrainerSpec {
        shuffle: true,
        ..deterministic("mlp", "adamw")
    };
    let resident = losses(&mut TorchTrainer::new(device), &spec, 0, 50);
    let uploaded = losses(
        &mut TorchTrainer::with_resident_limit(device, 0),
        &spec,
        0,
        50,
    );
    assert_eq!(bits(&resident), bits(&uploaded));
}

#[test]
fn a_probe_measures_memory_and_time_of_the_gpu() {
    let Some(device) = gpu() else { return };
    let probed = TorchTrainer::new(device)
        .probe(&spec("cnn", "adamw"), 3)
        .unwrap();
    assert!(probed.seconds_per_step > 0.0 && probed.peak_memory_bytes > 0);
}

#[test]
fn running_out_of_a_gpus_memory_is_named_with_batch_size_and_remedy() {
    let Some(device) = gpu() else { return };
    let spec = v1::TrainerSpec {
        trainer: Some(v1::trainer_spec::Trainer::Builtin(v1::Builtin {
            name: "mlp".to_owned(),
            hidden_sizes: vec![1 << 20, 1 << 20],
            ..Default::default()
        })),
        ..spec("mlp", "sgd")
    };
    let mut trainer = TorchTrainer::new(device);
    let failure = trainer.probe(&spec, 2).unwrap_err();
    assert_eq!(failure.kind, v1::FailureKind::OutOfMemory, "{failure:?}");
    assert!(failure.message.contains("smaller model"), "{failure:?}");
    assert_eq!(
        losses(&mut trainer, &support::spec("mlp", "sgd"), 0, 3).len(),
        3
    );
}
