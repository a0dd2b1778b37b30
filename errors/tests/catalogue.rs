//! The catalogue is an interface, the page of `docs/` is its text, and each code is met by a test.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

use rangefinder_errors::{Code, page};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Codes that no test here can cause, and why.
const UNREACHED: &[(Code, &str)] = &[
    (
        Code::System,
        "the operating system of a test refuses nothing",
    ),
    (Code::Defect, "a defect that is known is mended"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Whether files that were generated are to be written anew, by the switch of the snapshots.
fn updates() -> bool {
    std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always")
}

#[test]
fn codes_are_unique_ascend_and_stand_under_their_hundreds() {
    assert!(Code::ALL.is_sorted());
    let printed: BTreeSet<_> = Code::ALL.iter().map(Code::to_string).collect();
    assert_eq!(printed.len(), Code::ALL.len());
    let hundreds = |of: Code| {
        Code::ALL
            .iter()
            .filter(move |code| code.group() == of.group())
            .map(|code| code.number() / 100)
    };
    for &code in Code::ALL {
        assert_eq!(code.to_string().parse(), Ok(code));
        assert!(hundreds(code).all(|hundred| hundred == code.number() / 100));
        for text in [code.meaning(), code.remedy()] {
            assert!(text.ends_with('.') && !text.contains('|'), "{code}: {text}");
        }
    }
    assert_eq!(Code::parse("RF000"), None);
    assert_eq!(Code::parse("RF0202"), None);
}

/// `frozen.txt` has every code that a release has ever had. A new one is added at its place; one that
/// is gone stays there, followed by `gone`.
#[test]
fn a_number_keeps_its_meaning_for_ever() {
    let frozen = fs::read_to_string(root().join("errors/tests/frozen.txt")).unwrap();
    let now: Vec<_> = Code::ALL
        .iter()
        .map(|code| format!("{code} {code:?}"))
        .collect();
    let then: Vec<_> = frozen
        .lines()
        .filter(|line| !line.ends_with(" gone"))
        .collect();
    assert_eq!(
        now, then,
        "codes are never renumbered, reused or removed silently"
    );
    for line in frozen.lines().filter(|line| line.ends_with(" gone")) {
        let number = line.split(' ').next().unwrap();
        assert_eq!(Code::parse(number), None, "{line}");
    }
}

#[test]
fn the_page_says_what_the_catalogue_says() {
    let path = root().join("docs/errors.md");
    if updates() {
        fs::write(&path, page()).unwrap();
    }
    assert!(
        fs::read_to_string(path).unwrap() == page(),
        "docs/errors.md is not what the catalogue says: run INSTA_UPDATE=always cargo test -p \
         rangefinder-errors"
    );
}

/// Tests and snapshots of the workspace as one text; this crate's own, which names all, left out.
fn tests() -> String {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let members = manifest
        .lines()
        .find(|line| line.starts_with("members"))
        .unwrap();
    let mut text = String::new();
    for member in members.split('"').skip(1).step_by(2) {
        if member != "errors" {
            gather(&root().join(member), false, &mut text);
        }
    }
    text
}

/// Appends what belongs to tests below a folder: all files of folders named `tests`, snapshots, and
/// in other sources the modules at their ends.
fn gather(folder: &Path, of_tests: bool, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            let nested = path.join("Cargo.toml").is_file();
            if !nested && !["target", "data", "fixtures"].contains(&name.as_str()) {
                gather(&path, of_tests || name == "tests", text);
            }
        } else if name.ends_with(".snap") || (of_tests && name.ends_with(".rs")) {
            text.push_str(&fs::read_to_string(&path).unwrap());
        } else if name.ends_with(".rs") {
            let source = fs::read_to_string(&path).unwrap();
            let tests = if name.ends_with("tests.rs") {
                Some(0)
            } else {
                source.find("#[cfg(test)]\nmod tests {")
            };
            text.push_str(tests.map_or("", |at| &source[at..]));
        }
    }
}

/// A test has met a code when it names it as it is printed, or as a value other than one that it
/// makes up itself (`code: Code::...`).
#[test]
fn every_code_is_caused_by_a_test() {
    let tests = tests();
    let named = |name: &str| {
        tests.match_indices(name).any(|(at, _)| {
            let next = tests[at + name.len()..].chars().next();
            !next.is_some_and(|next| next.is_alphanumeric() || next == '_')
                && !tests[..at].ends_with("code: ")
        })
    };
    let missing: Vec<_> = Code::ALL
        .iter()
        .filter(|code| UNREACHED.iter().all(|(unreached, _)| unreached != *code))
        .filter(|code| !named(&code.to_string()) && !named(&format!("Code::{code:?}")))
        .map(|code| format!("{code} {code:?}"))
        .collect();
    assert!(missing.is_empty(), "caused by no test: {missing:#?}");
    for (code, why) in UNREACHED {
        assert!(
            !named(&code.to_string()),
            "{code} is caused by a test, though {why}"
        );
    }
}
