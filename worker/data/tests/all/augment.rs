//! What is drawn for the images of a step.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use rangefinder_data::{Augmentation, Variation};

const BOTH: Augmentation = Augmentation {
    crop: Some(4),
    flip: true,
};

fn batch(seed: u64, replica: u32, step: u64) -> Vec<Variation> {
    (0..64)
        .map(|position| BOTH.draw(seed, replica, step, position))
        .collect()
}

#[test]
fn each_seed_replica_and_step_has_variations_of_its_own() {
    let mut batches = HashSet::new();
    for seed in [0, 1, 2, u64::MAX] {
        for replica in [0, 1, u32::MAX] {
            for step in [0, 1, 2, 1 << 40] {
                assert!(
                    batches.insert(batch(seed, replica, step)),
                    "{seed} {replica} {step}"
                );
            }
        }
    }
}

#[test]
fn every_place_and_both_directions_are_equally_likely() {
    let mut counts: HashMap<Variation, f64> = HashMap::new();
    for step in 0..1000 {
        for variation in batch(7, 0, step) {
            *counts.entry(variation).or_default() += 1.0;
        }
    }
    // 9 rows, 9 columns, 2 directions: a chi-square of 161 degrees of freedom.
    assert_eq!(counts.len(), 162);
    let expected = 64_000.0 / 162.0;
    let chi: f64 = counts
        .values()
        .map(|n| (n - expected) * (n - expected) / expected)
        .sum();
    let z = (chi - 161.0) / (2.0_f64 * 161.0).sqrt();
    assert!(z.abs() < 4.0, "{z}");
}

#[test]
fn neither_variation_depends_on_whether_the_other_is_chosen() {
    let crop = Augmentation {
        flip: false,
        ..BOTH
    };
    let flip = Augmentation { crop: None, ..BOTH };
    for (position, both) in (0..).zip(batch(1, 2, 3)) {
        let cropped = crop.draw(1, 2, 3, position);
        assert_eq!(
            (cropped.top, cropped.left, cropped.flip),
            (both.top, both.left, false)
        );
        let flipped = flip.draw(1, 2, 3, position);
        assert_eq!((flipped.top, flipped.left, flipped.flip), (0, 0, both.flip));
    }
}

proptest! {
    #[test]
    fn a_crop_lies_within_the_image_and_its_zeros(
        crop in 0..2000_u32, seed: u64, replica: u32, step: u64, position: u64,
    ) {
        let augmentation = Augmentation { crop: Some(crop), flip: true };
        let drawn = augmentation.draw(seed, replica, step, position);
        prop_assert!(drawn.top <= 2 * u64::from(crop));
        prop_assert!(drawn.left <= 2 * u64::from(crop));
        prop_assert_eq!(drawn, augmentation.draw(seed, replica, step, position));
    }
}
