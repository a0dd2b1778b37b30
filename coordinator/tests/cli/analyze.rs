//! `coordinator analyze` on the vectors of the rule and of other tools, and on what people bring.

use super::{Run, run_in};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// A number of a vector file: non-finite ones are strings, which Rust reads as they stand.
fn number(value: &Value) -> f64 {
    match value {
        Value::String(text) => text.trim_end_matches("inity").parse().unwrap(),
        other => other.as_f64().unwrap(),
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

fn vectors(name: &str) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sweep/tests/vectors");
    let text = fs::read_to_string(folder.join(name)).unwrap();
    let mut file: Value = serde_json::from_str(&text).unwrap();
    serde_json::from_value(file["cases"].take()).unwrap()
}

/// Analyzes losses that are written into a CSV file.
fn analyze(learning_rates: &[f64], losses: &[f64], args: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let mut text = "loss,note,lr\n".to_owned();
    for (lr, loss) in learning_rates.iter().zip(losses) {
        writeln!(text, "{loss:?},x,{lr:?}").unwrap();
    }
    fs::write(folder.path().join("curve.csv"), text).unwrap();
    run_in(
        folder.path(),
        &[&["analyze", "curve.csv", "--quiet"], args].concat(),
    )
}

fn exponential(low: f64, high: f64, steps: u32) -> Vec<f64> {
    let at = |step: u32| low * (high / low).powf(f64::from(step) / f64::from(steps - 1));
    (0..steps).map(at).collect()
}

/// A plateau, a fall, a rise.
fn learning() -> (Vec<f64>, Vec<f64>) {
    let rates = exponential(1e-6, 1.0, 120);
    let loss = |lr: &f64| 2.3 / (1.0 + lr / 1e-3) + (lr * 20.0).powi(4);
    let losses = rates.iter().map(loss).collect();
    (rates, losses)
}

#[test]
fn the_rules_vectors_are_met_through_the_command_line() {
    let cases = vectors("rule_vectors.json");
    let single = |case: &&Value| case["replicas"].as_array().unwrap().len() == 1;
    let mut seen = [false; 2];
    for case in cases.iter().filter(single) {
        let steps = u32::try_from(case["num_training"].as_u64().unwrap()).unwrap();
        let rates = exponential(number(&case["lr_min"]), number(&case["lr_max"]), steps);
        let losses = numbers(&case["replicas"][0]);
        let beta = number(&case["beta"]).to_string();
        let planned = steps.to_string();
        let args = ["--json", "--beta", &beta, "--num-training", &planned];
        let run = analyze(&rates, &losses, &args);
        let (found, expected) = (run.json(), &case["expect"]);
        let usable = expected["usable"].as_bool().unwrap();
        seen[usize::from(usable)] = true;
        assert_eq!(
            found["verdict"]["usable"],
            usable,
            "{}: {}",
            case["name"],
            run.shown()
        );
        assert_eq!(found["suggestion"].is_null(), !usable, "{}", case["name"]);
        assert_eq!(run.code, if usable { 0 } else { 3 }, "{}", case["name"]);
        if let (Some(expected), false) = (
            expected["log10_lr"].as_f64(),
            expected["rounding_only"].as_bool().unwrap_or(false),
        ) {
            let found = found["rule_value"]["lr"].as_f64().unwrap().log10();
            assert!(
                (found - expected).abs() < 1e-9,
                "{}: {found} {expected}",
                case["name"]
            );
        }
    }
    assert_eq!(seen, [true; 2]);
}

#[test]
fn other_tools_vectors_are_met_through_the_command_line() {
    let cases = vectors("finder_vectors.json");
    let useful = |case: &&Value| case["rounding_only"] != true;
    for case in cases.iter().filter(useful).take(6) {
        let losses = numbers(&case["raw"]);
        for (tool, expected) in case["expect"].as_object().unwrap() {
            let rates = &case["schedules"][match tool.as_str() {
                "lightning-0.7.6" => "lightning",
                "torch-lr-finder" => "torch_lr_finder",
                tool => tool,
            }];
            let rules: &[(&str, &Value)] = if tool == "fastai" {
                &["valley", "slide", "minimum"].map(|rule| (rule, &expected["suggestions"][rule]))
            } else {
                &[("auto", &expected["suggestion"])]
            };
            for (rule, expected) in rules {
                let args = ["--json", "--profile", tool, "--method", rule];
                let run = analyze(&numbers(rates), &losses, &args);
                let found = run.json();
                assert!(found["verdict"]["usable"].is_boolean(), "{}", run.shown());
                let name = &case["name"];
                match (expected.as_f64(), found["suggestion"]["lr"].as_f64()) {
                    (Some(expected), Some(found)) => {
                        assert!(
                            (found / expected - 1.0).abs() < 1e-4,
                            "{name} {tool} {rule}"
                        );
                        assert_eq!(run.code, 0);
                    }
                    (None, None) => assert_eq!(run.code, 3),
                    other => panic!("{name} {tool} {rule}: {other:?}"),
                }
            }
        }
    }
}

#[test]
fn stdout_is_the_learning_rate_alone_and_the_same_as_in_json() {
    let (rates, losses) = learning();
    let line = analyze(&rates, &losses, &["--beta", "0.9"]);
    assert_eq!(
        (line.code, line.stderr.as_str()),
        (0, ""),
        "{}",
        line.shown()
    );
    let object = analyze(&rates, &losses, &["--beta", "0.9", "--json"]).json();
    let lr: f64 = line.stdout.strip_suffix('\n').unwrap().parse().unwrap();
    assert_eq!(object["suggestion"]["lr"].as_f64(), Some(lr));
    assert_eq!(object["suggestion"]["method"], "auto");
    assert!(object["suggestion"]["index"].is_u64());
    assert!(object["verdict"]["reason"].is_null());
    assert_eq!(object["stop"]["reason"], "diverged");
}

#[test]
fn without_a_usable_curve_stdout_is_empty_and_the_code_says_so() {
    let rates = exponential(1e-6, 1.0, 120);
    let flat = vec![2.3; 120];
    let line = analyze(&rates, &flat, &[]);
    assert_eq!((line.code, line.stdout.as_str()), (3, ""));
    let object = analyze(&rates, &flat, &["--json"]).json();
    assert!(object["suggestion"].is_null());
    assert_eq!(object["verdict"]["reason"], "flat");
}

#[test]
fn smoothed_losses_get_a_value_and_no_verdict() {
    let (rates, losses) = learning();
    let object = analyze(
        &rates,
        &losses,
        &["--smoothed", "--method", "minimum", "--json"],
    )
    .json();
    assert!(object["suggestion"]["lr"].is_f64(), "{object}");
    assert!(object["verdict"].is_null());
    let refused = analyze(&rates, &losses, &["--smoothed"]);
    assert_eq!(refused.code, 2);
    assert!(
        refused.stderr.contains("`auto` needs raw losses"),
        "{}",
        refused.shown()
    );
    assert_eq!(analyze(&rates, &losses, &["--smoothed", "--raw"]).code, 2);
}

#[test]
fn losses_that_seem_smoothed_and_wander_are_asked_about() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/analyze");
    let message = |args: &[&str]| {
        let args = [&["analyze", "lightning.csv", "--json", "--quiet"], args].concat();
        let verdict = run_in(&examples, &args).json()["verdict"].take();
        assert_eq!(verdict["reason"], "wanders");
        verdict["message"].as_str().unwrap().to_owned()
    };
    let asked = message(&[]);
    assert!(asked.contains("add `--smoothed`"), "{asked}");
    let told = message(&["--raw"]);
    assert!(!told.contains("--smoothed"), "{told}");
}

#[test]
fn a_usable_curve_of_losses_that_seem_smoothed_carries_a_warning() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/analyze");
    let warned = |args: &[&str]| {
        let args = [&["analyze", "--json"], args].concat();
        let found = run_in(&examples, &args).json();
        assert_eq!(found["verdict"]["usable"], true);
        let warnings = found["warnings"].as_array().unwrap();
        warnings.iter().any(|it| it["code"] == "seems_smoothed")
    };
    assert!(warned(&["fastai.csv"]));
    assert!(!warned(&["fastai.csv", "--raw"]));
    assert!(!warned(&["torch-lr-finder.csv"]), "its losses are raw");
}

#[test]
fn nan_infinite_and_empty_losses_are_losses() {
    let (rates, losses) = learning();
    let folder = tempfile::tempdir().unwrap();
    for last in ["nan", "NaN", "inf", "-Infinity", ""] {
        let mut text = "lr,loss\n".to_owned();
        for (lr, loss) in rates.iter().zip(&losses).take(90) {
            writeln!(text, "{lr:?},{loss:?}").unwrap();
        }
        writeln!(text, "{:?},{last}", rates[90]).unwrap();
        fs::write(folder.path().join("curve.csv"), text).unwrap();
        let run = run_in(
            folder.path(),
            &["analyze", "curve.csv", "--json", "--num-training", "120"],
        );
        let found = run.json();
        assert_eq!(
            found["stop"]["reason"],
            "non_finite",
            "{last:?}: {}",
            run.shown()
        );
        assert_eq!(found["stop"]["step"], 90);
        assert_eq!(found["steps"], 120);
    }
}

#[test]
fn json_lines_are_read_as_a_csv_file_is_whatever_they_are_called() {
    let (rates, losses) = learning();
    let folder = tempfile::tempdir().unwrap();
    let mut csv = "lr,loss\n".to_owned();
    let mut lines = "{\"run\": \"a logger's first line\"}\n".to_owned();
    for (lr, loss) in rates.iter().zip(&losses) {
        writeln!(csv, "{lr:?},{loss:?}").unwrap();
        writeln!(lines, "{{\"learning_rate\": {lr:?}, \"loss\": {loss:?}}}").unwrap();
    }
    csv.push_str("2.0,nan\n");
    lines.push_str("{\"learning_rate\": 2.0, \"loss\": NaN}\n");
    fs::write(folder.path().join("log.csv"), csv).unwrap();
    let read = |name| run_in(folder.path(), &["analyze", name, "--quiet", "--json"]);
    let expected = read("log.csv").json();
    assert!(expected["suggestion"]["lr"].is_f64(), "{expected}");
    for name in ["log.jsonl", "metrics.json", "log.txt"] {
        fs::write(folder.path().join(name), &lines).unwrap();
        assert_eq!(read(name).json(), expected, "{name}");
    }
}

#[test]
fn what_is_no_curve_is_said_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("acc.csv", "step,lr,acc\n0,1,2\n");
    write("order.csv", "lr,loss\n1,2\n0.5,2\n");
    write("other.json", "{\"a\": 1}");
    write("empty.csv", "");
    write(
        "log.jsonl",
        "{\"step\": 0, \"loss\": 2}\n{\"step\": 1, \"loss\": 2}\n",
    );
    write("one.jsonl", "{\"lr\": 0.1}\n");
    let shown: Vec<_> = [
        &["analyze", "acc.csv"][..],
        &["analyze", "order.csv"],
        &["analyze", "other.json"],
        &["analyze", "empty.csv"],
        &["analyze", "log.jsonl"],
        &["analyze", "one.jsonl"],
        &["analyze", "missing.csv"],
        &[
            "analyze",
            "order.csv",
            "--profile",
            "fastai",
            "--method",
            "drop80",
        ],
        &["analyze", "missing.csv", "--beta", "1"],
        &["plot", "other.json"],
        &["plot", "missing.json"],
    ]
    .iter()
    .map(|args| {
        let run = run_in(folder.path(), args);
        assert_eq!(
            (run.code, run.stdout.as_str()),
            (2, ""),
            "{args:?}: {}",
            run.shown()
        );
        format!("$ coordinator {}\n{}", args.join(" "), run.stderr)
    })
    .collect();
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn more_planned_steps_than_a_sweep_may_have_are_refused_before_the_file_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let run = run_in(
        folder.path(),
        &["analyze", "none.csv", "--num-training", "4294967295"],
    );
    assert_eq!(run.code, 2, "{}", run.shown());
    assert!(
        run.stderr.contains("[RF202]: --num-training:"),
        "{}",
        run.shown()
    );
}
