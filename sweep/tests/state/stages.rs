//! Stages: describe, probe, plan, tasks; several sweeps in order.

use crate::support::worker::Training;
use crate::support::{World, request, training_world, worker_id};
use rangefinder_errors::Code;
use rangefinder_sweep::event::{FailureKind, Happening, Outcome, WorkKind};
use rangefinder_sweep::ids::SweepId;
use rangefinder_sweep::plan::Split;
use rangefinder_sweep::state::{Command, Event, Options};

fn granted(world: &World, sweep: &SweepId) -> Vec<WorkKind> {
    world
        .happenings(sweep)
        .filter_map(|happening| match happening {
            Happening::Granted { work, .. } => Some(*work),
            _ => None,
        })
        .collect()
}

#[test]
fn a_range_that_is_cut_is_probed_before_it_is_planned() {
    let request = request(Split::Segments, Some(3), None, 60);
    let (world, sweep) = training_world(Options::default(), Training::default(), 1, request);
    assert_eq!(
        granted(&world, &sweep)[..2],
        [WorkKind::Describe, WorkKind::Probe]
    );
    let result = world.result(&sweep);
    assert!(result.probe.is_some());
    assert!(result.plan.expect("planned").pruned_before > 0);
}

#[test]
fn a_range_that_is_not_cut_is_probed_as_shortly_as_can_be() {
    for (split, steps) in [
        (Split::None, 2),
        (Split::Replicas, 2),
        (Split::Segments, Options::default().probe_steps),
    ] {
        let mut world = World::new(Options::default(), Training::default());
        world.start_worker(&worker_id(0));
        let sweep = world.create(
            "s",
            request(split, (split == Split::Segments).then_some(3), None, 60),
        );
        world.work(0, 1);
        let probe = world
            .commands
            .iter()
            .find_map(|(_, command)| match command {
                Command::Probe { steps, .. } => Some(*steps),
                _ => None,
            });
        assert_eq!(probe, Some(steps), "{split}");
        assert!(world.result(&sweep).plan.is_none());
    }
}

#[test]
fn segments_of_data_that_cannot_be_sought_are_the_users_mistake() {
    let mut training = Training::default();
    training.described.seekable = false;
    let mut world = World::new(Options::default(), training);
    world.start_worker(&worker_id(0));
    let sweep = world.create("s", request(Split::Segments, Some(3), None, 60));
    world.work(0, 1);
    let failure = world.failure(&sweep);
    assert_eq!(failure.kind, FailureKind::User);
    assert_eq!(failure.code, Code::UnseekableData);
    assert_eq!(failure.fields[0].field, "split");
}

#[test]
fn the_oldest_sweep_is_served_first_and_a_second_one_gets_the_idle_workers() {
    let mut world = World::new(Options::default(), Training::default());
    let first = world.create("z", request(Split::Replicas, None, Some(2), 40));
    let second = world.create("a", request(Split::None, None, None, 40));
    world.start_worker(&worker_id(0));
    assert_eq!(granted(&world, &first), [WorkKind::Describe]);
    assert_eq!(granted(&world, &second), []);
    world.start_worker(&worker_id(1));
    assert_eq!(granted(&world, &second), [WorkKind::Describe]);
    for sweep in [&first, &second] {
        world.finish(sweep);
        assert_eq!(world.result(sweep).outcome, Some(Outcome::Completed));
    }
}

#[test]
fn a_sweep_that_is_created_twice_runs_once() {
    let mut world = World::new(Options::default(), Training::default());
    world.start_worker(&worker_id(0));
    let sweep = world.create("s", request(Split::None, None, None, 40));
    world.work(0, 1);
    let before = format!("{:?}", world.result(&sweep));
    let again = Event::Create {
        sweep: sweep.clone(),
        request: Box::new(request(Split::None, None, None, 99)),
    };
    assert_eq!(world.apply(again), []);
    assert_eq!(format!("{:?}", world.result(&sweep)), before);
}

#[test]
fn tasks_come_with_the_learning_rates_of_their_steps_in_the_plans_order() {
    let request = request(Split::Segments, Some(3), None, 60);
    let rates = request.plan.range.learning_rates();
    let (mut world, sweep) = training_world(Options::default(), Training::default(), 1, request);
    world.finish(&sweep);
    let mut order = Vec::new();
    for (_, command) in &world.commands {
        if let Command::Assign {
            task,
            learning_rates,
            ..
        } = command
        {
            let steps = task.warm_up_start as usize..task.end as usize;
            assert_eq!(*learning_rates, rates[steps]);
            order.push(task.id);
        }
    }
    assert_eq!(
        order,
        world.result(&sweep).plan.expect("planned").grant_order()
    );
}

#[test]
fn workers_that_are_there_already_are_shown_to_a_new_sweep() {
    let mut world = World::new(Options::default(), Training::default());
    world.start_worker(&worker_id(0));
    let sweep = world.create("s", request(Split::None, None, None, 40));
    let joined = world
        .happenings(&sweep)
        .any(|happening| matches!(happening, Happening::WorkerJoined { worker, versions, .. } if *worker == worker_id(0) && versions["libtorch"] == "2.0"));
    assert!(joined);
}
