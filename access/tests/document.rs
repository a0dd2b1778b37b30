//! `docs/security.md` promises what tests hold.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

use rangefinder_access::{Grant, Operation, Role};
use std::fs;
use std::path::{Path, PathBuf};

/// Sections whose every point is a promise.
const PROMISES: [&str; 5] = ["Roles", "Tokens", "TLS", "Files", "Wiring"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn document() -> String {
    fs::read_to_string(root().join("docs/security.md")).unwrap()
}

/// The tests that a text names, as `[test: FILE NAME]`.
fn named(text: &str) -> Vec<(String, String)> {
    text.split("[test: ")
        .skip(1)
        .map(|rest| {
            let (file, name) = rest.split_once(']').unwrap().0.split_once(' ').unwrap();
            (file.to_owned(), name.to_owned())
        })
        .collect()
}

/// Whether a source has a test of that name.
fn has_test(source: &str, name: &str) -> bool {
    let lines: Vec<_> = source.lines().map(str::trim).collect();
    lines.iter().enumerate().any(|(at, line)| {
        let function = line.strip_prefix("async ").unwrap_or(line);
        let starts = function
            .strip_prefix("fn ")
            .and_then(|rest| rest.strip_prefix(name))
            .is_some_and(|rest| rest.starts_with('('));
        let attribute = lines[..at]
            .iter()
            .rev()
            .take_while(|line| line.starts_with("#[") || line.starts_with("//"))
            .any(|line| *line == "#[test]" || line.starts_with("#[tokio::test"));
        starts && attribute
    })
}

#[test]
fn every_test_that_the_document_names_exists() {
    let named = named(&document());
    assert!(named.len() > 30, "{}", named.len());
    for (file, name) in named {
        let source = fs::read_to_string(root().join(&file));
        assert!(source.is_ok(), "{file}: {source:?}");
        assert!(
            has_test(&source.unwrap(), &name),
            "{file} has no test {name}"
        );
    }
    let itself = fs::read_to_string(root().join("access/tests/document.rs")).unwrap();
    assert!(has_test(
        &itself,
        "every_test_that_the_document_names_exists"
    ));
    assert!(!has_test(&itself, "every_test"));
    assert!(
        !has_test(&itself, "has_test"),
        "it is a function, and no test"
    );
}

#[test]
fn every_promise_of_the_document_names_its_test() {
    let document = document();
    let mut promises = 0;
    for section in document.split("\n## ").skip(1) {
        let (title, body) = section.split_once('\n').unwrap();
        if PROMISES.contains(&title) {
            for point in body.lines().filter(|line| line.starts_with("- ")) {
                assert!(point.ends_with(']') && named(point).len() == 1, "{point}");
                promises += 1;
            }
        }
    }
    assert_eq!(
        promises,
        named(&document).len(),
        "tests are named in these sections only"
    );
}

#[test]
fn the_table_of_roles_is_that_of_the_code() {
    let document = document();
    let rows: Vec<_> = document
        .lines()
        .skip_while(|line| !line.starts_with("| may | client | worker | admin |"))
        .skip(2)
        .take_while(|line| line.starts_with("| "))
        .collect();
    let expected: Vec<_> = Operation::ALL
        .iter()
        .map(|operation| {
            let cells = Role::ALL.map(|role| match operation.grant(role) {
                Grant::Never => "no",
                Grant::Own => "own",
                Grant::Any => "yes",
            });
            format!("| {} | {} |", operation.describe(), cells.join(" | "))
        })
        .collect();
    assert_eq!(rows, expected);
}
