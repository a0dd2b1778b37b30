//! `--worker-command`: a worker of the user's own.

use super::{command, run};
use std::fs;

/// A worker that writes down how it was started and leaves; the sweep cannot go on without it.
const SCRIPT: &str = r#"printf '%s\n' "$@" > words; env | grep ^RANGEFINDER_ > variables; exit 7"#;

#[test]
fn the_command_is_split_as_a_shell_does_and_gets_the_contract_of_every_worker() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("own.sh"), SCRIPT).unwrap();
    let output = command(
        folder.path(),
        &[
            "--worker-command",
            "sh own.sh module:setup 'two words' \"a\\\"b\" c\\ d",
            "--device",
            "cpu",
            "--out",
            "out",
        ],
    )
    .output()
    .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let why = "after 3 starts in vain, worker w0 exited with code 7; it wrote nothing";
    assert!(stderr.contains(why), "{stderr}");
    let words = fs::read_to_string(folder.path().join("words")).unwrap();
    assert_eq!(words, "module:setup\ntwo words\na\"b\nc d\n");
    let variables = fs::read_to_string(folder.path().join("variables")).unwrap();
    for expected in [
        "RANGEFINDER_COORDINATOR=http://127.0.0.1:",
        "RANGEFINDER_TOKEN=",
        "RANGEFINDER_WORKER_ID=w0",
        "RANGEFINDER_DEVICE=cpu",
        "RANGEFINDER_WATCH_STDIN=1",
    ] {
        assert!(variables.contains(expected), "{variables}");
    }
}

#[test]
fn what_is_no_command_or_does_not_go_with_one_is_wrong_input() {
    for (args, expected) in [
        (vec!["--worker-command", "python 'worker.py"], "quote"),
        (vec!["--worker-command", " "], "is empty"),
        (
            vec!["--worker-command", "x", "--model", "mlp"],
            "--model: does not apply",
        ),
        (
            vec!["--worker-command", "x", "--optimizer", "sgd"],
            "--optimizer: does not apply",
        ),
        (
            vec!["--custom-config", "{}"],
            "--custom-config: does not apply",
        ),
        (vec!["--entry", "m:setup"], "--worker-command"),
    ] {
        let run = run(&args);
        assert_eq!(run.code, 2, "{}", run.shown());
        assert!(run.stderr.contains(expected), "{}", run.shown());
    }
}

#[test]
fn a_command_that_does_not_start_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["--worker-command", "./no-such-program", "--out", "out"];
    let output = command(folder.path(), &args).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("./no-such-program"), "{stderr}");
    assert!(!folder.path().join("out").exists());
}
