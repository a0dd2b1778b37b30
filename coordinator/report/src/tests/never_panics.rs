//! Whatever the losses are, everything can be drawn.

use super::samples;
use crate::document::parse;
use crate::plot::{png, svg};
use crate::terminal::{plan, summary};
use proptest::prelude::*;
use rangefinder_sweep::event::Observation;
use rangefinder_sweep::suggest::{Interval, IntervalMethod, Suggestion, Value};

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => -10.0..10.0f64,
        1 => any::<f64>(),
        1 => prop::sample::select(vec![
            0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, 1e-300,
        ]),
    ]
}

prop_compose! {
    fn documents()(
        steps in 0usize..40,
        lrs in prop::collection::vec(number(), 0..40),
        replicas in prop::collection::vec((prop::collection::vec(number(), 0..40), prop::collection::vec(number(), 0..50)), 0..4),
        regular in any::<bool>(),
        usable in any::<bool>(),
        segments in 1u32..6,
        value in prop::option::of((number(), number(), number(), any::<u32>())),
        linear in any::<bool>(),
    ) -> samples::Sample {
        let mut sample = samples::split(samples::sample("falls"), segments);
        sample.learning_rates = if regular { samples::exponential(1e-8, 1.0, steps) } else { lrs };
        sample.spec.mode = Some(if linear { "linear" } else { "exponential" }.to_owned());
        let template = sample.result.replicas[0].clone();
        sample.result.replicas = replicas
            .iter()
            .map(|(losses, _)| {
                let mut replica = template.clone();
                replica.curve = losses
                    .iter()
                    .enumerate()
                    .map(|(step, loss)| Observation {
                        step: step as u32,
                        lr: sample.learning_rates.get(step).copied().unwrap_or(1.0),
                        loss: *loss,
                        samples: 1,
                    })
                    .collect();
                replica
            })
            .collect();
        let answer = sample.answer.as_mut().unwrap();
        answer.verdict.usable = usable;
        answer.smoothed = replicas.iter().map(|(_, smoothed)| smoothed.clone()).collect();
        answer.mean = answer.smoothed.first().cloned().unwrap_or_default();
        answer.rule_value = value.map(|(lr, _, _, index)| Value { lr, index, method: "auto".to_owned() });
        answer.suggestion = value.map(|(lr, low, high, index)| Suggestion {
            lr,
            index,
            method: "auto".to_owned(),
            interval: Some(Interval { low, high, level: 0.9, method: IntervalMethod::Bootstrap }),
        });
        sample
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_document_can_be_drawn_summed_up_and_read_back(sample in documents(), width in 0usize..200, colour in any::<bool>()) {
        let document = sample.document();
        let picture = svg(&document);
        prop_assert!(!picture.contains("NaN\"") && !picture.contains("inf"), "{picture}");
        prop_assert!(!summary(&document, None, width, colour).is_empty());
        let text = document.to_json().unwrap();
        prop_assert_eq!(parse(&text, "it").unwrap().to_json().unwrap(), text);
    }

    #[test]
    fn any_plan_can_be_drawn(steps in 0u32..300, segments in 1u32..40, replicas in 1u32..40, width in 0usize..200) {
        let lrs = samples::exponential(1e-8, 1.0, steps as usize);
        prop_assert!(!plan(&samples::plan(steps, segments, replicas), &lrs, Some(64), width, false).is_empty());
        prop_assert!(!plan(&samples::plan(steps, segments, replicas), &[], None, width, true).is_empty());
    }

    #[test]
    fn any_text_leaves_the_picture_well_formed(text in any::<String>()) {
        let mut sample = samples::sample("two_steps");
        sample.spec.model = Some(text.clone());
        sample.answer.as_mut().unwrap().verdict.message = text;
        prop_assert!(resvg::usvg::roxmltree::Document::parse(&svg(&sample.document())).is_ok());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_document_has_a_png(sample in documents()) {
        prop_assert!(png(&svg(&sample.document())).is_ok());
    }
}
