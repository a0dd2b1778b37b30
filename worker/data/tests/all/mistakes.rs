//! Each mistake a user can make with data gets a message that names the thing and what to do.

use std::path::Path;

use crate::common::{fixture, fixtures, load_keys, source};
use rangefinder_data::{DataError, Source, load};
use rangefinder_errors::Code;

/// Asserts the code, which field is blamed, and that message and remedy hold these fragments.
#[track_caller]
fn assert_error(error: &DataError, code: Code, field: &str, message: &[&str], remedy: &str) {
    assert_eq!((error.code, error.field), (code, field), "{error}");
    for fragment in message {
        assert!(error.message.contains(fragment), "{error}");
    }
    assert!(error.remedy.contains(remedy), "{error}");
    let root = env!("CARGO_MANIFEST_DIR");
    assert!(
        error.message.len() < root.len() * 2 + 400,
        "too long: {error}"
    );
}

/// The error of a fixture of inputs beside good targets.
fn inputs_error(name: &str) -> DataError {
    load(&fixtures(name, "targets.npy")).unwrap_err()
}

fn write(folder: &tempfile::TempDir, name: &str, content: &[u8]) -> Source {
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    source(&path)
}

#[test]
fn no_data_is_an_error() {
    let error = load(&Source::default()).unwrap_err();
    assert_error(&error, Code::Missing, "data", &["no data"], "`digits`");
}

#[test]
fn a_missing_file_is_named() {
    for name in ["none.npz", "none.safetensors", "none.npy", "none"] {
        let mut source = source(&fixture(name));
        if Path::new(name).extension() == Some("npy".as_ref()) {
            source.targets = fixture("targets.npy").to_str().unwrap().to_owned();
        }
        let error = load(&source).unwrap_err();
        assert_error(
            &error,
            Code::NoSuchFile,
            "data",
            &[name, "No such file"],
            "check the path",
        );
    }
    let error = load(&fixtures("inputs.npy", "none.npy")).unwrap_err();
    assert_error(
        &error,
        Code::NoSuchFile,
        "targets",
        &["none.npy", "No such file"],
        "check the path",
    );
}

#[test]
fn a_folder_an_empty_file_and_a_device_are_named_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("folder.npz");
    std::fs::create_dir(&path).unwrap();
    let error = load(&source(&path)).unwrap_err();
    assert_error(
        &error,
        Code::NotAFile,
        "data",
        &["folder.npz", "is a folder"],
        "a file in it",
    );

    for name in ["empty.npz", "empty.safetensors"] {
        let error = load(&write(&folder, name, b"")).unwrap_err();
        assert_error(&error, Code::Damaged, "data", &[name, "is empty"], "again");
    }

    #[cfg(unix)]
    {
        let link = folder.path().join("null.npz");
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        let error = load(&source(&link)).unwrap_err();
        assert_error(
            &error,
            Code::NotAFile,
            "data",
            &["not a regular file"],
            "copy",
        );
    }
}

#[test]
fn an_unknown_ending_lists_the_known_formats() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["data.pt", "data"] {
        let error = load(&write(&folder, name, b"something")).unwrap_err();
        assert_error(
            &error,
            Code::DataFormat,
            "data",
            &[name, "no format"],
            "numpy.savez(",
        );
    }
}

#[test]
fn content_that_is_not_what_the_ending_says_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let npy = std::fs::read(fixture("inputs.npy")).unwrap();
    let error = load(&write(&folder, "renamed.npz", &npy)).unwrap_err();
    assert_error(
        &error,
        Code::NotThatFormat,
        "data",
        &["not a .npz file", "PK"],
        "numpy.savez(",
    );
    let error = load(&write(&folder, "renamed.safetensors", &npy)).unwrap_err();
    assert_error(
        &error,
        Code::Damaged,
        "data",
        &["not a safetensors file"],
        "again",
    );
    let npz = std::fs::read(fixture("stored.npz")).unwrap();
    let mut pair = write(&folder, "renamed.npy", &npz);
    pair.targets = fixture("targets.npy").to_str().unwrap().to_owned();
    let error = load(&pair).unwrap_err();
    assert_error(
        &error,
        Code::NotThatFormat,
        "data",
        &["not a .npy file"],
        "numpy.save",
    );
}

#[test]
fn a_missing_array_lists_those_there_are_and_the_nearest() {
    let error = load_keys("other_names.npz", &["image"], "label").unwrap_err();
    assert_error(
        &error,
        Code::NoSuchArray,
        "input_keys",
        &[
            "other_names.npz",
            "no array `image`",
            "`images`, `label`, `mask`",
        ],
        "did you mean `images`? set `input_keys`",
    );
    let error = load_keys("other_names.npz", &["images"], "Labels").unwrap_err();
    assert_error(
        &error,
        Code::NoSuchArray,
        "target_key",
        &["no array `Labels`"],
        "did you mean `label`?",
    );
    let error = load_keys("other_names.npz", &["zzzz"], "label").unwrap_err();
    assert_error(
        &error,
        Code::NoSuchArray,
        "input_keys",
        &["no array `zzzz`"],
        "or set `input_keys`",
    );

    let error = load(&fixtures("other_names.safetensors", "")).unwrap_err();
    assert_error(
        &error,
        Code::NoSuchArray,
        "target_key",
        &["no array `targets`", "`inputs`, `target`"],
        "did you mean `target`?",
    );
    let error = load(&fixtures("empty.npz", "")).unwrap_err();
    assert_error(
        &error,
        Code::NoSuchArray,
        "input_keys",
        &["none at all"],
        "save it",
    );
}

#[test]
fn inputs_without_targets_are_half_a_data_set() {
    let error = load(&fixtures("inputs.npy", "")).unwrap_err();
    assert_error(
        &error,
        Code::Missing,
        "targets",
        &["inputs.npy", "inputs alone"],
        "`targets`",
    );
}

#[test]
fn options_that_do_not_go_with_the_format_are_errors() {
    for data in [
        "stored.npz",
        "arrays.safetensors",
        "tokens_u16.bin",
        "flowers.csv",
    ] {
        let error = load(&fixtures(data, "targets.npy")).unwrap_err();
        assert_error(
            &error,
            Code::DoesNotApply,
            "targets",
            &["targets.npy"],
            "leave `targets` out",
        );
    }
    let digits = |targets: &str, input_keys: &[&str], target_key: &str| {
        let source = Source {
            source: "digits".to_owned(),
            targets: targets.to_owned(),
            input_keys: input_keys.iter().map(|&key| key.to_owned()).collect(),
            target_key: target_key.to_owned(),
            ..Source::default()
        };
        load(&source).unwrap_err()
    };
    let error = digits("targets.npy", &[], "");
    assert_error(
        &error,
        Code::DoesNotApply,
        "targets",
        &["`digits`"],
        "leave `targets` out",
    );
    let error = digits("", &["images"], "");
    assert_error(
        &error,
        Code::DoesNotApply,
        "input_keys",
        &["`images`"],
        "leave `input_keys` out",
    );
    let error = digits("", &["inputs", "inputs"], "");
    assert_error(
        &error,
        Code::DoesNotApply,
        "input_keys",
        &["`inputs`"],
        "leave `input_keys` out",
    );
    let error = digits("", &[], "label");
    assert_error(
        &error,
        Code::DoesNotApply,
        "target_key",
        &["`label`"],
        "leave `target_key` out",
    );
    let pair = Source {
        target_key: "label".to_owned(),
        ..fixtures("inputs.npy", "targets.npy")
    };
    let error = load(&pair).unwrap_err();
    assert_error(
        &error,
        Code::DoesNotApply,
        "target_key",
        &["`label`", ".npy"],
        "leave `target_key` out",
    );
}

#[test]
fn options_of_tokens_and_tables_go_with_their_files_alone() {
    let given = |data: &str| -> [(&str, Source); 4] {
        let source = || fixtures(data, "");
        [
            (
                "token_dtype",
                Source {
                    token_dtype: "u16".to_owned(),
                    ..source()
                },
            ),
            (
                "context",
                Source {
                    context: 8,
                    ..source()
                },
            ),
            (
                "target_column",
                Source {
                    target_column: "y".to_owned(),
                    ..source()
                },
            ),
            (
                "target_type",
                Source {
                    target_type: "numeric".to_owned(),
                    ..source()
                },
            ),
        ]
    };
    for (data, of) in [
        ("stored.npz", &[][..]),
        ("images-idx3-ubyte", &[]),
        ("tokens_u16.bin", &["token_dtype", "context"]),
        ("flowers.csv", &["target_column", "target_type"]),
    ] {
        for (field, source) in given(data) {
            if !of.contains(&field) {
                let error = load(&source).unwrap_err();
                assert_error(
                    &error,
                    Code::DoesNotApply,
                    field,
                    &["means nothing for a"],
                    "leave",
                );
            }
        }
    }
}

#[test]
fn damage_to_safetensors_is_named_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = |header: &[u8], elements: &[u8]| {
        let length = header.len() as u64;
        [&length.to_le_bytes(), header, elements].concat()
    };
    let array = br#"{"inputs":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}"#;
    let later = br#"{"inputs":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}"#;
    let longer = br#"{"inputs":{"dtype":"U8","shape":[3],"data_offsets":[0,2]}}"#;
    for (content, what) in [
        (
            b"abc".to_vec(),
            "ends within the length of its header, at byte 3",
        ),
        (
            [&90_000_000_u64.to_le_bytes()[..], b"{}"].concat(),
            "claims at byte 0 a header of 90000000 bytes, and has 10 bytes in all",
        ),
        (
            u64::MAX.to_le_bytes().to_vec(),
            "claims at byte 0 a header of 18446744073709551615 bytes",
        ),
        (file(b"{\xff}", b""), "not UTF-8 at byte 9"),
        (
            file(b"{\n \"a\" 1}", b""),
            "begins at byte 8, at its line 2 column 6: expected `:`",
        ),
        (file(array, b"x"), "1 bytes of elements from byte 66 on"),
        (file(array, b"xyz"), "3 bytes of elements from byte 66 on"),
        (
            file(later, b"xyz"),
            "at bytes 8 to 66, that places `inputs` where it cannot be",
        ),
        (
            file(longer, b"xy"),
            "at bytes 8 to 66, that is wrong: invalid shape",
        ),
    ] {
        let error = load(&write(&folder, "data.safetensors", &content)).unwrap_err();
        assert_error(
            &error,
            Code::Damaged,
            "data",
            &["data.safetensors", what],
            "again",
        );
    }
}

#[test]
fn numbers_of_samples_that_differ_are_both_named() {
    let error = load(&fixtures("inputs.npy", "five_samples.npy")).unwrap_err();
    let both = ["`inputs` has 6 samples", "`targets` has 5"];
    assert_error(
        &error,
        Code::SampleCounts,
        "targets",
        &both,
        "belong together",
    );
    let error = load(&fixtures("five_targets.npz", "")).unwrap_err();
    assert_error(&error, Code::SampleCounts, "data", &both, "belong together");
}

#[test]
fn arrays_without_samples_are_refused() {
    let error = inputs_error("scalar.npy");
    assert_error(
        &error,
        Code::ArrayShape,
        "data",
        &["scalar.npy", "single number"],
        "first dimension",
    );
    let error = inputs_error("no_samples.npy");
    assert_error(
        &error,
        Code::ArrayShape,
        "data",
        &["no samples", "(0, 3)"],
        "at least one sample",
    );
    let error = inputs_error("no_elements.npy");
    assert_error(
        &error,
        Code::ArrayShape,
        "data",
        &["no elements", "(6, 0)"],
        "no empty dimension",
    );
}

#[test]
fn types_that_libtorch_lacks_are_refused_with_the_conversion() {
    for (name, what, remedy) in [
        ("big_endian.npy", "big-endian", "newbyteorder"),
        ("unsigned.npy", "unsigned", "astype(numpy.int64)"),
        ("text.npy", "text", "numpy.unique"),
        ("objects.npy", "Python objects", "numpy.stack"),
        ("structured.npy", "structured", "numpy.savez"),
    ] {
        assert_error(
            &inputs_error(name),
            Code::ElementType,
            "data",
            &[name, what],
            remedy,
        );
    }
    let error = load(&fixtures("unsigned.safetensors", "")).unwrap_err();
    assert_error(
        &error,
        Code::ElementType,
        "data",
        &["`targets` in", "U32"],
        "I64",
    );
}

#[test]
fn bytes_after_the_array_are_not_passed_over() {
    let error = inputs_error("two_arrays.npy");
    assert_error(
        &error,
        Code::NotThatFormat,
        "data",
        &["320 bytes of elements", "needs 144"],
        "one array alone",
    );
}

#[test]
fn a_boolean_that_is_neither_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let header = br#"{"inputs":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}}"#;
    let mut content = (header.len() as u64).to_le_bytes().to_vec();
    content.extend_from_slice(header);
    content.extend_from_slice(&[1, 2]);
    let mut source = write(&folder, "data.safetensors", &content);
    source.target_key = "inputs".to_owned();
    let error = load(&source).unwrap_err();
    assert_error(
        &error,
        Code::Damaged,
        "data",
        &["the byte 2", "number 1"],
        "again",
    );
}
