//! What folders are taken, and what is refused.

use super::bench::*;
use nix::sys::signal::Signal;
use rangefinder_errors::Code;
use std::fs;

#[test]
fn a_sweep_that_has_ended_is_not_run_again_but_its_files_are_written_again() {
    let bench = Bench::new();
    bench.write("hparams.toml", "lr = 0.5\n");
    let hparams = ["--hparams", "hparams.toml", "--auto-lr-find", "lr"];
    let mut args = vec!["--data-dir", "D", "--out", "out"];
    args.extend(hparams);
    let first = bench.sweep(&args).exits(0);
    let files = ["sweep.json", "curve.csv", "losses.csv", "plot.svg"];
    let before = files.map(|file| bench.read(&format!("out/{file}")));
    let written = bench.read("hparams.toml");
    fs::remove_dir_all(bench.path("out")).unwrap();
    bench.write("hparams.toml", "lr = 0.5\n");

    let again = bench.run(&["resume", "D"]).exits(0);
    assert_eq!(again.stdout, first.stdout);
    assert!(!again.stderr.contains("joined"), "{}", again.shown());
    assert_eq!(files.map(|file| bench.read(&format!("out/{file}"))), before);
    assert_eq!(bench.read("hparams.toml"), written);

    let elsewhere = bench.run(&["resume", "D", "--out", "other", "--json", "--quiet"]);
    let elsewhere = elsewhere.exits(0);
    assert_eq!(elsewhere.stderr, "");
    let object: serde_json::Value = serde_json::from_str(&elsewhere.stdout).unwrap();
    assert_eq!(object["status"], "completed");
    assert_eq!(bench.read("other/sweep.json"), before[0]);
}

#[test]
fn a_folder_that_a_coordinator_works_on_is_refused_to_another_one_which_is_told_the_process() {
    let bench = Bench::new();
    let running = bench.start(&["--data-dir", "D", "--out", "out"]);
    running.until_step("D", 0, 5);
    let process = format!("process {}", running.pid());
    let out = ["--out", "elsewhere"];
    bench
        .run(&[&["resume", "D"], &out[..]].concat())
        .refused(Code::StoreInUse, &[&process]);
    bench
        .run(&["store", "compact", "D"])
        .refused(Code::StoreInUse, &[&process]);
    // To look at it is no work on it.
    bench.run(&["store", "check", "D"]).exits(0);
    bench.run(&["store", "export", "D"]).exits(0);
    running.end_by(Signal::SIGINT).exits(130);
    bench.run(&["resume", "D"]).exits(0);
}

#[test]
fn a_folder_with_a_sweep_takes_no_other_one() {
    let bench = Bench::new();
    bench.sweep(&["--data-dir", "D", "--out", "out"]).exits(0);
    let sweep = bench.events("D")[0].sweep.0.clone();
    let remedy = "`coordinator resume D`";
    bench
        .sweep(&["--data-dir", "D", "--out", "elsewhere"])
        .refused(Code::DataDirTaken, &[&sweep, remedy]);
    assert!(!bench.path("elsewhere").join("sweep.json").exists());
}

#[test]
fn the_store_of_a_sweep_can_be_checked_exported_and_made_smaller() {
    let bench = Bench::new();
    bench.sweep(&["--data-dir", "D", "--out", "out"]).exits(0);
    let events = bench.events("D");
    let checked = bench.run(&["store", "check", "D"]).exits(0);
    let expected = format!("1 sweep, {} events: all as it was written\n", events.len());
    assert_eq!(checked.stdout, expected);

    let exported = bench.run(&["store", "export", "D"]).exits(0);
    let lines = exported.stdout.lines().map(serde_json::from_str);
    let lines: Vec<serde_json::Value> = lines.map(Result::unwrap).collect();
    let of_kind = |kind: &str| lines.iter().filter(|line| line["kind"] == kind).count();
    assert_eq!(of_kind("event"), events.len());
    assert_eq!(of_kind("sweep"), 1);
    let said = format!("1 sweep and {} events exported\n", events.len());
    assert_eq!(exported.stderr, said);

    let kept = bench.run(&["store", "compact", "D"]).exits(0);
    assert!(kept.stdout.starts_with("0 sweeps deleted"), "{}", kept.stdout);
    bench.run(&["resume", "D"]).exits(0);
}
