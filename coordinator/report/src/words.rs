//! Sentences that picture and terminal share.

use crate::document::{ObservedLoss, Status, SweepDocument};
use crate::numbers::{bytes, learning_rate, step_time, whole};
use rangefinder_proto::groups;
use rangefinder_sweep::curve::StopReason;
use rangefinder_sweep::plan::{Plan, Probe, Task};
use rangefinder_sweep::suggest::{Interval, IntervalMethod, Suggestion};

/// The tasks that begin behind a boundary which the curve reaches, those of one replica.
pub(crate) fn segments(document: &SweepDocument) -> impl Iterator<Item = &Task> {
    let reached = document.curve.lr.len();
    let tasks = document.plan.iter().flat_map(|plan| &plan.tasks);
    tasks
        .filter(|task| task.replica == 0 && task.segment > 0)
        .filter(move |task| usize::try_from(task.start).is_ok_and(|start| start < reached))
}

/// What may be trained with: the suggestion, unless the curve is not usable.
///
/// Another tool's profile suggests whatever the verdict; it is then not shown as a suggestion of
/// ours.
pub(crate) fn usable(document: &SweepDocument) -> Option<&Suggestion> {
    let verdict = document.verdict.as_ref()?;
    document.suggestion.as_ref().filter(|_| verdict.usable)
}

/// What the rule would have given, or another tool suggests, where it is no suggestion of ours.
pub(crate) fn not_a_suggestion(document: &SweepDocument) -> Option<String> {
    if usable(document).is_some() {
        return None;
    }
    if let Some(suggestion) = &document.suggestion {
        return Some(format!(
            "`{}` itself suggests {}{}, whatever the curve is worth.",
            suggestion.method,
            learning_rate(suggestion.lr, 4),
            at_batch_size(document)
        ));
    }
    let value = document.rule_value.as_ref()?;
    Some(format!(
        "`{}` would have given {}{}: shown as what it is, not as a suggestion.",
        value.method,
        learning_rate(value.lr, 4),
        at_batch_size(document)
    ))
}

/// The headline where there is no suggestion.
pub(crate) fn no_suggestion(document: &SweepDocument) -> &'static str {
    let judged_usable = document.verdict.as_ref().is_some_and(|it| it.usable);
    match document.status {
        Status::Completed if judged_usable => "No suggestion from this method",
        Status::Completed => "No usable learning rate",
        Status::Cancelled => "Cancelled: no learning rate",
        Status::Failed => "Failed: no learning rate",
    }
}

/// What was trained: model, data, optimizer, and the precision where it is not the usual one.
pub(crate) fn trained(document: &SweepDocument) -> String {
    let spec = &document.spec;
    let name = |text: &Option<String>| text.as_deref().map(|text| shorten(file_name(text), 40));
    let mut parts = Vec::new();
    match (name(&spec.model), name(&spec.data)) {
        (Some(model), Some(data)) => parts.push(format!("{model} on {data}")),
        (Some(one), None) | (None, Some(one)) => parts.push(one),
        (None, None) => {}
    }
    let optimizer = spec.optimizer.as_deref();
    parts.extend(
        optimizer
            .or(document.described.as_ref().map(|it| it.optimizer.as_str()))
            .map(str::to_owned),
    );
    // fp32 is what everyone expects.
    let precision = spec.precision.as_deref();
    parts.extend(precision.filter(|it| *it != "fp32").map(str::to_owned));
    parts.join(", ")
}

/// The size of the sweep, which belongs beside every learning rate.
pub(crate) fn size(document: &SweepDocument) -> String {
    let steps = count(document.steps, "step");
    let mut parts = vec![match updates(document) {
        Some(updates) => format!("{steps} of {updates} updates"),
        None => steps,
    }];
    if let Some(size) = document.effective_batch_size {
        let spec = &document.spec;
        let made = match (spec.batch_size, spec.accumulate) {
            (Some(batch), Some(accumulate)) if accumulate > 1 => {
                format!(" ({accumulate} batches of {batch})")
            }
            _ => String::new(),
        };
        parts.push(format!("{}{made}", batch_size(size)));
    }
    parts.extend(document.plan.as_ref().and_then(split));
    parts.join(", ")
}

/// What a learning rate was found at.
pub(crate) fn batch_size(size: u64) -> String {
    format!("effective batch size {size}")
}

/// The same, to stand behind a learning rate; nothing where it is not known.
pub(crate) fn at_batch_size(document: &SweepDocument) -> String {
    document
        .effective_batch_size
        .map(|size| format!(" at {}", batch_size(size)))
        .unwrap_or_default()
}

/// Updates in a step of the range test, where there are several.
fn updates(document: &SweepDocument) -> Option<u32> {
    let every = document.spec.eval_every.filter(|every| *every > 1);
    every.filter(|_| is_evaluation(document))
}

/// Whether the losses are those of an evaluation.
pub(crate) fn is_evaluation(document: &SweepDocument) -> bool {
    document.observed_loss == Some(ObservedLoss::Evaluation)
}

/// What the losses are, as the name of an axis.
pub(crate) fn loss(document: &SweepDocument) -> String {
    match (is_evaluation(document), updates(document)) {
        (false, _) => "loss".to_owned(),
        (true, None) => "evaluation loss".to_owned(),
        (true, Some(updates)) => format!("evaluation loss, every {updates} updates"),
    }
}

/// What the losses of an evaluation are; nothing for those of the training.
pub(crate) fn evaluation(document: &SweepDocument) -> Option<String> {
    let spec = &document.spec;
    let data = spec
        .eval_data
        .as_deref()
        .filter(|_| is_evaluation(document))?;
    let batches = spec.eval_batches.map(|batches| match batches {
        1 => "1 batch of ".to_owned(),
        batches => format!("up to {batches} batches of "),
    });
    let every =
        updates(document).map(|updates| format!(", every {updates} updates of the weights"));
    Some(format!(
        "The losses are those of {}{} in evaluation mode{}.",
        batches.unwrap_or_default(),
        shorten(file_name(data), 40),
        every.unwrap_or_default()
    ))
}

/// Whose learning rate it is where some parameters have another; nothing where none has.
pub(crate) fn groups(document: &SweepDocument) -> Option<String> {
    const MOST: usize = 3;
    let ratios: Vec<String> = document
        .spec
        .groups
        .iter()
        .filter_map(|text| groups::parse(text).ok())
        .filter(|group| (group.lr_ratio - 1.0).abs() > f64::EPSILON)
        .map(|group| {
            let pattern = shorten(&group.pattern, 40);
            format!("times {} for `{pattern}`", group.lr_ratio)
        })
        .collect();
    if ratios.is_empty() {
        return None;
    }
    let more = ratios.len().saturating_sub(MOST);
    let mut listed = ratios.into_iter().take(MOST).collect::<Vec<_>>().join(", ");
    if more > 0 {
        listed = format!("{listed}, and {more} more");
    }
    Some(format!(
        "Learning rates here are those of parameters in no group; {listed}."
    ))
}

/// How the work was split, where it was.
pub(crate) fn split(plan: &Plan) -> Option<String> {
    match (plan.segments, plan.replicas) {
        (0 | 1, 0 | 1) => None,
        (segments, 0 | 1) => Some(format!("{segments} segments")),
        (0 | 1, replicas) => Some(format!("{replicas} replicas")),
        (segments, replicas) => Some(format!("{replicas} replicas of {segments} segments")),
    }
}

/// What a step costs, as the probe found it; nothing where nothing was measured.
pub(crate) fn probe(probe: &Probe) -> Option<String> {
    let seconds = Some(probe.seconds_per_step).filter(|seconds| *seconds > 0.0);
    let memory = Some(probe.peak_memory_bytes).filter(|memory| *memory > 0);
    let parts: Vec<_> = [
        seconds.map(|seconds| format!("a step takes {}", step_time(seconds))),
        memory.map(|memory| format!("peak memory {}", bytes(memory))),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!parts.is_empty()).then(|| format!("probe: {}", parts.join(", ")))
}

/// Why the curve ends before the range does; `None` when it does not.
pub(crate) fn stop(document: &SweepDocument) -> Option<String> {
    let reason = match document.stop.reason {
        StopReason::Completed => return None,
        StopReason::Diverged => "diverged",
        StopReason::NonFinite => "loss not finite",
        StopReason::DataExhausted => "data exhausted",
        StopReason::Cancelled => "cancelled",
        StopReason::Failed => "failed",
    };
    let place = document.stop.step.map(|step| {
        let lr = document
            .curve
            .lr
            .last()
            .map(|lr| format!(" (lr {})", learning_rate(*lr, 2)));
        format!(" at step {step}{}", lr.unwrap_or_default())
    });
    Some(format!("{reason}{}", place.unwrap_or_default()))
}

/// Whether a loss that is not finite followed on ordinary ones: a sample may be at fault, where a
/// learning rate that is too high makes the losses grow first.
pub(crate) fn out_of_the_blue(document: &SweepDocument) -> bool {
    const GROWN: f64 = 2.0;
    let mut before = document.curve.loss.iter().filter(|loss| loss.is_finite());
    let first = before.clone().next();
    document.stop.reason == StopReason::NonFinite
        && first
            .zip(before.next_back())
            .is_some_and(|(first, last)| last.abs() < GROWN * first.abs())
}

/// Whether the sweep came to its own end.
pub(crate) fn status(document: &SweepDocument) -> Option<String> {
    match document.status {
        Status::Completed => None,
        Status::Cancelled => Some("The sweep was cancelled: this is what it had.".to_owned()),
        Status::Failed => {
            let (code, why) = match &document.failure {
                Some(failure) => (format!(" [{}]", failure.code), failure.message.as_str()),
                None => (String::new(), "no reason was given"),
            };
            Some(format!("The sweep failed{code}: {}", full_stop(why)))
        }
    }
}

/// The interval in few words, for a picture.
pub(crate) fn interval(interval: &Interval) -> String {
    let method = match interval.method {
        IntervalMethod::Bootstrap => "bootstrap",
        IntervalMethod::StudentT => "t over replicas",
    };
    format!(
        "{} % interval {} to {} ({method})",
        percent(interval.level),
        learning_rate(interval.low, 2),
        learning_rate(interval.high, 2)
    )
}

/// What the interval covers and what it does not.
pub(crate) fn interval_meaning(interval: &Interval, replicas: usize) -> String {
    match interval.method {
        IntervalMethod::Bootstrap => "From a bootstrap of this one sweep: where the noise of its \
             batches may have moved the suggestion. It says nothing about other initial weights, \
             batch sizes or numbers of steps."
            .to_owned(),
        IntervalMethod::StudentT => format!(
            "Student's t over {replicas} replicas: where other orders of the data may have moved \
             the suggestion. It says nothing about other initial weights, batch sizes or numbers \
             of steps."
        ),
    }
}

/// Bias from which it is worth a word, in decades: 5 %.
const NOTABLE_BIAS: f64 = 0.02;

/// How far splits like this one were measured to lie from the unsplit sweep; nothing if unsplit.
pub(crate) fn split_error(plan: &Plan) -> Option<String> {
    if plan.segments < 2 {
        return None;
    }
    let off = |decades: f64| percent(10f64.powf(decades.abs()) - 1.0);
    let bias = plan.expected_bias_decades;
    let of_that = if bias.abs() < NOTABLE_BIAS {
        String::new()
    } else {
        let direction = if bias < 0.0 { "low" } else { "high" };
        format!(", in the mean {} % too {direction}", off(bias))
    };
    Some(format!(
        "Split into {} segments: such splits were measured to differ from the unsplit sweep by {} % \
         ({:.2} decades){of_that}. `--split none` avoids it.",
        plan.segments,
        off(plan.expected_error_decades),
        plan.expected_error_decades,
    ))
}

/// `1 step`, `2 steps`.
pub(crate) fn count(number: u32, what: &str) -> String {
    if number == 1 {
        format!("1 {what}")
    } else {
        format!("{number} {what}s")
    }
}

/// A share as a whole number of per cent.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.0}", share * 100.0)
}

/// The words as a sentence: a capital letter first, a full stop last.
pub(crate) fn sentence(text: &str) -> String {
    let mut characters = text.trim().chars();
    let first = characters.next().map(char::to_uppercase);
    full_stop(
        &first
            .into_iter()
            .flatten()
            .chain(characters)
            .collect::<String>(),
    )
}

/// The words, ended by a full stop.
pub(crate) fn full_stop(text: &str) -> String {
    let text = text.trim_end();
    if text.is_empty() || text.ends_with(['.', '!', '?']) {
        text.to_owned()
    } else {
        format!("{text}.")
    }
}

/// Words in lines of at most `width` characters; a longer word is cut.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    let mut length = 0;
    for word in text.split_whitespace() {
        let mut characters: Vec<char> = word.chars().collect();
        if length > 0 && length + 1 + characters.len() > width {
            lines.push(std::mem::take(&mut line));
            length = 0;
        }
        if length > 0 {
            line.push(' ');
            length += 1;
        }
        while characters.len() > width {
            let rest = characters.split_off(width);
            lines.push(characters.into_iter().collect());
            characters = rest;
        }
        length += characters.len();
        line.extend(characters);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// At most `most` characters, with an ellipsis where some were left out.
pub(crate) fn shorten(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{kept}…")
}

fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\'])
        .find(|part| !part.is_empty())
        .unwrap_or(path)
}

/// Step whose learning rate is nearest in a curve's own columns: linear interpolation of the
/// smoothed loss at `lr`, clamped to the curve; `None` without a smoothed curve.
pub(crate) fn smoothed_at(document: &SweepDocument, lr: f64) -> Option<f64> {
    let curve = &document.curve;
    let lrs = curve.lr.get(..curve.smoothed.len().min(curve.lr.len()))?;
    let next = lrs.partition_point(|other| *other < lr);
    let (before, after) = (next.saturating_sub(1), next.min(lrs.len().checked_sub(1)?));
    let (low, high) = (lrs[before], lrs[after]);
    let share = if high > low {
        ((lr - low) / (high - low)).clamp(0.0, 1.0)
    } else {
        0.0
    };
    let value = curve.smoothed[before] * (1.0 - share) + curve.smoothed[after] * share;
    value.is_finite().then_some(value)
}

/// At most `most` of the indices `0..count`, evenly, with both ends.
pub(crate) fn thinned(count: usize, most: usize) -> Vec<usize> {
    use crate::numbers::real;
    if count <= most || most < 2 {
        return (0..count).collect();
    }
    let scale = real(count - 1) / real(most - 1);
    (0..most)
        .map(|index| whole(real(index) * scale, count - 1))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapped_lines_keep_every_word_and_stay_within_the_width() {
        let text = "a sentence with averyveryverylongword in it";
        for width in 1..30 {
            let lines = wrap(text, width);
            assert!(
                lines.iter().all(|line| line.chars().count() <= width),
                "{width}: {lines:?}"
            );
            assert_eq!(lines.concat().replace(' ', ""), text.replace(' ', ""));
        }
    }

    #[test]
    fn thinning_keeps_both_ends() {
        let kept = thinned(100_000, 100);
        assert_eq!((kept.len(), kept[0], kept[99]), (100, 0, 99_999));
        assert_eq!(thinned(3, 100), [0, 1, 2]);
    }

    #[test]
    fn the_probe_says_what_was_measured_and_nothing_else() {
        let mut measured = Probe {
            initial_loss: 2.3,
            gradient_squared: 0.1,
            gradient_l1: 3.0,
            seconds_per_step: 0.0244,
            peak_memory_bytes: 144_000_000,
        };
        let said = "probe: a step takes 24 ms, peak memory 144 MB";
        assert_eq!(probe(&measured).as_deref(), Some(said));
        measured.peak_memory_bytes = 0;
        let said = "probe: a step takes 24 ms";
        assert_eq!(probe(&measured).as_deref(), Some(said));
        measured.seconds_per_step = 0.0;
        assert_eq!(probe(&measured), None);
    }

    #[test]
    fn a_path_is_shown_by_its_last_part() {
        assert_eq!(file_name("/a/b/model.pt"), "model.pt");
        assert_eq!(file_name("mlp"), "mlp");
        assert_eq!(file_name("/"), "/");
    }
}
