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

/// Workers take steps as they come, and some twice.
#[test]
fn a_variation_does_not_depend_on_what_was_drawn_before_or_where() {
    let places: Vec<(u32, u64, u64)> = (0..3)
        .flat_map(|replica| (0..20).map(move |step| (replica, step)))
        .flat_map(|(replica, step)| (0..8).map(move |position| (replica, step, position)))
        .collect();
    let draw = |&(replica, step, position): &(u32, u64, u64)| BOTH.draw(5, replica, step, position);
    let in_order: Vec<Variation> = places.iter().map(draw).collect();
    let backwards: Vec<Variation> = places.iter().rev().map(draw).collect();
    assert!(in_order.iter().eq(backwards.iter().rev()));
    // Another thread, that begins in the middle.
    let late = places[places.len() / 2..].to_vec();
    let elsewhere = std::thread::spawn(move || late.iter().map(draw).collect::<Vec<_>>());
    assert_eq!(elsewhere.join().unwrap(), in_order[places.len() / 2..]);
}

/// Sweeps that were begun with an earlier version go on with these, which a second implementation,
/// in Python, has computed.
#[test]
fn variations_stay_what_they_were_in_the_first_version() {
    for (seed, replica, step, position, top, left, flip) in [
        (0, 0, 0, 0, 5, 8, false),
        (1, 0, 0, 0, 1, 2, false),
        (1, 2, 3, 4, 5, 1, true),
        (u64::MAX, u32::MAX, 1 << 40, 63, 1, 1, false),
    ] {
        let expected = Variation { top, left, flip };
        assert_eq!(BOTH.draw(seed, replica, step, position), expected);
    }
}

#[test]
fn neighbours_in_step_replica_seed_and_position_are_independent() {
    // Agreement of top, left and flip by chance: 1 in 9, 1 in 9, 1 in 2.
    for neighbours in ["step", "replica", "seed", "position"] {
        let draw = |n: u32| match neighbours {
            "step" => BOTH.draw(7, 0, n.into(), 0),
            "replica" => BOTH.draw(7, n, 0, 0),
            "seed" => BOTH.draw(n.into(), 0, 0, 0),
            _ => BOTH.draw(7, 0, 0, n.into()),
        };
        let drawn: Vec<Variation> = (0..20_001).map(draw).collect();
        let share = |same: fn(&Variation, &Variation) -> bool| {
            let same = drawn.windows(2).filter(|pair| same(&pair[0], &pair[1]));
            same.count() as f64 / 20_000.0
        };
        for (share, expected) in [
            (share(|a, b| a.top == b.top), 1.0 / 9.0),
            (share(|a, b| a.left == b.left), 1.0 / 9.0),
            (share(|a, b| a.flip == b.flip), 0.5),
        ] {
            let deviation = (expected * (1.0 - expected) / 20_000.0_f64).sqrt();
            let z = (share - expected) / deviation;
            assert!(
                z.abs() < 4.0,
                "neighbours in {neighbours}: {share}, not {expected}"
            );
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
