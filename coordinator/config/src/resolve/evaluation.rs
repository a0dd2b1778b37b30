//! What is observed instead of the training loss.

use super::data::missing_files;
use super::mistakes::Mistakes;
use super::model::absolute;
use rangefinder_proto::v1;

const DEFAULT_BATCHES: u32 = 8;
const MOST: u32 = 1 << 20;

/// The evaluation, where one is asked for. Its arrays have the names of the training data's.
pub(super) fn evaluation(
    spec: &mut v1::SweepSpec,
    mistakes: &mut Mistakes,
    data: &v1::Data,
) -> Option<v1::Evaluation> {
    let Some(source) = spec.eval_data.clone() else {
        let here = "a sweep that observes the training loss";
        for (field, set) in [
            ("eval_batches", spec.eval_batches.is_some()),
            ("eval_every", spec.eval_every.is_some()),
        ] {
            mistakes.does_not_apply(field, set, here, "`eval_data`");
        }
        return None;
    };
    if !data.targets.is_empty() {
        mistakes.add(
            "eval_data",
            "does not apply to data in .npy files, whose targets are a file of their own",
            "save inputs and targets with numpy.savez(file, inputs=..., targets=...)",
        );
    } else if let Some((message, remedy)) =
        missing_files(&source, &crate::names::DATA, "a file of data")
            .filter(|_| !crate::names::DATA.contains(&source.as_str()))
    {
        mistakes.add("eval_data", message, remedy);
    }
    let batches = *spec.eval_batches.get_or_insert(DEFAULT_BATCHES);
    let every = *spec.eval_every.get_or_insert(1);
    for (field, value, example) in [
        ("eval_batches", batches, DEFAULT_BATCHES),
        ("eval_every", every, 1),
    ] {
        if !(1..=MOST).contains(&value) {
            mistakes.add(
                field,
                format!("{value} is out of range; expected 1 to {MOST}"),
                format!("use a value such as {example}"),
            );
        }
    }
    let embedded = crate::names::DATA.contains(&source.as_str());
    Some(v1::Evaluation {
        data: Some(v1::Data {
            source: if embedded { source } else { absolute(&source) },
            ..data.clone()
        }),
        batches,
        every,
    })
}
