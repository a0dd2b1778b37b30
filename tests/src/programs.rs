//! Where the programs are that cargo has built beside the tests.

use std::path::{Path, PathBuf};

/// The program `coordinator`.
///
/// # Panics
/// When it was not built: cargo builds the programs of other packages only for their own tests.
#[must_use]
pub fn coordinator() -> PathBuf {
    built("coordinator")
}

/// The program `worker`, with the trainer on libtorch.
///
/// # Panics
/// As [`coordinator`].
#[must_use]
pub fn worker() -> PathBuf {
    built("worker")
}

fn built(name: &str) -> PathBuf {
    // The test runs as `target/PROFILE/deps/NAME`.
    let test = std::env::current_exe().unwrap_or_default();
    let folder = test.parent().and_then(Path::parent).unwrap_or(&test);
    let program = folder.join(name);
    assert!(
        program.is_file(),
        "the program {} was not built: run `make test`, or `cargo build --workspace` first",
        program.display()
    );
    program
}
