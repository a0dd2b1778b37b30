//! A step is a function of (seed, replica, global step): tasks can be cut, stopped and run again.

use crate::support::{self, begin, bits, losses, lr, pairs, spec, trainer};
use rangefinder_proto::v1;
use rangefinder_session::trainer::{TaskStart, Trainer};

/// Models whose steps are noisy or move buffers, and those that are shuffled.
fn specs() -> Vec<v1::TrainerSpec> {
    let shuffled = |spec: v1::TrainerSpec| v1::TrainerSpec {
        shuffle: true,
        ..spec
    };
    vec![
        shuffled(spec("dropout_norm.pt", "adamw")),
        spec("dropout_norm.pt", "sgd"),
        shuffled(spec("running_norm.pt", "rmsprop")),
        shuffled(spec("mlp", "adam")),
        spec("cnn", "sgd"),
        shuffled(pairs()),
    ]
}

#[test]
fn a_task_run_again_gives_the_same_bits_in_this_and_in_a_fresh_trainer() {
    for spec in specs() {
        let mut first = trainer();
        let expected = bits(&losses(&mut first, &spec, 3, 40));
        assert_eq!(
            expected,
            bits(&losses(&mut first, &spec, 3, 40)),
            "{spec:?}"
        );
        assert_eq!(
            expected,
            bits(&losses(&mut trainer(), &spec, 3, 40)),
            "{spec:?}"
        );
    }
}

#[test]
fn a_task_left_in_its_middle_leaves_no_trace_in_the_next() {
    for spec in specs() {
        let expected = bits(&losses(&mut trainer(), &spec, 5, 30));
        let mut disturbed = trainer();
        for stop in [1, 7, 20] {
            begin(&mut disturbed, &spec, 2, 60).unwrap();
            let mut forgotten = Vec::new();
            for step in 2..2 + stop {
                // A learning rate that wrecks the weights.
                disturbed.step(step, 10.0, &mut forgotten).unwrap();
            }
            if stop != 7 {
                disturbed.stop();
            }
            assert_eq!(
                expected,
                bits(&losses(&mut disturbed, &spec, 5, 30)),
                "{spec:?}"
            );
        }
    }
}

#[test]
fn a_segment_whose_warm_up_reaches_step_0_equals_the_unsplit_sweep() {
    for spec in specs() {
        let whole = bits(&losses(&mut trainer(), &spec, 0, 100));
        let segment = bits(&losses(&mut trainer(), &spec, 0, 60));
        assert_eq!(whole[..60], segment, "{spec:?}");
    }
}

#[test]
fn describing_and_probing_leave_no_trace_in_a_task() {
    for spec in specs() {
        let expected = bits(&losses(&mut trainer(), &spec, 0, 20));
        let mut busy = trainer();
        busy.describe(&spec).unwrap();
        busy.probe(&spec, 3).unwrap();
        assert_eq!(expected, bits(&losses(&mut busy, &spec, 0, 20)), "{spec:?}");
    }
}

#[test]
fn another_specification_in_between_leaves_no_trace() {
    let spec = spec("dropout_norm.pt", "adamw");
    let mut busy = trainer();
    let expected = bits(&losses(&mut busy, &spec, 0, 20));
    losses(&mut busy, &pairs(), 0, 10);
    assert_eq!(expected, bits(&losses(&mut busy, &spec, 0, 20)));
}

#[test]
fn a_step_has_the_same_batch_and_noise_wherever_the_task_begins() {
    // With a learning rate of 0 the weights stay: only batch and dropout are left to differ.
    let spec = v1::TrainerSpec {
        shuffle: true,
        optimizer: Some(support::optimizer("adam")),
        ..spec("dropout_norm.pt", "adam")
    };
    let frozen = |first: u64| {
        let mut trainer = trainer();
        begin(&mut trainer, &spec, first, 50).unwrap();
        let mut losses = Vec::new();
        for step in first..50 {
            trainer.step(step, 0.0, &mut losses).unwrap();
        }
        losses.iter().map(|loss| loss.loss).collect::<Vec<_>>()
    };
    let (all, late) = (frozen(0), frozen(33));
    assert_eq!(bits(&all[33..]), bits(&late));
    let mut distinct = bits(&all);
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(
        distinct.len(),
        50,
        "each step has noise and data of its own"
    );
}

#[test]
fn a_segments_optimizer_soon_remembers_the_steps_that_the_segment_leaves_out() {
    for optimizer in ["adam", "adamw", "rmsprop"] {
        // All digits in each batch: the gradient stays as it is until the weights move.
        let spec = v1::TrainerSpec {
            batch_size: 1797,
            optimizer: Some(support::optimizer(optimizer)),
            ..spec("mlp.pt", optimizer)
        };
        let losses = |first: u64| {
            let mut trainer = trainer();
            begin(&mut trainer, &spec, first, 120).unwrap();
            let mut losses = Vec::new();
            for step in first..120 {
                let lr = if step < 90 { 0.0 } else { 0.01 };
                trainer.step(step, lr, &mut losses).unwrap();
            }
            let from_90 = losses.iter().filter(|loss| loss.step >= 90);
            from_90.map(|loss| loss.loss).collect::<Vec<_>>()
        };
        let (all, late) = (losses(0), losses(80));
        for (all, late) in all.iter().zip(&late) {
            assert!(
                (all / late - 1.0).abs() < 1e-3,
                "{optimizer}: {late} instead of {all}"
            );
        }
        assert!(all[29] < 0.9 * all[0], "{optimizer}: {all:?}");
    }
}

/// All that a step may have at once: batches that are accumulated, varied images, dropout, an evaluation, a
/// limited gradient, parameter groups and bfloat16, in shuffled order.
fn everything(optimizer: &str) -> v1::TrainerSpec {
    let mut spec = v1::TrainerSpec {
        shuffle: true,
        accumulate: 3,
        batch_size: 50,
        precision: "bf16".to_owned(),
        ..spec("dropout_norm.pt", optimizer)
    };
    spec.evaluation = Some(v1::Evaluation {
        data: spec.data.clone(),
        batches: 4,
        every: 2,
    });
    spec.data.as_mut().unwrap().augmentation = Some(v1::Augmentation {
        crop: 1,
        flip: true,
    });
    let settings = spec.optimizer.as_mut().unwrap();
    settings.clip_norm = Some(0.5);
    settings.groups = vec![v1::ParameterGroup {
        pattern: "norm.*".to_owned(),
        lr_ratio: 2.0,
        weight_decay: Some(0.0),
    }];
    spec
}

/// Variable by which this program, run again, is told to write losses and nothing else.
const ONLY_LOSSES: &str = "RANGEFINDER_TEST_ONLY_LOSSES";

#[test]
fn all_options_together_give_the_same_bits_from_any_start_also_in_another_process() {
    let run = |optimizer: &str| bits(&losses(&mut trainer(), &everything(optimizer), 17, 32));
    if std::env::var_os(ONLY_LOSSES).is_some() {
        println!("losses: {:?}", run("adamw"));
        return;
    }
    for optimizer in ["sgd", "rmsprop"] {
        assert_eq!(run(optimizer), run(optimizer), "{optimizer}");
    }
    let here = run("adamw");
    // After other tasks, in a trainer that has seen much.
    let mut busy = trainer();
    busy.describe(&everything("adamw")).unwrap();
    busy.probe(&everything("adamw"), 2).unwrap();
    let _ = losses(&mut busy, &everything("adamw"), 3, 9);
    assert_eq!(bits(&losses(&mut busy, &everything("adamw"), 17, 32)), here);

    let name = std::thread::current().name().unwrap().to_owned();
    let there = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &name, "--nocapture"])
        .env(ONLY_LOSSES, "1")
        .output()
        .unwrap();
    let there = String::from_utf8(there.stdout).unwrap();
    assert!(there.contains(&format!("losses: {here:?}")), "{there}");
}

#[test]
fn all_options_together_leave_each_step_its_batch_and_noise_wherever_the_task_begins() {
    // Nothing moves the weights, and the statistics of batch norms enter no training loss.
    let spec = v1::TrainerSpec {
        evaluation: None,
        ..everything("sgd")
    };
    let still = |first: u64| {
        let mut trainer = trainer();
        begin(&mut trainer, &spec, first, 20).unwrap();
        let mut seen = Vec::new();
        for step in first..20 {
            trainer.step(step, 0.0, &mut seen).unwrap();
        }
        bits(&seen.iter().map(|loss| loss.loss).collect::<Vec<_>>())
    };
    assert_eq!(still(0)[13..], still(13));
}

#[test]
fn several_threads_add_gradients_up_in_one_order() {
    let spec = v1::TrainerSpec {
        batch_size: 1024,
        threads: 2,
        ..spec("unusual/picks.pt", "sgd")
    };
    let run = || bits(&losses(&mut trainer(), &spec, 60, 80));
    let first = run();
    for _ in 0..4 {
        assert_eq!(run(), first);
    }
}

#[test]
fn replicas_and_seeds_differ() {
    let spec = v1::TrainerSpec {
        shuffle: true,
        ..spec("mlp", "sgd")
    };
    let first = |spec: &v1::TrainerSpec, replica: u32| {
        let mut trainer = trainer();
        trainer
            .start(&TaskStart {
                spec: spec.clone(),
                replica,
                first_step: 0,
                end: 1,
            })
            .unwrap();
        let mut losses = Vec::new();
        trainer.step(0, lr(0), &mut losses).unwrap();
        losses[0].loss.to_bits()
    };
    let reseeded = v1::TrainerSpec {
        seed: 8,
        ..spec.clone()
    };
    assert_ne!(first(&spec, 0), first(&spec, 1));
    assert_ne!(first(&spec, 0), first(&reseeded, 0));
}

#[test]
fn the_weights_of_a_builtin_do_not_depend_on_the_replica() {
    // In file order all replicas see the same first batch.
    let spec = spec("mlp", "sgd");
    let mut trainer = trainer();
    let mut first = |replica: u32| {
        trainer
            .start(&TaskStart {
                spec: spec.clone(),
                replica,
                first_step: 0,
                end: 1,
            })
            .unwrap();
        let mut losses = Vec::new();
        trainer.step(0, lr(0), &mut losses).unwrap();
        losses[0].loss.to_bits()
    };
    assert_eq!(first(0), first(5));
}

#[test]
fn the_last_batch_of_an_epoch_is_smaller_unless_dropped() {
    let sizes = |drop_last: bool| {
        let spec = v1::TrainerSpec {
            drop_last,
            ..spec("mlp", "sgd")
        };
        let mut trainer = trainer();
        begin(&mut trainer, &spec, 27, 30).unwrap();
        let mut losses = Vec::new();
        for step in 27..30 {
            trainer.step(step, 1e-8, &mut losses).unwrap();
        }
        losses.iter().map(|loss| loss.samples).collect::<Vec<_>>()
    };
    // 1797 samples are 28 batches of 64 and one of 5.
    assert_eq!(sizes(false), [64, 5, 64]);
    assert_eq!(sizes(true), [64, 64, 64]);
}

#[test]
fn the_users_model_file_is_never_written() {
    let path = support::fixture("dropout_norm.pt");
    let before = (
        std::fs::read(&path).unwrap(),
        path.metadata().unwrap().modified().unwrap(),
    );
    losses(&mut trainer(), &spec("dropout_norm.pt", "sgd"), 0, 10);
    let after = (
        std::fs::read(&path).unwrap(),
        path.metadata().unwrap().modified().unwrap(),
    );
    assert_eq!(before, after);
}
