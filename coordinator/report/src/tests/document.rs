use super::samples;
use crate::document::{FORMAT, ObservedLoss, ReadError, parse};
use rangefinder_sweep::curve::StopReason;
use rangefinder_sweep::event::Outcome;

/// Written by the first version of format 1; never written again.
const FORMAT_1: &str = include_str!("data/sweep.format-1.json");

#[test]
fn every_document_survives_json() {
    for (name, sample) in samples::all() {
        let document = sample.document();
        let text = document.to_json().unwrap();
        let back = parse(&text, name).unwrap();
        // NaN is not equal to itself, its text is.
        assert_eq!(back.to_json().unwrap(), text, "{name}");
    }
}

#[test]
fn the_frozen_example_of_format_1_reads_back() {
    let document = parse(FORMAT_1, "sweep.format-1.json").unwrap();
    assert_eq!(document.format, 1);
    assert_eq!(document.spec.model.as_deref(), Some("mlp"));
    assert_eq!(document.replicas[0].tasks.len(), 2);
    assert_eq!(document.replicas[0].tasks[1].attempts.len(), 2);
    assert_eq!(document.stop.reason, StopReason::NonFinite);
    assert_eq!(document.curve.loss.len(), 49);
    assert!(document.curve.loss[48].is_nan());
    assert_eq!(document.curve.smoothed.len(), 48);
    let suggestion = document.suggestion.as_ref().unwrap();
    assert!(
        (suggestion.lr - 4.0755e-4).abs() < 1e-7,
        "{}",
        suggestion.lr
    );
    assert_eq!(
        document.to_json().unwrap(),
        FORMAT_1,
        "and is written as it was"
    );
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let newer = FORMAT_1
        .replacen("\"format\": 1", "\"format\": 7", 1)
        .replacen("\"status\"", "\"state\"", 1);
    let error = parse(&newer, "out/sweep.json").unwrap_err();
    assert!(matches!(error, ReadError::Newer { found: 7, .. }));
    let text = error.to_string();
    assert!(
        text.contains("out/sweep.json has format 7") && text.contains("newer one"),
        "{text}"
    );
}

#[test]
fn what_is_not_a_document_is_named() {
    for text in [
        "",
        "{}",
        "[1]",
        "{\"format\": 0}",
        "{\"format\": 1}",
        "lr,loss\n1,2\n",
    ] {
        let error = parse(text, "x.json").unwrap_err().to_string();
        assert!(error.starts_with("x.json is not a sweep.json: "), "{error}");
    }
    let error = crate::document::read(std::path::Path::new("no/such/sweep.json")).unwrap_err();
    assert!(error.to_string().contains("no/such/sweep.json"), "{error}");
}

#[test]
fn the_smoothed_mean_stays_within_the_band_of_the_replicas() {
    let mut sample = samples::drawn(100, 0.3, 2.3, 3);
    // The curve of the verdict, which may leave the band.
    for mean in sample.answer.iter_mut().flat_map(|answer| &mut answer.mean) {
        *mean -= 10.0;
    }
    let document = sample.document();
    assert!(document.curve.smoothed.len() > 20);
    for (step, mean) in document.curve.smoothed.iter().enumerate() {
        let at = || document.replicas.iter().map(|it| it.curve.smoothed[step]);
        let (low, high) = at().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        let slack = 1e-9 * high.abs();
        assert!(low - slack <= *mean && *mean <= high + slack, "step {step}");
    }
}

#[test]
fn an_unusable_curve_leaves_no_suggestion_anywhere_in_the_document() {
    let document = samples::sample("flat").document();
    assert_eq!(document.suggestion, None);
    for replica in &document.replicas {
        assert_eq!(replica.suggestion, None);
        assert!(replica.rule_value.is_some());
    }
}

#[test]
fn a_document_is_replica_first_and_carries_what_belongs_beside_the_learning_rate() {
    let document = samples::drawn(100, 0.3, 2.3, 8).document();
    assert_eq!(document.format, FORMAT);
    assert_eq!(
        (document.steps, document.effective_batch_size),
        (100, Some(64))
    );
    assert_eq!(document.replicas.len(), 8);
    assert!(
        document
            .replicas
            .iter()
            .all(|replica| replica.suggestion.is_some())
    );
    let shortest = document
        .replicas
        .iter()
        .map(|replica| replica.curve.loss.len())
        .min()
        .unwrap();
    assert_eq!(
        document.curve.loss.len(),
        shortest,
        "the mean goes as far as all replicas go"
    );
    assert_eq!(document.stop.step, Some(shortest as u32 - 1));
}

#[test]
fn the_effective_batch_size_is_the_workers_word_else_what_the_specification_says() {
    let mut sample = samples::every_option(samples::sample("falls"));
    assert_eq!(sample.document().effective_batch_size, Some(512));
    sample.result.described = None;
    assert_eq!(sample.document().effective_batch_size, Some(64 * 8));
    sample.spec.batch_size = None;
    assert_eq!(sample.document().effective_batch_size, None);
}

#[test]
fn what_the_rule_was_never_measured_with_is_said() {
    let notes = |sample: &samples::Sample| -> Vec<String> {
        let warnings = sample.document().warnings.into_iter();
        let notes = warnings.filter(|it| it.code == "not_measured_here");
        notes.map(|it| it.message).collect()
    };
    let mut sample = samples::every_option(samples::sample("falls"));
    sample.spec.precision = Some("bf16".to_owned());
    sample.spec.clip_norm = Some(1.0);
    sample.spec.weights = Some("w.pt".to_owned());
    let of_all = notes(&sample);
    assert_eq!(of_all.len(), 1);
    for what in [
        "clipped",
        "bf16",
        "accumulated",
        "evaluation",
        "groups",
        "checkpoint",
    ] {
        assert!(of_all[0].contains(what), "{what}: {of_all:?}");
    }
    sample.answer = None;
    assert!(notes(&sample).is_empty(), "nothing was read off");
    assert!(notes(&samples::sample("falls")).is_empty());
}

#[test]
fn a_document_says_whether_its_losses_are_those_of_an_evaluation() {
    let training = samples::sample("falls").document().to_json().unwrap();
    assert!(training.contains("\"observed_loss\": \"training\""));
    let evaluation = samples::every_option(samples::sample("falls")).document();
    assert_eq!(evaluation.observed_loss, Some(ObservedLoss::Evaluation));
    let older = parse(FORMAT_1, "sweep.format-1.json").unwrap();
    assert_eq!(older.observed_loss, None, "there was no choice");
}

#[test]
fn warnings_of_plan_overlaps_and_answer_stand_once_each() {
    let mut sample = samples::split(samples::sample("falls"), 4);
    let warning = sample.result.warnings[0].clone();
    sample
        .result
        .plan
        .as_mut()
        .unwrap()
        .warnings
        .push(warning.clone());
    sample.answer.as_mut().unwrap().warnings.push(warning);
    assert_eq!(sample.document().warnings.len(), 1);
}

#[test]
fn numbers_that_are_none_are_strings_and_lists_are_on_one_line() {
    let text = samples::sample("nan").document().to_json().unwrap();
    let line = text
        .lines()
        .find(|line| line.contains("\"loss\": ["))
        .unwrap();
    assert!(line.ends_with("\"NaN\"],"), "{line}");
    assert!(text.lines().count() < 400, "{}", text.lines().count());
}

#[test]
fn a_sweep_that_was_broken_off_shows_the_replicas_that_had_started() {
    let mut sample = samples::drawn(100, 0.3, 2.3, 3);
    sample.answer = None;
    sample.result.replicas[0].curve.truncate(40);
    sample.result.replicas[1].curve.truncate(30);
    sample.result.replicas[2].curve.clear();
    sample.result.outcome = Some(Outcome::Cancelled);
    let document = sample.document();
    assert_eq!(document.curve.loss.len(), 30);
    assert_eq!(document.stop.step, Some(29));
}
