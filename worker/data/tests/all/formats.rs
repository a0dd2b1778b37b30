//! Files that numpy and safetensors wrote are read number for number.

use std::path::PathBuf;

use crate::common::{elements, fixture, fixtures, load_keys, source};
use rangefinder_data::{Column, Dataset, Dtype, Source, load};

/// The arrays of most fixtures: inputs 0, 1, ... as float32 (6, 2, 3), targets 0, 1, 2, ... as int64.
fn assert_is_the_example(dataset: &Dataset) {
    assert_eq!(dataset.samples(), 6);
    assert_eq!(dataset.inputs().len(), 1);
    let inputs = &dataset.inputs()[0];
    assert_eq!(inputs.name(), "inputs");
    assert_eq!(inputs.dtype(), Dtype::F32);
    assert_eq!(inputs.shape(), [6, 2, 3]);
    let expected: Vec<f32> = (0..36u8).map(f32::from).collect();
    assert_eq!(elements(inputs, f32::from_le_bytes), expected);
    let targets = dataset.targets();
    assert_eq!(targets.name(), "targets");
    assert_eq!(targets.dtype(), Dtype::I64);
    assert_eq!(targets.shape(), [6]);
    assert_eq!(elements(targets, i64::from_le_bytes), [0, 1, 2, 0, 1, 2]);
}

#[test]
fn a_pair_of_npy_files_is_read() {
    let dataset = load(&fixtures("inputs.npy", "targets.npy")).unwrap();
    assert_is_the_example(&dataset);
}

#[test]
fn an_npz_file_is_read_stored_or_deflated() {
    for name in ["stored.npz", "deflated.npz"] {
        assert_is_the_example(&load(&fixtures(name, "")).unwrap());
    }
}

#[test]
fn a_safetensors_file_is_read() {
    assert_is_the_example(&load(&fixtures("arrays.safetensors", "")).unwrap());
}

#[test]
fn all_versions_of_npy_are_read() {
    for name in ["version2.npy", "version3.npy"] {
        assert_is_the_example(&load(&fixtures(name, "targets.npy")).unwrap());
    }
}

#[test]
fn an_ending_in_capitals_is_an_ending() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("DATA.NPZ");
    std::fs::copy(fixture("stored.npz"), &path).unwrap();
    assert_is_the_example(&load(&source(&path)).unwrap());
}

#[test]
fn fortran_order_becomes_c_order() {
    assert_is_the_example(&load(&fixtures("fortran.npy", "targets.npy")).unwrap());

    let matrix = load(&fixtures("fortran_matrix.npy", "targets.npy")).unwrap();
    let expected: Vec<i16> = (0..30).collect();
    assert_eq!(matrix.inputs()[0].shape(), [6, 5]);
    assert_eq!(elements(&matrix.inputs()[0], i16::from_le_bytes), expected);

    let column = load(&fixtures("fortran_column.npy", "targets.npy")).unwrap();
    assert_eq!(column.inputs()[0].shape(), [6, 1]);
    assert_eq!(
        elements(&column.inputs()[0], f64::from_le_bytes),
        [0., 1., 2., 3., 4., 5.]
    );
}

#[test]
fn every_type_that_libtorch_has_is_read() {
    let names = [
        "float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool",
    ];
    let dataset = load_keys("types.npz", &names, "bool").unwrap();
    for (array, name) in dataset.inputs().iter().zip(names) {
        assert_eq!(array.dtype().to_string(), name);
        assert_eq!(array.shape(), [3]);
    }
    let arrays = dataset.inputs();
    assert_eq!(elements(&arrays[0], f64::from_le_bytes), [1., 0., 1.]);
    assert_eq!(elements(&arrays[1], f32::from_le_bytes), [1., 0., 1.]);
    // 0x3c00 is 1 in half precision.
    assert_eq!(
        elements(&arrays[2], u16::from_le_bytes),
        [0x3c00, 0, 0x3c00]
    );
    assert_eq!(elements(&arrays[3], i64::from_le_bytes), [1, 0, 1]);
    assert_eq!(elements(&arrays[4], i32::from_le_bytes), [1, 0, 1]);
    assert_eq!(elements(&arrays[5], i16::from_le_bytes), [1, 0, 1]);
    for array in &arrays[6..] {
        assert_eq!(array.parts()[0].bytes().as_ref(), [1, 0, 1], "{array:?}");
    }
}

#[test]
fn elements_that_are_not_aligned_in_the_file_are_aligned_in_memory() {
    let dataset = load(&fixtures("bfloat16.safetensors", "")).unwrap();
    let [inputs] = dataset.inputs() else {
        panic!("{dataset:?}")
    };
    assert_eq!(inputs.dtype(), Dtype::Bf16);
    assert_eq!(elements(inputs, u16::from_le_bytes), [0x3f80, 0xc000]);
    assert!(inputs.parts()[0].bytes().as_ptr().addr().is_multiple_of(2));
    assert_eq!(dataset.targets().shape(), [2, 1]);
    assert_eq!(elements(dataset.targets(), i8::from_le_bytes), [1, -1]);
}

#[test]
fn the_elements_of_every_array_are_aligned() {
    let sources = [
        fixtures("inputs.npy", "targets.npy"),
        fixtures("fortran.npy", "targets.npy"),
        fixtures("stored.npz", ""),
        fixtures("deflated.npz", ""),
        fixtures("arrays.safetensors", ""),
        Source {
            source: "digits".to_owned(),
            ..Source::default()
        },
    ];
    let aligned = |column: &Column| {
        let address = column.parts()[0].bytes().as_ptr().addr();
        address.is_multiple_of(column.dtype().size())
    };
    for source in sources {
        let dataset = load(&source).unwrap();
        assert!(dataset.inputs().iter().all(aligned), "{dataset:?}");
        assert!(aligned(dataset.targets()), "{dataset:?}");
    }
}

#[test]
fn nan_and_infinity_are_numbers_like_others() {
    let dataset = load(&fixtures("nan.npy", "targets.npy")).unwrap();
    let numbers = elements(&dataset.inputs()[0], f32::from_le_bytes);
    assert!(numbers[0].is_nan());
    assert_eq!(numbers[1..3], [f32::INFINITY, f32::NEG_INFINITY]);
    assert_eq!(numbers[3].to_bits(), (-0.0_f32).to_bits());
}

#[test]
fn keys_choose_arrays_in_their_order() {
    let dataset = load_keys("other_names.npz", &["mask", "images"], "label").unwrap();
    let names: Vec<&str> = dataset.inputs().iter().map(Column::name).collect();
    assert_eq!(names, ["mask", "images"]);
    assert_eq!(dataset.inputs()[0].dtype(), Dtype::Bool);
    assert_eq!(dataset.inputs()[0].shape(), [6, 3]);
    assert_eq!(dataset.targets().name(), "label");

    let dataset = load_keys("other_names.safetensors", &[], "target").unwrap();
    assert_eq!(
        elements(dataset.targets(), i64::from_le_bytes),
        [0, 1, 2, 0, 1, 2]
    );
}

#[test]
fn the_default_names_may_be_given_where_there_is_nothing_to_choose() {
    let explicit = |source: Source| Source {
        input_keys: vec!["inputs".to_owned()],
        target_key: "targets".to_owned(),
        ..source
    };
    assert_is_the_example(&load(&explicit(fixtures("inputs.npy", "targets.npy"))).unwrap());
    let digits = Source {
        source: "digits".to_owned(),
        ..Source::default()
    };
    assert_eq!(load(&explicit(digits)).unwrap().samples(), 1797);
}

#[test]
fn targets_that_are_the_inputs_share_their_memory() {
    let dataset = load_keys("deflated.npz", &["inputs"], "inputs").unwrap();
    let (inputs, targets) = (
        &dataset.inputs()[0].parts()[0],
        &dataset.targets().parts()[0],
    );
    assert_eq!(inputs.bytes().as_ptr(), targets.bytes().as_ptr());
}

#[test]
fn bytes_stay_where_they_are_for_as_long_as_a_clone_of_them_lives() {
    let kept = |source: Source| {
        let dataset = load(&source).unwrap();
        let bytes = dataset.inputs()[0].parts()[0].bytes().clone();
        let address = bytes.as_ptr();
        drop(dataset);
        assert_eq!(bytes.as_ptr(), address);
        assert_eq!(bytes[4..8], 1.0_f32.to_le_bytes());
    };
    kept(fixtures("inputs.npy", "targets.npy"));
    kept(fixtures("deflated.npz", ""));
    kept(fixtures("fortran.npy", "targets.npy"));
}

#[test]
fn control_characters_of_a_path_are_escaped_in_the_error() {
    let path = PathBuf::from("no\u{fffd}such\u{7}file.npz");
    let error = load(&source(&path)).unwrap_err();
    assert!(error.message.contains("\\u{7}"), "{error}");
}
