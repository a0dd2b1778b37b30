//! Whatever the bytes of a file are, loading ends in a sound dataset or an error.

use std::path::Path;

use proptest::prelude::*;
use rangefinder_data::{Array, DataError, Dataset, load};

use crate::common::{elements, fixture, source};

/// Loads bytes as a file of this name, which is also that of the targets of a pair.
fn load_bytes(folder: &Path, name: &str, content: &[u8]) -> Result<Dataset, DataError> {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    let mut source = source(&path);
    if path.extension() == Some("npy".as_ref()) {
        source.targets.clone_from(&source.source);
    }
    load(&source)
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

/// One change to a file.
#[derive(Clone, Debug)]
enum Change {
    /// Another byte somewhere.
    Set(prop::sample::Index, u8),
    /// A number where a size might stand.
    Number(prop::sample::Index, u32),
    /// A piece cut out.
    Cut(prop::sample::Index, usize),
    /// A piece repeated.
    Repeat(prop::sample::Index, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        4 => (at(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        // Digits and punctuation reach deeper into headers of text.
        4 => (at(), prop::sample::select(b"0123456789,(){}[]'\"<|:".to_vec()))
            .prop_map(|(at, byte)| Change::Set(at, byte)),
        2 => (at(), prop_oneof![any::<u32>(), 0..1024_u32, Just(u32::MAX)])
            .prop_map(|(at, number)| Change::Number(at, number)),
        1 => (at(), 1..40_usize).prop_map(|(at, length)| Change::Cut(at, length)),
        1 => (at(), 1..40_usize).prop_map(|(at, length)| Change::Repeat(at, length)),
    ]
}

fn apply(content: &mut Vec<u8>, change: &Change) {
    if content.is_empty() {
        return;
    }
    match change {
        Change::Set(at, byte) => {
            let at = at.index(content.len());
            content[at] = *byte;
        }
        Change::Number(at, number) => {
            let at = at.index(content.len());
            for (to, from) in content[at..].iter_mut().zip(number.to_le_bytes()) {
                *to = from;
            }
        }
        Change::Cut(at, length) => {
            let at = at.index(content.len());
            let end = (at + length).min(content.len());
            content.drain(at..end);
        }
        Change::Repeat(at, length) => {
            let at = at.index(content.len());
            let piece = content[at..(at + length).min(content.len())].to_vec();
            content.splice(at..at, piece);
        }
    }
}

const FILES: [&str; 8] = [
    "inputs.npy",
    "fortran.npy",
    "version2.npy",
    "structured.npy",
    "stored.npz",
    "deflated.npz",
    "arrays.safetensors",
    "bfloat16.safetensors",
];

fn config() -> ProptestConfig {
    ProptestConfig {
        source_file: Some(file!()),
        ..ProptestConfig::with_cases(2_000)
    }
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

#[test]
fn random_bytes_are_refused() {
    const NAMES: [&str; 3] = ["data.npy", "data.npz", "data.safetensors"];
    let folder = tempfile::tempdir().unwrap();
    let tail = prop::collection::vec(any::<u8>(), 0..300);
    proptest!(config(), |(name in prop::sample::select(&NAMES[..]), magic: bool, tail in tail)| {
        let mut content = Vec::new();
        if magic {
            content.extend_from_slice(match name {
                "data.npy" => b"\x93NUMPY\x01\x00\x20\x00{'descr'",
                "data.npz" => b"PK\x03\x04\x14\x00\x00\x00",
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
        let mut content = b"\x93NUMPY\x01\x00".to_vec();
        content.extend_from_slice(&u16::try_from(header.len()).unwrap().to_le_bytes());
        content.extend_from_slice(header.as_bytes());
        content.resize(content.len() + elements, 1);
        if let Ok(dataset) = load_bytes(folder.path(), "data.npy", &content) {
            assert_sound(&dataset);
        }
    });
}

/// The property above mostly meets shapes that do not fit; here they do.
#[test]
fn an_npy_of_any_small_shape_and_order_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let shapes = prop::collection::vec(1..4_usize, 1..6);
    proptest!(config(), |(shape in shapes, fortran: bool)| {
        let order = if fortran { "True" } else { "False" };
        let lengths: String = shape.iter().map(|n| format!("{n}, ")).collect();
        let header = format!("{{'descr': '<i2', 'fortran_order': {order}, 'shape': ({lengths})}}");
        let mut content = b"\x93NUMPY\x01\x00".to_vec();
        content.extend_from_slice(&u16::try_from(header.len()).unwrap().to_le_bytes());
        content.extend_from_slice(header.as_bytes());
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
