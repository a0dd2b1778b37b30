//! Leases: who holds what, and for how long.

use crate::support::worker::Training;
use crate::support::{World, request, told, training_world, worker_id};
use rangefinder_sweep::event::{AttemptOutcome, WorkKind};
use rangefinder_sweep::ids::{Incarnation, LeaseToken, SweepId, TaskId};
use rangefinder_sweep::plan::Split;
use rangefinder_sweep::state::{Command, Event, Halt, Held, Options, Report};

fn unsplit(workers: usize) -> (World, SweepId) {
    let request = request(Split::None, None, None, 40);
    training_world(Options::default(), Training::default(), workers, request)
}

fn beat(world: &mut World, worker: usize, leases: &[(LeaseToken, u64)]) -> Vec<Command> {
    let held = leases.iter().map(|(token, progress)| Held {
        token: *token,
        progress: *progress,
    });
    world.say(worker, Report::Heartbeat(held.collect()))
}

fn superseded(token: LeaseToken) -> Command {
    Command::Stop {
        token,
        reason: Halt::Superseded,
    }
}

fn last_ending(world: &World, sweep: &SweepId) -> AttemptOutcome {
    world.endings(sweep).pop().expect("an attempt ended").1
}

#[test]
fn a_lease_of_which_nothing_is_heard_is_lost_and_its_task_granted_again_under_a_larger_token() {
    let (mut world, sweep) = unsplit(1);
    let first = world.token(0);
    world.work(0, 5);
    world.workers.clear();
    world.advance(world.options.lease_ms - 1);
    assert_eq!(world.endings(&sweep).len(), 2, "only describe and probe");
    world.advance(1);
    assert!(
        matches!(last_ending(&world, &sweep), AttemptOutcome::Lost(cause) if cause.contains("for 15 s"))
    );
    world.start_worker(&worker_id(1));
    world.advance(world.options.backoff_ms);
    assert!(world.token(1) > first);
}

#[test]
fn every_accepted_message_renews_the_lease() {
    let (mut world, sweep) = unsplit(1);
    for _ in 0..10 {
        world.advance(world.options.lease_ms - 1);
        world.work(0, 1);
    }
    assert_eq!(world.result(&sweep).replicas[0].curve.len(), 10);
    let token = world.token(0);
    for progress in 11..20 {
        world.advance(world.options.lease_ms - 1);
        beat(&mut world, 0, &[(token, progress)]);
    }
    assert_eq!(world.endings(&sweep).len(), 2, "only describe and probe");
}

#[test]
fn a_message_in_hand_counts_before_the_time_at_which_it_came() {
    let (mut world, sweep) = unsplit(1);
    let token = world.token(0);
    world.now = world.now.after(10 * world.options.lease_ms);
    beat(&mut world, 0, &[(token, 1)]);
    assert_eq!(world.endings(&sweep).len(), 2, "only describe and probe");
}

#[test]
fn a_worker_that_lives_but_does_no_step_counts_as_hung_after_the_stall_time() {
    let (mut world, sweep) = unsplit(1);
    let token = world.token(0);
    let start = world.now;
    while last_ending(&world, &sweep) == AttemptOutcome::Completed {
        world.now = world.now.after(1_000);
        beat(&mut world, 0, &[(token, 0)]);
    }
    assert_eq!(world.now.since(start), world.options.stall_ms);
    assert!(
        matches!(last_ending(&world, &sweep), AttemptOutcome::Lost(cause) if cause.contains("hangs"))
    );
}

#[test]
fn once_a_workers_pace_is_known_a_hang_is_found_by_it() {
    for (step_ms, patience_ms) in [(10, 10_000), (2_000, 100_050)] {
        let (mut world, sweep) = unsplit(1);
        let token = world.token(0);
        for progress in 1..=5 {
            world.now = world.now.after(step_ms);
            beat(&mut world, 0, &[(token, progress)]);
        }
        let start = world.now;
        while last_ending(&world, &sweep) == AttemptOutcome::Completed {
            world.now = world.now.after(50);
            beat(&mut world, 0, &[(token, 5)]);
        }
        assert_eq!(
            world.now.since(start),
            patience_ms,
            "at {step_ms} ms a step"
        );
    }
}

#[test]
fn a_disconnected_worker_keeps_its_lease_and_goes_on_from_what_was_acknowledged() {
    let (mut world, sweep) = unsplit(2);
    let token = world.token(0);
    world.work(0, 5);
    world.disconnect(&worker_id(0));
    world.train(&worker_id(0), 7);
    world.advance(world.options.lease_ms - 1);
    let before = world.commands.len();
    world.reconnect(&worker_id(0));
    let ack = Command::Ack {
        token,
        next_step: 5,
        finished: false,
    };
    assert_eq!(world.commands[before..], [(worker_id(0), ack)]);
    world.work(0, 0);
    assert_eq!(world.result(&sweep).replicas[0].curve.len(), 12);
    assert_eq!(world.result(&sweep).replicas[0].tasks[0].attempts.len(), 1);
}

#[test]
fn a_disconnected_worker_loses_its_lease_when_it_expires() {
    let (mut world, sweep) = unsplit(2);
    world.disconnect(&worker_id(0));
    world.advance(world.options.lease_ms);
    assert!(matches!(
        last_ending(&world, &sweep),
        AttemptOutcome::Lost(_)
    ));
    world.advance(world.options.backoff_ms);
    assert_eq!(world.task_of(world.token(1)).id, TaskId(0));
}

#[test]
fn a_worker_that_joins_again_without_its_lease_has_lost_it() {
    let (mut world, sweep) = unsplit(1);
    let token = world.token(0);
    beat(&mut world, 0, &[(token, 0)]);
    world.disconnect(&worker_id(0));
    world
        .workers
        .get_mut(&worker_id(0))
        .expect("it is there")
        .job = None;
    world.reconnect(&worker_id(0));
    assert!(matches!(
        last_ending(&world, &sweep),
        AttemptOutcome::Lost(_)
    ));
}

#[test]
fn a_lease_that_was_given_to_another_is_stopped_when_its_old_holder_joins_again() {
    let (mut world, _) = unsplit(2);
    let token = world.token(0);
    world.disconnect(&worker_id(0));
    world.advance(world.options.lease_ms);
    let before = world.commands.len();
    world.reconnect(&worker_id(0));
    assert!(world.commands[before..].contains(&(worker_id(0), superseded(token))));
}

#[test]
fn a_heartbeat_without_the_lease_loses_it_only_when_the_order_must_have_arrived() {
    let (mut world, sweep) = unsplit(1);
    let token = world.token(0);
    beat(&mut world, 0, &[(token, 0)]);
    world.now = world.now.after(2 * world.options.heartbeat_ms - 1);
    assert_eq!(beat(&mut world, 0, &[]), [Command::Desired(vec![token])]);
    world.now = world.now.after(1);
    let answer = beat(&mut world, 0, &[]);
    assert_eq!(answer, [superseded(token), Command::Desired(vec![])]);
    assert!(matches!(
        last_ending(&world, &sweep),
        AttemptOutcome::Lost(_)
    ));
}

#[test]
fn an_order_that_nobody_has_confirmed_is_sent_again_as_long_as_its_lease_lives() {
    let (mut world, sweep) = unsplit(1);
    let token = world.token(0);
    let orders = |commands: &[Command]| {
        let of = |command: &&Command| matches!(command, Command::Assign { token: of, .. } if *of == token);
        commands.iter().filter(of).count()
    };
    let start = world.now;
    let mut sent = 0;
    while world.endings(&sweep).len() == 2 {
        world.now = world.now.after(world.options.heartbeat_ms);
        sent += orders(&beat(&mut world, 0, &[]));
    }
    assert_eq!(sent, 3, "at every second heartbeat");
    let waited_ms = world.now.since(start);
    let lease_ms = world.options.lease_ms;
    assert!((lease_ms..lease_ms + world.options.heartbeat_ms).contains(&waited_ms));
    // Also when it joins again without it.
    let (mut world, sweep) = unsplit(1);
    world.disconnect(&worker_id(0));
    let before = world.commands.len();
    if let Some(worker) = world.workers.get_mut(&worker_id(0)) {
        worker.job = None;
    }
    world.reconnect(&worker_id(0));
    let sent: Vec<_> = world.commands[before..]
        .iter()
        .map(|(_, c)| c.clone())
        .collect();
    assert_eq!(orders(&sent), 1);
    world.finish(&sweep);
    assert_eq!(world.result(&sweep).replicas[0].tasks[0].attempts.len(), 1);
}

#[test]
fn heartbeats_are_answered_with_all_that_should_be_held_and_the_rest_is_stopped() {
    let (mut world, _) = unsplit(1);
    let token = world.token(0);
    let unknown = LeaseToken(1_000);
    let answer = beat(&mut world, 0, &[(token, 3), (unknown, 3)]);
    assert_eq!(answer, [superseded(unknown), Command::Desired(vec![token])]);
}

#[test]
fn nobody_speaks_under_the_lease_of_another() {
    let (mut world, sweep) = unsplit(2);
    let token = world.token(0);
    let answer = world.say(1, Report::HandBack(token, "mine".to_owned()));
    assert_eq!(answer, [superseded(token)]);
    let answer = beat(&mut world, 1, &[(token, 9)]);
    assert_eq!(answer, [superseded(token), Command::Desired(vec![])]);
    assert_eq!(world.endings(&sweep).len(), 2, "only describe and probe");
}

#[test]
fn a_new_process_under_the_same_name_ends_the_leases_of_the_old_one() {
    let (mut world, sweep) = unsplit(1);
    let token = world.token(0);
    let old = world.workers[&worker_id(0)].incarnation;
    world.start_worker(&worker_id(0));
    assert!(matches!(
        last_ending(&world, &sweep),
        AttemptOutcome::Lost(_)
    ));
    world.advance(world.options.backoff_ms);
    assert!(world.token(0) > token);
    // The late words of the old process stop nothing of the new one.
    let actions = world.apply(Event::Report {
        worker: worker_id(0),
        incarnation: old,
        report: Report::Heartbeat(vec![Held { token, progress: 4 }]),
    });
    assert_eq!(told(&actions, &worker_id(0)), [superseded(token)]);
}

#[test]
fn the_end_of_an_old_process_is_none_of_the_new_ones_business() {
    let (mut world, sweep) = unsplit(1);
    let gone = |incarnation| Event::Gone {
        worker: worker_id(0),
        incarnation,
        cause: "exit code 1: no such device".to_owned(),
    };
    world.apply(gone(Some(Incarnation(999))));
    assert_eq!(world.endings(&sweep).len(), 2, "only describe and probe");
    world.apply(gone(None));
    assert!(
        matches!(last_ending(&world, &sweep), AttemptOutcome::Lost(cause) if cause.contains("no such device"))
    );
}

#[test]
fn a_worker_that_hands_work_back_gets_none_for_a_while_and_another_takes_it() {
    let (mut world, sweep) = unsplit(2);
    let token = world.token(0);
    let answer = world.say(0, Report::HandBack(token, "draining".to_owned()));
    assert_eq!(
        answer,
        [Command::Ack {
            token,
            next_step: 0,
            finished: true
        }]
    );
    let preempted = (
        WorkKind::Task(TaskId(0)),
        AttemptOutcome::Preempted("draining".to_owned()),
    );
    assert_eq!(world.endings(&sweep).pop(), Some(preempted));
    world.kill(&worker_id(1), "killed");
    let rested = world.now.after(world.options.lease_ms);
    while world.now < rested {
        assert!(world.workers[&worker_id(0)].job.is_none());
        world.now = world.state.next_deadline().expect("its rest is waited for");
        world.apply(Event::Tick);
    }
    assert_eq!(world.now, rested);
    assert!(world.workers[&worker_id(0)].job.is_some());
}

#[test]
fn a_worker_of_which_nothing_is_heard_gets_no_work_until_it_speaks() {
    let (mut world, sweep) = unsplit(1);
    world
        .workers
        .get_mut(&worker_id(0))
        .expect("it is there")
        .job = None;
    world.now = world.now.after(world.options.lease_ms);
    world.apply(Event::Tick);
    world.advance(world.options.lease_ms);
    assert_eq!(
        world.endings(&sweep).len(),
        3,
        "describe, probe, and the one that was lost"
    );
    beat(&mut world, 0, &[]);
    assert!(world.workers[&worker_id(0)].job.is_some());
}

/// A world whose only worker was just found to hang.
fn hung() -> (World, SweepId) {
    let (mut world, sweep) = unsplit(1);
    let token = world.token(0);
    world.now = world.now.after(world.options.stall_ms);
    beat(&mut world, 0, &[(token, 0)]);
    assert!(
        matches!(last_ending(&world, &sweep), AttemptOutcome::Lost(cause) if cause.contains("hangs"))
    );
    (world, sweep)
}

#[test]
fn a_worker_that_hung_gets_no_work_as_long_as_another_may_take_it() {
    let (mut world, _) = hung();
    world.advance(world.options.backoff_ms);
    assert!(world.workers[&worker_id(0)].job.is_none());
    world.start_worker(&worker_id(1));
    assert!(world.workers[&worker_id(1)].job.is_some());
}

#[test]
fn work_goes_to_the_worker_that_spoilt_least() {
    let (mut world, sweep) = unsplit(2);
    world.disconnect(&worker_id(0));
    world.advance(world.options.lease_ms);
    world.advance(world.options.backoff_ms);
    world.work(1, 100);
    assert!(world.ended(&sweep));
    world.reconnect(&worker_id(0));
    world.create("t", request(Split::None, None, None, 40));
    assert!(world.workers[&worker_id(0)].job.is_none());
    assert!(world.workers[&worker_id(1)].job.is_some());
}

#[test]
fn a_process_that_hung_gets_no_work_until_it_has_had_the_time_to_end() {
    let (mut world, sweep) = hung();
    let rested = world.now.after(world.options.hung_rest_ms);
    while world.now < rested {
        assert!(world.workers[&worker_id(0)].job.is_none());
        beat(&mut world, 0, &[]);
        world.now = world.state.next_deadline().expect("its rest is waited for");
        world.apply(Event::Tick);
    }
    assert_eq!(world.now, rested);
    assert!(world.workers[&worker_id(0)].job.is_some());
    assert!(!world.ended(&sweep));
}

#[test]
fn the_process_that_takes_the_place_of_one_that_hung_gets_its_work_at_once() {
    let (mut world, _) = hung();
    world.advance(1);
    world.kill(&worker_id(0), "its trainer did not come back");
    world.start_worker(&worker_id(0));
    world.advance(world.options.backoff_ms);
    assert!(world.workers[&worker_id(0)].job.is_some());
}

#[test]
fn a_worker_that_could_not_be_heard_does_not_count_as_hung_for_that_time() {
    let (mut world, sweep) = unsplit(1);
    for steps in [15, 15] {
        world.now = world.now.after(100);
        world.work(0, steps);
    }
    // Its pace is known, and nothing that it says arrives for longer than a step may take.
    world.disconnect(&worker_id(0));
    world.advance(world.options.lease_ms - 1);
    world.reconnect(&worker_id(0));
    assert_eq!(world.endings(&sweep).len(), 2, "only describe and probe");
    world.advance(1);
    assert_eq!(world.endings(&sweep).len(), 2, "only describe and probe");
}

#[test]
fn a_worker_whose_results_still_arrive_does_not_hang_though_it_has_no_steps_left() {
    let (mut world, sweep) = unsplit(1);
    let token = world.token(0);
    for progress in [20, 40] {
        world.now = world.now.after(100);
        beat(&mut world, 0, &[(token, progress)]);
    }
    for _ in 0..5 {
        world.now = world.now.after(9_000);
        world.work(0, 1);
        beat(&mut world, 0, &[(token, 40)]);
    }
    assert_eq!(world.endings(&sweep).len(), 2, "only describe and probe");
}

#[test]
fn another_process_of_the_same_name_cannot_speak_under_the_lease() {
    let (mut world, sweep) = unsplit(1);
    let token = world.token(0);
    let actions = world.apply(Event::Report {
        worker: worker_id(0),
        incarnation: Incarnation(999),
        report: Report::HandBack(token, "not mine".to_owned()),
    });
    assert_eq!(told(&actions, &worker_id(0)), [superseded(token)]);
    assert_eq!(world.endings(&sweep).len(), 2, "only describe and probe");
}
