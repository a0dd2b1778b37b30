//! Curves without an answer, workers that fail.

use super::support::*;
use rangefinder_report::document::Status;
use serde_json::Value;

const SCRIPTED_WORKER: &str = env!("CARGO_BIN_EXE_scripted-worker");

#[test]
fn a_curve_without_an_answer_suggests_nothing_anywhere() {
    let folder = Folder::new();
    let run = folder.sweep(&["--max-lr", "1e-7"]).exits(3);
    assert_eq!(run.stdout, "");
    assert!(
        run.stderr.contains("No usable learning rate"),
        "{}",
        run.shown()
    );
    let document = folder.document("out");
    assert_eq!(document.status, Status::Completed);
    assert_eq!(document.suggestion, None);
    assert!(document.rule_value.is_some());
    assert!(!document.verdict.unwrap().usable);
    assert!(!folder.read("out/plot.svg").contains("class=\"suggestion\""));

    let printed = folder
        .sweep(&["--max-lr", "1e-7", "--out", "json", "--json", "-q"])
        .exits(3);
    let printed = printed.json();
    assert_eq!(printed["suggestion"], Value::Null);
    assert!(printed["rule_value"]["lr"].is_f64());
    assert_eq!(printed["verdict"]["usable"], false);
}

#[test]
fn the_message_of_a_worker_that_fails_every_time_is_the_error() {
    let folder = Folder::new();
    let mut command = folder.sweep_command(&["--worker-program", SCRIPTED_WORKER]);
    command.env(
        "RANGEFINDER_MOCK",
        r#"{"faults": [{"step": 50, "what": "fail"}]}"#,
    );
    let run = Running::start(command).end().exits(1);
    assert_eq!(run.stdout, "");
    let last = run.stderr.lines().last().unwrap();
    assert!(last.starts_with("error[RF805]: "), "{}", run.shown());
    assert!(
        last.contains("step 50 failed as scripted"),
        "{}",
        run.shown()
    );
    let document = folder.document("out");
    assert_eq!(document.status, Status::Failed);
    assert_eq!(document.failure.unwrap().code.to_string(), "RF805");
    assert_eq!(document.suggestion, None);
    assert_eq!(document.replicas[0].tasks[0].attempts.len(), 3);
}

#[test]
fn a_loss_that_is_not_finite_ends_the_sweep_as_a_result() {
    let folder = Folder::new();
    let args = [
        "--optimizer",
        "sgd",
        "--max-lr",
        "1e6",
        "--early-stop-threshold",
        "none",
    ];
    let run = folder.sweep(&args);
    let document = folder.document("out");
    assert_eq!(document.status, Status::Completed, "{}", run.shown());
    assert!(!document.curve.loss.last().unwrap().is_finite());
    assert!(run.stderr.contains("not finite"), "{}", run.shown());
}
