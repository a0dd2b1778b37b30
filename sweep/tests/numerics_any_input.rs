//! Whatever comes in, nothing panics, and what comes out keeps its promises.

use proptest::collection::vec;
use proptest::prelude::*;
use rangefinder_sweep::curve::{StopDetector, StopRule};
use rangefinder_sweep::schedule::{Grid, Mode, Range};
use rangefinder_sweep::suggest::{
    Answer, Method, Profile, Request, SmoothedRequest, suggest, suggest_smoothed,
};
use std::collections::BTreeSet;

/// Losses and rates as they come, and as they never should.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => 0.0..3.0_f64,
        2 => -3.0..3.0_f64,
        1 => any::<f64>(),
        1 => prop::sample::select(vec![
            0.0, -0.0, 1e308, -1e308, f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, f64::NAN,
            f64::INFINITY, f64::NEG_INFINITY,
        ]),
    ]
}

fn grid() -> impl Strategy<Value = Grid> {
    prop::sample::select(vec![
        Grid::BothEnds,
        Grid::Lightning,
        Grid::UpperOpen,
        Grid::LowerOpen,
    ])
}

fn range() -> impl Strategy<Value = Range> {
    (
        any::<bool>(),
        grid(),
        -300.0..300.0_f64,
        0.0..20.0_f64,
        0..120_u32,
    )
        .prop_map(|(linear, grid, low, decades, steps)| Range {
            mode: if linear {
                Mode::Linear
            } else {
                Mode::Exponential
            },
            grid,
            min_lr: 10_f64.powf(low),
            max_lr: 10_f64.powf(low + decades),
            steps,
        })
}

fn learning_rates() -> impl Strategy<Value = Vec<f64>> {
    prop_oneof![
        3 => range().prop_map(|range| range.learning_rates()),
        1 => vec(number(), 0..60),
    ]
}

/// Noise, or a fall with noise, scaled to sizes that a sum cannot hold.
fn losses() -> impl Strategy<Value = Vec<f64>> {
    let fall = (
        0..140_usize,
        0.0..0.5_f64,
        prop::sample::select(vec![1e-300, 1.0, 1e300, 1e307]),
    );
    let fall = (fall, vec(-1.0..1.0_f64, 140)).prop_map(|((length, spread, scale), noise)| {
        (0..length)
            .map(|i| {
                let fallen = 1.0 / (1.0 + (-(i as f64 - 60.0) / 6.0).exp());
                scale * (3.0 - 2.0 * fallen + spread * noise[i])
            })
            .collect()
    });
    prop_oneof![vec(number(), 0..140), fall]
}

fn method() -> impl Strategy<Value = Method> {
    prop::sample::select(Method::ALL.to_vec())
}

fn profile() -> impl Strategy<Value = Option<Profile>> {
    prop::option::weighted(0.4, prop::sample::select(Profile::ALL.to_vec()))
}

fn skip() -> impl Strategy<Value = Option<usize>> {
    prop::option::weighted(0.3, prop_oneof![5 => 0..30_usize, 1 => Just(usize::MAX)])
}

fn check(answer: &Answer, request: &Request<'_>) -> Result<(), TestCaseError> {
    let planned = request.learning_rates.len();
    prop_assert_eq!(answer.verdict.usable, answer.verdict.reason.is_none());
    prop_assert!(!answer.verdict.message.is_empty());
    prop_assert_eq!(answer.smoothed.len(), request.replicas.len());
    if let Some(value) = &answer.rule_value {
        prop_assert!((value.index as usize) < planned);
    }
    if let Some(suggestion) = answer
        .suggestion
        .as_ref()
        .filter(|_| request.profile.is_none())
    {
        prop_assert!(answer.verdict.usable);
        prop_assert!(suggestion.lr.is_finite() && suggestion.lr > 0.0);
        if let Some(interval) = suggestion.interval {
            prop_assert!(interval.low <= suggestion.lr && suggestion.lr <= interval.high);
        }
    }
    let names: BTreeSet<&str> = answer.methods.iter().map(|m| m.method.as_str()).collect();
    prop_assert_eq!(names.len(), answer.methods.len());
    for method in &answer.methods {
        prop_assert_eq!(method.value.is_some(), method.why.is_empty());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn any_curves_get_an_answer(
        learning_rates in learning_rates(),
        replicas in vec(losses(), 0..4),
        beta in prop::option::of(number()),
        method in method(),
        profile in profile(),
        skip_begin in skip(),
        skip_end in skip(),
        threshold in prop::option::of(number()),
        seed in any::<u64>(),
    ) {
        let request = Request {
            learning_rates: &learning_rates,
            replicas: &replicas,
            beta,
            method,
            profile,
            skip_begin,
            skip_end,
            threshold,
            seed,
        };
        check(&suggest(&request), &request)?;
    }

    #[test]
    fn any_smoothed_losses_get_a_value_or_the_reason_why_not(
        learning_rates in learning_rates(),
        smoothed in losses(),
        method in method(),
        profile in profile(),
        skip_begin in skip(),
        skip_end in skip(),
    ) {
        let answer = suggest_smoothed(&SmoothedRequest {
            learning_rates: &learning_rates,
            smoothed: &smoothed,
            method,
            profile,
            skip_begin,
            skip_end,
        });
        prop_assert_eq!(answer.value.is_some(), answer.why.is_empty());
    }

    #[test]
    fn any_losses_are_stopped_on_no_later_than_at_the_first_that_is_not_finite(
        losses in losses(),
        threshold in number(),
        profile in profile(),
        planned_steps in any::<u32>(),
    ) {
        let mut detector = StopDetector::new(StopRule { threshold, profile, planned_steps });
        let stop = losses.iter().position(|&loss| detector.push(loss).is_some());
        let broken = losses.iter().position(|loss| !loss.is_finite());
        if let Some(broken) = broken {
            prop_assert!(stop.is_some_and(|stop| stop <= broken));
        }
    }

    #[test]
    fn any_range_has_a_schedule(
        linear in any::<bool>(),
        grid in grid(),
        min_lr in number(),
        max_lr in number(),
        steps in 0..200_u32,
    ) {
        let mode = if linear { Mode::Linear } else { Mode::Exponential };
        let range = Range { mode, grid, min_lr, max_lr, steps };
        prop_assert_eq!(range.learning_rates().len(), steps as usize);
        if range.validate().is_ok() {
            prop_assert!(range.learning_rates().is_sorted());
        }
    }
}
