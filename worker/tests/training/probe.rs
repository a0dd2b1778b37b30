//! What a probe measures.

use crate::support::{self, losses, pairs, spec, trainer};
use rangefinder_proto::v1;
use rangefinder_session::trainer::{StepError, Trainer};

#[test]
fn gradient_norms_match_the_gradients_that_plain_sgd_shows() {
    // Plain SGD moves the weights by lr * gradient: loss(w - lr g) ~ loss(w) - lr |g|^2.
    let mut spec = spec("mlp", "sgd");
    spec.optimizer = Some(v1::Optimizer {
        momentum: 0.0,
        ..support::optimizer("sgd")
    });
    // One batch holds all samples, so that every batch has the same gradient and no noise is left.
    spec.batch_size = 1797;
    let mut trainer = trainer();
    let probed = trainer.probe(&spec, 4).unwrap();
    support::begin(&mut trainer, &spec, 0, 2).unwrap();
    let mut seen = Vec::new();
    let lr = 1e-3;
    trainer.step(0, lr, &mut seen).unwrap();
    trainer.step(1, lr, &mut seen).unwrap();
    let slope = (seen[0].loss - seen[1].loss) / lr;
    assert!(
        (probed.gradient_squared / slope - 1.0).abs() < 0.02,
        "{} against the slope {slope}",
        probed.gradient_squared
    );
    assert!((probed.initial_loss / seen[0].loss - 1.0).abs() < 1e-6);
    // For n weights |g|_2^2 <= |g|_1^2 <= n |g|_2^2.
    let (square, l1) = (probed.gradient_squared, probed.gradient_l1);
    assert!(
        l1 * l1 >= square && l1 * l1 <= 85_002.0 * square,
        "{l1} {square}"
    );
}

#[test]
fn noise_of_small_batches_is_taken_out_of_the_gradient() {
    let squared = |batch_size: u32, batches: u32| {
        let spec = v1::TrainerSpec {
            batch_size,
            shuffle: true,
            ..spec("mlp", "sgd")
        };
        trainer().probe(&spec, batches).unwrap().gradient_squared
    };
    let (noisy, whole) = (squared(4, 200), squared(1797, 2));
    // The plain mean of |g_b|^2 is several times as large.
    assert!((noisy / whole - 1.0).abs() < 0.3, "{noisy} against {whole}");
}

#[test]
fn time_and_memory_are_measured() {
    let probed = trainer().probe(&spec("cnn", "adamw"), 3).unwrap();
    assert!(probed.seconds_per_step > 0.0 && probed.seconds_per_step < 10.0);
    assert!(probed.peak_memory_bytes > 10 << 20);
}

#[test]
fn a_squared_norm_is_never_negative() {
    // Labels without any relation to the inputs would make the unbiased estimate negative at times.
    for batch_size in [1, 2, 3] {
        let spec = v1::TrainerSpec {
            batch_size,
            shuffle: true,
            ..spec("tied.pt", "sgd")
        };
        for seed in 0..5 {
            let spec = v1::TrainerSpec {
                seed,
                ..spec.clone()
            };
            assert!(trainer().probe(&spec, 2).unwrap().gradient_squared >= 0.0);
        }
    }
}

#[test]
fn a_single_batch_is_probed_as_two() {
    let probed = trainer().probe(&pairs(), 1).unwrap();
    assert!(probed.gradient_squared.is_finite());
}

#[test]
fn running_out_of_memory_is_named_with_batch_size_and_remedy_and_the_trainer_lives_on() {
    // The first layer alone would take 2^32 * 64 * 4 bytes; of the second, 64 bits cannot tell them.
    for hidden_sizes in [vec![u32::MAX, 2], vec![u32::MAX, u32::MAX]] {
        let spec = v1::TrainerSpec {
            trainer: Some(v1::trainer_spec::Trainer::Builtin(v1::Builtin {
                name: "mlp".to_owned(),
                hidden_sizes,
                ..Default::default()
            })),
            ..spec("mlp", "sgd")
        };
        let mut trainer = trainer();
        let failure = trainer.probe(&spec, 2).unwrap_err();
        assert_eq!(failure.kind, v1::FailureKind::OutOfMemory, "{failure:?}");
        assert!(
            failure.message.contains("batch_size 64"),
            "{}",
            failure.message
        );
        assert!(
            failure.message.contains("use a smaller model"),
            "{}",
            failure.message
        );
        assert_eq!(
            losses(&mut trainer, &support::spec("mlp", "sgd"), 0, 3).len(),
            3
        );
    }
}

#[test]
fn a_batch_that_is_too_large_is_told_how_to_be_accumulated_wherever_it_is_met() {
    let mut hungry = v1::TrainerSpec {
        accumulate: 3,
        ..spec("unusual/hungry.pt", "sgd")
    };
    let data = hungry.data.clone();
    hungry.evaluation = Some(v1::Evaluation {
        data,
        batches: 1,
        every: 1,
    });
    let mut trainer = trainer();
    let met = [
        trainer.describe(&hungry).unwrap_err(),
        trainer.probe(&hungry, 2).unwrap_err(),
        {
            support::begin(&mut trainer, &hungry, 0, 1).unwrap();
            match trainer.step(0, 1e-3, &mut Vec::new()) {
                Err(StepError::Failed(failure)) => failure,
                other => panic!("{other:?}"),
            }
        },
    ];
    for failure in met {
        assert_eq!(failure.kind, v1::FailureKind::OutOfMemory, "{failure:?}");
        assert_eq!(failure.fields[0].field, "batch_size");
        for part in ["batch_size 64", "--batch-size 32 --accumulate 6"] {
            assert!(failure.message.contains(part), "{failure:?}");
        }
    }
    // In evaluation the model takes 16 samples alone, and the probe finds that too.
    hungry.batch_size = 32;
    let failure = trainer.probe(&hungry, 2).unwrap_err();
    assert_eq!(failure.kind, v1::FailureKind::OutOfMemory, "{failure:?}");
    hungry.evaluation = None;
    assert!(trainer.probe(&hungry, 2).is_ok());
}
