//! Files larger than memory are loaded without being read. A binary of its own, with one test, since
//! it counts the memory of the whole process.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends at its first surprise, in its helpers too"
)]

#[path = "all/npy.rs"]
mod npy;

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use peak_alloc::PeakAlloc;
use rangefinder_data::{Column, Dataset, Source, load};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// More than this machine has. The files have holes, and take a page of the disk.
const LARGE: u64 = 1 << 38;

/// Memory for names, shapes and tables.
const LIMIT_BYTES: usize = 1 << 20;

/// What the whole process may have in memory at its peak, with the pages of files that it touched.
#[cfg(target_os = "linux")]
const RESIDENT_LIMIT_KIB: u64 = 256 << 10;

/// The most that the process has had in memory, as Linux counts it.
#[cfg(target_os = "linux")]
fn peak_resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.unwrap().trim().strip_suffix(" kB").unwrap();
    number.parse().unwrap()
}

/// A file of this beginning and size, zeros from there on.
fn sparse(path: &Path, beginning: &[u8], size: u64) -> String {
    let mut file = File::create(path).unwrap();
    file.write_all(beginning).unwrap();
    file.set_len(size).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The beginning of a `.npy` file, as long as NumPy makes it so that elements are aligned.
fn npy(header: &str) -> Vec<u8> {
    let length = (10 + header.len()).next_multiple_of(64) - 10;
    npy::npy(&format!("{header:length$}"))
}

/// What was loaded, and the most memory that loading and looking at the labels took.
fn loaded(source: &Source, labels: bool) -> (Dataset, usize) {
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let dataset = load(source).unwrap();
    if labels {
        let range = dataset.targets().labels(-100).unwrap();
        assert_eq!((range.smallest, range.largest), (0, 0));
        assert_eq!(dataset.targets().first_outside(&(0..1), -100), None);
    }
    let peak = ALLOCATOR.peak_usage() - before;
    (dataset, peak)
}

/// Reads samples from all over, the last one too.
fn assert_samples_are_zeros(column: &Column) {
    let samples = column.shape()[0];
    let size = column.len_bytes() / samples;
    for sample in [0, samples / 7, samples / 2, samples - 1] {
        let (part, at) = column.locate(sample).unwrap();
        let bytes = &column.parts()[part].bytes()[at * size..(at + 1) * size];
        let ends = bytes.iter().take(1000).chain(bytes.iter().rev().take(1000));
        assert!(ends.copied().all(|byte| byte == 0), "sample {sample}");
    }
}

#[test]
fn a_file_larger_than_memory_is_mapped_and_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let samples = 1 << 16;

    let header = npy(&format!(
        "{{'descr': '<f4', 'fortran_order': False, 'shape': ({samples}, {})}}\n",
        LARGE / samples / 4
    ));
    let of_labels = npy(&format!(
        "{{'descr': '<i8', 'fortran_order': False, 'shape': ({samples},)}}\n"
    ));
    let pair = Source {
        source: sparse(&path("x.npy"), &header, header.len() as u64 + LARGE),
        targets: sparse(
            &path("y.npy"),
            &of_labels,
            of_labels.len() as u64 + samples * 8,
        ),
        ..Source::default()
    };

    // The labels come first, so that the inputs begin where 8 bytes are aligned.
    let header = format!(
        "{{\"targets\":{{\"dtype\":\"I64\",\"shape\":[{samples}],\"data_offsets\":[0,{0}]}},\
           \"inputs\":{{\"dtype\":\"F32\",\"shape\":[{samples},{1}],\"data_offsets\":[{0},{2}]}}}}",
        samples * 8,
        LARGE / samples / 4,
        samples * 8 + LARGE
    );
    let header = format!("{header:width$}", width = header.len().next_multiple_of(8));
    let mut beginning = (header.len() as u64).to_le_bytes().to_vec();
    beginning.extend_from_slice(header.as_bytes());
    let size = beginning.len() as u64 + samples * 8 + LARGE;
    let named = Source {
        source: sparse(&path("both.safetensors"), &beginning, size),
        ..Source::default()
    };

    let mut images = vec![0, 0, 0x08, 3];
    for length in [1 << 22, 1 << 8, LARGE >> 30] {
        images.extend_from_slice(&u32::try_from(length).unwrap().to_be_bytes());
    }
    let mut labels = vec![0, 0, 0x08, 1];
    labels.extend_from_slice(&(1_u32 << 22).to_be_bytes());
    let mnist = Source {
        source: sparse(&path("x-idx3-ubyte"), &images, 16 + LARGE),
        targets: sparse(&path("y-idx1-ubyte"), &labels, 8 + (1 << 22)),
        ..Source::default()
    };

    let tokens = Source {
        source: sparse(&path("train.bin"), b"", LARGE),
        context: 1024,
        ..Source::default()
    };
    for name in ["s-0.bin", "s-1.bin", "s-2.bin"] {
        sparse(&path(name), b"", LARGE);
    }
    let shards = Source {
        source: path("s-{0..2}.bin").to_str().unwrap().to_owned(),
        ..tokens.clone()
    };

    // Looking at the labels of as many tokens would take minutes.
    for (source, labels) in [
        (pair, true),
        (named, true),
        (mnist, true),
        (tokens, false),
        (shards, false),
    ] {
        let (dataset, peak) = loaded(&source, labels);
        assert!(peak < LIMIT_BYTES, "{peak} bytes for {source:?}");
        assert!(dataset.inputs()[0].len_bytes() as u64 >= LARGE - (1 << 20));
        assert_samples_are_zeros(&dataset.inputs()[0]);
    }
    let few_tokens = Source {
        source: sparse(&path("few.bin"), b"", 16 << 20),
        ..Source::default()
    };
    let (_, peak) = loaded(&few_tokens, true);
    assert!(peak < LIMIT_BYTES, "{peak} bytes to look at the labels");
    #[cfg(target_os = "linux")]
    assert!(
        peak_resident_kib() < RESIDENT_LIMIT_KIB,
        "{} KiB",
        peak_resident_kib()
    );
}
