//! The whole corpus, and seeded mutations of it, through every target: no crash, no unbounded memory.
//!
//! Each target runs in a process of its own, so that an overflow of the stack or an allocation beyond
//! all memory is a failure with its input, too.

#![expect(
    clippy::expect_used,
    reason = "a test ends at its first surprise, in its helpers too"
)]

use rangefinder_fuzz::{TARGETS, corpus};
use std::path::Path;
use std::process::Command;

/// Mutations of each target; `RANGEFINDER_FUZZ_MUTATIONS` asks for others.
const MUTATIONS: &str = "1000";

fn replay(target: &str) {
    let mutations = std::env::var("RANGEFINDER_FUZZ_MUTATIONS");
    let mutations = mutations.unwrap_or_else(|_| MUTATIONS.to_owned());
    let at = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{target}"));
    let output = Command::new(env!("CARGO_BIN_EXE_replay"))
        .args([target, "--mutations", &mutations, "--input-at"])
        .arg(&at)
        .output()
        .expect("the program that replays");
    assert!(
        output.status.success(),
        "{target} broke ({}) on the input {}\n{}\n\
         again: cargo run -p rangefinder-fuzz --bin replay -- {target} --input {}\n\
         then keep it, by a name that says what it is, in {}",
        output.status,
        at.display(),
        String::from_utf8_lossy(&output.stderr),
        at.display(),
        corpus::folder(target).display(),
    );
    std::fs::remove_file(&at).expect("the last input");
}

macro_rules! targets {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name));
        })*

        #[test]
        fn every_target_has_a_test_and_a_corpus() {
            let tested = [$(stringify!($name)),*];
            for target in TARGETS {
                assert!(tested.contains(&target.name), "{} is not tested", target.name);
                let inputs = corpus::read(target.name).expect("a corpus");
                assert!(!inputs.is_empty(), "{} has no corpus", target.name);
            }
        }
    };
}

targets![
    worker_messages,
    coordinator_messages,
    specification,
    toml,
    yaml,
    json,
    sweep_json,
    curve,
    events,
    npz,
    npy,
    idx,
    safetensors,
    tokens,
    csv,
    weights,
    torch,
    pickle,
];

#[test]
fn the_corpus_is_small() {
    let inputs = TARGETS
        .iter()
        .flat_map(|target| corpus::read(target.name).expect("a corpus"));
    let bytes: usize = inputs.map(|(_, input)| input.len()).sum();
    assert!(
        bytes < 2 << 20,
        "{bytes} bytes: scripts/fuzz keep makes it smaller"
    );
}
