//! What files claim is not what is allocated. A binary of its own, with one test, since it counts
//! the memory of the whole process.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends at its first surprise, in its helpers too"
)]

use std::path::Path;

use peak_alloc::PeakAlloc;
use rangefinder_data::{Source, load};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Memory that a small file may take at most: the first piece of a compressed array, and the
/// tables of the inflater.
const LIMIT_BYTES: usize = 4 << 20;

/// Loads bytes as a file of this name and answers the most memory that was in use meanwhile, beyond
/// what was before.
fn peak_bytes(folder: &Path, name: &str, content: &[u8]) -> usize {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    let path = path.to_str().unwrap().to_owned();
    let source = Source {
        targets: if name.ends_with(".npy") {
            path.clone()
        } else {
            String::new()
        },
        source: path,
        ..Source::default()
    };
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let result = load(&source);
    let peak = ALLOCATOR.peak_usage() - before;
    drop(result);
    peak
}

/// A `.npy` file of this header, without elements.
fn npy(header: &str) -> Vec<u8> {
    let mut content = b"\x93NUMPY\x01\x00".to_vec();
    content.extend_from_slice(&u16::try_from(header.len()).unwrap().to_le_bytes());
    content.extend_from_slice(header.as_bytes());
    content
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
    // Every four bytes of real files, as a large number.
    for name in [
        "stored.npz",
        "deflated.npz",
        "arrays.safetensors",
        "inputs.npy",
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures")
            .join(name);
        let content = std::fs::read(path).unwrap();
        for number in [u32::MAX, 0x3fff_ffff] {
            for at in 0..content.len() - 4 {
                let mut content = content.clone();
                content[at..at + 4].copy_from_slice(&number.to_le_bytes());
                assert_little(name, &content, &format!("{name}, {number:x} at {at}"));
            }
        }
    }
}
