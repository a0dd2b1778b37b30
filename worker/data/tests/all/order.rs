//! The order of batches.

use std::collections::HashSet;

use proptest::prelude::*;
use rangefinder_data::BatchOrder;

fn shuffled(samples: u64, batch_size: u32, seed: u64, replica: u32) -> BatchOrder {
    BatchOrder::new(samples, batch_size, true, false, seed, replica).unwrap()
}

/// All samples of an epoch in their order.
fn epoch(order: &BatchOrder, epoch: u64) -> Vec<i64> {
    let steps = order.steps_per_epoch();
    (epoch * steps..(epoch + 1) * steps)
        .flat_map(|step| order.batch(step))
        .collect()
}

/// The order of what was swept must never change: a stored sweep could not be run again. If this
/// test fails, the code is wrong, not the numbers.
#[test]
fn the_order_is_the_same_in_every_version() {
    let order = shuffled(10, 4, 0, 0);
    let batches: Vec<Vec<i64>> = (0..6).map(|step| order.batch(step)).collect();
    assert_eq!(
        batches,
        [
            vec![2, 1, 6, 9],
            vec![8, 7, 3, 5],
            vec![0, 4],
            vec![0, 1, 5, 4],
            vec![3, 2, 7, 9],
            vec![6, 8]
        ]
    );
    let digits = |seed, replica, step| shuffled(1797, 8, seed, replica).batch(step);
    assert_eq!(
        digits(0, 0, 0),
        [1_739, 1_529, 1_658, 701, 206, 541, 1_269, 1_222]
    );
    assert_eq!(digits(0, 0, 224), [1_784, 1_270, 733, 1_237, 855]);
    assert_eq!(
        digits(0, 0, 225),
        [669, 953, 1_792, 180, 240, 1_740, 805, 1_314]
    );
    assert_eq!(
        digits(42, 3, 1_000_000),
        [347, 1_096, 1_741, 268, 1_646, 1_221, 1_167, 653]
    );
    let large = shuffled(1 << 40, 4, u64::MAX, u32::MAX);
    assert_eq!(
        large.batch(u64::MAX),
        [
            226_443_639_703,
            1_057_814_117_038,
            889_816_321_803,
            434_763_401_409
        ]
    );
}

#[test]
fn file_order_without_shuffle_whatever_seed_and_replica() {
    let order = BatchOrder::new(7, 3, false, false, 1, 2).unwrap();
    let other = BatchOrder::new(7, 3, false, false, 3, 4).unwrap();
    let expected = [vec![0, 1, 2], vec![3, 4, 5], vec![6], vec![0, 1, 2]];
    for (step, expected) in (0..).zip(expected) {
        assert_eq!(order.batch(step), expected);
        assert_eq!(other.batch(step), expected);
    }
    assert_eq!(order.batch(3_000_001), [3, 4, 5]);
}

#[test]
fn the_last_smaller_batch_is_kept_unless_dropped() {
    let kept = BatchOrder::new(7, 3, true, false, 0, 0).unwrap();
    assert_eq!(kept.steps_per_epoch(), 3);
    assert_eq!(
        (0..4).map(|s| kept.batch_len(s)).collect::<Vec<_>>(),
        [3, 3, 1, 3]
    );
    assert_eq!(
        (0..4).map(|s| kept.epoch(s)).collect::<Vec<_>>(),
        [0, 0, 0, 1]
    );

    let dropped = BatchOrder::new(7, 3, true, true, 0, 0).unwrap();
    assert_eq!(dropped.steps_per_epoch(), 2);
    assert_eq!(
        (0..4).map(|s| dropped.batch_len(s)).collect::<Vec<_>>(),
        [3, 3, 3, 3]
    );
    assert_eq!(
        (0..4).map(|s| dropped.epoch(s)).collect::<Vec<_>>(),
        [0, 0, 1, 1]
    );
    // The same order, cut: what is left out differs from epoch to epoch.
    assert_eq!(epoch(&dropped, 0), epoch(&kept, 0)[..6]);
    assert_eq!(epoch(&dropped, 1), epoch(&kept, 1)[..6]);

    let whole = BatchOrder::new(6, 3, true, true, 0, 0).unwrap();
    assert_eq!(whole.steps_per_epoch(), 2);
}

#[test]
fn each_epoch_replica_and_seed_has_an_order_of_its_own() {
    let mut orders = HashSet::new();
    for seed in [0, 1, 2, u64::MAX] {
        for replica in [0, 1, 2, u32::MAX] {
            let order = shuffled(1797, 64, seed, replica);
            for at in 0..5 {
                let mut samples = epoch(&order, at);
                assert!(orders.insert(samples.clone()), "{seed} {replica} {at}");
                samples.sort_unstable();
                assert!(samples.into_iter().eq(0..1797));
            }
        }
    }
}

#[test]
fn a_batch_larger_than_the_data_names_both_numbers() {
    for drop_last in [false, true] {
        let error = BatchOrder::new(50, 64, true, drop_last, 0, 0).unwrap_err();
        assert_eq!(
            error.to_string(),
            "batch_size: the batch size 64 is larger than the data, which has 50 samples; give a batch size of at most 50, or more data"
        );
    }
    assert_eq!(shuffled(64, 64, 0, 0).steps_per_epoch(), 1);
}

#[test]
fn a_batch_of_nothing_and_data_beyond_counting_are_refused() {
    let error = BatchOrder::new(50, 0, true, false, 0, 0).unwrap_err();
    assert_eq!(error.field, "batch_size");
    let error = BatchOrder::new(u64::MAX, 1, true, false, 0, 0).unwrap_err();
    assert_eq!(error.field, "data");
    let error = BatchOrder::new(0, 1, true, false, 0, 0).unwrap_err();
    assert_eq!(error.field, "batch_size");
}

proptest! {
    /// Whatever was asked before, and by whichever object.
    #[test]
    fn a_batch_is_a_function_of_seed_replica_and_step(
        samples in 1..2_000_u64,
        batch_size in 1..100_u32,
        drop_last: bool,
        shuffle: bool,
        seed: u64,
        replica: u32,
        steps in prop::collection::vec(any::<u64>(), 1..10),
    ) {
        let batch_size = batch_size.min(u32::try_from(samples).unwrap());
        let make = || BatchOrder::new(samples, batch_size, shuffle, drop_last, seed, replica).unwrap();
        let used = make();
        let mut buffer = vec![-1; 3];
        for step in steps {
            used.fill(step, &mut buffer);
            prop_assert_eq!(&buffer, &make().batch(step));
            prop_assert_eq!(buffer.len(), usize::try_from(used.batch_len(step)).unwrap());
        }
    }

    #[test]
    fn an_epoch_takes_every_sample_once(
        samples in 1..2_000_u64,
        batch_size in 1..100_u32,
        seed: u64,
        replica: u32,
        at in 0..u64::MAX / 4_000,
    ) {
        let batch_size = batch_size.min(u32::try_from(samples).unwrap());
        let mut all = epoch(&shuffled(samples, batch_size, seed, replica), at);
        all.sort_unstable();
        prop_assert!(all.into_iter().eq(0..samples.cast_signed()));
    }
}
