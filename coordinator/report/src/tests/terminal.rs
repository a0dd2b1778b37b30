use super::{samples, variants};
use crate::files::Written;
use crate::terminal::{Hyperparameter, hyperparameters, plan, summary};
use rangefinder_sweep::curve::StopReason;
use rangefinder_sweep::event::Outcome;
use rangefinder_sweep::plan::Warning;

fn written() -> Written {
    Written {
        folder: "sweeps/2026-11-24".into(),
        names: vec![
            "sweep.json",
            "curve.csv",
            "losses.csv",
            "plot.svg",
            "plot.png",
        ],
    }
}

fn shown(sample: &samples::Sample, width: usize) -> String {
    summary(&sample.document(), Some(&written()), width, false)
}

#[test]
fn a_usable_curve_is_summed_up_with_all_that_belongs_beside_the_learning_rate() {
    insta::assert_snapshot!(shown(&samples::sample("falls"), 100));
}

#[test]
fn a_narrow_terminal_gets_everything_in_40_columns() {
    insta::assert_snapshot!(shown(&samples::sample("falls"), 40));
}

#[test]
fn a_split_sweep_says_its_error_and_its_warnings() {
    insta::assert_snapshot!(shown(&samples::split(samples::sample("falls"), 4), 100));
}

#[test]
fn replicas_have_an_interval_of_student() {
    insta::assert_snapshot!(shown(&samples::drawn(100, 0.3, 2.3, 8), 80));
}

#[test]
fn every_learning_rate_has_its_effective_batch_size_its_group_and_its_loss_beside_it() {
    insta::assert_snapshot!(
        "every_option",
        shown(&samples::every_option(samples::sample("falls")), 100)
    );
    let unusable = shown(&samples::every_option(samples::sample("flat")), 80);
    insta::assert_snapshot!("every_option_unusable", unusable);
}

#[test]
fn a_batch_size_that_nobody_knows_is_said_to_be_unknown() {
    let mut sample = samples::sample("falls");
    sample.result.described = None;
    sample.spec.batch_size = None;
    let text = shown(&sample, 100);
    assert!(
        text.contains("After 100 steps at an unknown batch size, by"),
        "{text}"
    );
    assert!(!text.contains("effective"), "{text}");
}

#[test]
fn groups_without_a_learning_rate_of_their_own_are_not_worth_a_word_and_many_are_counted() {
    let with = |groups: &[&str]| {
        let mut sample = samples::sample("falls");
        sample.spec.groups = groups.iter().map(|&group| group.to_owned()).collect();
        shown(&sample, 200)
    };
    assert!(!with(&["*.bias:weight_decay=0", "not a group"]).contains("group"));
    let text = with(&["a:lr=2", "b:lr=3", "c:lr=0.5", "d:lr=5", "e:lr=6"]);
    assert!(
        text.contains("; times 2 for `a`, times 3 for `b`, times 0.5 for `c`, and 2 more."),
        "{text}"
    );
}

#[test]
fn an_unusable_curve_has_no_suggestion_but_says_what_the_rule_would_have_given() {
    let text = shown(&samples::sample("flat"), 80);
    assert!(!text.contains("Learning rate "), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn a_tool_that_suggests_on_an_unusable_curve_is_not_passed_on_as_a_suggestion() {
    let mut sample = samples::sample("flat");
    let answer = sample.answer.as_mut().unwrap();
    let mut value = answer.rule_value.clone().unwrap();
    value.method = "lightning".to_owned();
    answer.rule_value = Some(value.clone());
    answer.suggestion = Some(rangefinder_sweep::suggest::Suggestion {
        lr: value.lr,
        index: value.index,
        method: value.method,
        interval: None,
    });
    let text = shown(&sample, 80);
    assert!(
        text.contains("No usable learning rate") && text.contains("`lightning` itself suggests"),
        "{text}"
    );
    assert!(!text.contains('●'), "{text}");
}

#[test]
fn a_curve_that_no_method_reads_anything_off_has_no_table_of_reasons() {
    let mut sample = samples::sample("flat");
    let answer = sample.answer.as_mut().unwrap();
    answer.rule_value = None;
    assert!(shown(&sample, 80).contains("none of it is a suggestion"));
    let answer = sample.answer.as_mut().unwrap();
    for method in &mut answer.methods {
        method.value = None;
        method.why = "4 losses are too few".to_owned();
    }
    let text = shown(&sample, 80);
    assert!(!text.contains("too few"), "{text}");
}

#[test]
fn a_failed_sweep_says_why_and_draws_no_empty_chart() {
    let failed = samples::all()
        .into_iter()
        .find(|(name, _)| *name == "failed")
        .unwrap()
        .1;
    let text = shown(&failed, 80);
    assert!(!text.contains('┤'), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn colours_change_nothing_but_colours() {
    for (name, sample) in samples::all() {
        let document = sample.document();
        let coloured = summary(&document, Some(&written()), 90, true);
        assert!(coloured.contains('\u{1b}'), "{name}");
        assert_eq!(
            console::strip_ansi_codes(&coloured),
            summary(&document, Some(&written()), 90, false),
            "{name}"
        );
    }
}

#[test]
fn what_is_no_suggestion_is_not_marked_in_the_colour_of_one() {
    let marks = |name: &str| {
        let text = summary(&samples::sample(name).document(), None, 90, true);
        ["\u{1b}[31m\u{1b}[1m●", "\u{1b}[31m\u{1b}[1m○"].map(|mark| text.contains(mark))
    };
    assert_eq!(marks("falls"), [true, false]);
    assert_eq!(marks("flat"), [false, false]);
}

#[test]
fn without_colour_no_control_character_reaches_the_terminal() {
    let mut sample = samples::sample("falls");
    sample.result.warnings.push(Warning {
        code: "odd".to_owned(),
        message: "a\u{1b}[31m\u{7} b".to_owned(),
    });
    let text = shown(&sample, 80);
    assert!(
        text.chars()
            .all(|character| character == '\n' || !character.is_control()),
        "{text:?}"
    );
}

#[test]
fn lines_fit_the_terminal() {
    for (name, sample) in samples::all() {
        for width in [20, 33, 40, 61, 80, 200] {
            let text = summary(&sample.document(), None, width, false);
            for line in text.lines() {
                let columns = console::measure_text_width(line);
                assert!(
                    columns <= width.max(40),
                    "{name} at {width}: {columns} columns in {line:?}"
                );
            }
        }
    }
}

#[test]
fn the_plan_shows_warm_ups_apart_from_what_tasks_own() {
    let lrs = samples::exponential(1e-8, 1.0, 100);
    let mut of_segments = samples::plan(100, 4, 1);
    of_segments.warnings.push(Warning {
        code: "overlap_short".to_owned(),
        message: "the overlap is under half a decade; use --overlap default".to_owned(),
    });
    insta::assert_snapshot!(
        "plan_segments",
        plan(&of_segments, &lrs, Some(512), 80, false)
    );
    insta::assert_snapshot!(
        "plan_hybrid_narrow",
        plan(&samples::plan(100, 2, 3), &lrs, Some(64), 40, false)
    );
    insta::assert_snapshot!(
        "plan_unsplit",
        plan(&samples::plan(100, 1, 1), &lrs, None, 80, false)
    );
    insta::assert_snapshot!(
        "plan_many",
        plan(&samples::plan(100, 1, 20), &lrs, Some(64), 60, false)
    );
}

#[test]
fn the_changed_hyperparameter_is_marked_with_what_it_was() {
    let row = |key: &str, value: &str, before: Option<&str>| Hyperparameter {
        key: key.to_owned(),
        value: value.to_owned(),
        before: before.map(str::to_owned),
    };
    let all = [
        row("model.hidden_sizes", "[256, 256]", None),
        row("model.optim.lr", "0.0121", Some("0.1")),
        row(
            "notes",
            "a text\nof two lines that is rather longer than the others and has to be wrapped",
            None,
        ),
    ];
    insta::assert_snapshot!(hyperparameters(&all, Some(512), 60, false));
    assert!(hyperparameters(&all, Some(512), 60, true).contains('\u{1b}'));
}

#[test]
fn a_loss_that_is_not_finite_among_ordinary_ones_points_at_the_data() {
    let hint = |last: f64| {
        let mut sample = samples::drawn(100, 0.3, 2.3, 1);
        let replica = &mut sample.result.replicas[0];
        replica.curve.truncate(20);
        replica.curve[18].loss = last;
        replica.curve[19].loss = f64::NAN;
        replica.stop = StopReason::NonFinite;
        let text = shown(&sample, 120);
        text.contains("NaN and infinities in the data")
    };
    assert!(hint(2.4));
    assert!(!hint(900.0), "it diverged");
}

#[test]
fn a_split_without_a_number_says_nothing_of_its_error() {
    let split = variants::split(samples::sample("falls"), 4);
    let of_error = "such splits were measured";
    let words = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words(shown(&split, 80)).contains(of_error));
    let cancelled = variants::ended(split, 38, Outcome::Cancelled, StopReason::Cancelled);
    assert!(!words(shown(&cancelled, 80)).contains(of_error));
}
