//! What holds for every plan.

use proptest::prelude::*;
use rangefinder_sweep::plan::{PlanRequest, Probe, Split, Trainability, plan};
use rangefinder_sweep::schedule::{Grid, Mode, Range};
use std::collections::BTreeSet;

fn range() -> impl Strategy<Value = Range> {
    let mode = prop_oneof![4 => Just(Mode::Exponential), 1 => Just(Mode::Linear)];
    let grid = prop_oneof![
        Just(Grid::BothEnds),
        Just(Grid::Lightning),
        Just(Grid::UpperOpen),
        Just(Grid::LowerOpen),
    ];
    (mode, grid, -12.0..0.0f64, 0.01..12.0f64, 1u32..400).prop_map(
        |(mode, grid, min, decades, steps)| Range {
            mode,
            grid,
            min_lr: 10f64.powf(min),
            max_lr: 10f64.powf(min + decades),
            steps,
        },
    )
}

fn trainability() -> impl Strategy<Value = Trainability> {
    let beta = prop_oneof![
        Just(None),
        Just(Some(0.0)),
        (-0.5..1.5f64).prop_map(Some),
        Just(Some(f64::NAN))
    ];
    (beta, any::<bool>(), any::<bool>()).prop_map(|(beta, adaptive, replayable)| Trainability {
        beta,
        adaptive,
        seekable: true,
        replayable,
    })
}

fn probe() -> impl Strategy<Value = Option<Probe>> {
    let number =
        || prop_oneof![9 => (-8.0..8.0f64).prop_map(|power| 10f64.powf(power)), 1 => any::<f64>()];
    proptest::option::of(
        (number(), number()).prop_map(|(initial_loss, gradient)| Probe {
            initial_loss,
            gradient_squared: gradient,
            gradient_l1: gradient,
            seconds_per_step: 0.1,
            peak_memory_bytes: 0,
        }),
    )
}

fn plan_request() -> impl Strategy<Value = PlanRequest> {
    let split = prop_oneof![
        Just(Split::Auto),
        Just(Split::None),
        Just(Split::Segments),
        Just(Split::Replicas),
        Just(Split::Hybrid),
    ];
    let count = || proptest::option::of(1u32..12);
    (
        range(),
        split,
        count(),
        count(),
        0.0..3.0f64,
        1u32..20,
        0u32..20,
        0.0..20.0f64,
    )
        .prop_map(
            |(
                range,
                split,
                segments,
                replicas,
                overlap_decades,
                workers,
                updates_per_step,
                largest_lr_ratio,
            )| {
                PlanRequest {
                    range,
                    split,
                    segments: segments.filter(|_| !matches!(split, Split::None | Split::Replicas)),
                    replicas: replicas.filter(|_| !matches!(split, Split::None | Split::Segments)),
                    overlap_decades,
                    workers,
                    updates_per_step,
                    largest_lr_ratio,
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_own_ranges_of_each_replica_tile_the_steps_exactly(
        request in plan_request(), trainability in trainability(), probe in probe(),
    ) {
        let plan = plan(&request, trainability, probe.as_ref()).expect("it can be planned");
        prop_assert_eq!(plan.tasks.len(), (plan.segments * plan.replicas) as usize);
        for replica in 0..plan.replicas {
            let mut next = 0;
            let tasks = plan.tasks.iter().filter(|task| task.replica == replica);
            for (segment, task) in (0..).zip(tasks) {
                prop_assert_eq!((task.segment, task.start), (segment, next));
                prop_assert!(task.end > task.start);
                next = task.end;
            }
            prop_assert_eq!(next, request.range.steps);
        }
        let ids: Vec<usize> = plan.tasks.iter().map(|task| task.id.0 as usize).collect();
        prop_assert_eq!(ids, (0..plan.tasks.len()).collect::<Vec<_>>());
        let order: BTreeSet<_> = plan.grant_order().into_iter().collect();
        prop_assert_eq!(order.len(), plan.tasks.len());
    }

    #[test]
    fn a_warm_up_is_never_longer_than_the_full_one_nor_shorter_than_the_optimizers_memory(
        request in plan_request(), trainability in trainability(), probe in probe(),
    ) {
        let plan = plan(&request, trainability, probe.as_ref()).expect("it can be planned");
        let beta = trainability.beta.filter(|beta| (0.0..1.0).contains(beta)).unwrap_or(0.9);
        let updates = f64::from(request.updates_per_step.max(1));
        let memory = if beta > 0.0 { (1.0 / (1.0 - beta) / updates - 1e-9).ceil() } else { 0.0 };
        for task in plan.tasks.iter().filter(|task| task.segment > 0) {
            let warm_up = f64::from(task.start - task.warm_up_start);
            prop_assert!(warm_up <= f64::from(plan.warm_up_steps));
            prop_assert!(warm_up >= memory.min(f64::from(task.start)));
            if plan.pruned_before == 0 && request.range.mode == Mode::Exponential {
                prop_assert_eq!(warm_up, f64::from(plan.warm_up_steps.min(task.start)));
            }
        }
        for task in plan.tasks.iter().filter(|task| task.segment == 0) {
            prop_assert_eq!(task.warm_up_start, 0);
        }
    }

    #[test]
    fn no_task_is_longer_than_the_sweep_and_auto_never_longer_than_unsplit(
        request in plan_request(), trainability in trainability(), probe in probe(),
    ) {
        let plan = plan(&request, trainability, probe.as_ref()).expect("it can be planned");
        for task in &plan.tasks {
            prop_assert!(task.steps() <= request.range.steps);
        }
        let longest = plan.tasks.iter().map(|task| task.steps()).max().unwrap_or(0);
        prop_assert!(plan.critical_path_steps >= longest.max(plan.total_steps.div_ceil(plan.workers)));
        if plan.tasks.len() <= plan.workers as usize {
            prop_assert!(plan.critical_path_steps <= request.range.steps);
        }
        let alone = plan.replicas.div_ceil(plan.workers) * request.range.steps;
        let warned = plan.warnings.iter().any(|warning| warning.code == "no_speed_up");
        prop_assert!(plan.critical_path_steps <= alone || warned);
        prop_assert!(plan.speed_up <= plan.speed_up_bound + 1e-9);
        let speed_up = f64::from(plan.unsplit_steps) / f64::from(plan.critical_path_steps);
        prop_assert!((plan.speed_up - speed_up).abs() < 1e-12);
    }
}
