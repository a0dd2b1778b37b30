//! Steps over several batches.

use crate::cases::case;
use crate::support::{begin, bits, losses, lr, spec, trainer};
use rangefinder_errors::Code;
use rangefinder_proto::v1;
use rangefinder_session::trainer::Trainer;

fn accumulating(batch_size: u32, accumulate: u32) -> v1::TrainerSpec {
    v1::TrainerSpec {
        batch_size,
        accumulate,
        ..spec("mlp", "adamw")
    }
}

#[test]
fn accumulated_gradients_train_as_in_pytorchs_own_loop_also_with_the_last_smaller_batch() {
    for name in ["adamw", "sgd", "clipped"] {
        case("accumulated.json", name).assert_as_in_pytorch();
    }
}

#[test]
fn bf16_trains_as_pytorchs_autocast() {
    for name in ["bf16", "bf16, accumulated"] {
        // CPUs with and without products of bfloat16 round differently.
        case("accumulated.json", name).assert_losses_within(2e-2);
    }
}

#[test]
fn a_step_under_bf16_is_computed_in_bf16_also_in_an_evaluation() {
    let case = case("accumulated.json", "bf16");
    let first = |spec: &v1::TrainerSpec| losses(&mut trainer(), spec, 0, 1)[0];
    for evaluation in [false, true] {
        let mut half = case.spec.clone();
        half.evaluation = evaluation.then(|| v1::Evaluation {
            data: half.data.clone(),
            batches: 1,
            every: 1,
        });
        let single = v1::TrainerSpec {
            precision: "fp32".to_owned(),
            ..half.clone()
        };
        // Eight bits of a number, not twenty-four.
        let off = (first(&half) / first(&single) - 1.0).abs();
        assert!((1e-5..2e-2).contains(&off), "{off}");
    }
}

#[test]
fn a_step_that_fails_under_bf16_leaves_the_next_task_in_fp32() {
    let expected = bits(&losses(&mut trainer(), &spec("mlp", "adamw"), 0, 5));
    let mut failing = v1::TrainerSpec {
        precision: "bf16".to_owned(),
        ..spec("unusual/hungry.pt", "sgd")
    };
    let mut trainer = trainer();
    trainer.describe(&failing).unwrap_err();
    begin(&mut trainer, &failing, 0, 1).unwrap();
    trainer.step(0, 1e-3, &mut Vec::new()).unwrap_err();
    // In its evaluation too.
    failing.evaluation = Some(v1::Evaluation {
        data: failing.data.clone(),
        batches: 1,
        every: 1,
    });
    begin(&mut trainer, &failing, 0, 1).unwrap();
    trainer.step(0, 1e-3, &mut Vec::new()).unwrap_err();
    let after = losses(&mut trainer, &spec("mlp", "adamw"), 0, 5);
    assert_eq!(bits(&after), expected);
}

#[test]
fn batches_that_are_accumulated_train_as_one_batch_of_them_all() {
    // 8 steps stay within the first epoch, in which both see the same samples.
    let whole = losses(&mut trainer(), &accumulating(192, 1), 0, 8);
    let parts = losses(&mut trainer(), &accumulating(64, 3), 0, 8);
    for (whole, part) in whole.iter().zip(&parts) {
        assert!((part / whole - 1.0).abs() < 1e-5, "{part} against {whole}");
    }
}

#[test]
fn a_step_has_the_samples_of_all_its_batches_and_one_learning_rate() {
    let mut trainer = trainer();
    // 29 batches an epoch, of which the last has 5 samples: step 7 takes batches 28 to 31.
    begin(&mut trainer, &accumulating(64, 4), 6, 9).unwrap();
    let mut seen = Vec::new();
    for step in 6..9 {
        trainer.step(step, lr(step), &mut seen).unwrap();
    }
    let steps: Vec<_> = seen.iter().map(|l| (l.step, l.lr, l.samples)).collect();
    assert_eq!(steps, [(6, lr(6), 256), (7, lr(7), 197), (8, lr(8), 256)]);
}

#[test]
fn the_effective_batch_size_and_the_steps_of_an_epoch_count_optimizer_steps() {
    let described = trainer().describe(&accumulating(64, 4)).unwrap();
    assert_eq!(described.effective_batch_size, 256);
    assert_eq!(described.steps_per_epoch, 8);
    let plain = trainer().describe(&accumulating(64, 0)).unwrap();
    assert_eq!(
        (plain.effective_batch_size, plain.steps_per_epoch),
        (64, 29)
    );
}

#[test]
fn a_probe_runs_whole_optimizer_steps() {
    // The mean gradient over all samples has the same norm, however they are cut into batches.
    let whole = trainer().probe(&accumulating(1797, 1), 2).unwrap();
    let parts = trainer().probe(&accumulating(599, 3), 2).unwrap();
    let ratio = parts.gradient_squared / whole.gradient_squared;
    assert!((ratio - 1.0).abs() < 1e-3, "{parts:?} {whole:?}");
    assert!((parts.initial_loss / whole.initial_loss - 1.0).abs() < 1e-5);
}

#[test]
fn a_step_larger_than_the_data_is_a_mistake() {
    let failure = trainer().describe(&accumulating(1000, 2)).unwrap_err();
    assert_eq!(failure.code, Code::BatchLargerThanData);
    assert_eq!(failure.fields[0].field, "accumulate");
    for part in ["2 batches of batch_size 1000 are 2000 samples", "has 1797"] {
        assert!(failure.message.contains(part), "{failure:?}");
    }
    assert!(trainer().describe(&accumulating(599, 3)).is_ok());
}
