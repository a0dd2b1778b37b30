//! Help, configuration, and everything that can be asked wrongly.

use super::{command, done, run, run_in};
use std::fs;
use std::process::Stdio;

/// A worker that does not exist: whatever gets as far as starting one fails with code 1.
const NO_WORKER: [&str; 2] = ["--worker-program", "/nowhere/worker"];

#[test]
fn help_says_what_people_need() {
    let help = run(&["--help"]);
    assert_eq!((help.code, help.stderr.as_str()), (0, ""));
    insta::assert_snapshot!(help.stdout);
}

#[test]
fn help_of_the_other_commands_says_what_people_need() {
    insta::assert_snapshot!(run(&["analyze", "--help"]).stdout);
    insta::assert_snapshot!(run(&["watch", "--help"]).stdout);
}

#[test]
fn the_printed_configuration_runs_as_the_defaults_do() {
    let folder = tempfile::tempdir().unwrap();
    let printed = run(&["--print-config"]);
    assert_eq!(printed.code, 0);
    fs::write(folder.path().join("sweep.toml"), printed.stdout).unwrap();
    let with = run_in(folder.path(), &["plan", "--json", "--config", "sweep.toml"]);
    assert_eq!(with.json(), run(&["plan", "--json"]).json());
}

#[test]
fn flags_win_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = "num_training: 50\nmin_lr: 1e-6\nhidden_sizes: [1, 2]\nshuffle: true\n";
    fs::write(folder.path().join("sweep.yaml"), file).unwrap();
    let args = [
        "plan",
        "--json",
        "--config",
        "sweep.yaml",
        "--num-training",
        "60",
        "--hidden-sizes",
        "3",
        "--no-shuffle",
    ];
    let spec = &run_in(folder.path(), &args).json()["spec"];
    assert_eq!(spec["num_training"], 60);
    assert_eq!(spec["min_lr"], 1e-6);
    assert_eq!(spec["hidden_sizes"], serde_json::json!([3]));
    assert_eq!(spec["shuffle"], false);
}

#[test]
fn of_a_flag_that_is_repeated_the_last_value_counts_and_a_list_grows() {
    let repeated = run(&[
        "plan",
        "--json",
        "--workers=1",
        "--batch-size=64",
        "--shuffle",
        "--hidden-sizes=1",
        "--json",
        "--workers=2",
        "--batch-size=32",
        "--shuffle=false",
        "--hidden-sizes=2,3",
    ]);
    let once = run(&[
        "plan",
        "--json",
        "--workers=2",
        "--batch-size=32",
        "--shuffle=false",
        "--hidden-sizes=1,2,3",
    ]);
    assert_eq!(repeated.json(), once.json());
    let analyzed = ["analyze", "missing.csv", "--seed=1", "--seed=2", "--json"];
    let wrong = run(&analyzed);
    assert!(wrong.stderr.contains("RF701"), "{}", wrong.shown());
}

#[test]
fn all_mistakes_are_said_at_once_with_remedies() {
    let wrong = run(&[
        "--optimizer",
        "sgd",
        "--momentum",
        "1.5",
        "--beta1",
        "0.9",
        "--min-lr",
        "1",
        "--max-lr",
        "0.1",
        "--num-training",
        "3",
        "--workers",
        "100000",
        "--method",
        "drop08",
        "--device",
        "cuda",
        "--early-stop-threshold",
        "nan",
        "--batch-size",
        "0",
    ]);
    let cores = std::thread::available_parallelism().unwrap().get();
    let most = (4 * cores).max(16);
    let shown = wrong.shown().replace(
        &format!("on {cores} cores; expected 1 to {most}"),
        "on N cores; expected 1 to M",
    );
    insta::assert_snapshot!(shown);
}

#[test]
fn unknown_flags_and_keys_get_their_nearest_name() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("sweep.toml"),
        "num_trainng = 3\nworkers = 2\n",
    )
    .unwrap();
    let shown = [
        run(&["--worker", "3"]).shown(),
        run_in(folder.path(), &["--config", "sweep.toml"]).shown(),
    ];
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn wrong_input_is_refused_before_a_worker_or_a_file() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    fs::write(folder.path().join("hparams.yaml"), "model: {lr: 0.1}\n").unwrap();
    let cases: &[(&[&str], &str)] = &[
        (&["--model", "missing.pt"], "there is no file `missing.pt`"),
        (&["--data", "missing.npz"], "there is no file `missing.npz`"),
        (
            &["--config", "missing.toml"],
            "missing.toml: cannot be read",
        ),
        (&["--out", "file/below"], "file/below"),
        (
            &["--hparams", "hparams.yaml", "--auto-lr-find"],
            "`model.lr`",
        ),
        (
            &["--hparams", "missing.yaml", "--auto-lr-find"],
            "missing.yaml: cannot be read",
        ),
        (&["--hparams", "hparams.yaml"], "--auto-lr-find"),
        (&["--auto-lr-find"], "--hparams"),
        (&["--workers", "0"], "expected 1 to"),
        (&["--batch-size", "-1"], "--batch-size"),
        (&["--min-lr", "inf"], "--min-lr: inf is not a learning rate"),
        (&["--print-config", "--workers", "2"], "--print-config"),
        (&["--workers", "2", "plan"], "plan"),
    ];
    for (args, message) in cases {
        let args: Vec<_> = args.iter().chain(&NO_WORKER).copied().collect();
        let wrong = run_in(folder.path(), &args);
        assert_eq!(wrong.code, 2, "{args:?}: {}", wrong.shown());
        assert_eq!(wrong.stdout, "", "{args:?}");
        assert!(
            wrong.stderr.contains(message),
            "{args:?}: {}",
            wrong.shown()
        );
        assert!(
            !wrong.stderr.contains("Caused by"),
            "{args:?}: {}",
            wrong.shown()
        );
    }
    let left = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 2, "something was written");
}

#[test]
fn a_worker_that_cannot_be_started_is_a_failure_without_files() {
    let failed = run(&[&NO_WORKER[..], &["--device", "cpu"]].concat());
    assert_eq!(
        (failed.code, failed.stdout.as_str()),
        (1, ""),
        "{}",
        failed.shown()
    );
    assert!(
        failed.stderr.contains("/nowhere/worker"),
        "{}",
        failed.shown()
    );
}

#[test]
fn a_reader_who_leaves_is_no_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = command(folder.path(), &["--print-config"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let run = done(child.wait_with_output().unwrap());
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_written_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let run = done(
        command(folder.path(), &["--print-config"])
            .stdout(full)
            .output()
            .unwrap(),
    );
    assert_eq!(run.code, 1);
    assert!(
        run.stderr
            .starts_with("error[RF706]: the result cannot be written to stdout"),
        "{}",
        run.shown()
    );
}

#[test]
fn a_word_that_is_no_command_is_told_what_to_do() {
    for (args, advice) in [
        (&["swep"][..], "leave the command out"),
        (&["analyse", "x.csv"], "'analyze'"),
        (&["net.pt"], "--model FILE"),
        (&["--shuffle", "yes"], "follows `=`"),
        (&["--workers", "2", "plan"], "a command comes first"),
    ] {
        let wrong = run(args);
        assert_eq!(wrong.code, 2, "{}", wrong.shown());
        assert!(wrong.stderr.contains(advice), "{}", wrong.shown());
    }
    assert_eq!(
        run(&["help", "plan"]).stdout,
        run(&["plan", "--help"]).stdout
    );
}

#[test]
fn a_value_that_is_no_number_is_told_what_was_expected() {
    for (args, expected) in [
        (
            ["--workers", "-1"],
            "expected a whole number, 0 to 4294967295",
        ),
        (["--batch-size", "64.0"], "expected a whole number"),
        (
            ["--seed", "-1"],
            "expected a whole number, 0 to 18446744073709551615",
        ),
        (["--hidden-sizes", "64,x"], "expected a whole number"),
        (["--min-lr", "1e-8s"], "expected a number, such as"),
        (["--overlap", "-1"], "decades of learning rate, 0 or more"),
    ] {
        let wrong = run(&args);
        assert_eq!(wrong.code, 2, "{}", wrong.shown());
        assert!(wrong.stderr.contains(expected), "{}", wrong.shown());
    }
}
