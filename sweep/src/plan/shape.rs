//! How many segments and replicas.

use super::warm_up::WarmUps;
use super::{Plan, PlanRequest, Probe, Split, Task, Trainability, Warning};
use super::{boundaries, fidelity, makespan, warnings};
use crate::event::FieldError;
use crate::ids::TaskId;
use crate::schedule::Mode;
use rangefinder_errors::Code;

/// What the next segment must raise the speed-up by, for `auto`.
const WORTH_A_SEGMENT: f64 = 1.15;
/// Limits that keep a typing error from filling the memory.
const MOST_STEPS: u32 = 1_000_000;
const MOST_SEGMENTS: u32 = 1_000;
const MOST_TASKS: u64 = 10_000;
const MOST_STEPS_IN_ALL: u64 = 20_000_000;

/// Splits a sweep into tasks.
///
/// Without a probe nothing of the warm-ups is pruned. The plan depends on its arguments alone.
///
/// # Errors
/// A [`FieldError`] that names the field at fault, for a request that contradicts itself or
/// cannot be met: no workers, no steps, an overlap that is not a number of decades, segments with a
/// trainer that cannot seek its data.
pub fn plan(
    request: &PlanRequest,
    trainability: Trainability,
    probe: Option<&Probe>,
) -> Result<Plan, FieldError> {
    check(request)?;
    let learning_rates = request.range.learning_rates();
    let warm_ups = WarmUps::new(&learning_rates, request, trainability, probe);
    let planner = Planner {
        request,
        trainability,
        decades: request.range.max_lr.log10() - request.range.min_lr.log10(),
        warm_ups,
    };
    let shape = planner.shape()?;
    planner.plan(shape)
}

/// Whether a probe could change the plan: only where there are segments, and warm-ups of which
/// something may be left out.
#[must_use]
pub fn could_use_probe(request: &PlanRequest, trainability: Trainability) -> bool {
    // The most favourable answer: gradients so small that nothing before the last step matters.
    let favourable = Probe {
        initial_loss: 1.0,
        gradient_squared: f64::MIN_POSITIVE,
        gradient_l1: f64::MIN_POSITIVE,
        seconds_per_step: 0.0,
        peak_memory_bytes: 0,
    };
    request.overlap_decades > 0.0
        && plan(request, trainability, Some(&favourable)).is_ok_and(|plan| plan.segments > 1)
}

fn error(code: Code, field: &str, message: String, remedy: &str) -> FieldError {
    FieldError {
        code,
        field: field.to_owned(),
        message,
        remedy: remedy.to_owned(),
    }
}

/// What can be said without knowing the trainer.
fn check(request: &PlanRequest) -> Result<(), FieldError> {
    let PlanRequest {
        range,
        segments,
        replicas,
        split,
        ..
    } = request;
    if request.workers == 0 {
        return Err(error(
            Code::OutOfRange,
            "workers",
            "0 workers cannot run anything".to_owned(),
            "use at least 1",
        ));
    }
    if range.steps == 0 || range.steps > MOST_STEPS {
        return Err(error(
            Code::OutOfRange,
            "num_training",
            format!("{} steps are not between 1 and {MOST_STEPS}", range.steps),
            "100 is common, 200 to 500 give the best suggestions",
        ));
    }
    let ordered = range.min_lr > 0.0 && range.max_lr.is_finite() && range.min_lr < range.max_lr;
    if !ordered {
        return Err(error(
            Code::EmptyRange,
            "min_lr",
            format!(
                "the range from {} to {} is not one from above 0 to something larger",
                range.min_lr, range.max_lr
            ),
            "use 1e-8 and 1, say",
        ));
    }
    if !request.overlap_decades.is_finite() || request.overlap_decades < 0.0 {
        return Err(error(
            Code::OutOfRange,
            "overlap",
            format!("{} is not a number of decades", request.overlap_decades),
            "use fast (0.5), default (1), faithful (2) or a number of 0 or more",
        ));
    }
    for (field, count) in [("segments", segments), ("replicas", replicas)] {
        if *count == Some(0) {
            return Err(error(
                Code::OutOfRange,
                field,
                format!("0 {field} cannot run anything"),
                "use at least 1",
            ));
        }
    }
    let excluded = [
        ("segments", *segments, [Split::None, Split::Replicas]),
        ("replicas", *replicas, [Split::None, Split::Segments]),
    ];
    for (field, count, splits) in excluded {
        if let Some(count @ 2..) = count
            && splits.contains(split)
        {
            return Err(error(
                Code::DoesNotApply,
                field,
                format!("{count} {field} contradict split {split}"),
                "use split hybrid for both, or leave one out",
            ));
        }
    }
    if segments.is_some_and(|count| count > MOST_SEGMENTS) {
        return Err(error(
            Code::OutOfRange,
            "segments",
            format!(
                "{} segments are more than {MOST_SEGMENTS}",
                segments.unwrap_or(0)
            ),
            "use about one a decade at most, and replicas for the other workers",
        ));
    }
    Ok(())
}

/// Segments and replicas to plan for.
struct Shape {
    segments: u32,
    replicas: u32,
    notices: Vec<Warning>,
}

struct Planner<'a> {
    request: &'a PlanRequest,
    trainability: Trainability,
    decades: f64,
    warm_ups: WarmUps,
}

impl Planner<'_> {
    fn shape(&self) -> Result<Shape, FieldError> {
        let PlanRequest {
            workers,
            segments,
            replicas,
            split,
            ..
        } = *self.request;
        let wants_segments = matches!(split, Split::Segments | Split::Hybrid)
            || segments.is_some_and(|count| count > 1);
        if wants_segments && !self.trainability.seekable && segments != Some(1) {
            return Err(error(
                Code::UnseekableData,
                "split",
                format!(
                    "split {split} cuts the range, but the trainer cannot seek its data by step"
                ),
                "use split none or replicas, or a trainer that can start at any step",
            ));
        }
        let share = |count: u32| (workers / count).max(1);
        let mut notices = Vec::new();
        let (segments, replicas) = match split {
            Split::None => (1, 1),
            Split::Replicas => (1, replicas.unwrap_or(workers)),
            // One a worker, as far as the linear law and the number of steps let it.
            Split::Segments => (segments.unwrap_or(workers.min(MOST_SEGMENTS)), 1),
            Split::Hybrid => match (segments, replicas) {
                (Some(segments), replicas) => {
                    (segments, replicas.unwrap_or_else(|| share(segments)))
                }
                (None, Some(replicas)) => (share(replicas).min(MOST_SEGMENTS), replicas),
                (None, None) => {
                    let segments = self.segments_that_pay(workers / 2).max(2);
                    (segments, share(segments).max(2))
                }
            },
            Split::Auto => {
                let segments = segments
                    .unwrap_or_else(|| self.segments_that_pay(replicas.map_or(workers, share)));
                let replicas = replicas.unwrap_or_else(|| share(segments));
                if !self.trainability.seekable && workers > 1 {
                    notices.push(warnings::not_seekable());
                }
                let idle =
                    u64::from(workers).saturating_sub(u64::from(segments) * u64::from(replicas));
                if let Ok(idle @ 1..) = u32::try_from(idle)
                    && self.request.replicas.is_none()
                {
                    notices.push(warnings::idle_workers(idle, workers));
                }
                (segments, replicas)
            }
        };
        if u64::from(segments) * u64::from(replicas) > MOST_TASKS {
            return Err(error(
                Code::TooMuchWork,
                "replicas",
                format!(
                    "{replicas} replicas of {segments} segments are more than {MOST_TASKS} tasks"
                ),
                "use fewer; eight replicas cut the spread of the suggestion threefold",
            ));
        }
        let in_all = u64::from(replicas) * u64::from(self.request.range.steps);
        if in_all > MOST_STEPS_IN_ALL {
            return Err(error(
                Code::TooMuchWork,
                "replicas",
                format!(
                    "{replicas} replicas of {} steps are more than {MOST_STEPS_IN_ALL} steps in all",
                    self.request.range.steps
                ),
                "use fewer of them, or fewer steps (num_training)",
            ));
        }
        Ok(Shape {
            segments,
            replicas,
            notices,
        })
    }

    /// Segments for one replica on at most `most` workers: another one as long as it raises the
    /// speed-up enough and nobody need be warned of it.
    fn segments_that_pay(&self, most: u32) -> u32 {
        let warned =
            !warnings::of_segments(self.request, self.trainability, self.warm_ups.full_steps)
                .is_empty();
        if warned || !self.trainability.seekable {
            return 1;
        }
        let longest = |segments: u32| {
            let ends = boundaries::balanced(&self.warm_ups, segments);
            (
                ends.len(),
                f64::from(boundaries::longest_task(&self.warm_ups, &ends)),
            )
        };
        let mut segments = 1;
        let (_, mut length) = longest(1);
        while segments < most.min(MOST_SEGMENTS) && f64::from(segments + 1) <= self.most_segments()
        {
            let (count, next) = longest(segments + 1);
            if count <= segments as usize || length < WORTH_A_SEGMENT * next {
                break;
            }
            segments += 1;
            length = next;
        }
        segments
    }

    /// About one a decade.
    fn most_segments(&self) -> f64 {
        (self.decades + 1e-9).floor().max(1.0)
    }

    fn plan(&self, shape: Shape) -> Result<Plan, FieldError> {
        let Shape {
            segments: asked,
            replicas,
            notices: mut warnings,
        } = shape;
        let workers = self.request.workers;
        let steps = self.warm_ups.steps();
        let ends = if asked > 1 {
            boundaries::balanced(&self.warm_ups, asked.min(steps))
        } else {
            vec![steps]
        };
        let segments = u32::try_from(ends.len()).unwrap_or(u32::MAX);
        let tasks = self.tasks(&ends, replicas);
        let total: u64 = tasks.iter().map(|task| u64::from(task.steps())).sum();
        let critical_path = makespan::makespan(&tasks, workers);
        let unsplit = u64::from(steps) * u64::from(replicas);
        let unsplit_path = u64::from(steps) * u64::from(replicas.div_ceil(workers));
        if segments < asked {
            warnings.push(warnings::segments_merged(asked, segments));
        }
        if segments > 1 {
            warnings.extend(warnings::of_segments(
                self.request,
                self.trainability,
                self.warm_ups.full_steps,
            ));
            if f64::from(segments) > self.most_segments()
                && self.request.range.mode == Mode::Exponential
            {
                warnings.push(warnings::many_segments(segments, self.decades));
            }
            if critical_path > unsplit_path {
                warnings.push(warnings::no_speed_up(critical_path, unsplit_path, workers));
            }
        }
        let speed_up_bound = if segments > 1 {
            unsplit as f64 / f64::from(boundaries::shortest_possible_task(&self.warm_ups))
        } else {
            f64::INFINITY
        };
        let expected = fidelity::expected(
            segments,
            self.request.overlap_decades,
            self.trainability.adaptive,
        );
        let most_steps = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        Ok(Plan {
            split: match (segments, replicas) {
                (1, 1) => Split::None,
                (_, 1) => Split::Segments,
                (1, _) => Split::Replicas,
                _ => Split::Hybrid,
            },
            segments,
            replicas,
            workers,
            tasks,
            warm_up_steps: if segments > 1 {
                self.warm_ups.full_steps
            } else {
                0
            },
            pruned_before: self.warm_ups.pruned_before,
            critical_path_steps: most_steps(critical_path),
            total_steps: most_steps(total),
            unsplit_steps: most_steps(unsplit),
            speed_up: unsplit as f64 / critical_path as f64,
            speed_up_bound,
            expected_error_decades: expected.error,
            expected_bias_decades: expected.bias,
            warnings,
        })
    }

    fn tasks(&self, ends: &[u32], replicas: u32) -> Vec<Task> {
        let segments: Vec<_> = boundaries::tasks(&self.warm_ups, ends).collect();
        let places = (0..replicas)
            .flat_map(|replica| (0..).zip(&segments).map(move |place| (replica, place)));
        (0..)
            .zip(places)
            .map(
                |(id, (replica, (segment, &(warm_up_start, start, end))))| Task {
                    id: TaskId(id),
                    replica,
                    segment,
                    warm_up_start,
                    start,
                    end,
                },
            )
            .collect()
    }
}
