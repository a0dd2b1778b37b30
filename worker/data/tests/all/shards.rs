//! Several files by one name.

use crate::common::{elements, fixture, source};
use rangefinder_data::{DataError, Dataset, Source, load};
use rangefinder_errors::Code;

fn shards(pattern: &str) -> Source {
    source(&fixture("shards").join(pattern))
}

fn error(pattern: &str) -> DataError {
    load(&shards(pattern)).unwrap_err()
}

/// The example of `formats`, in three pieces of two, one and three samples.
fn assert_is_the_example(dataset: &Dataset) {
    assert_eq!(dataset.samples(), 6);
    let [inputs] = dataset.inputs() else {
        panic!("{dataset:?}")
    };
    assert_eq!(inputs.shape(), [6, 2, 3]);
    let samples: Vec<usize> = inputs.parts().iter().map(|part| part.shape()[0]).collect();
    assert_eq!(samples, [2, 1, 3]);
    let expected: Vec<f32> = (0..36u8).map(f32::from).collect();
    assert_eq!(elements(inputs, f32::from_le_bytes), expected);
    assert_eq!(
        elements(dataset.targets(), i64::from_le_bytes),
        [0, 1, 2, 0, 1, 2]
    );
}

#[test]
fn shards_are_put_end_to_end_in_the_order_of_their_names() {
    for pattern in [
        "part-*.npz",
        "part-{000..002}.npz",
        "part-00?.npz",
        "part-00[0-2].npz",
        "p*-{000..002}.npz",
        "part-*.safetensors",
    ] {
        assert_is_the_example(&load(&shards(pattern)).unwrap());
    }
    let pair = Source {
        targets: shards("y-*.npy").source,
        ..shards("x-*.npy")
    };
    assert_is_the_example(&load(&pair).unwrap());
}

#[test]
fn inputs_and_targets_may_be_cut_in_other_places() {
    let pair = Source {
        targets: fixture("targets.npy").to_str().unwrap().to_owned(),
        ..shards("x-*.npy")
    };
    assert_is_the_example(&load(&pair).unwrap());
    let short = Source {
        targets: shards("y-[01].npy").source,
        ..shards("x-*.npy")
    };
    let error = load(&short).unwrap_err();
    assert!(
        error
            .message
            .contains("`inputs` has 6 samples but `targets` has 3"),
        "{error}"
    );
}

#[test]
fn a_sample_is_found_in_its_part() {
    let dataset = load(&shards("part-*.npz")).unwrap();
    let places: Vec<_> = (0..7)
        .map(|sample| dataset.targets().locate(sample))
        .collect();
    assert_eq!(
        places,
        [
            Some((0, 0)),
            Some((0, 1)),
            Some((1, 0)),
            Some((2, 0)),
            Some((2, 1)),
            Some((2, 2)),
            None
        ]
    );
    let outside = dataset.targets().first_outside(&(0..2), -100).unwrap();
    assert_eq!((outside.sample, outside.label), (2, 2));
}

#[test]
fn shards_that_do_not_fit_are_both_named() {
    for (pattern, second, what) in [
        ("other-00[01].npz", "other-001.npz", "(6, 2, 2)"),
        ("other-00[02].npz", "other-002.npz", "float64"),
    ] {
        let error = error(pattern);
        for fragment in [second, "other-000.npz", what, "(6, 2, 3)"] {
            assert!(error.message.contains(fragment), "{error}");
        }
    }
    let error = error("other-00[03].npz");
    assert!(
        error
            .message
            .contains("other-003.npz` has 5 samples of `targets` but 6 of `inputs`"),
        "{error}"
    );
}

#[test]
fn a_pattern_without_files_and_a_missing_shard_are_named() {
    let error = error("none-*.npz");
    assert_eq!((error.code, error.field), (Code::FilePattern, "data"));
    assert!(
        error.message.contains("none-*.npz` matches no file"),
        "{error}"
    );
    let error = load(&shards("none/part-*.npz")).unwrap_err();
    assert!(
        error
            .message
            .contains("is in a folder that cannot be read: No such file"),
        "{error}"
    );
    let error = load(&shards("part-{000..003}.npz")).unwrap_err();
    assert!(
        error.message.contains("part-003.npz` cannot be read"),
        "{error}"
    );
    let error = load(&shards("part-000.{npz,npy}")).unwrap_err();
    assert!(error.remedy.contains("{000..003}"), "{error}");
    let error = load(&shards("part-[0.npz")).unwrap_err();
    assert!(error.message.contains("is no pattern"), "{error}");
    assert_eq!(error.code, Code::FilePattern);
    let error = load(&shards("part-000.*")).unwrap_err();
    assert_eq!(error.code, Code::FilesDiffer);
    assert!(
        error.message.contains("is a .safetensors file, but"),
        "{error}"
    );
}

#[test]
fn a_file_whose_name_looks_like_a_pattern_is_that_file() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["train[1].npz", "tr{a}in.npz", "*.npz"] {
        let path = folder.path().join(name);
        std::fs::copy(fixture("stored.npz"), &path).unwrap();
        assert_eq!(load(&source(&path)).unwrap().targets().parts().len(), 1);
    }
}

#[test]
fn the_folder_is_no_pattern() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("run [1] {x}");
    std::fs::create_dir(&inner).unwrap();
    std::fs::copy(fixture("stored.npz"), inner.join("a.npz")).unwrap();
    assert_eq!(load(&source(&inner.join("*.npz"))).unwrap().samples(), 6);
}

#[test]
fn tokens_stay_within_their_file() {
    let folder = tempfile::tempdir().unwrap();
    for (name, tokens) in [("a.bin", [1_u16, 2, 3, 4]), ("b.bin", [5, 6, 7, 8])] {
        let bytes: Vec<u8> = tokens.into_iter().flat_map(u16::to_le_bytes).collect();
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let dataset = load(&Source {
        context: 2,
        ..source(&folder.path().join("?.bin"))
    })
    .unwrap();
    assert_eq!(
        elements(&dataset.inputs()[0], u16::from_le_bytes),
        [1, 2, 5, 6]
    );
    assert_eq!(
        elements(dataset.targets(), u16::from_le_bytes),
        [2, 3, 6, 7]
    );
}

#[test]
fn a_range_keeps_the_order_of_its_numbers_and_a_pattern_that_of_the_names() {
    let folder = tempfile::tempdir().unwrap();
    for number in 8..=11_u16 {
        let bytes: Vec<u8> = [number, 0].into_iter().flat_map(u16::to_le_bytes).collect();
        std::fs::write(folder.path().join(format!("p-{number}.bin")), bytes).unwrap();
    }
    for (pattern, expected) in [
        ("p-{8..11}.bin", &[8, 9, 10, 11][..]),
        ("p-*.bin", &[10, 11, 8, 9]),
        // 10 is matched with 0 and with 1, and there once.
        ("p-*{0..1}*.bin", &[10, 11]),
    ] {
        let dataset = load(&Source {
            context: 1,
            ..source(&folder.path().join(pattern))
        })
        .unwrap();
        assert_eq!(
            elements(&dataset.inputs()[0], u16::from_le_bytes),
            expected,
            "{pattern}"
        );
    }
}

#[test]
fn tables_of_other_columns_are_both_named() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in [("t-0.csv", "x,z,y\n1,2,3\n"), ("t-1.csv", "z,x,y\n1,2,3\n")] {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let error = load(&Source {
        target_column: "y".to_owned(),
        ..source(&folder.path().join("t-*.csv"))
    })
    .unwrap_err();
    for fragment in [
        "t-1.csv` has the column `z` where `",
        "t-0.csv` has `x`, as column 1",
    ] {
        assert!(error.message.contains(fragment), "{error}");
    }
}

#[test]
fn classes_of_tables_are_those_of_all_files() {
    let dataset = load(&Source {
        target_column: "class".to_owned(),
        ..shards("table-*.csv")
    })
    .unwrap();
    assert_eq!(
        elements(dataset.targets(), i64::from_le_bytes),
        [1, 2, 0, 1]
    );
    assert_eq!(
        elements(&dataset.inputs()[0], f32::from_le_bytes),
        [1.0, 2.0, 3.0, 4.0]
    );
}
