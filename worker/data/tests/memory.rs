//! What files claim is not what is allocated. A binary of its own, with one test, since it counts
//! the memory of the whole process.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends at its first surprise, in its helpers too"
)]

#[path = "all/npy.rs"]
mod npy;
#[path = "all/subjects.rs"]
mod subjects;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use npy::npy;
use peak_alloc::PeakAlloc;
use proptest::prelude::*;
use rangefinder_data::load;
use subjects::{FILES, apply, change, config, source_of};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Memory that a small file may take at most: the first piece of a compressed array, and the
/// tables of the inflater.
const LIMIT_BYTES: usize = 4 << 20;

/// Times its size that a table takes at most: cells are short and classes many in the worst of them.
const TIMES: usize = 64;

/// Loads bytes as a file of this name and answers the most memory that was in use meanwhile, beyond
/// what was before.
fn peak_bytes(folder: &Path, name: &str, content: &[u8]) -> usize {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    let source = source_of(&path);
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let result = load(&source);
    let peak = ALLOCATOR.peak_usage() - before;
    drop(result);
    peak
}

#[test]
fn a_small_file_takes_little_memory_whatever_it_claims() {
    let folder = tempfile::tempdir().unwrap();
    let assert_little = |name: &str, content: &[u8], what: &str| {
        let peak = peak_bytes(folder.path(), name, content);
        assert!(peak < LIMIT_BYTES, "{what}: {peak} bytes");
    };
    for order in ["True", "False"] {
        for shape in [
            "(1000000000000,)",
            "(1048576, 65536)",
            "(2, 2305843009213693951)",
        ] {
            let header = format!("{{'descr': '<f4', 'fortran_order': {order}, 'shape': {shape}}}");
            assert_little("data.npy", &npy(&header), &header);
        }
    }
    // The length of the header itself.
    assert_little(
        "data.npy",
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff{",
        "npy header",
    );
    for length in [90_000_000, u64::MAX] {
        let mut content = length.to_le_bytes().to_vec();
        content.extend_from_slice(b"{}");
        assert_little("data.safetensors", &content, "safetensors header");
    }
    for lengths in [&[u32::MAX][..], &[0x3fff_ffff, 1], &[1 << 16; 4]] {
        let mut content = vec![0, 0, 0x0e, u8::try_from(lengths.len()).unwrap()];
        content.extend(lengths.iter().flat_map(|length| length.to_be_bytes()));
        for packed in [false, true] {
            let content = if packed {
                gzip(&content)
            } else {
                content.clone()
            };
            assert_little("data.idx", &content, "IDX shape");
        }
    }
    let mut bomb = vec![0, 0, 0x08, 1, 0, 0, 0, 100];
    bomb.resize(8 << 20, 0);
    assert_little("data.idx.gz", &gzip(&bomb), "more than was claimed");
    // Every beginning of real files, and every four bytes as a large number.
    for name in FILES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures")
            .join(name);
        let whole = std::fs::read(path).unwrap();
        for length in 0..=whole.len() {
            assert_little(name, &whole[..length], &format!("{length} bytes of {name}"));
        }
        for number in [u32::MAX, 0x3fff_ffff, 0xffff_ff3f] {
            for at in 0..whole.len().saturating_sub(4) {
                let mut content = whole.clone();
                content[at..at + 4].copy_from_slice(&number.to_le_bytes());
                assert_little(name, &content, &format!("{name}, {number:x} at {at}"));
            }
        }
        let changes = prop::collection::vec(change(), 1..5);
        let cases = ProptestConfig {
            cases: 200,
            ..config()
        };
        proptest!(cases, |(changes in changes)| {
            let mut content = whole.clone();
            for change in &changes {
                apply(&mut content, change);
            }
            assert_little(name, &content, &format!("{name}, {changes:?}"));
        });
    }
    // Tables of a megabyte.
    let mut names = String::new();
    while names.len() < 1 << 20 {
        let name = names.len();
        write!(names, "{name:x},").unwrap();
    }
    names.push_str("last");
    let mut classes = String::from("a,species\n");
    while classes.len() < 1 << 20 {
        let class = classes.len();
        writeln!(classes, "1,{class:x}").unwrap();
    }
    let tables = [
        (",".repeat(1 << 20), "empty names"),
        (names, "names"),
        (
            format!("a,species\n\"{}", "x\n".repeat(1 << 19)),
            "an open quote",
        ),
        (format!("a,species\n{}", "1,2\n".repeat(1 << 18)), "rows"),
        (
            format!("a,species\n{}", "\n".repeat(1 << 20)),
            "empty lines",
        ),
        (classes, "classes"),
    ];
    for (content, what) in tables {
        let peak = peak_bytes(folder.path(), "data.csv", content.as_bytes());
        let times = peak / content.len();
        assert!(times < TIMES, "a table of {what}: {times} times its size");
    }
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}
