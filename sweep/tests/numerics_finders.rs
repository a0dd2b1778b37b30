//! The tools that are reproduced, on curves of which their own code computed what they make.

use rangefinder_sweep::number;
use rangefinder_sweep::schedule::{Mode, Range};
use rangefinder_sweep::suggest::profiles::{Skips, read_off, trace};
use rangefinder_sweep::suggest::{
    Method, Profile, Request, SmoothedRequest, suggest, suggest_smoothed,
};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Vectors {
    format: u32,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    lr_min: f64,
    lr_max: f64,
    num_training: u32,
    #[serde(with = "number::list")]
    raw: Vec<f64>,
    rounding_only: bool,
    schedules: BTreeMap<String, Vec<f64>>,
    expect: BTreeMap<String, Expect>,
}

#[derive(Deserialize)]
struct Expect {
    #[serde(with = "number::list")]
    smoothed: Vec<f64>,
    stopped: bool,
    suggestion: Option<f64>,
    index: Option<usize>,
    suggestions: Option<BTreeMap<String, Value>>,
}

fn cases() -> serde_json::Result<Vec<Case>> {
    let text = include_str!("vectors/finder_vectors.json");
    let vectors: Vectors = serde_json::from_str(text)?;
    assert_eq!(vectors.format, 1);
    Ok(vectors.cases)
}

impl Case {
    fn schedule(&self, profile: Profile) -> &[f64] {
        let name = match profile {
            Profile::Lightning | Profile::Lightning076 => "lightning",
            Profile::TorchLrFinder => "torch_lr_finder",
            Profile::Fastai | Profile::Ignite => profile.name(),
        };
        &self.schedules[name]
    }
}

fn tolerance(profile: Profile) -> (f64, f64) {
    // Of smoothed losses and of suggestions.
    match profile {
        Profile::Fastai => (1e-4, 1e-4),
        _ => (1e-9, 1e-12),
    }
}

#[track_caller]
fn near(found: f64, expected: f64, tolerance: f64, name: &str) {
    let same = found.is_nan() && expected.is_nan() || found == expected;
    assert!(
        same || (found - expected).abs() <= tolerance * expected.abs(),
        "{name}: {found} is not {expected}"
    );
}

#[test]
fn every_schedule_is_the_tools() {
    for case in cases().unwrap() {
        for profile in Profile::ALL {
            let range = Range {
                mode: Mode::Exponential,
                grid: profile.grid(Mode::Exponential),
                min_lr: case.lr_min,
                max_lr: case.lr_max,
                steps: case.num_training,
            };
            let rates = range.learning_rates();
            let expected = case.schedule(profile);
            assert_eq!(rates.len(), expected.len());
            for (found, expected) in rates.iter().zip(expected) {
                near(
                    *found,
                    *expected,
                    1e-12,
                    &format!("{} {profile}", case.name),
                );
            }
        }
    }
}

#[test]
fn linear_schedules_are_the_tools() {
    // What each recorded of 5 steps from 1 to 11.
    for (profile, expected) in [
        (Profile::Lightning, [1.0, 5.0, 7.0, 9.0, 11.0]),
        (Profile::Lightning076, [1.0, 5.0, 7.0, 9.0, 11.0]),
        (Profile::TorchLrFinder, [1.0, 3.5, 6.0, 8.5, 11.0]),
        (Profile::Ignite, [1.0, 3.0, 5.0, 7.0, 9.0]),
    ] {
        let range = Range {
            mode: Mode::Linear,
            grid: profile.grid(Mode::Linear),
            min_lr: 1.0,
            max_lr: 11.0,
            steps: 5,
        };
        for (found, expected) in range.learning_rates().iter().zip(expected) {
            near(*found, expected, 1e-12, profile.name());
        }
    }
}

#[test]
fn every_smoothed_curve_and_stop_is_the_tools() {
    for case in cases().unwrap() {
        for profile in Profile::ALL {
            let name = format!("{} {profile}", case.name);
            let expect = &case.expect[profile.name()];
            let trace = trace(profile, &case.raw, None);
            assert_eq!(trace.stopped, expect.stopped, "{name}");
            assert_eq!(trace.smoothed.len(), expect.smoothed.len(), "{name}");
            for (found, expected) in trace.smoothed.iter().zip(&expect.smoothed) {
                near(*found, *expected, tolerance(profile).0, &name);
            }
        }
    }
}

#[test]
fn every_suggestion_is_the_tools() {
    for case in cases().unwrap().iter().filter(|case| !case.rounding_only) {
        for profile in Profile::ALL.into_iter().filter(|&p| p != Profile::Fastai) {
            let name = format!("{} {profile}", case.name);
            let expect = &case.expect[profile.name()];
            let answer = suggest(&request(case, profile, Method::Auto));
            assert_eq!(
                answer.suggestion.is_some(),
                expect.suggestion.is_some(),
                "{name}"
            );
            let Some((found, expected)) = answer.suggestion.zip(expect.suggestion) else {
                continue;
            };
            near(found.lr, expected, tolerance(profile).1, &name);
            assert_eq!(found.method, profile.name());
            if let Some(index) = expect.index {
                assert_eq!(found.index as usize, index, "{name}");
            }
            for (found, expected) in answer.smoothed[0].iter().zip(&expect.smoothed) {
                near(*found, *expected, 1e-9, &name);
            }
        }
    }
}

#[test]
fn every_rule_of_fastai_suggests_and_raises_as_fastai() {
    for case in cases().unwrap().iter().filter(|case| !case.rounding_only) {
        let expect = case.expect["fastai"].suggestions.as_ref().unwrap();
        for (method, key) in [
            (Method::Auto, "valley"),
            (Method::Valley, "valley"),
            (Method::Slide, "slide"),
            (Method::Minimum, "minimum"),
            (Method::Steepest, "steep"),
        ] {
            let name = format!("{} fastai/{key}", case.name);
            let answer = suggest(&request(case, Profile::Fastai, method));
            let expected = expect[key].as_f64();
            assert_eq!(answer.suggestion.is_some(), expected.is_some(), "{name}");
            if let Some((found, expected)) = answer.suggestion.zip(expected) {
                near(found.lr, expected, 1e-4, &name);
            }
        }
    }
}

fn request(case: &Case, profile: Profile, method: Method) -> Request<'_> {
    Request {
        learning_rates: case.schedule(profile),
        replicas: std::slice::from_ref(&case.raw),
        beta: None,
        method,
        profile: Some(profile),
        skip_begin: None,
        skip_end: None,
        threshold: None,
        seed: 0,
    }
}

#[test]
fn smoothed_losses_are_read_without_smoothing_or_stopping_them_again() {
    for case in cases().unwrap().iter().filter(|case| !case.rounding_only) {
        for profile in Profile::ALL {
            let expect = &case.expect[profile.name()];
            let from_smoothed = suggest_smoothed(&SmoothedRequest {
                learning_rates: case.schedule(profile),
                smoothed: &expect.smoothed,
                method: Method::Auto,
                profile: Some(profile),
                skip_begin: None,
                skip_end: None,
            });
            let from_raw = suggest(&request(case, profile, Method::Auto)).rule_value;
            assert_eq!(from_smoothed.value, from_raw, "{} {profile}", case.name);
            assert_eq!(from_smoothed.why.is_empty(), from_smoothed.value.is_some());
        }
    }
}

#[test]
fn skips_and_threshold_take_the_place_of_the_tools_own() {
    let case = &cases().unwrap()[2];
    let rates = case.schedule(Profile::TorchLrFinder);
    let suggestion = |begin, end| {
        let smoothed = trace(Profile::TorchLrFinder, &case.raw, None).smoothed;
        let skips = Skips { begin, end };
        read_off(
            Profile::TorchLrFinder,
            Method::Auto,
            rates,
            &smoothed,
            skips,
        )
    };
    let own = suggestion(None, None).unwrap();
    assert_eq!(suggestion(Some(10), Some(5)).unwrap(), own);
    assert!(suggestion(Some(own.index + 1), None).unwrap().index > own.index);
    assert!(suggestion(Some(40), Some(40)).is_err());
    assert!(!trace(Profile::TorchLrFinder, &case.raw, Some(f64::INFINITY)).stopped);
    let early = trace(Profile::TorchLrFinder, &case.raw, Some(1.5))
        .smoothed
        .len();
    assert!(early < case.expect["torch-lr-finder"].smoothed.len());
}
