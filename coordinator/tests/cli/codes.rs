//! Each code that a mistake can have which is found before a worker is needed, with its message.

use super::run_in;
use std::fmt::Write as _;
use std::fs;

/// Files to be wrong about.
const FILES: &[(&str, &str)] = &[
    ("unknown.toml", "num_trainng = 3\n"),
    ("flag.toml", "workers = 2\n"),
    ("syntax.toml", "seed = [1,\n"),
    ("sweep.ini", ""),
    ("entry.toml", "entry = \"module:setup\"\n"),
    ("x.npy", ""),
    ("x.npz", ""),
    ("x.csv", ""),
    ("x.txt", ""),
    ("shared.yaml", "base: &lr 0.1\nlr: *lr\n"),
    ("none.yaml", "rate: 0.1\n"),
    ("columns.csv", "step,loss\n1,2\n"),
    ("row.csv", "lr,loss\nx,2\n"),
    ("rates.csv", "lr,loss\n2,2\n1,2\n"),
    ("empty.csv", "lr,loss\n"),
    ("curve.csv", "lr,loss\n1,2\n2,2\n3,2\n"),
    ("other.json", "{\"format\": 1}"),
    ("newer.json", "{\"format\": 999}"),
];

/// What is wrong, and its code.
const CASES: &[(&[&str], &str)] = &[
    (&["--modle", "net.pt"], "RF101"),
    (&["analyse", "curve.csv"], "RF101"),
    (&["--batch-size", "64.5"], "RF102"),
    (&["--shuffle=perhaps"], "RF102"),
    (&["--out"], "RF103"),
    (&["analyze"], "RF103"),
    (&["--hparams", "none.yaml"], "RF103"),
    (&["--auto-lr-find"], "RF103"),
    (&["--print-config", "--workers", "2"], "RF104"),
    (&["--config", "unknown.toml"], "RF105"),
    (&["--config", "flag.toml"], "RF106"),
    (&["--config", "syntax.toml"], "RF107"),
    (&["--config", "sweep.ini"], "RF108"),
    (&["--worker-command", "python 'worker.py"], "RF109"),
    (&["--config", "entry.toml"], "RF110"),
    (&["--method", "drop08"], "RF201"),
    (&["--momentum", "1.5", "--optimizer", "sgd"], "RF202"),
    (&["--beta1", "0.9", "--optimizer", "sgd"], "RF203"),
    (&["--data", "x.npy"], "RF204"),
    (&["--min-lr", "1", "--max-lr", "0.1"], "RF205"),
    (&["--min-lr", "1", "--max-lr", "1.00000000000001"], "RF206"),
    (&["--num-training", "3"], "RF207"),
    (&["--skip-begin", "99"], "RF208"),
    (&["--global-batch-size", "100"], "RF209"),
    (&["--nesterov", "--optimizer", "sgd"], "RF211"),
    (&["--groups", "head"], "RF212"),
    (&["--augment", "crop=0"], "RF213"),
    (
        &["plan", "--replicas", "1000", "--num-training", "1000000"],
        "RF215",
    ),
    (&["--model", "gpt"], "RF305"),
    (
        &[
            "--model", "gpt", "--heads", "7", "--width", "64", "--data", "x.npz",
        ],
        "RF306",
    ),
    (&["--loss", "nll"], "RF308"),
    (
        &[
            "--data",
            "x.csv",
            "--target-column",
            "y",
            "--target-type",
            "numeric",
        ],
        "RF309",
    ),
    (&["--groups", "a:lr=2", "--groups", "a:lr=3"], "RF313"),
    (&["--data", "x.txt"], "RF401"),
    (&["--data", "x.npz", "--input-keys", "targets"], "RF405"),
    (&["--eval-data", "x.npz"], "RF407"),
    (&["--worker-program", "/nowhere/worker"], "RF506"),
    (&["--worker-command", "./nowhere"], "RF507"),
    (&["--model", "missing.pt"], "RF701"),
    (&["--model", "."], "RF702"),
    (&["analyze", "."], "RF702"),
    (&["--config", "missing.toml"], "RF701"),
    (&["analyze", "binary.csv"], "RF703"),
    (&["--out", "x.npy/below"], "RF705"),
    (&["plot", "other.json"], "RF707"),
    (&["analyze", "newer.json"], "RF708"),
    (&["--hparams", "none.yaml", "--auto-lr-find"], "RF711"),
    (
        &["--hparams", "shared.yaml", "--auto-lr-find", "base"],
        "RF712",
    ),
    (&["analyze", "columns.csv"], "RF721"),
    (&["analyze", "row.csv"], "RF722"),
    (&["analyze", "rates.csv"], "RF723"),
    (&["analyze", "empty.csv"], "RF724"),
    (&["analyze", "curve.csv", "--num-training", "2"], "RF725"),
    (&["analyze", "curve.csv", "--smoothed"], "RF726"),
];

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in FILES {
        fs::write(folder.path().join(name), content).unwrap();
    }
    fs::write(folder.path().join("binary.csv"), b"\xff").unwrap();
    folder
}

#[test]
fn every_mistake_is_said_with_its_code_and_what_to_do() {
    let folder = folder();
    let (mut all, mut others) = (String::new(), Vec::new());
    for (args, code) in CASES {
        let run = run_in(folder.path(), args);
        assert_eq!(run.stdout, "", "{args:?}");
        if !run.stderr.starts_with(&format!("error[{code}]: ")) {
            others.push(format!("{args:?} has not {code}: {}", run.stderr));
        }
        writeln!(all, "$ coordinator {}\n{}", args.join(" "), run.stderr).unwrap();
    }
    assert!(others.is_empty(), "{}", others.join("\n"));
    insta::assert_snapshot!(all);
}

#[test]
fn a_list_of_mistakes_has_a_code_on_each() {
    let folder = folder();
    let two = run_in(folder.path(), &["--loss", "mso", "--num-training", "3"]);
    assert!(
        two.stderr.starts_with("error: 2 mistakes:\n"),
        "{}",
        two.shown()
    );
    for line in ["\n  [RF201] --loss: `mso`", "\n  [RF207] --num-training: 3"] {
        assert!(two.stderr.contains(line), "{}", two.shown());
    }
}

#[cfg(unix)]
#[test]
fn a_word_that_is_no_text_is_told_so() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = folder();
    let output = super::command(folder.path(), &["--model"])
        .arg(std::ffi::OsStr::from_bytes(b"\xff.pt"))
        .output()
        .unwrap();
    let run = super::done(output);
    assert!(run.stderr.starts_with("error[RF102]: "), "{}", run.shown());
}
