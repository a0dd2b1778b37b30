//! A drawing of the plan, and what it costs and promises.

use super::style::{NARROWEST, Paint};
use crate::numbers::{learning_rate, real, whole};
use crate::words;
use rangefinder_sweep::plan::{Plan, Task};

/// More tasks than this are counted, not drawn.
const MOST_TASKS: usize = 16;

/// The plan: its tasks over the learning rates, warm-ups apart from what they own, then its cost
/// and what it promises. The effective batch size stands beside the learning rates, where it is
/// known.
#[must_use]
pub fn plan(
    plan: &Plan,
    learning_rates: &[f64],
    effective_batch_size: Option<u64>,
    width: usize,
    colour: bool,
) -> String {
    let (width, paint) = (width.max(NARROWEST), Paint { colour });
    let mut lines: Vec<String> = words::wrap(&title(plan), width)
        .iter()
        .map(|line| paint.bold(line))
        .collect();
    lines.extend(drawing(
        plan,
        learning_rates,
        effective_batch_size,
        width,
        paint,
    ));
    for sentence in sentences(plan) {
        lines.extend(
            words::wrap(&sentence, width.saturating_sub(2))
                .into_iter()
                .map(|line| format!("  {line}")),
        );
    }
    for warning in &plan.warnings {
        lines.extend(super::summary::warning(warning, width, paint));
    }
    lines
        .iter()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}

fn title(plan: &Plan) -> String {
    let workers = words::count(plan.workers, "worker");
    match words::split(plan) {
        Some(split) => format!("Plan: {split} on {workers}"),
        None => format!("Plan: one task on {workers}"),
    }
}

fn drawing(
    plan: &Plan,
    learning_rates: &[f64],
    effective_batch_size: Option<u64>,
    width: usize,
    paint: Paint,
) -> Vec<String> {
    let labels: Vec<String> = plan
        .tasks
        .iter()
        .take(MOST_TASKS)
        .map(|task| name(plan, task))
        .collect();
    let margin = labels
        .iter()
        .map(|label| label.chars().count())
        .max()
        .unwrap_or(0)
        + 3;
    let columns = width.saturating_sub(margin).min(100);
    if columns < 8 || learning_rates.is_empty() {
        return Vec::new();
    }
    let mut lines: Vec<String> = plan
        .tasks
        .iter()
        .zip(labels)
        .map(|(task, label)| {
            let (warm_up, own) = bars(task, learning_rates.len(), columns);
            format!(
                "  {label:<label_width$} {warm_up}{}",
                paint.curve(&own),
                label_width = margin - 3
            )
        })
        .collect();
    if plan.tasks.len() > MOST_TASKS {
        lines.push(format!(
            "  and {} more tasks",
            plan.tasks.len() - MOST_TASKS
        ));
    }
    let axis = ends(learning_rates, effective_batch_size, columns);
    lines.push(paint.dim(&format!("{:margin$}{axis}", "")));
    if plan.segments > 1 {
        let legend = "░ warm-up   █ own steps";
        let indent = margin.min(width.saturating_sub(legend.chars().count()));
        lines.push(paint.dim(&format!("{:indent$}{legend}", "")));
    }
    lines
}

/// What a task is called. One without its own replica and segment has no name of its own.
pub(super) fn name(plan: &Plan, task: &Task) -> String {
    match (plan.replicas > 1, plan.segments > 1) {
        (true, true) => format!("replica {} segment {}", task.replica, task.segment),
        (true, false) => format!("replica {}", task.replica),
        (false, true) => format!("segment {}", task.segment),
        (false, false) => "all steps".to_owned(),
    }
}

/// Steps stand evenly: learning rates grow evenly on the axis that the sweep is drawn over.
fn bars(task: &Task, steps: usize, columns: usize) -> (String, String) {
    let column = |step: u32| {
        whole(
            f64::from(step) / real(steps.max(1)) * real(columns),
            columns,
        )
    };
    let (from, own, end) = (
        column(task.warm_up_start),
        column(task.start),
        column(task.end),
    );
    let warm_up = format!(
        "{}{}",
        " ".repeat(from),
        "░".repeat(own.saturating_sub(from))
    );
    (
        warm_up,
        "█".repeat(
            end.saturating_sub(own)
                .max(1)
                .min(columns.saturating_sub(own)),
        ),
    )
}

/// The learning rates at both ends, and what they are between them, as far as there is room.
fn ends(learning_rates: &[f64], effective_batch_size: Option<u64>, columns: usize) -> String {
    let of = |lr: Option<&f64>| lr.map_or(String::new(), |lr| learning_rate(*lr, 3));
    let (low, high) = (of(learning_rates.first()), of(learning_rates.last()));
    let between = columns.saturating_sub(low.chars().count() + high.chars().count());
    let short = "learning rate".to_owned();
    let long = effective_batch_size.map(|size| format!("{short} at {}", words::batch_size(size)));
    let middle = long
        .into_iter()
        .chain([short])
        .find(|middle| between > middle.len() + 4)
        .unwrap_or_default();
    format!("{low}{middle:^between$}{high}")
}

fn sentences(plan: &Plan) -> Vec<String> {
    if plan.tasks.len() < 2 {
        return vec![format!(
            "{} without a split.",
            words::count(plan.total_steps, "step")
        )];
    }
    let mut sentences = vec![format!(
        "Critical path {} instead of {}: {:.1} times as fast{}.",
        words::count(plan.critical_path_steps, "step"),
        plan.unsplit_steps,
        plan.speed_up,
        if plan.speed_up_bound.is_finite() {
            format!(
                " (never more than {:.1} with this overlap)",
                plan.speed_up_bound
            )
        } else {
            String::new()
        },
    )];
    if plan.segments > 1 {
        let extra = f64::from(plan.total_steps) / f64::from(plan.unsplit_steps.max(1)) - 1.0;
        sentences.push(format!(
            "{} in all, {} % more than unsplit. Such splits move the suggestion by {:.2} decades on \
             average.",
            words::count(plan.total_steps, "step"),
            words::percent(extra.max(0.0)),
            plan.expected_error_decades
        ));
    }
    sentences
}
