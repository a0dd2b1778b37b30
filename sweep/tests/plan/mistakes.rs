//! Requests that cannot be planned: each names its field and what to do.

use crate::support::{ADAM, falls_at, request};
use rangefinder_errors::Code;
use rangefinder_sweep::plan::{PlanRequest, Split, Trainability, plan};

#[test]
fn every_mistake_names_its_field() {
    let good = || request(Split::Segments, 4, 100, 8);
    let with_range = |change: fn(&mut PlanRequest)| {
        let mut request = good();
        change(&mut request);
        request
    };
    for (request, field, code) in [
        (
            PlanRequest {
                workers: 0,
                ..good()
            },
            "workers",
            Code::OutOfRange,
        ),
        (
            PlanRequest {
                overlap_decades: -1.0,
                ..good()
            },
            "overlap",
            Code::OutOfRange,
        ),
        (
            PlanRequest {
                overlap_decades: f64::NAN,
                ..good()
            },
            "overlap",
            Code::OutOfRange,
        ),
        (
            PlanRequest {
                segments: Some(0),
                ..good()
            },
            "segments",
            Code::OutOfRange,
        ),
        (
            PlanRequest {
                segments: Some(1_000_000),
                ..good()
            },
            "segments",
            Code::OutOfRange,
        ),
        (
            PlanRequest {
                replicas: Some(2),
                ..good()
            },
            "replicas",
            Code::DoesNotApply,
        ),
        (
            PlanRequest {
                split: Split::None,
                segments: Some(2),
                ..good()
            },
            "segments",
            Code::DoesNotApply,
        ),
        (
            PlanRequest {
                split: Split::Replicas,
                segments: Some(2),
                ..good()
            },
            "segments",
            Code::DoesNotApply,
        ),
        (
            PlanRequest {
                split: Split::Replicas,
                replicas: Some(0),
                ..good()
            },
            "replicas",
            Code::OutOfRange,
        ),
        (
            PlanRequest {
                split: Split::Replicas,
                replicas: Some(u32::MAX),
                ..good()
            },
            "replicas",
            Code::TooMuchWork,
        ),
        (
            PlanRequest {
                replicas: Some(10_000),
                split: Split::Replicas,
                ..with_range(|request| request.range.steps = 1_000_000)
            },
            "replicas",
            Code::TooMuchWork,
        ),
        (
            with_range(|request| request.range.steps = 0),
            "num_training",
            Code::OutOfRange,
        ),
        (
            with_range(|request| request.range.steps = u32::MAX),
            "num_training",
            Code::OutOfRange,
        ),
        (
            with_range(|request| request.range.min_lr = 2.0),
            "min_lr",
            Code::EmptyRange,
        ),
        (
            with_range(|request| request.range.min_lr = f64::NAN),
            "min_lr",
            Code::EmptyRange,
        ),
    ] {
        let error = plan(&request, ADAM, None).expect_err("it is a mistake");
        assert_eq!(
            (error.field.as_str(), error.code),
            (field, code),
            "{error:?}"
        );
        assert!(!error.message.is_empty() && !error.remedy.is_empty());
    }
}

#[test]
fn segments_that_were_asked_for_need_data_that_can_be_sought() {
    let stuck = Trainability {
        seekable: false,
        ..ADAM
    };
    let asked = PlanRequest {
        segments: Some(3),
        ..request(Split::Auto, 4, 100, 8)
    };
    for request in [
        request(Split::Segments, 4, 100, 8),
        request(Split::Hybrid, 4, 100, 8),
        asked,
    ] {
        let error = plan(&request, stuck, None).expect_err("it cannot be cut");
        assert_eq!(
            (error.code, error.field.as_str()),
            (Code::UnseekableData, "split")
        );
        assert!(error.message.contains("seek"));
    }
}

#[test]
fn the_largest_requests_are_planned_without_delay() {
    let request = PlanRequest {
        segments: Some(1_000),
        overlap_decades: 0.01,
        ..request(Split::Segments, 1_000, 1_000_000, 8)
    };
    let start = std::time::Instant::now();
    let plan = plan(&request, ADAM, Some(&falls_at(1e-6))).expect("it can be planned");
    assert!(plan.segments > 100);
    assert!(
        start.elapsed().as_secs() < 20,
        "it took {:?}",
        start.elapsed()
    );
}
