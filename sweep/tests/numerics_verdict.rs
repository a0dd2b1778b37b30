//! What people are told about a curve: each reason with its numbers and its remedy, and the notes
//! beside a suggestion.

use rangefinder_sweep::schedule::{Grid, Mode, Range};
use rangefinder_sweep::suggest::{Answer, Method, Profile, Reason, Request, suggest};

const RANGE: Range = Range {
    mode: Mode::Exponential,
    grid: Grid::BothEnds,
    min_lr: 1e-8,
    max_lr: 1.0,
    steps: 200,
};

/// A plateau at 2, a fall to 1 around `at` (log10 of a learning rate), and small noise.
fn fall(range: Range, at: f64) -> Vec<f64> {
    let noise = |step: usize| 0.02 * ((step * 7919 % 101) as f64 / 50.0 - 1.0);
    let rates = range.learning_rates();
    let loss = |(step, lr): (usize, &f64)| {
        2.0 - 1.0 / (1.0 + (-6.0 * (lr.log10() - at)).exp()) + noise(step)
    };
    rates.iter().enumerate().map(loss).collect()
}

struct Asked {
    range: Range,
    replicas: Vec<Vec<f64>>,
    beta: Option<f64>,
    method: Method,
    profile: Option<Profile>,
    skips: (Option<usize>, Option<usize>),
    threshold: Option<f64>,
}

impl Asked {
    fn about(range: Range, raw: Vec<f64>) -> Self {
        Self {
            range,
            replicas: vec![raw],
            beta: Some(0.9),
            method: Method::Auto,
            profile: None,
            skips: (None, None),
            threshold: None,
        }
    }

    fn answer(&self) -> Answer {
        suggest(&Request {
            learning_rates: &self.range.learning_rates(),
            replicas: &self.replicas,
            beta: self.beta,
            method: self.method,
            profile: self.profile,
            skip_begin: self.skips.0,
            skip_end: self.skips.1,
            threshold: self.threshold,
            seed: 1,
        })
    }
}

fn good() -> Asked {
    Asked::about(RANGE, fall(RANGE, -3.0))
}

fn codes(answer: &Answer) -> Vec<&str> {
    answer
        .warnings
        .iter()
        .map(|warning| warning.code.as_str())
        .collect()
}

#[track_caller]
fn refused(answer: &Answer, reason: Reason, words: &[&str]) {
    assert_eq!(
        answer.verdict.reason,
        Some(reason),
        "{}",
        answer.verdict.message
    );
    assert_eq!(answer.suggestion, None);
    for word in words {
        assert!(
            answer.verdict.message.contains(word),
            "{}",
            answer.verdict.message
        );
    }
}

#[test]
fn a_fall_is_usable_and_says_how_deep_it_is() {
    let answer = good().answer();
    assert!(
        answer
            .verdict
            .message
            .starts_with("usable: one fall of 1.0")
    );
    let suggestion = answer.suggestion.unwrap();
    let interval = suggestion.interval.unwrap();
    assert!(1e-4 < suggestion.lr && suggestion.lr < 1e-2);
    assert!(interval.low < suggestion.lr && suggestion.lr < interval.high);
    assert!(answer.warnings.is_empty());
}

#[test]
fn too_few_points_say_how_many_there_are_and_are_needed() {
    let short = Range { steps: 19, ..RANGE };
    let answer = Asked::about(short, fall(short, -3.0)).answer();
    refused(
        &answer,
        Reason::TooFewPoints,
        &["19 steps", "at least 20", "num_training"],
    );
    // 8 decades in 27 gaps are 3.4 a decade; 28 gaps are exactly 3.5.
    let sparse = Range { steps: 28, ..RANGE };
    let answer = Asked::about(sparse, fall(sparse, -3.0)).answer();
    refused(
        &answer,
        Reason::TooFewPoints,
        &["3.4 steps a decade", "at least 3.5"],
    );
    let enough = Range { steps: 29, ..RANGE };
    let answer = Asked::about(enough, fall(enough, -3.0)).answer();
    assert_ne!(answer.verdict.reason, Some(Reason::TooFewPoints));
}

#[test]
fn a_range_that_diverges_at_once_is_to_be_lowered() {
    let mut raw = fall(RANGE, -3.0);
    raw[5] = f64::INFINITY;
    let answer = Asked::about(RANGE, raw).answer();
    refused(
        &answer,
        Reason::DivergedAtOnce,
        &["only 5 of 200", "min_lr"],
    );
    assert_eq!(answer.rule_value, None);
}

#[test]
fn a_fall_that_goes_on_at_the_end_gives_a_lower_bound() {
    let answer = Asked::about(RANGE, fall(RANGE, 0.2)).answer();
    let value = answer.rule_value.clone().unwrap().lr;
    refused(
        &answer,
        Reason::StillFalling,
        &["lower bound", "raise `max_lr`"],
    );
    let shown = format!("{value:.4}");
    assert!(answer.verdict.message.contains(shown.trim_end_matches('0')));
}

#[test]
fn a_suggestion_below_the_range_is_none() {
    let high = Range {
        min_lr: 1e-4,
        ..RANGE
    };
    let mut asked = Asked::about(high, fall(high, -3.0));
    asked.beta = Some(0.995);
    let answer = asked.answer();
    assert!(answer.rule_value.clone().unwrap().lr < 1e-4);
    refused(&answer, Reason::RangeTooHigh, &["1e-4", "lower `min_lr`"]);
}

#[test]
fn noise_is_flat_or_diverged_or_rises_and_each_has_its_remedy() {
    let flat = fall(RANGE, 9.0);
    refused(
        &Asked::about(RANGE, flat.clone()).answer(),
        Reason::Flat,
        &[
            "where 6 are needed",
            "2 to 3 times more steps",
            "replicas",
            "larger batch",
        ],
    );
    let mut broken = flat.clone();
    broken[150] = f64::NAN;
    refused(
        &Asked::about(RANGE, broken).answer(),
        Reason::DivergedWithoutFalling,
        &["after 150 of 200", "min_lr"],
    );
    let rising = flat.iter().enumerate().map(|(step, loss)| {
        if step < 120 {
            *loss
        } else {
            loss + 0.05 * (step - 120) as f64
        }
    });
    refused(
        &Asked::about(RANGE, rising.collect()).answer(),
        Reason::RisesWithoutFalling,
        &["rises without having fallen", "lower `min_lr`"],
    );
}

#[test]
fn a_curve_that_falls_from_the_start_wanders() {
    let answer = Asked::about(RANGE, fall(RANGE, -8.0)).answer();
    assert!(!answer.verdict.usable);
    let slope = RANGE
        .learning_rates()
        .iter()
        .map(|lr| 2.0 - (lr.log10() + 8.0) / 8.0)
        .collect();
    refused(
        &Asked::about(RANGE, slope).answer(),
        Reason::Wanders,
        &["plateau followed by one fall", "lower `min_lr` (1e-8)"],
    );
}

#[test]
fn a_curve_that_wanders_is_told_how_and_only_without_a_plateau_to_lower_the_range() {
    let with = |shape: &dyn Fn(f64) -> f64| {
        let noisy = fall(RANGE, 9.0);
        let rates = RANGE.learning_rates();
        let losses = noisy.iter().zip(&rates);
        let losses = losses
            .map(|(plateau, lr)| plateau - shape(lr.log10()))
            .collect();
        Asked::about(RANGE, losses).answer()
    };
    let step = |x: f64, at: f64| 1.0 / (1.0 + (-6.0 * (x - at)).exp());
    let low = with(&|x| step(x, -7.6) + 0.5 * step(x, -3.0));
    let words = ["falls already at the lowest", "lower `min_lr` (1e-8)"];
    refused(&low, Reason::Wanders, &words);
    let others = [
        (
            with(&|x| step(x, -3.0) - 0.5 * step(x, -7.6)),
            "the plateau is uneven",
        ),
        (
            with(&|x| step(x, -2.0) - 0.4 * (step(x, -5.0) - step(x, -3.5))),
            "the loss rises before the fall is done",
        ),
        (
            with(&|x| 0.5 * step(x, -5.0) + 0.5 * step(x, -2.0)),
            "the fall is slow",
        ),
    ];
    for (answer, how) in others {
        refused(&answer, Reason::Wanders, &[how, "2 to 3 times more steps"]);
        let message = answer.verdict.message;
        assert!(!message.contains("min_lr"), "{message}");
    }
}

#[test]
fn learning_rates_that_are_no_range_are_named() {
    let answer = suggest(&Request {
        learning_rates: &[1e-3, 1e-2, 1e-2],
        replicas: &[vec![1.0, 2.0, 3.0]],
        beta: None,
        method: Method::Auto,
        profile: None,
        skip_begin: None,
        skip_end: None,
        threshold: None,
        seed: 0,
    });
    refused(
        &answer,
        Reason::TooFewPoints,
        &["no range test", "step 2 is 1e-2"],
    );
}

#[test]
fn what_was_not_measured_is_said() {
    let message = |asked: &Asked| {
        let answer = asked.answer();
        let found = answer
            .warnings
            .into_iter()
            .find(|w| w.code == "not_measured_here");
        found.map(|warning| warning.message).unwrap_or_default()
    };
    assert_eq!(message(&good()), "");
    let lightning = Range {
        grid: Grid::Lightning,
        ..RANGE
    };
    let mut with_a_gap = Asked::about(lightning, fall(lightning, -3.0));
    assert!(message(&with_a_gap).contains("not uniform"));
    with_a_gap.skips.0 = Some(1);
    assert_eq!(message(&with_a_gap), "");
    let linear = Range {
        mode: Mode::Linear,
        ..RANGE
    };
    assert!(message(&Asked::about(linear, fall(linear, -0.5))).contains("not uniform"));
    let narrow = Range {
        min_lr: 0.2,
        ..RANGE
    };
    assert!(message(&Asked::about(narrow, fall(narrow, -0.5))).contains("0.70 decades"));
    for (beta, said) in [(0.0, false), (0.9, false), (0.5, true), (0.99, true)] {
        let mut asked = good();
        asked.beta = Some(beta);
        assert_eq!(
            message(&asked).contains("momentum or beta1"),
            said,
            "{beta}"
        );
    }
    let mut asked = good();
    asked.beta = Some(0.9_f64.powi(3));
    assert!(message(&asked).contains("beta1 of 0.729 from step"));
}

#[test]
fn an_impossible_beta_is_said_and_reckoned_as_unknown() {
    let mut asked = good();
    asked.beta = None;
    let unknown = asked.answer();
    asked.beta = Some(1.0);
    let impossible = asked.answer();
    assert_eq!(codes(&impossible), ["beta_out_of_range"]);
    assert_eq!(unknown.suggestion, impossible.suggestion);
    assert!(codes(&unknown).is_empty());
}

#[test]
fn a_profile_suggests_whatever_the_verdict_and_shows_it_beside() {
    let mut asked = Asked::about(RANGE, fall(RANGE, 9.0));
    asked.profile = Some(Profile::Lightning);
    let answer = asked.answer();
    assert_eq!(answer.verdict.reason, Some(Reason::Flat));
    let suggestion = answer.suggestion.unwrap();
    assert_eq!(
        (suggestion.method.as_str(), suggestion.interval),
        ("lightning", None)
    );
    asked.profile = Some(Profile::Fastai);
    asked.method = Method::Slide;
    assert_eq!(asked.answer().suggestion.unwrap().method, "fastai/slide");
}

#[test]
fn every_other_method_and_profile_stands_beside_the_chosen_one() {
    let answer = good().answer();
    let names: Vec<&str> = answer.methods.iter().map(|m| m.method.as_str()).collect();
    assert_eq!(
        names,
        [
            "drop50",
            "drop80",
            "drop95",
            "steepest",
            "gmean",
            "minimum",
            "valley",
            "slide",
            "lightning",
            "lightning-0.7.6",
            "fastai/valley",
            "fastai/slide",
            "fastai/minimum",
            "fastai/steepest",
            "torch-lr-finder",
            "ignite",
        ]
    );
    for method in &answer.methods {
        let mut asked = good();
        match method.method.split_once('/') {
            Some((profile, rule)) => {
                asked.profile = Some(profile.parse().unwrap());
                asked.method = rule.parse().unwrap();
            }
            None => match method.method.parse() {
                Ok(own) => asked.method = own,
                Err(_) => asked.profile = Some(method.method.parse().unwrap()),
            },
        }
        let chosen = asked.answer();
        assert_eq!(chosen.rule_value, method.value, "{}", method.method);
        assert!(
            chosen
                .methods
                .iter()
                .all(|other| other.method != method.method)
        );
    }
}

#[test]
fn skipped_points_move_nothing_but_what_is_looked_at() {
    let mut asked = good();
    let whole = asked.answer();
    asked.skips = (Some(20), Some(10));
    let part = asked.answer();
    assert!(part.verdict.usable);
    let (whole, part_value) = (whole.suggestion.unwrap(), part.suggestion.unwrap());
    assert!(whole.index.abs_diff(part_value.index) <= 10);
    assert_eq!(part.smoothed[0].len(), 190);
    assert!(part.smoothed[0][..20].iter().all(|loss| loss.is_nan()));
    assert!(part.smoothed[0][20..].iter().all(|loss| loss.is_finite()));
}

#[test]
fn a_threshold_moves_the_rules_cut() {
    let mut raw = fall(RANGE, -3.0);
    for loss in &mut raw[180..] {
        *loss = 10.0;
    }
    let mut asked = Asked::about(RANGE, raw);
    assert!(asked.answer().smoothed[0].len() < 200);
    asked.threshold = Some(f64::INFINITY);
    assert_eq!(asked.answer().smoothed[0].len(), 200);
}

#[test]
fn replicas_share_one_verdict_and_one_without_suggestion_is_named() {
    let mut asked = good();
    asked.replicas = vec![fall(RANGE, -3.0), fall(RANGE, -2.9), fall(RANGE, -3.1)];
    let answer = asked.answer();
    assert!(answer.verdict.usable);
    assert_eq!(answer.smoothed.len(), 3);
    assert_eq!(answer.mean.len(), 200);
    let alone = asked.replicas.iter().map(|raw| {
        Asked::about(RANGE, raw.clone())
            .answer()
            .suggestion
            .unwrap()
            .lr
    });
    let mut alone: Vec<f64> = alone.collect();
    alone.sort_by(f64::total_cmp);
    assert_eq!(answer.suggestion.unwrap().lr, alone[1]);
    // One wild loss near the start: the rule cuts that replica there, the clipped mean does not.
    let mut wild = fall(RANGE, -3.0);
    wild[3] = 1e3;
    asked.replicas.push(wild);
    let answer = asked.answer();
    assert!(answer.verdict.usable);
    assert_eq!(codes(&answer), ["replicas_without_suggestion"]);
    assert!(answer.warnings[0].message.contains("1 of 4 replicas"));
    assert_eq!(answer.suggestion.unwrap().lr, alone[1]);
}

#[test]
fn replicas_whose_median_lies_below_the_range_are_not_usable() {
    let mut asked = good();
    asked.beta = Some(0.99);
    // The deep fall of one decides the mean curve, the early fall of the others the median.
    let deep = fall(RANGE, -3.0).iter().map(|loss| 50.0 * loss).collect();
    asked.replicas = vec![fall(RANGE, -6.6), fall(RANGE, -6.6), deep];
    let answer = asked.answer();
    assert!(answer.rule_value.unwrap().lr < 1e-8);
    assert_eq!(answer.verdict.reason, Some(Reason::RangeTooHigh));
    assert!(answer.suggestion.is_none());
}

#[test]
fn replicas_that_agree_have_an_interval_of_one_step_also_where_points_are_skipped() {
    let lightning = Range {
        grid: Grid::Lightning,
        ..RANGE
    };
    let mut asked = Asked::about(lightning, fall(lightning, -1.5));
    asked.replicas.push(fall(lightning, -1.5));
    for begin in [0, 60] {
        asked.skips.0 = Some(begin);
        let interval = asked.answer().suggestion.unwrap().interval.unwrap();
        let width = (interval.high / interval.low).log10();
        assert!((width - 8.0 / 200.0).abs() < 1e-9, "{begin}: {width}");
    }
}

#[test]
fn the_shared_curve_of_replicas_ends_at_the_earliest_loss_that_is_not_finite() {
    let mut asked = good();
    let mut broken = fall(RANGE, -3.0);
    broken[170] = f64::NAN;
    asked.replicas.push(broken);
    let answer = asked.answer();
    assert!(answer.verdict.usable);
    assert_eq!(answer.mean.len(), 170);
    asked.replicas.push(vec![f64::NAN]);
    let answer = asked.answer();
    assert_eq!(answer.verdict.reason, Some(Reason::DivergedAtOnce));
    assert!(answer.mean.is_empty());
}

#[test]
fn sweeps_on_a_linear_schedule_are_read_on_their_real_positions() {
    let linear = Range {
        mode: Mode::Linear,
        min_lr: 1e-3,
        steps: 300,
        ..RANGE
    };
    let answer = Asked::about(linear, fall(linear, -0.8)).answer();
    let value = answer.rule_value.unwrap();
    assert!(0.2 < value.lr && value.lr < 0.5, "{}", value.lr);
    let nearest = linear.learning_rates()[value.index as usize];
    assert!((nearest / value.lr).log10().abs() < 0.02);
}
