//! Files of every format, and what may happen to their bytes. Also a part of the test of memory.

use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rangefinder_data::Source;

/// Fixtures that are read, of every format.
pub const FILES: [&str; 16] = [
    "inputs.npy",
    "fortran.npy",
    "version2.npy",
    "nan.npy",
    "stored.npz",
    "deflated.npz",
    "arrays.safetensors",
    "bfloat16.safetensors",
    "images-idx3-ubyte",
    "images-idx3-ubyte.gz",
    "i2.idx",
    "f8.idx",
    "tokens_u16.bin",
    "tokens_u32.bin",
    "flowers.csv",
    "grades.csv",
];

/// What reads a file that has the name of a fixture or the ending of one; where a file holds the
/// inputs alone it is that of the targets too.
pub fn source_of(path: &Path) -> Source {
    let name = path.file_name().unwrap().to_str().unwrap();
    let path = path.to_str().unwrap().to_owned();
    let mut source = Source {
        source: path.clone(),
        ..Source::default()
    };
    if name.ends_with(".bin") {
        source.context = 3;
        source.token_dtype = if name.contains("u32") { "u32" } else { "u16" }.to_owned();
    } else if name.ends_with("grades.csv") {
        source.target_column = "grade".to_owned();
        source.target_type = "numeric".to_owned();
    } else if name.ends_with(".csv") {
        source.target_column = "species".to_owned();
    } else if name.contains("idx") || name.ends_with(".npy") {
        source.targets = path;
    }
    source
}

/// Many cases, the same in every run.
pub fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0),
        ..ProptestConfig::with_cases(2_000)
    }
}

/// One change to a file.
#[derive(Clone, Debug)]
pub enum Change {
    /// Another byte somewhere.
    Set(prop::sample::Index, u8),
    /// A number where a size might stand.
    Number(prop::sample::Index, u32),
    /// A piece cut out.
    Cut(prop::sample::Index, usize),
    /// A piece repeated.
    Repeat(prop::sample::Index, usize),
}

pub fn change() -> impl Strategy<Value = Change> {
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

pub fn apply(content: &mut Vec<u8>, change: &Change) {
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
