//! That the units of systemd and their examples name flags and variables that there are.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// Where variables of workers are read.
const WORKER: [&str; 2] = [
    include_str!("../../../worker/src/main.rs"),
    include_str!("../../../worker/session/src/options/mod.rs"),
];

fn text() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/systemd");
    let mut text = String::new();
    let folders = [folder.clone(), folder.join("rangefinder-coordinator.service.d")];
    for entry in folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap()) {
        let path = entry.unwrap().path();
        if path.is_file() {
            text.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
    text
}

/// Words of a text that begin so.
fn words<'a>(text: &'a str, beginning: &'a str) -> BTreeSet<&'a str> {
    let part_of_word = |c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_');
    text.split(part_of_word).filter(|word| word.starts_with(beginning)).collect()
}

#[test]
fn units_name_flags_that_there_are() {
    let help = |args: &[&str]| {
        let mut coordinator = Command::new(env!("CARGO_BIN_EXE_coordinator"));
        let output = coordinator.args(args).arg("--help").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let all = help(&["serve"]) + &help(&["token", "create"]);
    let known = words(&all, "--");
    let text = text();
    let lines = text.lines().filter(|line| {
        ["SERVE_FLAGS=", "coordinator serve", "token create"].iter().any(|of| line.contains(of))
    });
    let named: BTreeSet<_> = lines.flat_map(|line| words(line, "--")).collect();
    assert!(named.contains("--data-dir") && named.contains("--tls-key"), "{named:?}");
    let unknown: Vec<_> = named.difference(&known).filter(|flag| **flag != "--help").collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn units_name_variables_that_are_read() {
    let text = text();
    let named = words(&text, "RANGEFINDER_");
    assert!(named.contains("RANGEFINDER_COORDINATOR"), "{named:?}");
    let known = |name: &&str| {
        name == &"RANGEFINDER_LOG" || WORKER.iter().all(|source| source.contains(*name))
    };
    let unknown: Vec<_> = named.iter().filter(|name| !known(name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}
