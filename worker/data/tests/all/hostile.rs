//! Whatever the bytes of a file are, loading ends in a sound dataset or an error.

use std::path::Path;

use proptest::prelude::*;
use rangefinder_data::{Array, DataError, Dataset, load};
use rangefinder_errors::Code;

use crate::common::{elements, fixture, gzip};
use crate::npy::npy;
use crate::subjects::{FILES, apply, change, config, source_of};

/// Loads bytes as a file of this name.
fn load_bytes(folder: &Path, name: &str, content: &[u8]) -> Result<Dataset, DataError> {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    load(&source_of(&path))
}

fn assert_sound(dataset: &Dataset) {
    assert!(dataset.samples() > 0);
    assert!(!dataset.inputs().is_empty());
    for column in dataset.inputs().iter().chain([dataset.targets()]) {
        assert_eq!(column.shape()[0] as u64, dataset.samples());
        let [array] = column.parts() else {
            panic!("one file has several parts: {column:?}")
        };
        assert_eq!(array.bytes().len(), length(array));
        assert!(
            array
                .bytes()
                .as_ptr()
                .addr()
                .is_multiple_of(array.dtype().size())
        );
    }
}

fn length(array: &Array) -> usize {
    array.shape().iter().product::<usize>() * array.dtype().size()
}

#[test]
fn a_changed_file_is_read_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let changes = prop::collection::vec(change(), 1..5);
    proptest!(config(), |(name in prop::sample::select(&FILES[..]), changes in changes)| {
        let mut content = std::fs::read(fixture(name)).unwrap();
        for change in &changes {
            apply(&mut content, change);
        }
        if let Ok(dataset) = load_bytes(folder.path(), name, &content) {
            assert_sound(&dataset);
        }
    });
}

/// What an error has to say beside the name of a file that is cut short.
fn tells_the_place(name: &str, message: &str) -> bool {
    let places: &[&str] = if name.ends_with(".csv") {
        &[
            "line ",
            "has no header",
            "has no column",
            "a header and no rows",
        ]
    } else if name.ends_with(".bin") {
        &["its 1 bytes", " bytes are not a multiple", " tokens, but"]
    } else {
        &[
            "at byte ",
            "from byte ",
            "past byte ",
            "within its ",
            "does not begin with",
        ]
    };
    places.iter().any(|place| message.contains(place))
}

#[test]
fn a_file_that_is_cut_short_anywhere_is_read_or_refused_with_the_place() {
    let folder = tempfile::tempdir().unwrap();
    for name in FILES {
        let content = std::fs::read(fixture(name)).unwrap();
        // What has no length of its own may end anywhere.
        let open = name.ends_with(".csv") || name.ends_with(".bin");
        assert!(load_bytes(folder.path(), name, &content).is_ok(), "{name}");
        for length in 1..content.len() {
            match load_bytes(folder.path(), name, &content[..length]) {
                Ok(dataset) => {
                    assert!(open, "{length} bytes of {name} are read");
                    assert_sound(&dataset);
                }
                Err(error) => {
                    assert!(error.message.contains(name), "{error}");
                    assert!(
                        tells_the_place(name, &error.message),
                        "{length} bytes: {error}"
                    );
                }
            }
        }
    }
}

#[test]
fn random_bytes_are_refused() {
    const NAMES: [&str; 5] = [
        "data.npy",
        "data.npz",
        "data.safetensors",
        "data.idx",
        "data.idx.gz",
    ];
    let folder = tempfile::tempdir().unwrap();
    let tail = prop::collection::vec(any::<u8>(), 0..300);
    proptest!(config(), |(name in prop::sample::select(&NAMES[..]), magic: bool, tail in tail)| {
        let mut content = Vec::new();
        if magic {
            content.extend_from_slice(match name {
                "data.npy" => b"\x93NUMPY\x01\x00\x20\x00{'descr'",
                "data.npz" => b"PK\x03\x04\x14\x00\x00\x00",
                "data.idx" => b"\x00\x00\x08\x02\x00",
                "data.idx.gz" => b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x00",
                _ => b"\x40\x00\x00\x00\x00\x00\x00\x00{\"inputs\":{\"dtype\":",
            });
        }
        content.extend_from_slice(&tail);
        prop_assert!(load_bytes(folder.path(), name, &content).is_err());
    });
}

#[test]
fn any_header_of_npy_is_read_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let lengths = prop::collection::vec(prop_oneof![0..5_u64, any::<u64>()], 0..70);
    proptest!(config(), |(
        descr in "[<>|=]?[a-zA-Z?][0-9]{0,2}",
        order in prop::sample::select(&["True", "False"][..]),
        lengths in lengths,
        elements in 0..200_usize,
    )| {
        let shape: String = lengths.iter().map(|n| format!("{n}, ")).collect();
        let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({shape})}}");
        let mut content = npy(&header);
        content.resize(content.len() + elements, 1);
        if let Ok(dataset) = load_bytes(folder.path(), "data.npy", &content) {
            assert_sound(&dataset);
        }
    });
}

/// An IDX file of this header and so many bytes of elements, which count.
fn idx(code: u8, lengths: &[u32], elements: usize) -> Vec<u8> {
    let mut content = vec![0, 0, code, u8::try_from(lengths.len()).unwrap()];
    content.extend(lengths.iter().flat_map(|length| length.to_be_bytes()));
    content.extend((0..=u8::MAX).cycle().take(elements));
    content
}

#[test]
fn any_header_of_idx_is_read_or_refused_plain_and_packed() {
    let folder = tempfile::tempdir().unwrap();
    let lengths = prop::collection::vec(prop_oneof![9 => 0..5_u32, 1 => any::<u32>()], 0..255);
    proptest!(config(), |(code in 0..16_u8, mut lengths in lengths, keep in 0..5_usize, elements in 0..200_usize, fits: bool)| {
        if keep > 0 {
            lengths.truncate(keep);
        }
        let claimed = lengths.iter().map(|&n| n as usize).try_fold(1_usize, usize::checked_mul);
        let sizes = [(0x08, 1), (0x09, 1), (0x0b, 2), (0x0c, 4), (0x0d, 4), (0x0e, 8)];
        let size = sizes.iter().find(|(known, _)| *known == code).map(|(_, size)| size);
        let needed = claimed.zip(size).and_then(|(n, size)| n.checked_mul(*size));
        let elements = needed.filter(|&n| fits && n <= 4096).unwrap_or(elements);
        let content = idx(code, &lengths, elements);
        let good = needed == Some(elements) && elements > 0 && !lengths.is_empty() && lengths.len() <= 64;
        for (name, content) in [("data.idx", content.clone()), ("data.idx.gz", gzip(&content))] {
            match load_bytes(folder.path(), name, &content) {
                Ok(dataset) => {
                    assert_sound(&dataset);
                    prop_assert!(good, "{:?}", dataset);
                }
                Err(error) => prop_assert!(!good, "{}", error),
            }
        }
    });
}

#[test]
fn packed_files_of_many_or_endless_parts_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    // More than the 100 bytes that the header claims, by a factor that memory would feel.
    let mut bomb = idx(0x08, &[100], 100);
    bomb.resize(8 << 20, 0);
    let error = load_bytes(folder.path(), "data.idx.gz", &gzip(&bomb)).unwrap_err();
    assert!(
        error.message.contains("goes on after the 100 bytes"),
        "{error}"
    );
    // Parts without content, which must not pile up on the stack.
    let many = gzip(b"").repeat(50_000);
    let error = load_bytes(folder.path(), "data.idx.gz", &many).unwrap_err();
    assert!(error.message.contains("ends within its header"), "{error}");
    let error = load_bytes(
        folder.path(),
        "data.idx.gz",
        &gzip(&idx(0x08, &[3 << 29, 2], 9)),
    );
    let error = error.unwrap_err();
    assert!(
        error.message.contains("claims to hold 3221225472 bytes"),
        "{error}"
    );
    assert_eq!(error.code, Code::DataMemory);
    assert!(error.remedy.contains("gunzip"), "{error}");
    // In parts, the same content is the same.
    let content = idx(0x08, &[2, 2], 4);
    let parts = [gzip(&content[..5]), gzip(&content[5..])].concat();
    assert_sound(&load_bytes(folder.path(), "data.idx.gz", &parts).unwrap());
}

#[test]
fn a_hostile_name_is_cut_and_escaped() {
    let folder = tempfile::tempdir().unwrap();
    let name = format!("\\u001b[31m{}", "x".repeat(10_000));
    let header = format!(r#"{{"{name}":{{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}}}"#);
    let mut content = (header.len() as u64).to_le_bytes().to_vec();
    content.extend_from_slice(header.as_bytes());
    content.push(0);
    let error = load_bytes(folder.path(), "data.safetensors", &content).unwrap_err();
    assert_eq!((error.code, error.field), (Code::NoSuchArray, "input_keys"));
    for part in ["\\u{1b}[31mxxx", "...`"] {
        assert!(error.message.contains(part), "{error}");
    }
    assert!(error.message.len() < 1000, "too long: {error}");
}

#[test]
fn any_text_below_a_header_is_read_or_refused_with_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let cell = prop_oneof![
        4 => "-?[0-9]{1,3}(\\.[0-9])?",
        1 => "[\"0-9a-z ,.\r\n-]{0,6}",
        1 => "\"([0-9a-z,\r\n]|\"\"){0,5}\"",
    ];
    let row = prop::collection::vec(cell, 1..4).prop_map(|cells| cells.join(","));
    let rows = prop::collection::vec(row, 0..4);
    let end = prop::sample::select(&["\n", "\r\n", "\r"][..]);
    proptest!(config(), |(name in prop::sample::select(&["flowers.csv", "grades.csv"][..]), rows in rows, end in end)| {
        let header = if name == "grades.csv" { "a,grade" } else { "a,species" };
        let content = [&[header.to_owned()], &rows[..]].concat().join(end);
        match load_bytes(folder.path(), name, content.as_bytes()) {
            Ok(dataset) => assert_sound(&dataset),
            // A matter of the whole column, which has no place.
            Err(error) if error.message.contains("fractions in the target column") => {}
            Err(error) => prop_assert!(tells_the_place(name, &error.message), "{}", error),
        }
    });
}

/// Most shapes of random headers do not fit; here they do.
#[test]
fn an_npy_of_any_small_shape_and_order_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let shapes = prop::collection::vec(1..4_usize, 1..6);
    proptest!(config(), |(shape in shapes, fortran: bool)| {
        let order = if fortran { "True" } else { "False" };
        let lengths: String = shape.iter().map(|n| format!("{n}, ")).collect();
        let header = format!("{{'descr': '<i2', 'fortran_order': {order}, 'shape': ({lengths})}}");
        let mut content = npy(&header);
        let mut expected = Vec::new();
        for at in 0..shape.iter().product::<usize>() {
            // The element at a place in the file is the number of that place in C order.
            content.extend_from_slice(&c_order(at, &shape, fortran).to_le_bytes());
            expected.push(i16::try_from(at).unwrap());
        }
        let dataset = load_bytes(folder.path(), "data.npy", &content).unwrap();
        assert_sound(&dataset);
        prop_assert_eq!(elements(dataset.targets(), i16::from_le_bytes), expected);
    });
}

/// Where in C order the element stands that is number `at` in the file.
fn c_order(at: usize, shape: &[usize], fortran: bool) -> i16 {
    if !fortran {
        return i16::try_from(at).unwrap();
    }
    let mut rest = at;
    let index: Vec<usize> = shape
        .iter()
        .map(|length| {
            let index = rest % length;
            rest /= length;
            index
        })
        .collect();
    let place = shape
        .iter()
        .zip(index)
        .fold(0, |place, (length, index)| place * length + index);
    i16::try_from(place).unwrap()
}
