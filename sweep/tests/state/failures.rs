//! Failures: what is tried again, how often, and what a sweep that fails says.

use crate::support::worker::Training;
use crate::support::{World, request, training_world, worker_failure, worker_id};
use rangefinder_errors::Code;
use rangefinder_sweep::event::{AttemptOutcome, Failure, FailureKind, Happening, Outcome};
use rangefinder_sweep::ids::SweepId;
use rangefinder_sweep::plan::Split;
use rangefinder_sweep::state::{Command, Event, Halt, Options, Report};

fn world_with(workers: usize, split: Split, replicas: Option<u32>) -> (World, SweepId) {
    let request = request(split, None, replicas, 40);
    training_world(Options::default(), Training::default(), workers, request)
}

fn fail(world: &mut World, worker: usize, failure: Failure) -> Vec<Command> {
    let token = world.token(worker);
    world.say(worker, Report::Failed(token, failure))
}

#[test]
fn a_task_that_fails_three_times_on_the_only_worker_fails_the_sweep_with_its_message() {
    let (mut world, sweep) = world_with(1, Split::None, None);
    for attempt in 1..=3 {
        assert!(!world.ended(&sweep));
        fail(
            &mut world,
            0,
            worker_failure(&format!("spoon number {attempt} is bent")),
        );
    }
    let failure = world.failure(&sweep);
    assert!(
        failure.message.starts_with("spoon number 3 is bent"),
        "{}",
        failure.message
    );
    assert!(failure.message.contains("3 times"), "{}", failure.message);
}

#[test]
fn a_task_that_fails_on_two_workers_is_at_fault_itself() {
    let (mut world, sweep) = world_with(2, Split::None, None);
    fail(&mut world, 0, worker_failure("bent"));
    assert!(!world.ended(&sweep));
    fail(&mut world, 1, worker_failure("bent"));
    assert!(world.failure(&sweep).message.contains("on 2 workers"));
}

#[test]
fn a_users_mistake_and_a_lack_of_memory_are_never_tried_again() {
    for kind in [FailureKind::User, FailureKind::OutOfMemory] {
        let (mut world, sweep) = world_with(2, Split::Replicas, Some(2));
        let other = world.token(1);
        let failure = Failure {
            kind,
            ..worker_failure("batch size 4096 does not fit: use 2048")
        };
        fail(&mut world, 0, failure.clone());
        assert_eq!(world.failure(&sweep), failure);
        let stop = Command::Stop {
            token: other,
            reason: Halt::Failed,
        };
        assert!(world.commands.contains(&(worker_id(1), stop)));
    }
}

#[test]
fn an_accepted_failure_is_acknowledged_and_again_when_repeated() {
    let (mut world, _) = world_with(1, Split::None, None);
    let token = world.token(0);
    let accepted = Command::Ack {
        token,
        next_step: 0,
        finished: true,
    };
    assert_eq!(fail(&mut world, 0, worker_failure("bent"))[0], accepted);
    let again = world.say(0, Report::Failed(token, worker_failure("bent")));
    assert_eq!(again, [accepted]);
}

#[test]
fn a_worker_that_fails_what_another_completes_is_set_aside_and_the_sweep_completes() {
    let (mut world, sweep) = world_with(2, Split::Replicas, Some(4));
    while !world.ended(&sweep) {
        if world.workers[&worker_id(0)].job.is_some() {
            fail(&mut world, 0, worker_failure("broken fan"));
        }
        world.work(1, 100);
        world.advance(100);
    }
    assert_eq!(world.result(&sweep).outcome, Some(Outcome::Completed));
    let set_aside: Vec<_> = world
        .happenings(&sweep)
        .filter_map(|happening| match happening {
            Happening::WorkerSetAside { worker, reason, .. } => {
                Some((worker.clone(), reason.clone()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(set_aside.len(), 1);
    assert_eq!(set_aside[0].0, worker_id(0));
    assert!(set_aside[0].1.contains("failed 1"), "{}", set_aside[0].1);
}

#[test]
fn a_task_that_failed_goes_to_another_worker_if_there_is_one() {
    let (mut world, _) = world_with(2, Split::None, None);
    fail(&mut world, 0, worker_failure("bent"));
    assert!(world.workers[&worker_id(0)].job.is_none());
    assert!(world.workers[&worker_id(1)].job.is_some());
}

/// Trains a few steps on a fresh worker and kills it.
fn lose(world: &mut World, steps: u32) {
    world.reconnect(&worker_id(0));
    while world.workers[&worker_id(0)].job.is_none() {
        world.advance(10);
    }
    world.work(0, steps);
    world.kill(&worker_id(0), "signal 9");
}

#[test]
fn three_losses_in_a_row_without_progress_fail_the_sweep_and_say_why() {
    let (mut world, sweep) = world_with(1, Split::None, None);
    lose(&mut world, 5);
    for _ in 0..3 {
        assert!(!world.ended(&sweep));
        lose(&mut world, 5);
    }
    let failure = world.failure(&sweep);
    assert_eq!(failure.code, Code::WorkLost);
    let message = failure.message;
    assert!(
        message.contains("3 times in a row") && message.contains("signal 9"),
        "{message}"
    );
}

#[test]
fn as_long_as_some_attempt_gets_further_a_sweep_survives_any_number_of_losses() {
    let (mut world, sweep) = world_with(1, Split::None, None);
    for steps in 1..=30 {
        lose(&mut world, steps);
        lose(&mut world, 0);
        assert!(!world.ended(&sweep));
    }
    world.reconnect(&worker_id(0));
    world.finish(&sweep);
    assert_eq!(world.result(&sweep).outcome, Some(Outcome::Completed));
}

#[test]
fn any_number_of_workers_may_hand_a_task_back_on_their_way_out() {
    let (mut world, sweep) = world_with(1, Split::None, None);
    for _ in 0..10 {
        let token = world.token(0);
        world.say(0, Report::HandBack(token, "preempted".to_owned()));
        world.kill(&worker_id(0), "it left");
        world.start_worker(&worker_id(0));
        world.advance(world.options.backoff_ms);
    }
    world.finish(&sweep);
    assert_eq!(world.result(&sweep).outcome, Some(Outcome::Completed));
}

#[test]
fn a_process_that_hands_the_same_task_back_again_and_again_ends_the_sweep() {
    let (mut world, sweep) = world_with(1, Split::None, None);
    for _ in 0..4 {
        assert!(!world.ended(&sweep));
        let token = world.token(0);
        world.say(0, Report::HandBack(token, "not today".to_owned()));
        world.advance(world.options.lease_ms);
    }
    let message = world.failure(&sweep).message;
    assert!(message.contains("handed back 3 times") && message.contains("not today"));
}

#[test]
fn the_pause_before_the_next_attempt_doubles() {
    let options = Options {
        max_lost: 10,
        ..Options::default()
    };
    let request = request(Split::None, None, None, 40);
    let (mut world, _) = training_world(options, Training::default(), 1, request);
    let mut pauses = Vec::new();
    for _ in 0..4 {
        world.kill(&worker_id(0), "signal 9");
        world.start_worker(&worker_id(0));
        let start = world.now;
        while world.workers[&worker_id(0)].job.is_none() {
            world.now = world
                .state
                .next_deadline()
                .expect("the pause is waited for");
            world.apply(Event::Tick);
        }
        pauses.push(world.now.since(start));
    }
    assert_eq!(pauses, [100, 200, 400, 800]);
}

#[test]
fn a_sweep_without_a_worker_says_that_it_waits_and_fails_at_the_stated_time() {
    // However patient it is, whoever watches hears of it within a minute.
    for (no_worker_ms, told_within_ms) in [(120_000, 12_000), (86_400_000, 60_000)] {
        let options = Options {
            no_worker_ms,
            ..Options::default()
        };
        let mut world = World::new(options, Training::default());
        let sweep = world.create("s", request(Split::None, None, None, 40));
        world.wait_until_ended(&sweep);
        assert_eq!(world.now.0, no_worker_ms);
        assert_eq!(world.failure(&sweep).kind, FailureKind::Worker);
        let waited = world
            .events
            .iter()
            .find(|event| matches!(event.happening, Happening::Waiting { .. }))
            .expect("it says that it waits");
        assert!(waited.at_ms <= told_within_ms, "{}", waited.at_ms);
    }
}

#[test]
fn a_worker_that_comes_in_time_ends_the_wait() {
    let mut world = World::new(Options::default(), Training::default());
    let sweep = world.create("s", request(Split::None, None, None, 40));
    world.advance(world.options.no_worker_ms - 1);
    world.start_worker(&worker_id(0));
    world.finish(&sweep);
    assert_eq!(world.result(&sweep).outcome, Some(Outcome::Completed));
}

#[test]
fn when_no_worker_will_come_the_sweep_fails_at_once_and_says_why() {
    let mut world = World::new(Options::default(), Training::default());
    let sweep = world.create("s", request(Split::None, None, None, 40));
    world.apply(Event::NoMoreWorkers {
        cause: "libtorch is missing".to_owned(),
    });
    let failure = world.failure(&sweep);
    assert_eq!(failure.code, Code::NoWorkers);
    assert!(failure.message.contains("libtorch is missing"));
}

#[test]
fn when_no_worker_is_left_the_message_of_the_one_that_failed_leads() {
    let (mut world, sweep) = world_with(1, Split::None, None);
    fail(&mut world, 0, worker_failure("the dataset is on fire"));
    world.apply(Event::NoMoreWorkers {
        cause: "all have exited".to_owned(),
    });
    assert!(!world.ended(&sweep), "one is still there");
    world.kill(&worker_id(0), "exit code 1");
    let message = world.failure(&sweep).message;
    assert!(message.starts_with("the dataset is on fire"), "{message}");
    assert!(message.contains("all have exited"), "{message}");
}

#[test]
fn a_broken_probe_or_description_fails_with_the_workers_message_too() {
    let mut world = World::new(Options::default(), Training::default());
    world.start_worker(&worker_id(0));
    let sweep = world.create("s", request(Split::Segments, Some(3), None, 60));
    for _ in 0..3 {
        fail(&mut world, 0, worker_failure("cannot read"));
    }
    let message = world.failure(&sweep).message;
    assert!(
        message.starts_with("cannot read") && message.contains("loading model and data"),
        "{message}"
    );
    let counted = world.endings(&sweep).len();
    assert_eq!(counted, 3);
    assert!(matches!(
        world.endings(&sweep)[0].1,
        AttemptOutcome::Failed(_)
    ));
}
