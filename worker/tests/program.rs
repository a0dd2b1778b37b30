//! The worker as a process.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

use std::collections::BTreeSet;
use std::process::{Command, Output};

fn worker(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_worker"));
    for name in [
        "RANGEFINDER_COORDINATOR",
        "RANGEFINDER_TOKEN",
        "RANGEFINDER_TOKEN_FILE",
        "RANGEFINDER_DEVICE",
        "LD_LIBRARY_PATH",
    ] {
        command.env_remove(name);
    }
    command
        .args(arguments)
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn it_finds_libtorch_by_itself_and_tells_both_versions() {
    let output = worker(&["--version"], &[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let version = text(&output.stdout);
    assert!(
        version.starts_with("worker ") && version.contains("libtorch 2."),
        "{version}"
    );
}

#[test]
fn help_names_every_variable() {
    let help = text(&worker(&["--help"], &[]).stdout);
    use rangefinder_session::options;
    for name in [
        options::COORDINATOR,
        options::TOKEN,
        options::TOKEN_FILE,
        options::WORKER_ID,
        options::DEVICE,
        options::WATCH_STDIN,
        options::RECONNECT_SECONDS,
        options::DRAIN_SECONDS,
        options::STUCK_SECONDS,
        options::CA_FILE,
        options::CERT_FILE,
        options::KEY_FILE,
        options::SERVER_NAME,
        options::CACHE_DIR,
        options::CACHE_BYTES,
        options::MODEL_ROOT,
        options::DATA_ROOT,
        options::CONFINED,
        options::MAX_MODEL_BYTES,
    ] {
        assert!(help.contains(name), "{name}");
    }
}

#[test]
fn the_page_of_the_manual_says_what_help_says() {
    let page = include_str!("../worker.1")
        .replace("\\fB", "")
        .replace("\\fR", "");
    let help = text(&worker(&["--help"], &[]).stdout);
    let names = |text: &str| -> BTreeSet<String> {
        text.split(|c: char| !(c.is_ascii_uppercase() || c == '_'))
            .filter(|word| word.starts_with("RANGEFINDER_") || *word == "RUST_LOG")
            .map(ToOwned::to_owned)
            .collect()
    };
    assert!(names(&help).len() > 5, "{help}");
    assert_eq!(names(&help), names(&page));
    for line in help.lines() {
        if let Some((_, default)) = line.split_once("[default: ") {
            let default = default.trim_end_matches(']');
            assert!(page.contains(default), "{line}");
        }
    }
    for said in [
        // That of a single sweep listens on the loopback interface only.
        "on its own machine",
        "a service",
        "a second one ends it at once",
        "told to leave",
        "cannot go on",
        "wrong arguments or environment",
    ] {
        assert!(help.contains(said) && page.contains(said), "{said}");
    }
}

#[test]
fn without_an_environment_it_says_what_to_set_and_ends_with_2() {
    let output = worker(&[], &[]);
    assert_eq!(output.status.code(), Some(2));
    let error = text(&output.stderr);
    assert!(
        error.starts_with("worker: error[RF601]: RANGEFINDER_COORDINATOR is not set"),
        "{error}"
    );
    assert!(output.stdout.is_empty());
}

#[test]
fn unknown_arguments_end_with_2() {
    let output = worker(&["--device", "cpu"], &[]);
    assert_eq!(output.status.code(), Some(2));
    let error = text(&output.stderr);
    assert!(
        error.starts_with("worker: error[RF101]: unknown argument `--device`"),
        "{error}"
    );
}

#[test]
fn a_device_that_is_not_there_ends_with_2_and_a_remedy() {
    let output = worker(
        &[],
        &[
            ("RANGEFINDER_COORDINATOR", "http://127.0.0.1:9"),
            ("RANGEFINDER_TOKEN", "secret"),
            ("RANGEFINDER_DEVICE", "cuda:4096"),
        ],
    );
    assert_eq!(output.status.code(), Some(2));
    let error = text(&output.stderr);
    assert!(error.contains("cannot train on cuda:4096"), "{error}");
    assert!(!error.contains("secret"));
}

#[test]
fn without_a_coordinator_it_ends_with_1_within_the_time_it_was_given() {
    let output = worker(
        &[],
        &[
            ("RANGEFINDER_COORDINATOR", "http://127.0.0.1:9"),
            ("RANGEFINDER_TOKEN", "secret"),
            ("RANGEFINDER_DEVICE", "cpu"),
            ("RANGEFINDER_RECONNECT_SECONDS", "0.2"),
        ],
    );
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(
        error.contains("worker: error[RF608]: no coordinator answered"),
        "{error}"
    );
}
