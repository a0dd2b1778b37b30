//! The examples, as their readers run them: the commands of each page, in a copy of its folder.
//!
//! - `readme`: copies of the examples, and the commands of their pages.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what a test cannot do fails it"
)]

mod readme;

use rangefinder_report::SweepDocument;
use readme::{Example, all, original};

/// What a sweep must come to that others take as their pattern: the learning rate that is printed,
/// of a usable curve, inside the range.
#[track_caller]
fn found(document: &SweepDocument, lr: f64) {
    assert!(document.verdict.as_ref().unwrap().usable);
    assert_eq!(document.suggestion.as_ref().unwrap().lr, lr);
    let rates = &document.learning_rates;
    assert!((rates[0]..rates[rates.len() - 1]).contains(&lr), "{lr}");
}

#[test]
fn torchscript() {
    let example = Example::copy("torchscript");
    let steps = example.follow();
    let document = example.document();
    found(&document, steps[0].lr());
    let codes: Vec<_> = document
        .warnings
        .iter()
        .map(|warning| &warning.code)
        .collect();
    assert!(codes.is_empty(), "{codes:?}");
    assert_eq!(example.read("model.pt"), original("torchscript/model.pt"));
}

#[test]
fn gpt() {
    let example = Example::copy("gpt");
    let steps = example.follow();
    found(&example.document(), steps[1].lr());
    let tokens = example.read("tokens.bin");
    let bytes = example.read("as-you-like-it.txt");
    let expected: Vec<_> = bytes.iter().flat_map(|byte| [*byte, 0]).collect();
    assert!(tokens == expected, "a token is not its byte");
}

#[test]
fn fine_tuning() {
    let example = Example::copy("fine-tuning");
    let steps = example.follow();
    let document = example.document();
    found(&document, steps[0].lr());
    assert_eq!(document.spec.weights.as_deref(), Some("checkpoint.pt"));
    assert_eq!(document.replicas.len(), 4);
    assert_eq!(
        example.read("checkpoint.pt"),
        original("fine-tuning/checkpoint.pt")
    );
}

#[test]
fn hparams() {
    let example = Example::copy("hparams");
    let steps = example.follow();
    found(&example.document(), steps[0].lr());
    let sweeps = steps
        .iter()
        .filter(|step| step.command.starts_with("coordinator"));
    let files = ["hparams.yaml", "config.yaml"];
    assert_eq!(sweeps.clone().count(), files.len());
    for (name, step) in files.into_iter().zip(sweeps) {
        let before = String::from_utf8(original(&format!("hparams/{name}"))).unwrap();
        let lr = step.run.stdout.trim_end();
        let expected = before.replacen("lr: 0.02 ", &format!("lr: {lr} "), 1);
        assert_ne!(expected, before);
        assert_eq!(String::from_utf8(example.read(name)).unwrap(), expected);
    }

    // A sweep without an answer writes nothing.
    let example = Example::copy("hparams");
    let useless = format!("{} --max-lr 1e-6", steps[0].command);
    assert_eq!(example.bash(&useless).code, Some(3));
    assert_eq!(
        example.read("hparams.yaml"),
        original("hparams/hparams.yaml")
    );
}

#[test]
fn shell() {
    let example = Example::copy("shell");
    let steps = example.follow();
    let told = |run: &readme::Run, from: &str| -> f64 {
        let (_, rest) = run.stderr.split_once(from).unwrap();
        rest.lines().next().unwrap().trim().parse().unwrap()
    };
    // The last run of the page was the one without an answer.
    assert!(!example.document().verdict.unwrap().usable);
    let old = told(&steps[1].run, "training with the old one, ");
    assert_eq!(steps[1].run.stderr.matches("no usable").count(), 2);

    let again = example.bash(&steps[0].command);
    let lr = told(&again, "found learning rate ");
    found(&example.document(), lr);
    assert_ne!(lr, old);
    // What is trained with either.
    let by_hand = |lr: f64| {
        example
            .bash(&format!("python3 train.py iris.csv species {lr}"))
            .stdout
    };
    assert_eq!(again.stdout, by_hand(lr));
    assert_eq!(steps[1].run.stdout, by_hand(old));

    // Nothing is trained after a mistake.
    let run = example.bash("./train.sh --max-lr -1");
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(run.stderr.contains("--max-lr"), "{}", run.stderr);
}

#[test]
fn analyze() {
    let example = Example::copy("analyze");
    let before = example.names(".");
    let steps = example.follow();
    let suggested = String::from_utf8(example.read("suggested.csv")).unwrap();
    let mut tools = suggested.lines().skip(1).peekable();
    assert!(tools.peek().is_some());
    for line in tools {
        let (tool, lr) = line.split_once(',').unwrap();
        let asked = |command: &str| command.contains(&format!("--profile {tool}"));
        let step = steps.iter().find(|step| asked(&step.command)).unwrap();
        assert_eq!(step.lr(), lr.parse::<f64>().unwrap(), "{tool}");
    }
    assert_eq!(example.names("."), before);
}

#[test]
fn the_index_has_a_line_for_each() {
    let index = String::from_utf8(original("README.md")).unwrap();
    for entry in std::fs::read_dir(all()).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            let name = entry.file_name().into_string().unwrap();
            let link = format!("[{name}]({name}/README.md)");
            assert!(index.contains(&link), "{link}");
        }
    }
}
