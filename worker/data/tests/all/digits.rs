//! The data set that comes with the program.

use crate::common::elements;
use rangefinder_data::{Dataset, Dtype, Source, load};

fn digits() -> Dataset {
    load(&Source {
        source: "digits".to_owned(),
        ..Source::default()
    })
    .unwrap()
}

/// Sum, counts and the polynomial hash were computed from scikit-learn's table by other means.
#[test]
fn the_digits_are_those_of_scikit_learn() {
    let dataset = digits();
    assert_eq!(dataset.samples(), 1797);
    let [inputs] = dataset.inputs() else {
        panic!("{dataset:?}")
    };
    assert_eq!(
        (inputs.dtype(), inputs.shape()),
        (Dtype::F32, &[1797, 1, 8, 8][..])
    );
    let grey = elements(inputs, f32::from_le_bytes);
    assert!(grey.iter().all(|grey| (0.0..=1.0).contains(grey)));
    let levels: Vec<u64> = grey
        .iter()
        .map(|grey| {
            (0..=16_u8)
                .find(|&level| f32::from(level) / 16.0 == *grey)
                .unwrap()
                .into()
        })
        .collect();
    assert_eq!(
        levels[..16],
        [0, 0, 5, 13, 9, 1, 0, 0, 0, 0, 13, 15, 10, 15, 5, 0]
    );
    assert_eq!(levels.iter().sum::<u64>(), 561_718);
    let hash = levels.iter().fold(0_u64, |hash, level| {
        hash.wrapping_mul(31).wrapping_add(*level)
    });
    assert_eq!(hash, 6_382_913_130_684_363_248);

    let targets = dataset.targets();
    assert_eq!(
        (targets.dtype(), targets.shape()),
        (Dtype::I64, &[1797][..])
    );
    let labels = elements(targets, i64::from_le_bytes);
    assert_eq!((labels[0], labels[1796]), (0, 8));
    let counts: Vec<usize> = (0..10)
        .map(|digit| labels.iter().filter(|&&label| label == digit).count())
        .collect();
    assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
}
