//! The curve, the suggestions, the verdict, the files.

use super::chart::chart;
use super::methods::methods;
use super::style::{NARROWEST, Paint, clean_lines};
use crate::document::SweepDocument;
use crate::files::Written;
use crate::numbers::{duration, learning_rate};
use crate::words;
use rangefinder_sweep::plan::Warning;

/// What a sweep found, for people: the curve, the suggestion or why there is none, what every
/// other method says, warnings, and where the files are. Lines are at most `width` columns long
/// (40 at least), but for paths, which are not broken.
#[must_use]
pub fn summary(
    document: &SweepDocument,
    written: Option<&Written>,
    width: usize,
    colour: bool,
) -> String {
    let (width, paint) = (width.max(NARROWEST), Paint { colour });
    let sections = [
        title(document, width, paint),
        chart(document, width, paint),
        answer(document, width, paint),
        notices(document, width, paint),
        methods(document, width, paint),
        traces(document, written, width, paint),
    ];
    let mut text = String::new();
    for lines in sections.iter().filter(|lines| !lines.is_empty()) {
        if !text.is_empty() {
            text.push('\n');
        }
        for line in lines {
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    text
}

/// A warning with its code, for searching.
pub(super) fn warning(warning: &Warning, width: usize, paint: Paint) -> Vec<String> {
    let text = format!(
        "! {} [{}]",
        words::sentence(&clean_lines(&warning.message).join(" ")),
        warning.code
    );
    words::wrap(&text, width.saturating_sub(4))
        .iter()
        .enumerate()
        .map(|(index, line)| match line.strip_prefix('!') {
            Some(rest) if index == 0 => format!("  {}{rest}", paint.warning("!")),
            _ => format!("    {line}"),
        })
        .collect()
}

fn title(document: &SweepDocument, width: usize, paint: Paint) -> Vec<String> {
    let text = [words::trained(document), words::size(document)].join(": ");
    words::wrap(text.trim_start_matches(": "), width)
        .iter()
        .map(|line| paint.bold(line))
        .collect()
}

fn answer(document: &SweepDocument, width: usize, paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    let mut paragraph = |text: &str| lines.extend(indented(text, width));
    let headline = match words::usable(document) {
        Some(suggestion) => {
            let known = document.effective_batch_size.is_some();
            paragraph(&format!(
                "After {}{}, by `{}`. A longer sweep suggests a lower learning rate.",
                words::count(document.steps, "step"),
                if known {
                    ""
                } else {
                    " at an unknown batch size"
                },
                suggestion.method,
            ));
            match &suggestion.interval {
                Some(interval) => paragraph(&format!(
                    "{}. {}",
                    words::interval(interval),
                    words::interval_meaning(interval, document.replicas.len())
                )),
                None => paragraph("No fair interval is known for this method."),
            }
            let lr = learning_rate(suggestion.lr, 4);
            let headline = format!("Learning rate {lr}{}", words::at_batch_size(document));
            let headline = words::wrap(&headline, width).into_iter();
            headline.map(|line| paint.bold(&line)).collect()
        }
        None => vec![paint.bad(words::no_suggestion(document))],
    };
    for text in [words::groups(document), words::evaluation(document)] {
        if let Some(text) = text.filter(|_| document.rule_value.is_some()) {
            paragraph(&clean_lines(&text).join(" "));
        }
    }
    if let Some(verdict) = &document.verdict {
        paragraph(&words::sentence(&clean_lines(&verdict.message).join(" ")));
    }
    if let Some(text) = words::not_a_suggestion(document) {
        paragraph(&text);
    }
    if let Some(stop) = words::stop(document).filter(|_| document.stop.step.is_some()) {
        paragraph(&format!("The curve ends early: {stop}."));
        if words::out_of_the_blue(document) {
            paragraph(
                "The losses before it were ordinary ones: look for NaN and infinities in the data.",
            );
        }
    }
    if let Some(status) = words::status(document) {
        paragraph(&clean_lines(&status).join(" "));
    }
    lines.splice(0..0, headline);
    lines
}

fn indented(text: &str, width: usize) -> Vec<String> {
    words::wrap(text, width.saturating_sub(2))
        .into_iter()
        .map(|line| format!("  {line}"))
        .collect()
}

fn notices(document: &SweepDocument, width: usize, paint: Paint) -> Vec<String> {
    // It is about the number that is shown; a sweep that was broken off has none.
    let shown = document.suggestion.is_some() || document.rule_value.is_some();
    let plan = document.plan.as_ref().filter(|_| shown);
    let split = plan.and_then(words::split_error);
    let mut lines: Vec<String> = split
        .iter()
        .flat_map(|text| indented(text, width))
        .collect();
    lines.extend(
        document
            .warnings
            .iter()
            .flat_map(|it| warning(it, width, paint)),
    );
    lines
}

fn traces(
    document: &SweepDocument,
    written: Option<&Written>,
    width: usize,
    paint: Paint,
) -> Vec<String> {
    let mut lines = Vec::new();
    let timings = &document.timings;
    if timings.wall_seconds > 0.0 {
        let rate = if timings.steps_per_second > 0.0 {
            format!(", {:.0} steps/s", timings.steps_per_second)
        } else {
            String::new()
        };
        lines.extend(words::wrap(
            &format!("Took {}{rate}.", duration(timings.wall_seconds)),
            width,
        ));
    }
    if let Some(Written { folder, names }) = written {
        lines.push(format!(
            "Written to {}",
            paint.bold(&folder.display().to_string())
        ));
        lines.extend(indented(&names.join(", "), width));
    }
    lines
}
