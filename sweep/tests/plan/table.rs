//! Which plan for which workers, steps, range and trainer.

use crate::support::{ADAM, SGD, falls_at, request};
use rangefinder_sweep::plan::{
    Plan, PlanRequest, Probe, Split, Trainability, could_use_probe, plan,
};
use rangefinder_sweep::schedule::Mode;

fn planned(request: &PlanRequest, trainability: Trainability, probe: Option<&Probe>) -> Plan {
    plan(request, trainability, probe).expect("it can be planned")
}

fn codes(plan: &Plan) -> Vec<&str> {
    plan.warnings
        .iter()
        .map(|warning| warning.code.as_str())
        .collect()
}

/// Segments, replicas, critical path and total work in one line.
fn line(plan: &Plan) -> String {
    format!(
        "{} {}x{} path {} work {} of {}: {:.2}x",
        plan.split,
        plan.segments,
        plan.replicas,
        plan.critical_path_steps,
        plan.total_steps,
        plan.unsplit_steps,
        plan.speed_up
    )
}

#[test]
fn auto_cuts_as_far_as_it_pays_and_gives_the_other_workers_replicas() {
    let probe = falls_at(1e-4);
    let seekable = ADAM;
    let stuck = Trainability {
        seekable: false,
        ..ADAM
    };
    for (workers, steps, decades, trainability, probe, expected) in [
        (
            1,
            100,
            8,
            seekable,
            None,
            "none 1x1 path 100 work 100 of 100: 1.00x",
        ),
        (
            2,
            100,
            8,
            seekable,
            None,
            "segments 2x1 path 62 work 123 of 100: 1.61x",
        ),
        (
            4,
            100,
            8,
            seekable,
            None,
            "segments 3x1 path 49 work 146 of 100: 2.04x",
        ),
        (
            8,
            100,
            8,
            seekable,
            None,
            "hybrid 3x2 path 49 work 292 of 200: 4.08x",
        ),
        (
            4,
            100,
            8,
            seekable,
            Some(&probe),
            "segments 4x1 path 39 work 156 of 100: 2.56x",
        ),
        (
            8,
            300,
            8,
            SGD,
            Some(&probe),
            "hybrid 4x2 path 94 work 752 of 600: 6.38x",
        ),
        (
            4,
            40,
            8,
            seekable,
            None,
            "replicas 1x4 path 40 work 160 of 160: 4.00x",
        ),
        (
            4,
            100,
            1,
            seekable,
            None,
            "replicas 1x4 path 100 work 400 of 400: 4.00x",
        ),
        (
            4,
            100,
            8,
            stuck,
            None,
            "replicas 1x4 path 100 work 400 of 400: 4.00x",
        ),
    ] {
        let request = request(Split::Auto, workers, steps, decades);
        let plan = planned(&request, trainability, probe);
        assert_eq!(
            line(&plan),
            expected,
            "{workers} workers, {steps} steps, {decades} decades"
        );
    }
}

#[test]
fn auto_takes_the_next_segment_exactly_when_it_raises_the_speed_up_by_15_per_cent() {
    let mut close = 0;
    for steps in (60..400).step_by(7) {
        for decades in [6, 8, 12] {
            for probe in [None, Some(falls_at(1e-4))] {
                let request = request(Split::Auto, 6, steps, decades);
                let chosen = planned(&request, SGD, probe.as_ref()).segments;
                // Steps of the longest task with so many segments; none where they are merged.
                let longest = |segments: u32| {
                    let request = PlanRequest {
                        split: Split::Segments,
                        segments: Some(segments),
                        workers: segments,
                        ..request.clone()
                    };
                    let plan = planned(&request, SGD, probe.as_ref());
                    (plan.segments == segments).then(|| f64::from(plan.critical_path_steps))
                };
                let gain = |segments: u32| {
                    let (before, after) = (longest(segments)?, longest(segments + 1)?);
                    Some(before / after)
                };
                let expected = (1..6)
                    .take_while(|segments| gain(*segments).is_some_and(|gain| gain >= 1.15))
                    .count();
                assert_eq!(
                    chosen as usize,
                    expected + 1,
                    "{steps} steps, {decades} decades"
                );
                let decisive = gain(chosen).into_iter().chain(gain(chosen.max(2) - 1));
                close += decisive.filter(|gain| (1.12..1.18).contains(gain)).count();
            }
        }
    }
    assert!(close > 10, "the limit itself was met, {close} times");
}

#[test]
fn an_overlap_is_short_below_half_a_decade_and_not_from_there_on() {
    for (overlap_decades, expected) in [(0.49, true), (0.5, false)] {
        let request = PlanRequest {
            overlap_decades,
            ..request(Split::Segments, 3, 300, 8)
        };
        let plan = planned(&request, SGD, None);
        assert_eq!(codes(&plan).contains(&"overlap_short"), expected);
    }
}

#[test]
fn the_modes_are_one_task_a_worker_unless_told_otherwise() {
    for (split, segments, replicas, workers, expected) in [
        (Split::None, None, None, 4, (Split::None, 1, 1)),
        (Split::Segments, None, None, 4, (Split::Segments, 4, 1)),
        (Split::Segments, Some(2), None, 8, (Split::Segments, 2, 1)),
        (Split::Segments, None, None, 1, (Split::None, 1, 1)),
        (Split::Replicas, None, None, 4, (Split::Replicas, 1, 4)),
        (Split::Replicas, None, Some(2), 4, (Split::Replicas, 1, 2)),
        (Split::Hybrid, None, None, 8, (Split::Hybrid, 3, 2)),
        (Split::Hybrid, None, None, 2, (Split::Hybrid, 2, 2)),
        (Split::Hybrid, Some(2), None, 8, (Split::Hybrid, 2, 4)),
        (Split::Hybrid, None, Some(4), 8, (Split::Hybrid, 2, 4)),
        (Split::Hybrid, Some(3), Some(5), 1, (Split::Hybrid, 3, 5)),
        (Split::Auto, None, Some(4), 8, (Split::Hybrid, 2, 4)),
        (Split::Auto, Some(2), None, 8, (Split::Hybrid, 2, 4)),
    ] {
        let request = PlanRequest {
            segments,
            replicas,
            ..request(split, workers, 100, 8)
        };
        let plan = planned(&request, ADAM, None);
        assert_eq!(
            (plan.split, plan.segments, plan.replicas),
            expected,
            "{split} on {workers}"
        );
    }
}

#[test]
fn the_first_segment_is_longer_because_it_needs_no_warm_up() {
    let plan = planned(&request(Split::Segments, 3, 100, 8), ADAM, None);
    let own: Vec<u32> = plan
        .tasks
        .iter()
        .map(|task| task.end - task.start)
        .collect();
    assert_eq!(plan.warm_up_steps, 13 + 10);
    assert!(own[0] >= own[1] + plan.warm_up_steps - 3, "{own:?}");
    let longest = plan.tasks.iter().map(|task| task.steps()).max();
    assert_eq!(longest, Some(plan.critical_path_steps));
}

#[test]
fn the_probe_shortens_the_plan_and_says_from_where_on_learning_rates_matter() {
    let request = request(Split::Segments, 4, 300, 8);
    let blind = planned(&request, ADAM, None);
    let probed = planned(&request, ADAM, Some(&falls_at(1e-3)));
    assert_eq!(blind.pruned_before, 0);
    assert!(probed.critical_path_steps < blind.critical_path_steps);
    let rates = request.range.learning_rates();
    let mass: f64 = rates[..probed.pruned_before as usize].iter().sum();
    assert!(mass < 1e-3 && mass + rates[probed.pruned_before as usize] >= 1e-3);
}

#[test]
fn segments_too_short_for_their_warm_up_are_merged_and_that_is_said() {
    let request = PlanRequest {
        segments: Some(40),
        ..request(Split::Segments, 40, 100, 8)
    };
    let plan = planned(&request, ADAM, None);
    assert!(plan.segments < 40);
    for task in &plan.tasks {
        assert!(
            4 * (task.end - task.start) >= task.start - task.warm_up_start,
            "{task:?}"
        );
    }
    let merged = plan
        .warnings
        .iter()
        .find(|warning| warning.code == "segments_merged");
    let message = &merged.expect("it is said").message;
    assert!(
        message.contains("40 segments")
            && message.contains(&format!("{} are planned", plan.segments))
    );
}

#[test]
fn more_segments_than_steps_are_no_trouble() {
    let request = PlanRequest {
        segments: Some(50),
        overlap_decades: 0.0,
        ..request(Split::Segments, 50, 7, 8)
    };
    let plan = planned(&request, SGD, None);
    assert_eq!(plan.segments, 7);
    assert_eq!(plan.critical_path_steps, 1);
}

#[test]
fn more_tasks_than_workers_are_run_in_turn_and_reckoned_so() {
    let request = PlanRequest {
        replicas: Some(5),
        ..request(Split::Replicas, 2, 100, 8)
    };
    let plan = planned(&request, ADAM, None);
    assert_eq!(line(&plan), "replicas 1x5 path 300 work 500 of 500: 1.67x");
}

#[test]
fn a_linear_range_is_cut_only_by_force_and_with_a_warning() {
    let linear = |split| {
        let mut request = request(split, 4, 100, 8);
        request.range.mode = Mode::Linear;
        request
    };
    let auto = planned(&linear(Split::Auto), ADAM, None);
    assert_eq!((auto.split, auto.segments), (Split::Replicas, 1));
    let forced = planned(&linear(Split::Segments), SGD, None);
    assert!(forced.segments > 1);
    assert!(codes(&forced).contains(&"linear_split"));
}

#[test]
fn every_plan_that_needs_a_warning_has_it_with_the_number_and_a_remedy() {
    let short = PlanRequest {
        overlap_decades: 0.3,
        ..request(Split::Segments, 3, 100, 8)
    };
    let sluggish = Trainability {
        beta: Some(0.95),
        ..ADAM
    };
    let live = Trainability {
        replayable: false,
        ..ADAM
    };
    for (request, trainability, code, words) in [
        (short, SGD, "overlap_short", "0.3 decades"),
        (
            request(Split::Segments, 2, 100, 8),
            sluggish,
            "warm_up_short",
            "33 steps is under 2/(1-beta) = 40",
        ),
        (
            request(Split::Segments, 2, 100, 8),
            live,
            "not_replayed",
            "by global step",
        ),
        (
            request(Split::Segments, 4, 300, 2),
            SGD,
            "many_segments",
            "over 2.0 decades",
        ),
        (
            request(Split::Hybrid, 1, 100, 8),
            ADAM,
            "no_speed_up",
            "on 1 worker",
        ),
    ] {
        let plan = planned(&request, trainability, None);
        let warning = plan.warnings.iter().find(|warning| warning.code == code);
        let message = &warning
            .unwrap_or_else(|| panic!("{code} in {:?}", codes(&plan)))
            .message;
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn auto_never_makes_a_plan_that_needs_a_warning() {
    let quiet = ["idle_workers", "not_seekable"];
    for overlap in [0.0, 0.3, 0.5, 1.0, 2.0] {
        for beta in [
            None,
            Some(0.0),
            Some(0.5),
            Some(0.9),
            Some(0.99),
            Some(0.9999),
        ] {
            for (seekable, replayable) in [(true, true), (true, false), (false, false)] {
                for steps in [2, 20, 50, 100, 300, 1000] {
                    let request = PlanRequest {
                        overlap_decades: overlap,
                        ..request(Split::Auto, 8, steps, 6)
                    };
                    let trainability = Trainability {
                        beta,
                        seekable,
                        replayable,
                        ..ADAM
                    };
                    let plan = planned(&request, trainability, Some(&falls_at(1e-3)));
                    assert!(
                        codes(&plan).iter().all(|code| quiet.contains(code)),
                        "{:?}",
                        codes(&plan)
                    );
                }
            }
        }
    }
}

#[test]
fn auto_says_that_unseekable_data_keep_the_range_whole() {
    let stuck = Trainability {
        seekable: false,
        ..ADAM
    };
    let plan = planned(&request(Split::Auto, 4, 100, 8), stuck, None);
    assert_eq!(codes(&plan), ["not_seekable"]);
}

#[test]
fn a_probe_is_of_use_only_where_a_warm_up_could_be_pruned() {
    let no_overlap = PlanRequest {
        overlap_decades: 0.0,
        ..request(Split::Segments, 4, 100, 8)
    };
    let stuck = Trainability {
        seekable: false,
        ..ADAM
    };
    for (request, trainability, expected) in [
        (request(Split::Segments, 4, 100, 8), ADAM, true),
        (request(Split::Auto, 4, 100, 8), ADAM, true),
        (request(Split::Auto, 1, 100, 8), ADAM, false),
        (request(Split::Auto, 4, 100, 8), stuck, false),
        (request(Split::Replicas, 4, 100, 8), ADAM, false),
        (request(Split::None, 4, 100, 8), ADAM, false),
        (no_overlap, ADAM, false),
    ] {
        assert_eq!(
            could_use_probe(&request, trainability),
            expected,
            "{request:?}"
        );
    }
}

#[test]
fn a_split_says_its_error_and_bias_and_an_unsplit_sweep_has_none() {
    let whole = planned(&request(Split::Replicas, 4, 100, 8), ADAM, None);
    assert_eq!(
        (whole.expected_error_decades, whole.expected_bias_decades),
        (0.0, 0.0)
    );
    assert_eq!(whole.speed_up_bound, f64::INFINITY);
    let adam = planned(&request(Split::Segments, 4, 300, 8), ADAM, None);
    let sgd = planned(&request(Split::Segments, 4, 300, 8), SGD, None);
    // What an adaptive optimizer's segments start with was measured on its own.
    assert!(sgd.expected_bias_decades > adam.expected_bias_decades);
    assert!(sgd.expected_error_decades > sgd.expected_bias_decades);
    assert!(adam.expected_error_decades > 0.0);
    assert!(sgd.speed_up < sgd.speed_up_bound);
    assert!(
        (6.0..8.01).contains(&sgd.speed_up_bound),
        "about 8 decades over 1: {}",
        sgd.speed_up_bound
    );
}
