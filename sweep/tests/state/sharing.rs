//! Who gets the workers when there are many sweeps, and what a sweep says that it waits for.

use crate::support::worker::Training;
use crate::support::{World, patient, request, training_world, worker_id};
use rangefinder_sweep::event::Happening;
use rangefinder_sweep::ids::SweepId;
use rangefinder_sweep::plan::Split;
use rangefinder_sweep::state::{Event, Options, Report, SweepRequest, WaitingFor, WorkerState};

fn of(owner: &str, priority: i32) -> SweepRequest {
    SweepRequest {
        owner: owner.to_owned(),
        priority,
        ..request(Split::Replicas, None, Some(40), 40)
    }
}

/// How many workers work for each sweep.
fn shares(world: &World, sweeps: &[SweepId]) -> Vec<usize> {
    let busy = |sweep: &SweepId| {
        let views = world.state.workers();
        let at_it = views.iter().filter(
            |view| matches!(&view.state, WorkerState::Busy { sweep: of, .. } if of == sweep),
        );
        at_it.count()
    };
    sweeps.iter().map(busy).collect()
}

/// Brings all sweeps to their tasks, with so many workers.
fn all_training(
    options: Options,
    workers: usize,
    requests: &[SweepRequest],
) -> (World, Vec<SweepId>) {
    let mut world = World::new(options, Training::default());
    let sweeps: Vec<_> = (0..)
        .zip(requests)
        .map(|(number, request)| world.create(&format!("s{number}"), request.clone()))
        .collect();
    for worker in 0..workers {
        world.start_worker(&worker_id(worker));
    }
    while sweeps
        .iter()
        .any(|sweep| world.result(sweep).plan.is_none())
    {
        for worker in 0..workers {
            world.work(worker, 1);
        }
    }
    (world, sweeps)
}

#[test]
fn the_highest_priority_gets_the_idle_workers_first() {
    let mut world = World::new(patient(), Training::default());
    let sweeps = [("low", 0), ("high", 5), ("lowest", -1)];
    let sweeps = sweeps.map(|(name, priority)| world.create(name, of("a", priority)));
    world.start_worker(&worker_id(0));
    assert_eq!(shares(&world, &sweeps), [0, 1, 0]);
    world.start_worker(&worker_id(1));
    assert_eq!(shares(&world, &sweeps), [1, 1, 0]);
}

#[test]
fn owners_share_the_workers_evenly_and_so_do_the_sweeps_of_one_owner() {
    let requests = [of("a", 0), of("a", 0), of("a", 0), of("b", 0)];
    let (mut world, sweeps) = all_training(patient(), 12, &requests);
    // From here on every worker is given work anew.
    for _ in 0..5 {
        for worker in 0..12 {
            if world.workers[&worker_id(worker)].job.is_some() {
                world.work(worker, 10);
            }
        }
    }
    assert_eq!(shares(&world, &sweeps), [2, 2, 2, 6]);
}

#[test]
fn an_owner_holds_no_more_leases_than_the_limit_and_is_told_so() {
    let options = Options {
        max_leases_per_owner: Some(1),
        ..patient()
    };
    let mut world = World::new(options, Training::default());
    let first = world.create("first", of("a", 0));
    let second = world.create("second", of("a", 9));
    world.start_worker(&worker_id(0));
    world.start_worker(&worker_id(1));
    assert_eq!(shares(&world, &[first.clone(), second.clone()]), [0, 1]);
    let waits = world.state.waiting_for(&first);
    assert_eq!(waits, Some(WaitingFor::OwnersLimit { limit: 1 }));
    let other = world.create("other", of("b", 0));
    assert_eq!(shares(&world, &[first, second, other]), [0, 1, 1]);
}

#[test]
fn a_sweep_says_what_it_waits_for() {
    let mut world = World::new(patient(), Training::default());
    let sweep = world.create("s", of("a", 0));
    let waits = |world: &World, sweep: &SweepId| world.state.waiting_for(sweep);
    assert_eq!(waits(&world, &sweep), Some(WaitingFor::NoWorker));
    world.start_worker(&worker_id(0));
    let running = Some(WaitingFor::Nothing { leases: 1 });
    assert_eq!(waits(&world, &sweep), running);
    let other = world.create("other", of("a", 0));
    let busy = Some(WaitingFor::BusyWorkers { workers: 1 });
    assert_eq!(waits(&world, &other), busy);
    world.apply(Event::Cancel {
        sweep: other.clone(),
    });
    assert_eq!(waits(&world, &other), None);
    world.start_worker(&worker_id(1));
    world.kill(&worker_id(0), "signal 9");
    let pause = Some(WaitingFor::Pause {
        ms: world.options.backoff_ms,
    });
    assert_eq!(waits(&world, &sweep), pause);
    world.apply(Event::Drain {
        worker: worker_id(1),
    });
    let unusable = Some(WaitingFor::NoUsableWorker { workers: 1 });
    assert_eq!(waits(&world, &sweep), unusable);
    world.apply(Event::Park);
    assert_eq!(waits(&world, &sweep), Some(WaitingFor::Restart));
}

#[test]
fn workers_are_listed_with_what_they_do() {
    let (mut world, sweep) = training_world(
        patient(),
        Training::default(),
        3,
        request(Split::None, None, None, 40),
    );
    world.work(0, 40);
    let other = world.create("other", request(Split::None, None, None, 40));
    world.start_worker(&worker_id(3));
    world.disconnect(&worker_id(2));
    let token = world.token(0);
    world.say(0, Report::HandBack(token, "full".to_owned()));
    let states: Vec<_> = world.state.workers();
    let described: Vec<_> = states
        .iter()
        .map(|view| match &view.state {
            WorkerState::Busy { sweep, .. } => format!("busy with {sweep}"),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(
        described,
        ["Resting", "Idle", "Disconnected", "Idle"],
        "{sweep} has ended and {other} pauses"
    );
    assert_eq!(states[0].completed, 1);
    assert_eq!(states[0].device, "cpu");
    assert!(states[0].connected && !states[2].connected);
}

#[test]
fn a_worker_is_announced_to_a_sweep_before_its_first_work_of_it_and_to_no_other() {
    let (mut world, sweep) = training_world(
        patient(),
        Training::default(),
        3,
        request(Split::Replicas, None, Some(2), 40),
    );
    let joined = |world: &World, sweep: &SweepId| {
        let of = world.happenings(sweep);
        of.filter(|happening| matches!(happening, Happening::WorkerJoined { .. }))
            .count()
    };
    assert_eq!(joined(&world, &sweep), 2, "the third has no work");
    world.work(0, 100);
    world.work(1, 100);
    assert_eq!(joined(&world, &sweep), 2, "each is announced once");
    let gone = |world: &World, sweep: &SweepId| {
        let of = world.happenings(sweep);
        of.filter(|happening| matches!(happening, Happening::WorkerGone { .. }))
            .count()
    };
    let other = world.create("other", request(Split::None, None, None, 40));
    world.kill(&worker_id(2), "signal 9");
    assert_eq!(gone(&world, &other), 0, "it knew nothing of it");
    world.kill(&worker_id(1), "signal 9");
    world.kill(&worker_id(0), "signal 9");
    assert_eq!(gone(&world, &other), 1, "it worked for it");
    world.apply(Event::Gone {
        worker: worker_id(7),
        incarnation: None,
        cause: "it never came up".to_owned(),
    });
    assert_eq!(gone(&world, &other), 2, "it waits for a worker");
}
