//! A sweep from the command to its files, and what reads them.

use super::support::*;
use rangefinder_report::document::Status;
use serde_json::json;
use std::fs;

const FILES: [&str; 5] = [
    "curve.csv",
    "losses.csv",
    "plot.png",
    "plot.svg",
    "sweep.json",
];

#[test]
fn the_default_sweep_prints_a_learning_rate_and_writes_files_that_agree_with_it() {
    let folder = Folder::new();
    let run = folder.sweep(&["--workers", "2"]).exits(0);
    let lr: f64 = run.line().parse().unwrap();
    assert!((1e-4..1e-1).contains(&lr), "{lr}");

    let mut names: Vec<_> = fs::read_dir(folder.path("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, FILES);

    let document = folder.document("out");
    assert_eq!(document.status, Status::Completed);
    let suggestion = document.suggestion.as_ref().unwrap();
    assert_eq!(suggestion.lr, lr);
    assert!(document.verdict.as_ref().unwrap().usable);
    assert_eq!(document.learning_rates.len(), 100);
    assert_eq!(document.learning_rates[99], 1.0);

    let curve = folder.read("out/curve.csv");
    let mut rows = curve.lines();
    assert_eq!(rows.next(), Some("step,lr,loss,smoothed"));
    assert_eq!(rows.count(), document.curve.loss.len());
    assert!(folder.read("out/plot.svg").contains("</svg>"));
    assert!(
        fs::read(folder.path("out/plot.png"))
            .unwrap()
            .starts_with(b"\x89PNG")
    );
    assert!(
        run.stderr.contains("Plan: 2 segments on 2 workers"),
        "{}",
        run.shown()
    );
    assert!(run.stderr.contains("Written to out"), "{}", run.shown());
}

#[test]
fn without_out_a_new_folder_is_made_and_the_object_on_stdout_names_it() {
    let folder = Folder::new();
    let run = folder
        .run(&["--quiet", "--json", "--threads-per-worker", "1"])
        .exits(0);
    assert_eq!(run.stderr, "");
    let printed = run.json();
    let out = printed["out"].as_str().unwrap();
    assert!(out.starts_with("sweeps/"), "{out}");
    let document = folder.document(out);
    assert_eq!(printed["suggestion"], json!(document.suggestion));
    assert_eq!(printed["status"], "completed");
    assert_eq!(printed["verdict"]["usable"], true);
}

#[test]
fn the_curve_analyzed_again_gives_the_same_suggestion() {
    let folder = Folder::new();
    for (out, replicas) in [("one", "1"), ("two", "2")] {
        folder
            .sweep(&[
                "--quiet",
                "--split",
                "replicas",
                "--replicas",
                replicas,
                "--out",
                out,
            ])
            .exits(0);
        let suggestion = json!(folder.document(out).suggestion);
        let again = |file: &str| {
            let file = format!("{out}/{file}");
            let run = folder
                .run(&["analyze", &file, "--quiet", "--json"])
                .exits(0);
            run.json()["suggestion"].clone()
        };
        assert_eq!(again("sweep.json"), suggestion);
        if replicas == "1" {
            assert_eq!(again("curve.csv"), suggestion);
        }
    }
}

#[test]
fn the_pictures_can_be_drawn_again() {
    let folder = Folder::new();
    folder.sweep(&["--quiet"]).exits(0);
    for name in ["plot.svg", "plot.png"] {
        let path = folder.path("out").join(name);
        let drawn = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let run = folder.run(&["plot", "out/sweep.json"]).exits(0);
        assert_eq!(run.stdout, "out/plot.svg\nout/plot.png\n");
        assert!(fs::read(&path).unwrap() == drawn, "{name} differs");
    }
}

#[test]
fn the_same_sweep_twice_gives_the_same_losses_suggestion_and_interval() {
    let folder = Folder::new();
    let sweep = |out: &str| {
        folder
            .sweep(&["--quiet", "--workers", "2", "--out", out])
            .exits(0);
        folder.document(out)
    };
    let (first, second) = (sweep("first"), sweep("second"));
    assert!(first.suggestion.is_some());
    assert_eq!(first.suggestion, second.suggestion);
    assert_eq!(first.curve, second.curve);
    assert_eq!(first.plan, second.plan);
    assert_eq!(
        folder.read("first/curve.csv"),
        folder.read("second/curve.csv")
    );
    assert_eq!(
        folder.read("first/losses.csv"),
        folder.read("second/losses.csv")
    );
}

#[test]
fn a_model_of_the_users_is_never_written() {
    let folder = Folder::new();
    folder.write("net.pt", fs::read(fixture("dropout_norm.pt")).unwrap());
    folder
        .sweep(&[
            "--quiet",
            "--model",
            "net.pt",
            "--optimizer",
            "sgd",
            "--momentum",
            "0.9",
            "--max-lr",
            "10",
        ])
        .exits(0);
    assert!(
        fs::read(folder.path("net.pt")).unwrap() == fs::read(fixture("dropout_norm.pt")).unwrap()
    );
    assert_eq!(folder.names(), ["net.pt", "out"]);
}
