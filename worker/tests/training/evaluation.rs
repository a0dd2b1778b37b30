//! An evaluation in place of the training loss: it is PyTorch's, and leaves training alone.

use crate::cases::{Case, case};
use crate::support::{fixture, trainer};
use rangefinder_proto::v1;
use rangefinder_session::trainer::{TaskStart, Trainer};

/// Numbers that `open_book.pt` tells.
const TOLD: u32 = 69;

fn evaluated() -> Case {
    case("evaluated.json", "an evaluation before every second step")
}

#[test]
fn the_mean_loss_of_other_data_is_pytorchs_in_evaluation_mode() {
    evaluated().assert_as_in_pytorch();
}

#[test]
fn the_described_loss_is_that_of_the_first_evaluation() {
    let case = evaluated();
    let described = trainer().describe(&case.spec).unwrap();
    assert!((described.initial_loss / case.losses[0] - 1.0).abs() < 1e-6);
}

#[test]
fn a_global_step_takes_the_samples_of_all_its_optimizer_steps() {
    let case = evaluated();
    let mut trainer = trainer();
    let described = trainer.describe(&case.spec).unwrap();
    assert_eq!(described.steps_per_epoch, 81_u64.div_ceil(2));
    let task = TaskStart {
        spec: case.spec,
        replica: 0,
        first_step: 0,
        end: 1,
    };
    trainer.start(&task).unwrap();
    let mut losses = Vec::new();
    trainer.step(0, 1e-3, &mut losses).unwrap();
    assert_eq!(losses[0].samples, 16);
}

#[test]
fn evaluating_changes_neither_weights_nor_buffers_nor_noise() {
    // Dropout draws in every step; afterwards all parameters and the statistics are told.
    let mut plain = case("groups.json", "adamw, groups");
    plain.spec.trainer = Some(crate::support::model("open_book_dropout.pt"));
    let mut ran = plain.run();
    let told = ran.told(TOLD as usize);

    // The evaluation's batches tell them too, each one number, before each step.
    let mut spied = case("groups.json", "adamw, groups");
    spied.spec.trainer = plain.spec.trainer.clone();
    let data = v1::Data {
        source: fixture("open_book_told.npz").display().to_string(),
        ..plain.spec.data.clone().unwrap()
    };
    spied.spec.evaluation = Some(v1::Evaluation {
        data: Some(data),
        batches: TOLD,
        every: 1,
    });
    spied.rates.push(0.0);
    let seen = spied.run().losses[plain.rates.len()];
    let mean = told.iter().sum::<f64>() / f64::from(TOLD);
    assert!((seen - mean).abs() < 1e-12, "{seen} and {mean}");
}

#[test]
fn dropout_is_off_in_an_evaluation() {
    let plain = evaluated().run().losses[0];
    let mut case = evaluated();
    case.spec.trainer = Some(crate::support::model("open_book_dropout.pt"));
    // The weights of both are the same, and the first evaluation comes before any training.
    assert_eq!(case.run().losses[0], plain);
}

#[test]
fn data_with_fewer_batches_than_asked_for_are_all_evaluated() {
    // 21 samples are 3 batches.
    let of = |batches| {
        let mut case = evaluated();
        case.spec.evaluation.as_mut().unwrap().batches = batches;
        case.run().losses
    };
    assert_eq!(of(8), of(3));
    assert_ne!(of(3), of(2));
}

fn refusal(change: impl FnOnce(&mut v1::Evaluation)) -> String {
    let mut spec = evaluated().spec;
    change(spec.evaluation.as_mut().unwrap());
    let failure = trainer().describe(&spec).unwrap_err();
    assert_eq!(failure.kind, v1::FailureKind::User, "{failure:?}");
    format!("{}: {}", failure.fields[0].field, failure.message)
}

#[test]
fn mistakes_of_the_evaluations_data_name_them() {
    let none = refusal(|evaluation| evaluation.every = 0);
    assert!(none.starts_with("eval_every: "), "{none}");
    let missing = refusal(|evaluation| {
        evaluation.data.as_mut().unwrap().source = "/no/such/data.npz".to_owned();
    });
    assert!(missing.starts_with("eval_data: "), "{missing}");
    assert!(missing.contains("/no/such/data.npz"), "{missing}");
}

#[test]
fn classes_that_come_in_another_order_are_numbered_as_in_training() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, rows: &[&str]| {
        let path = folder.path().join(name);
        let text = format!("a,b,kind\n{}\n", rows.join("\n"));
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (cat, dog, owl) = ("0.1,0.9,cat", "0.8,0.3,dog", "0.5,-0.7,owl");
    let data = |source: String| {
        Some(v1::Data {
            source,
            target_column: "kind".to_owned(),
            ..v1::Data::default()
        })
    };
    let training = write("training.csv", &[cat, dog, owl]);
    let spec = |evaluated: String| v1::TrainerSpec {
        data: data(training.clone()),
        batch_size: 3,
        evaluation: Some(v1::Evaluation {
            data: data(evaluated),
            batches: 1,
            every: 1,
        }),
        ..crate::support::spec("mlp", "sgd")
    };
    let loss = |rows: &[&str]| {
        let spec = spec(write("evaluated.csv", rows));
        trainer().describe(&spec).unwrap().initial_loss
    };
    let same = loss(&[cat, dog, owl]);
    // The mean over the same samples, whose sum only has another order.
    assert!((loss(&[owl, cat, dog]) / same - 1.0).abs() < 1e-6);
    // Fewer classes than in training, of which the last is alone.
    let mean = (loss(&[cat]) + loss(&[dog]) + loss(&[owl])) / 3.0;
    assert!((mean / same - 1.0).abs() < 1e-6, "{mean} and {same}");

    let unknown = spec(write("unknown.csv", &["0.1,0.1,fox"]));
    let failure = trainer().describe(&unknown).unwrap_err();
    assert_eq!(failure.fields[0].field, "eval_data", "{failure:?}");
    assert!(failure.message.contains("fox"), "{failure:?}");
}
