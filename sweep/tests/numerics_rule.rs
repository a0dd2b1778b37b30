//! The default rule, its verdict and its interval on reference curves, whose outcomes were computed
//! by the study that chose the rule.

use rangefinder_sweep::curve::gaussian::LogGrid;
use rangefinder_sweep::number;
use rangefinder_sweep::schedule::{Grid, Mode, Range};
use rangefinder_sweep::suggest::{
    Answer, IntervalMethod, Method, Reason, Request, bootstrap, rule, suggest, verdict,
};
use serde::Deserialize;

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
    beta: f64,
    replicas: Vec<Losses>,
    expect: Expect,
}

#[derive(Deserialize)]
struct Losses(#[serde(with = "number::list")] Vec<f64>);

#[derive(Deserialize)]
struct Expect {
    usable: bool,
    reason: Option<String>,
    used: Option<usize>,
    #[serde(default)]
    warnings: Vec<String>,
    log10_lr: Option<f64>,
    z: Option<f64>,
    noise_sd: Option<f64>,
    smoothed: Option<Vec<f64>>,
    minimum_index: Option<usize>,
    drop_index: Option<usize>,
    #[serde(default)]
    rounding_only: bool,
    interval_half_width_decades: Option<f64>,
    log10_lr_each: Option<Vec<f64>>,
    log10_lr_median: Option<f64>,
}

fn vectors() -> serde_json::Result<Vec<Case>> {
    let vectors: Vectors = serde_json::from_str(include_str!("vectors/rule_vectors.json"))?;
    assert_eq!(vectors.format, 1);
    Ok(vectors.cases)
}

impl Case {
    fn learning_rates(&self) -> Vec<f64> {
        Range {
            mode: Mode::Exponential,
            grid: Grid::BothEnds,
            min_lr: self.lr_min,
            max_lr: self.lr_max,
            steps: self.num_training,
        }
        .learning_rates()
    }

    fn curves(&self) -> Vec<Vec<f64>> {
        self.replicas
            .iter()
            .map(|losses| losses.0.clone())
            .collect()
    }

    fn answer(&self, replicas: &[Vec<f64>]) -> Answer {
        suggest(&Request {
            learning_rates: &self.learning_rates(),
            replicas,
            beta: Some(self.beta),
            method: Method::Auto,
            profile: None,
            skip_begin: None,
            skip_end: None,
            threshold: None,
            seed: 7,
        })
    }
}

fn reason(text: &str) -> Option<Reason> {
    let known = [
        ("too few points", Reason::TooFewPoints),
        ("range too high: diverged at once", Reason::DivergedAtOnce),
        (
            "range too high (or too noisy): rises",
            Reason::RisesWithoutFalling,
        ),
        ("diverged without", Reason::DivergedWithoutFalling),
        ("flat", Reason::Flat),
        ("wanders", Reason::Wanders),
        ("range too low", Reason::StillFalling),
        ("range too high: the suggestion", Reason::RangeTooHigh),
    ];
    let found = known.iter().find(|(start, _)| text.starts_with(start));
    assert!(found.is_some(), "unknown reason {text:?}");
    found.map(|(_, reason)| *reason)
}

#[track_caller]
fn near(found: f64, expected: f64, name: &str) {
    let tolerance = 1e-9 * expected.abs().max(1.0);
    assert!(
        (found - expected).abs() <= tolerance,
        "{name}: {found} is not {expected}"
    );
}

#[test]
fn every_step_of_the_rule_is_the_references() {
    for case in vectors()
        .unwrap()
        .iter()
        .filter(|case| case.replicas.len() == 1)
    {
        let (name, expect) = (&case.name, &case.expect);
        let raw = &case.replicas[0].0;
        let used = rule::cut(raw, rule::CUT_THRESHOLD);
        assert_eq!(Some(used), expect.used, "{name}");
        let grid = LogGrid::new(&case.learning_rates()).unwrap();
        let reading = rule::read(&grid, &raw[..used], case.beta);
        assert_eq!(reading.is_some(), expect.log10_lr.is_some(), "{name}");
        let judgement = verdict::judge(&grid, &raw[..used], reading.as_ref());
        assert_eq!(judgement.evidence.is_some(), expect.z.is_some(), "{name}");
        if let Some(evidence) = judgement.evidence {
            near(evidence.noise_sd, expect.noise_sd.unwrap(), name);
            if !expect.rounding_only {
                near(evidence.z, expect.z.unwrap(), name);
            }
        }
        let Some(reading) = reading else {
            continue;
        };
        let smoothed = expect.smoothed.as_ref().unwrap();
        assert_eq!(reading.smoothed.len(), smoothed.len(), "{name}");
        for (found, expected) in reading.smoothed.iter().zip(smoothed) {
            near(*found, *expected, name);
        }
        if !expect.rounding_only {
            assert_eq!(Some(reading.fall.minimum), expect.minimum_index, "{name}");
            assert_eq!(Some(reading.drop_index), expect.drop_index, "{name}");
            near(reading.log10_lr, expect.log10_lr.unwrap(), name);
        }
    }
}

#[test]
fn every_verdict_warning_and_suggestion_is_the_references() {
    for case in vectors().unwrap() {
        let (name, expect) = (&case.name, &case.expect);
        let answer = case.answer(&case.curves());
        assert_eq!(answer.verdict.usable, expect.usable, "{name}");
        let expected = expect.reason.as_deref().and_then(reason);
        assert_eq!(answer.verdict.reason, expected, "{name}");
        let warnings: Vec<&str> = answer.warnings.iter().map(|w| w.code.as_str()).collect();
        let expected: Vec<&str> = expect.warnings.iter().map(|_| "minimum_at_end").collect();
        assert_eq!(warnings, expected, "{name}");
        assert_eq!(answer.suggestion.is_some(), expect.usable, "{name}");
        let value = expect.log10_lr.or(expect.log10_lr_median);
        assert_eq!(answer.rule_value.is_some(), value.is_some(), "{name}");
        if let (Some(found), Some(expected), false) =
            (answer.rule_value, value, expect.rounding_only)
        {
            near(found.lr.log10(), expected, name);
            if let Some(suggestion) = answer.suggestion {
                assert_eq!((suggestion.lr, suggestion.index), (found.lr, found.index));
            }
        }
    }
}

#[test]
fn the_suggestion_of_replicas_is_the_median_with_students_t_around_it() {
    let cases = vectors().unwrap();
    let several: Vec<&Case> = cases
        .iter()
        .filter(|case| case.replicas.len() > 1)
        .collect();
    assert!(!several.is_empty());
    for case in several {
        let curves = case.curves();
        let each = case.expect.log10_lr_each.as_ref().unwrap();
        for (curve, expected) in curves.iter().zip(each) {
            let alone = case.answer(std::slice::from_ref(curve));
            near(alone.rule_value.unwrap().lr.log10(), *expected, &case.name);
        }
        let interval = case.answer(&curves).suggestion.unwrap().interval.unwrap();
        assert_eq!(interval.method, IntervalMethod::StudentT);
        let count = each.len() as f64;
        let mean = each.iter().sum::<f64>() / count;
        let variance = each.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (count - 1.0);
        // 95 % quantiles at 1, 2 and 3 degrees of freedom.
        let t = [6.313_751_5, 2.919_985_6, 2.353_363_4][each.len() - 2];
        let half = t * (variance / count).sqrt();
        assert!(
            (interval.low.log10() - (mean - half)).abs() < 1e-6,
            "{}",
            case.name
        );
        assert!(
            (interval.high.log10() - (mean + half)).abs() < 1e-6,
            "{}",
            case.name
        );
    }
}

#[test]
fn the_interval_of_a_single_sweep_is_as_wide_as_the_references() {
    for case in vectors().unwrap() {
        let Some(expected) = case.expect.interval_half_width_decades else {
            continue;
        };
        let name = &case.name;
        let suggestion = case.answer(&case.curves()).suggestion.unwrap();
        let interval = suggestion.interval.unwrap();
        assert_eq!(interval.method, IntervalMethod::Bootstrap);
        let half = (interval.high.log10() - interval.low.log10()) / 2.0;
        near(
            (interval.high.log10() + interval.low.log10()) / 2.0,
            suggestion.lr.log10(),
            name,
        );
        let step = (case.lr_max / case.lr_min).log10() / f64::from(case.num_training - 1);
        assert!(
            (half - expected).abs() <= step.max(0.15 * expected),
            "{name}: {half} is not {expected}"
        );
        assert!(half >= step / 2.0 - 1e-12, "{name}");
    }
}

#[test]
fn the_same_input_gives_the_same_answer_bit_for_bit() {
    for case in vectors().unwrap() {
        let curves = case.curves();
        let text = |answer: &Answer| serde_json::to_string(answer).unwrap();
        assert_eq!(text(&case.answer(&curves)), text(&case.answer(&curves)));
    }
}

#[test]
fn losses_that_end_where_the_sweep_was_cut_give_the_same_answer() {
    for case in vectors().unwrap() {
        let curves: Vec<Vec<f64>> = case
            .curves()
            .into_iter()
            .map(|raw| raw[..rule::cut(&raw, rule::CUT_THRESHOLD)].to_vec())
            .collect();
        if curves.len() == 1 {
            assert_eq!(
                case.answer(&curves).verdict,
                case.answer(&case.curves()).verdict
            );
            assert_eq!(
                case.answer(&curves).suggestion,
                case.answer(&case.curves()).suggestion
            );
        }
    }
}

#[test]
fn ten_thousand_steps_are_taken_together_without_changing_the_interval() {
    // The same fall with the same noise per decade, on 1,000 steps one by one and on 10,000.
    let half_width = |steps: u32, noise: f64| {
        let range = Range {
            mode: Mode::Exponential,
            grid: Grid::BothEnds,
            min_lr: 1e-8,
            max_lr: 1.0,
            steps,
        };
        let grid = LogGrid::new(&range.learning_rates()).unwrap();
        let mut state = 1_u64;
        let losses: Vec<f64> = grid
            .positions()
            .iter()
            .map(|x| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let uniform = (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5;
                2.0 - 1.0 / (1.0 + (-3.0 * (x + 3.0)).exp()) + noise * uniform
            })
            .collect();
        let reading = rule::read(&grid, &losses, 0.9).unwrap();
        bootstrap::half_width(&grid, &losses, &reading, 0.9, 3)
    };
    let (one_by_one, together) = (
        half_width(1_000, 0.3),
        half_width(10_000, 0.3 * 10_f64.sqrt()),
    );
    assert!(
        (one_by_one / together - 1.0).abs() < 0.35,
        "{one_by_one} {together}"
    );
}
