//! The learning rate in a file of hyperparameters.

use super::support::*;

const YAML: &str = "\
# How the network is trained.
model:
  widths: [256, 256]   # hidden layers
  optim: {name: adamw, lr: 0.02}  # found by hand

'batch size':   64
lr: 1.0e-2      # the old one
notes: |
  lr: this is text
";

#[test]
fn the_suggestion_replaces_the_value_and_all_else_stays_byte_for_byte() {
    for (field, old) in [
        (None, "lr: 1.0e-2  "),
        (Some("model.optim.lr"), "lr: 0.02}"),
    ] {
        let folder = Folder::new();
        folder.write("hparams.yaml", YAML);
        let mut args = vec!["--hparams", "hparams.yaml", "--auto-lr-find"];
        args.extend(field);
        let run = folder.sweep(&args).exits(0);

        let written = folder.read("hparams.yaml");
        let at = YAML.find(old).unwrap() + "lr: ".len();
        let rest = YAML[at..].find([' ', '}']).unwrap() + at;
        let value = written
            .strip_prefix(&YAML[..at])
            .and_then(|text| text.strip_suffix(&YAML[rest..]))
            .unwrap_or_else(|| panic!("something else has changed: {written}"));
        let lr: f64 = run.line().parse().unwrap();
        assert_eq!(value.parse::<f64>().unwrap(), lr);

        let (_, shown) = run.stderr.split_once("Written to").unwrap();
        for part in ["model.optim.lr", "batch size", "notes", value] {
            assert!(shown.contains(part), "{part}: {}", run.shown());
        }
        assert_eq!(folder.names(), ["hparams.yaml", "out"]);
    }
}

#[test]
fn a_curve_without_an_answer_leaves_the_file_as_it_was() {
    let folder = Folder::new();
    folder.write("hparams.yaml", YAML);
    let args = [
        "--max-lr",
        "1e-7",
        "--hparams",
        "hparams.yaml",
        "--auto-lr-find",
    ];
    let run = folder.sweep(&args).exits(3);
    assert_eq!(run.stdout, "");
    assert_eq!(folder.read("hparams.yaml"), YAML);
    let last = run.stderr.lines().last().unwrap();
    assert!(
        last.starts_with("error[RF714]: hparams.yaml was left as it is"),
        "{}",
        run.shown()
    );
}

#[test]
fn a_field_that_is_missing_is_said_before_a_worker_starts() {
    let folder = Folder::new();
    folder.write("hparams.yaml", "model:\n  optim: {lr: 0.1}\nhead_lr: 1\n");
    for field in [None, Some("model.lr")] {
        let mut args = vec!["--hparams", "hparams.yaml", "--auto-lr-find"];
        args.extend(field);
        let run = folder.run(&args).exits(2);
        assert!(run.stderr.contains("model.optim.lr"), "{}", run.shown());
        assert!(!run.stderr.contains("joined"), "{}", run.shown());
        assert_eq!(folder.names(), ["hparams.yaml"]);
    }
}
