//! What is observed instead of the training loss.

use super::data::{Format, missing_files, targets};
use super::files::place_of;
use super::mistakes::{Files, Mistakes, Wrong};
use crate::names::DATA;
use rangefinder_errors::Code;
use rangefinder_proto::v1;

const DEFAULT_BATCHES: u32 = 8;
const MOST: u32 = 1 << 20;

/// The evaluation, where one is asked for. Its data are read as the training data are, but never
/// varied.
pub(super) fn evaluation(
    spec: &mut v1::SweepSpec,
    mistakes: &mut Mistakes,
    data: &v1::Data,
) -> Option<v1::Evaluation> {
    let Some(source) = spec.eval_data.clone() else {
        let here = "a sweep that observes the training loss";
        for (field, set) in [
            ("eval_targets", spec.eval_targets.is_some()),
            ("eval_batches", spec.eval_batches.is_some()),
            ("eval_every", spec.eval_every.is_some()),
        ] {
            mistakes.does_not_apply(field, set, here, "`eval_data`");
        }
        return None;
    };
    if let Some((code, message, remedy)) =
        mistaken(mistakes.files, &source, Format::of(&data.source))
    {
        mistakes.add(code, "eval_data", message, remedy);
    }
    let targets_apart = Format::of(&source) == Format::Pair;
    if targets_apart {
        targets("eval_targets", spec.eval_targets.as_deref(), mistakes);
    } else {
        let pair = "`eval_data` in .npy or IDX files";
        let set = spec.eval_targets.is_some();
        mistakes.does_not_apply(
            "eval_targets",
            set,
            "evaluation data with their targets",
            pair,
        );
    }
    let batches = *spec.eval_batches.get_or_insert(DEFAULT_BATCHES);
    let every = *spec.eval_every.get_or_insert(1);
    for (field, value, example) in [
        ("eval_batches", batches, DEFAULT_BATCHES),
        ("eval_every", every, 1),
    ] {
        if !(1..=MOST).contains(&value) {
            mistakes.add(
                Code::OutOfRange,
                field,
                format!("{value} is out of range; expected 1 to {MOST}"),
                format!("use a value such as {example}"),
            );
        }
    }
    let embedded = DATA.contains(&source.as_str());
    Some(v1::Evaluation {
        data: Some(v1::Data {
            source: if embedded {
                source
            } else {
                place_of(mistakes.files, &source)
            },
            targets: spec
                .eval_targets
                .as_deref()
                .map(|targets| place_of(mistakes.files, targets))
                .unwrap_or_default(),
            augmentation: None,
            ..data.clone()
        }),
        batches,
        every,
    })
}

/// What is wrong with the file of an evaluation, beside training data of a format.
fn mistaken(files: Files, source: &str, training: Format) -> Option<Wrong> {
    let format = Format::of(source);
    let missing = match format {
        Format::Embedded => None,
        _ => missing_files(files, source, &DATA, "a file of data"),
    };
    missing.or_else(|| {
        // What is wrong with training data of unknown format is said of them.
        (training != Format::Unknown && format != training).then(|| {
            let (it, they) = (format.name(), training.name());
            (
                Code::FilesDiffer,
                format!("`{source}` is {it}, but the training data are {they}"),
                "give evaluation data of the same format as the training data".to_owned(),
            )
        })
    })
}
