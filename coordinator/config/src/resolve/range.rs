//! Which learning rates are swept, when the sweep stops, how it is answered.

use super::mistakes::Mistakes;
use super::optimizer;
use crate::AnswerSettings;
use crate::names::{fastai_methods, methods, modes, profiles};
use rangefinder_errors::Code;
use rangefinder_proto::v1;
use rangefinder_sweep::curve::StopRule;
use rangefinder_sweep::schedule::{Grid, Mode, Range, RangeError};
use rangefinder_sweep::suggest::rule::CUT_THRESHOLD;
use rangefinder_sweep::suggest::{Method, Profile, verdict};

const STEPS: u32 = 100;
/// Most steps of a range test.
pub const MAX_STEPS: u32 = 1_000_000;

/// What a tool does when nobody says otherwise.
struct Habits {
    grid: Grid,
    /// `None`: the optimizer's own learning rate.
    min_lr: Option<f64>,
    max_lr: f64,
    steps: u32,
    threshold: f64,
    /// Points that it leaves out at the start and at the end.
    skips: (u32, u32),
    /// Fewest steps from which it can suggest anything.
    fewest_steps: usize,
}

impl Habits {
    fn of(profile: Option<Profile>, mode: Mode) -> Self {
        let Some(profile) = profile else {
            return Self {
                grid: Grid::BothEnds,
                min_lr: Some(1e-8),
                max_lr: 1.0,
                steps: STEPS,
                threshold: CUT_THRESHOLD,
                skips: (0, 0),
                // Below this the verdict is always `too_few_points`.
                fewest_steps: verdict::FEWEST_STEPS,
            };
        };
        let (min_lr, max_lr) = profile.default_range();
        let (skips, fewest_steps) = match profile {
            Profile::Lightning | Profile::Lightning076 => ((10, 1), 13),
            Profile::Fastai => ((0, 0), 6),
            Profile::TorchLrFinder => ((10, 5), 17),
            Profile::Ignite => ((0, 0), 3),
        };
        Self {
            grid: profile.grid(mode),
            min_lr,
            max_lr,
            // ignite takes the whole run, which has no length here.
            steps: profile.default_steps().unwrap_or(STEPS),
            threshold: profile.default_threshold(),
            skips,
            fewest_steps,
        }
    }
}

/// Range, stop and answer.
pub(super) fn range(
    spec: &mut v1::SweepSpec,
    mistakes: &mut Mistakes,
    optimizer: &v1::Optimizer,
) -> (Range, StopRule, AnswerSettings) {
    let profile = spec
        .profile
        .as_deref()
        .map(|name| mistakes.choose("profile", name, &profiles(), Profile::Lightning));
    let mode = mode(spec, mistakes);
    let habits = Habits::of(profile, mode);
    let range = Range {
        mode,
        grid: habits.grid,
        min_lr: *spec.min_lr.get_or_insert_with(|| {
            habits
                .min_lr
                .unwrap_or_else(|| optimizer::default_lr(optimizer))
        }),
        max_lr: *spec.max_lr.get_or_insert(habits.max_lr),
        steps: *spec.num_training.get_or_insert(habits.steps),
    };
    bounds(&range, mistakes);
    steps(&range, spec.profile.as_deref(), &habits, mistakes);
    let threshold = *spec.early_stop_threshold.get_or_insert(habits.threshold);
    let threshold = checked_threshold(threshold, mistakes);
    skips(spec, &range, &habits, mistakes);

    let stop = StopRule {
        threshold,
        profile,
        planned_steps: range.steps,
    };
    let answer = AnswerSettings {
        method: method(spec, profile, mistakes),
        profile,
        skip_begin: spec.skip_begin.map(|points| points as usize),
        skip_end: spec.skip_end.map(|points| points as usize),
        threshold: profile.is_some().then_some(threshold),
        beta: Some(optimizer::memory(optimizer, spec.eval_every)),
        seed: spec.seed.unwrap_or_default(),
    };
    (range, stop, answer)
}

pub(super) fn checked_threshold(threshold: f64, mistakes: &mut Mistakes) -> f64 {
    if threshold.is_nan() || threshold <= 1.0 {
        mistakes.add(
            Code::OutOfRange,
            "early_stop_threshold",
            format!("{threshold} would stop every sweep; expected a number above 1, or `none`"),
            "use a value such as 4",
        );
    }
    threshold
}

fn mode(spec: &mut v1::SweepSpec, mistakes: &mut Mistakes) -> Mode {
    let name = spec.mode.get_or_insert_with(|| "exponential".to_owned());
    mistakes.choose("mode", name, &modes(), Mode::Exponential)
}

fn bounds(range: &Range, mistakes: &mut Mistakes) {
    let fits = |lr: f64| lr.is_finite() && lr > 0.0;
    for (field, lr) in [("min_lr", range.min_lr), ("max_lr", range.max_lr)] {
        if !fits(lr) {
            mistakes.add(
                Code::OutOfRange,
                field,
                format!("{lr:?} is not a learning rate to sweep; expected a finite number above 0"),
                "use a value such as 1e-8 for the lowest and 1 for the highest",
            );
        }
    }
    if !fits(range.min_lr) || !fits(range.max_lr) {
        return;
    }
    if range.min_lr >= range.max_lr {
        mistakes.add(
            Code::EmptyRange,
            "min_lr",
            format!(
                "{:?} is not below `max_lr`, which is {:?}",
                range.min_lr, range.max_lr
            ),
            "lower `min_lr` or raise `max_lr`: a range of 4 to 9 decades is usual",
        );
    } else if range.steps <= MAX_STEPS
        && let Err(RangeError::Narrow { .. }) = range.validate()
    {
        mistakes.add(
            Code::NarrowRange,
            "max_lr",
            format!(
                "{:?} is so close to `min_lr`, {:?}, that neighbouring steps would be the same",
                range.max_lr, range.min_lr
            ),
            "widen the range: 4 to 9 decades are usual",
        );
    }
}

fn steps(range: &Range, profile: Option<&str>, habits: &Habits, mistakes: &mut Mistakes) {
    let fewest = habits.fewest_steps;
    if (range.steps as usize) < fewest {
        let why = match profile {
            Some(tool) => format!("`{tool}` suggests nothing from fewer"),
            None => "no curve of fewer is ever usable".to_owned(),
        };
        mistakes.add(
            Code::TooFewSteps,
            "num_training",
            format!(
                "{} is too small; expected {fewest} or more: {why}",
                range.steps
            ),
            "use 100, or 200 to 500 for the best suggestion",
        );
    } else if range.steps > MAX_STEPS {
        mistakes.add(
            Code::OutOfRange,
            "num_training",
            format!("{} is too large; expected at most {MAX_STEPS}", range.steps),
            "use 100, or 200 to 500 for the best suggestion",
        );
    }
}

fn skips(spec: &mut v1::SweepSpec, range: &Range, habits: &Habits, mistakes: &mut Mistakes) {
    let begin = spec.skip_begin.unwrap_or(habits.skips.0);
    let end = spec.skip_end.unwrap_or(habits.skips.1);
    let asked = spec.skip_begin.is_some() || spec.skip_end.is_some();
    if asked && u64::from(begin) + u64::from(end) + 2 > u64::from(range.steps) {
        let field = if spec.skip_begin.is_some() {
            "skip_begin"
        } else {
            "skip_end"
        };
        mistakes.add(
            Code::NothingLeft,
            field,
            format!(
                "leaving out {begin} points at the start and {end} at the end leaves fewer than 2 of {}",
                range.steps
            ),
            "leave out fewer, or take more steps",
        );
    }
}

/// The method; with a profile, which of the tool's own.
pub(super) fn method(
    spec: &mut v1::SweepSpec,
    profile: Option<Profile>,
    mistakes: &mut Mistakes,
) -> Method {
    let Some(profile) = profile else {
        let name = spec.method.get_or_insert_with(|| "auto".to_owned());
        return mistakes.choose("method", name, &methods(), Method::Auto);
    };
    // With a profile, `auto` is the tool's own choice.
    let asked = spec.method.take().filter(|name| name != "auto");
    if profile == Profile::Fastai {
        let (default, fallback) = fastai_methods()[0];
        let name = spec
            .method
            .insert(asked.unwrap_or_else(|| default.to_owned()));
        return mistakes.choose("method", name, &fastai_methods(), fallback);
    }
    if let Some(name) = asked {
        let tool = spec.profile.as_deref().unwrap_or_default();
        mistakes.add(
            Code::DoesNotApply,
            "method",
            format!("`{name}` does not apply to the profile `{tool}`, which has one rule only"),
            "remove `method` for that tool's suggestion, or `profile` for this method",
        );
    }
    Method::Auto
}
