//! A coordinator that runs for months: drains, restarts, outages, and what it forgets.

use crate::support::worker::Training;
use crate::support::{World, patient, request, told, training_world, worker_id};
use rangefinder_sweep::event::{AttemptOutcome, Happening, Outcome};
use rangefinder_sweep::ids::{LeaseToken, SweepId};
use rangefinder_sweep::plan::Split;
use rangefinder_sweep::state::{Command, Event, Held, Options, Report, WaitingFor, WorkerState};

fn two_tasks(options: Options, workers: usize) -> (World, SweepId) {
    let request = request(Split::Replicas, None, Some(2), 40);
    training_world(options, Training::default(), workers, request)
}

fn beat(world: &mut World, worker: usize, token: LeaseToken, progress: u64) {
    world.say(worker, Report::Heartbeat(vec![Held { token, progress }]));
}

fn endings(world: &World, sweep: &SweepId) -> Vec<AttemptOutcome> {
    let endings = world.endings(sweep);
    endings.into_iter().map(|(_, outcome)| outcome).collect()
}

#[test]
fn a_drained_worker_finishes_what_it_has_and_gets_nothing_more() {
    let (mut world, sweep) = two_tasks(patient(), 1);
    let worker = worker_id(0);
    let drain = Event::Drain {
        worker: worker.clone(),
    };
    let actions = world.apply(drain);
    assert_eq!(told(&actions, &worker), [Command::Drain]);
    assert_eq!(world.state.workers()[0].state, WorkerState::Draining);
    world.work(0, 100);
    assert_eq!(
        endings(&world, &sweep).last(),
        Some(&AttemptOutcome::Completed)
    );
    world.advance(10_000);
    assert!(world.workers[&worker].job.is_none());
    // It may not have heard; told again, it is told once more.
    world.disconnect(&worker);
    let before = world.commands.len();
    world.reconnect(&worker);
    assert_eq!(world.commands[before..], [(worker.clone(), Command::Drain)]);
    // The process that takes its place works on.
    world.start_worker(&worker);
    world.finish(&sweep);
    assert_eq!(world.result(&sweep).outcome, Some(Outcome::Completed));
}

#[test]
fn a_parked_coordinator_grants_nothing_fails_nothing_and_keeps_its_leases() {
    let (mut world, sweep) = two_tasks(Options::default(), 1);
    world.work(0, 5);
    world.apply(Event::Park);
    world.work(0, 5);
    assert_eq!(world.result(&sweep).replicas[0].curve.len(), 10);
    world.work(0, 100);
    assert!(world.workers[&worker_id(0)].job.is_none());
    world.kill(&worker_id(0), "it left too");
    world.advance(10 * world.options.no_worker_ms);
    assert!(!world.ended(&sweep));
    world.restart();
    world.finish_with_new_worker(&sweep);
}

#[test]
fn a_coordinator_that_was_held_up_gives_every_lease_its_time_anew() {
    let (mut world, sweep) = two_tasks(patient(), 2);
    let lease_ms = world.options.lease_ms;
    world.now = world.now.after(100 * lease_ms);
    world.apply(Event::Resumed);
    world.advance(lease_ms - 1);
    assert!(
        endings(&world, &sweep)
            .iter()
            .all(|e| *e == AttemptOutcome::Completed)
    );
    world.advance(1);
    let lost = endings(&world, &sweep);
    let lost = lost.iter().filter(|e| matches!(e, AttemptOutcome::Lost(_)));
    assert_eq!(lost.count(), 2);
}

#[test]
fn while_nothing_can_be_kept_nothing_is_granted_or_given_up() {
    let (mut world, sweep) = two_tasks(Options::default(), 1);
    let other = world.create("other", request(Split::None, None, None, 40));
    world.apply(Event::Suspended);
    world.advance(world.options.no_worker_ms * 2);
    world.start_worker(&worker_id(1));
    world.advance(1);
    assert_eq!(world.state.leases().len(), 1);
    assert_eq!(world.state.waiting_for(&other), Some(WaitingFor::Store));
    world.apply(Event::Resumed);
    assert_eq!(world.state.leases().len(), 2);
    world.finish(&sweep);
    world.finish(&other);
    for sweep in [sweep, other] {
        assert_eq!(world.result(&sweep).outcome, Some(Outcome::Completed));
    }
}

#[test]
fn what_was_not_heard_in_an_outage_does_not_count_as_hanging_either() {
    let (mut world, sweep) = two_tasks(patient(), 2);
    let token = world.token(0);
    for progress in 1..=5 {
        world.now = world.now.after(100);
        beat(&mut world, 0, token, progress);
    }
    world.now = world.now.after(100_000);
    world.apply(Event::Resumed);
    beat(&mut world, 0, token, 5);
    assert!(
        endings(&world, &sweep)
            .iter()
            .all(|e| *e == AttemptOutcome::Completed)
    );
}

#[test]
fn a_sweep_without_workers_waits_anew_after_an_outage() {
    let mut world = World::new(Options::default(), Training::default());
    let sweep = world.create("s", request(Split::None, None, None, 40));
    world.now = world.now.after(world.options.no_worker_ms);
    world.apply(Event::Resumed);
    world.advance(world.options.no_worker_ms - 1);
    assert!(!world.ended(&sweep));
    world.advance(1);
    assert!(world.ended(&sweep));
}

#[test]
fn only_a_sweep_that_has_ended_can_be_forgotten() {
    let (mut world, sweep) = two_tasks(patient(), 1);
    let forget = Event::Forget {
        sweep: sweep.clone(),
    };
    world.apply(forget.clone());
    assert!(world.state.result(&sweep).is_some());
    world.finish(&sweep);
    let last = world.state.last_token();
    world.forget(&sweep);
    assert!(world.state.result(&sweep).is_none());
    // Leases go on above those of the sweep that nobody knows any more, also after a restart.
    world.restart();
    let next = world.create("next", request(Split::None, None, None, 40));
    world.reconnect(&worker_id(0));
    assert!(world.token(0) > last);
    world.finish(&next);
}

#[test]
fn a_worker_that_is_away_for_long_is_forgotten_and_those_who_knew_it_are_told() {
    let (mut world, sweep) = two_tasks(patient(), 2);
    let token = world.token(1);
    world.say(1, Report::HandBack(token, "full".to_owned()));
    world.disconnect(&worker_id(1));
    world.workers.remove(&worker_id(1));
    let since = world.now;
    let end = since.after(world.options.forget_worker_ms);
    while world.now < end {
        assert_eq!(world.state.workers().len(), 2);
        world.now = world.now.after(10_000).min(end);
        world.heartbeat(&worker_id(0));
        world.deliver();
        world.apply(Event::Tick);
    }
    assert_eq!(world.state.workers().len(), 1);
    let gone = world.happenings(&sweep).filter(|happening| {
        matches!(happening, Happening::WorkerGone { worker, .. } if *worker == worker_id(1))
    });
    assert_eq!(gone.count(), 1);
}

#[test]
fn of_very_many_workers_that_left_only_the_last_ones_are_remembered() {
    let mut world = World::new(patient(), Training::default());
    for number in 0..4_200 {
        world.now = world.now.after(1);
        world.start_worker(&worker_id(number));
        world.disconnect(&worker_id(number));
    }
    let known = world.state.workers();
    assert_eq!(known.len(), 4_096);
    assert!(known.iter().all(|view| view.worker != worker_id(0)));
    assert!(known.iter().any(|view| view.worker == worker_id(4_199)));
}

#[test]
fn how_long_a_process_took_to_its_first_step_counts_for_its_next_task() {
    let start_ms = 3_000;
    for (same_process, patience_ms) in [(true, 10 * start_ms), (false, 300_000)] {
        let (mut world, sweep) = two_tasks(patient(), 1);
        let token = world.token(0);
        world.now = world.now.after(start_ms);
        beat(&mut world, 0, token, 1);
        world.work(0, 100);
        if !same_process {
            world.start_worker(&worker_id(0));
            world.advance(world.options.backoff_ms);
        }
        let token = world.token(0);
        let start = world.now;
        let attempts = world.endings(&sweep).len();
        while world.endings(&sweep).len() == attempts {
            world.now = world.now.after(500);
            beat(&mut world, 0, token, 0);
        }
        assert_eq!(world.now.since(start), patience_ms);
    }
}
