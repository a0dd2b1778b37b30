//! What the tests of files share.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use rangefinder_data::{Column, DataError, Dataset, Source, load};

/// The path of a file that `fixtures/make_fixtures.py` wrote.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// A source of one path.
pub fn source(path: &Path) -> Source {
    Source {
        source: path.to_str().unwrap().to_owned(),
        ..Source::default()
    }
}

/// A source of a fixture and, unless empty, one of targets.
pub fn fixtures(data: &str, targets: &str) -> Source {
    let mut source = source(&fixture(data));
    if !targets.is_empty() {
        source.targets = fixture(targets).to_str().unwrap().to_owned();
    }
    source
}

/// Loads fixtures with these keys; empty ones are not given.
pub fn load_keys(data: &str, input_keys: &[&str], target_key: &str) -> Result<Dataset, DataError> {
    load(&Source {
        input_keys: input_keys.iter().map(|&key| key.to_owned()).collect(),
        target_key: target_key.to_owned(),
        ..fixtures(data, "")
    })
}

/// The elements of a column, each read from its bytes.
pub fn elements<T, const SIZE: usize>(column: &Column, read: fn([u8; SIZE]) -> T) -> Vec<T> {
    assert_eq!(column.dtype().size(), SIZE);
    column
        .parts()
        .iter()
        .flat_map(|part| part.bytes().as_chunks::<SIZE>().0)
        .map(|&bytes| read(bytes))
        .collect()
}

/// Packed as `gzip` does.
pub fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}
