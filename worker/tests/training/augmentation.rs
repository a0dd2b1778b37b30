//! Varied images: by the rule of the specification, in every task alike, and never in an evaluation.

use crate::cases::{case, cases};
use crate::support::{begin, bits, losses, spec, trainer};
use rangefinder_proto::v1;
use rangefinder_session::trainer::Trainer;

fn augmented(model: &str) -> v1::TrainerSpec {
    let mut spec = v1::TrainerSpec {
        shuffle: true,
        ..spec(model, "sgd")
    };
    spec.data.as_mut().unwrap().augmentation = Some(v1::Augmentation {
        crop: 2,
        flip: true,
    });
    spec
}

#[test]
fn cropped_and_mirrored_images_train_as_in_a_second_writing_of_the_rule() {
    for case in cases("augmented.json") {
        case.assert_as_in_pytorch();
    }
}

#[test]
fn a_step_is_varied_alike_wherever_the_task_begins() {
    for model in ["cnn", "dropout_norm.pt"] {
        let spec = augmented(model);
        let still = |first: u64| {
            let mut trainer = trainer();
            begin(&mut trainer, &spec, first, 40).unwrap();
            let mut losses = Vec::new();
            for step in first..40 {
                trainer.step(step, 0.0, &mut losses).unwrap();
            }
            bits(&losses.iter().map(|loss| loss.loss).collect::<Vec<_>>())
        };
        assert_eq!(still(0)[25..], still(25), "{model}");
    }
}

#[test]
fn a_task_run_again_gives_the_same_bits() {
    let spec = augmented("cnn");
    let mut busy = trainer();
    let first = bits(&losses(&mut busy, &spec, 0, 20));
    busy.probe(&spec, 2).unwrap();
    assert_eq!(first, bits(&losses(&mut busy, &spec, 0, 20)));
    assert_eq!(first, bits(&losses(&mut trainer(), &spec, 0, 20)));
}

#[test]
fn an_epoch_does_not_repeat_the_variations_of_the_one_before() {
    // In file order and with a batch of all samples, only the variations can differ.
    let spec = v1::TrainerSpec {
        batch_size: 1797,
        shuffle: false,
        ..augmented("mlp")
    };
    let mut trainer = trainer();
    begin(&mut trainer, &spec, 0, 2).unwrap();
    let mut seen = Vec::new();
    trainer.step(0, 0.0, &mut seen).unwrap();
    trainer.step(1, 0.0, &mut seen).unwrap();
    assert_ne!(seen[0].loss, seen[1].loss);
}

#[test]
fn the_images_of_an_evaluation_stay_as_they_are() {
    let mut spec = augmented("mlp");
    spec.evaluation = Some(v1::Evaluation {
        // Even where its data are the very same.
        data: spec.data.clone(),
        batches: 3,
        every: 1,
    });
    let first = |spec: &v1::TrainerSpec| losses(&mut trainer(), spec, 0, 1)[0];
    let mut plain = spec.clone();
    plain.data.as_mut().unwrap().augmentation = None;
    assert_eq!(first(&spec), first(&plain));
}

#[test]
fn data_without_images_cannot_be_varied() {
    let mut spec = case("losses.json", "cross_entropy").spec;
    spec.data.as_mut().unwrap().augmentation = Some(v1::Augmentation {
        crop: 0,
        flip: true,
    });
    let failure = trainer().describe(&spec).unwrap_err();
    assert_eq!(failure.fields[0].field, "augment");
    assert!(failure.message.contains("`x` [52, 6]"), "{failure:?}");
}

#[test]
fn a_crop_that_can_leave_nothing_of_an_image_is_a_mistake() {
    let mut spec = augmented("cnn");
    let data = spec.data.as_mut().unwrap();
    data.augmentation = Some(v1::Augmentation {
        crop: 8,
        flip: false,
    });
    let failure = trainer().describe(&spec).unwrap_err();
    assert!(failure.message.contains("crop=8"), "{failure:?}");
}
