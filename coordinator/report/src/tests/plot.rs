use super::samples;
use crate::plot::{png, svg};
use crate::terminal::summary;
use rangefinder_sweep::curve::StopReason;
use rangefinder_sweep::event::Outcome;

/// Set it to a folder to look at the pictures.
const GALLERY: &str = "RANGEFINDER_GALLERY";

const RED: &str = "#cf222e";

#[test]
fn every_document_has_a_picture_of_1600_by_1000_pixels() {
    for (name, sample) in samples::all() {
        let svg = svg(&sample.document());
        let png = png(&svg).unwrap();
        assert_eq!(png[..8], *b"\x89PNG\r\n\x1a\n", "{name}");
        assert_eq!(
            (&png[16..20], &png[20..24]),
            (&1600u32.to_be_bytes()[..], &1000u32.to_be_bytes()[..]),
            "{name}"
        );
        if let Some(folder) = std::env::var_os(GALLERY) {
            let file = std::path::Path::new(&folder).join(name);
            std::fs::write(file.with_extension("png"), &png).unwrap();
            std::fs::write(file.with_extension("svg"), &svg).unwrap();
        }
    }
}

#[test]
fn the_svg_of_a_usable_curve_is_as_it_was_looked_at() {
    insta::assert_snapshot!(svg(&samples::split(samples::sample("falls"), 4).document()));
}

#[test]
fn segments_that_the_curve_does_not_reach_are_neither_drawn_nor_explained() {
    let split = || samples::split(samples::sample("falls"), 4);
    let first = split().result.plan.unwrap().tasks[1].start as usize;
    for (steps, reached) in [(first, false), (first + 1, true)] {
        let ended = samples::ended(split(), steps, Outcome::Cancelled, StopReason::Cancelled);
        let document = ended.document();
        let picture = svg(&document);
        assert_eq!(
            picture.contains("stroke-dasharray=\"3 4\""),
            reached,
            "{picture}"
        );
        assert_eq!(picture.contains(">segment boundary<"), reached, "{picture}");
        assert!(!picture.contains("width=\"-"), "{picture}");
        let screen = summary(&document, None, 80, false);
        assert_eq!(screen.contains("┊ segment"), reached, "{screen}");
        assert_eq!(screen.contains('┊'), reached, "{screen}");
    }
}

#[test]
fn the_picture_says_the_batch_size_the_groups_and_what_the_losses_are() {
    for name in ["falls", "flat"] {
        let svg = svg(&samples::every_option(samples::sample(name)).document());
        for text in [
            "effective batch size 512 (8 batches of 64)",
            "times 0.1 for layers.0.*, times 10 for head.*.",
            "8 batches of validation.npz",
            ">evaluation loss, every 5 updates<",
        ] {
            assert!(svg.contains(text), "{name}: {text}: {svg}");
        }
    }
    let plain = svg(&samples::sample("falls").document());
    assert!(plain.contains(">loss<") && plain.contains(">at effective batch size 64<"));
}

#[test]
fn an_unusable_curve_has_nothing_red() {
    for name in [
        "flat",
        "outlier",
        "rises",
        "infinite",
        "range_too_low",
        "constant",
        "all_nan",
    ] {
        let svg = svg(&samples::sample(name).document());
        assert!(!svg.contains(RED), "{name}");
        assert!(svg.contains("No usable learning rate"), "{name}");
    }
    assert!(svg(&samples::sample("falls").document()).contains(RED));
}

#[test]
fn the_end_of_the_curve_carries_its_reason() {
    let cases = [
        (StopReason::Diverged, "diverged at step 126"),
        (StopReason::NonFinite, "loss not finite at step 126"),
        (StopReason::DataExhausted, "data exhausted at step 126"),
        (StopReason::Cancelled, "cancelled at step 126"),
        (StopReason::Failed, "failed at step 126"),
    ];
    for (reason, text) in cases {
        let mut sample = samples::sample("explodes");
        sample.result.replicas[0].curve.truncate(127);
        sample.result.replicas[0].stop = reason;
        assert!(svg(&sample.document()).contains(text), "{text}");
    }
    assert!(!svg(&samples::sample("falls").document()).contains(" at step "));
}

#[test]
fn an_explosion_does_not_flatten_the_fall() {
    let calm = samples::drawn(100, 0.3, 2.3, 1);
    let mut wild = calm.clone();
    let replica = &mut wild.result.replicas[0];
    replica.curve.last_mut().unwrap().loss = 1e12;
    let labels = |sample: &samples::Sample| {
        let svg = svg(&sample.document());
        let ticks = svg
            .lines()
            .filter(|line| line.contains("text-anchor=\"end\""))
            .map(str::to_owned);
        ticks.collect::<Vec<_>>()
    };
    assert_eq!(labels(&calm), labels(&wild));
}

#[test]
fn text_is_drawn_with_the_fonts_that_come_with_the_program() {
    let with = svg(&samples::sample("falls").document());
    let without = with.replace("<text", "<text display=\"none\"");
    assert_ne!(
        png(&with).unwrap(),
        png(&without).unwrap(),
        "some pixels are text"
    );
}
