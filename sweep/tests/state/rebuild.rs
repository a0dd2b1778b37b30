//! A coordinator that starts again from its log.

use crate::support::worker::Training;
use crate::support::{
    World, patient, request, through_json, training_world, worker_failure, worker_id,
};
use proptest::prelude::*;
use rangefinder_sweep::event::{
    AttemptOutcome, Happening, Observation, Outcome, SweepEvent, WorkKind,
};
use rangefinder_sweep::ids::{Incarnation, LeaseToken, SweepId, TaskId, WorkerId};
use rangefinder_sweep::plan::Split;
use rangefinder_sweep::state::{
    Action, Command, Event, Logged, Options, Problem, RebuildError, Report, State, SweepRequest,
    Time, WorkerState,
};

fn unsplit(workers: usize) -> (World, SweepId) {
    let request = request(Split::None, None, None, 40);
    training_world(patient(), Training::default(), workers, request)
}

fn attempts(world: &World, sweep: &SweepId) -> usize {
    world.result(sweep).replicas[0].tasks[0].attempts.len()
}

#[test]
fn a_lease_stays_its_holders_who_goes_on_from_what_was_acknowledged() {
    let (mut world, sweep) = unsplit(1);
    let token = world.token(0);
    world.work(0, 5);
    world.restart();
    assert!(world.state.workers().iter().all(|view| !view.connected));
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
    world.finish(&sweep);
    assert_eq!(attempts(&world, &sweep), 1);
}

#[test]
fn a_holder_that_does_not_come_within_a_lease_has_lost_it() {
    let (mut world, sweep) = unsplit(1);
    world.work(0, 5);
    world.now = world.now.after(world.options.lease_ms - 1);
    world.restart();
    world.workers.clear();
    world.advance(world.options.lease_ms - 1);
    assert_eq!(world.state.leases().len(), 1);
    world.advance(1);
    assert!(world.state.leases().is_empty());
    world.finish_with_new_worker(&sweep);
    assert_eq!(attempts(&world, &sweep), 2);
}

#[test]
fn a_holder_that_reported_losses_and_dropped_its_lease_is_not_told_to_begin_again() {
    // On a GPU it would bring other losses, under the same lease.
    let (mut world, sweep) = unsplit(1);
    world.work(0, 5);
    world.restart();
    if let Some(worker) = world.workers.get_mut(&worker_id(0)) {
        worker.job = None;
    }
    world.reconnect(&worker_id(0));
    let (_, ending) = world.endings(&sweep).pop().expect("it has ended");
    assert!(matches!(ending, AttemptOutcome::Lost(cause) if cause.contains("without it")));
}

#[test]
fn another_process_under_the_name_of_a_holder_has_no_claim_to_its_lease() {
    let (mut world, sweep) = unsplit(1);
    let token = world.token(0);
    world.restart();
    world.start_worker(&worker_id(0));
    let (_, ending) = world.endings(&sweep).pop().expect("it has ended");
    assert!(matches!(ending, AttemptOutcome::Lost(cause) if cause.contains("another process")));
    let told = world.say(0, Report::Observations(token, Vec::new()));
    assert!(matches!(told[..], [Command::Stop { .. }]));
}

#[test]
fn a_sweep_without_workers_waits_anew_after_a_restart() {
    let mut world = World::new(Options::default(), Training::default());
    let sweep = world.create("s", request(Split::None, None, None, 40));
    world.advance(world.options.no_worker_ms - 1);
    world.restart();
    world.advance(world.options.no_worker_ms - 1);
    assert!(!world.ended(&sweep));
    world.wait_until_ended(&sweep);
}

#[test]
fn a_worker_that_was_set_aside_stays_so_over_a_restart_until_its_process_ends() {
    let request = request(Split::Replicas, None, Some(4), 40);
    let (mut world, _) = training_world(patient(), Training::default(), 2, request);
    let token = world.token(0);
    world.say(0, Report::Failed(token, worker_failure("broken fan")));
    world.work(1, 100);
    world.work(1, 100);
    let aside = |world: &World| {
        let views = world.state.workers();
        let mut views = views.into_iter();
        views.any(|v| v.worker == worker_id(0) && matches!(v.state, WorkerState::SetAside(_)))
    };
    while !aside(&world) {
        world.work(1, 100);
    }
    world.restart();
    world.reconnect(&worker_id(0));
    assert!(aside(&world));
    world.start_worker(&worker_id(0));
    assert!(!aside(&world));
}

#[test]
fn attempts_that_failed_still_count_after_a_restart() {
    let request = request(Split::None, None, None, 40);
    let (mut world, sweep) = training_world(Options::default(), Training::default(), 1, request);
    for _ in 0..3 {
        assert!(!world.ended(&sweep));
        world.restart();
        world.reconnect(&worker_id(0));
        let token = world.token(0);
        world.say(0, Report::Failed(token, worker_failure("bent")));
    }
    assert!(world.failure(&sweep).message.contains("failed 3 times"));
}

#[test]
fn the_clock_goes_on_where_it_was_though_the_computers_was_set_back() {
    let (mut world, _) = unsplit(1);
    world.advance(5_000);
    world.work(0, 1);
    let state = State::rebuild(patient(), Time(0), LeaseToken(0), world.logged()).expect("sound");
    assert_eq!(state.now(), world.now);
    assert_eq!(state.last_token(), world.state.last_token());
}

#[test]
fn after_each_event_the_log_so_far_gives_a_state() {
    let request = request(Split::Segments, Some(3), None, 60);
    let (mut world, sweep) = training_world(patient(), Training::default(), 2, request.clone());
    world.kill(&worker_id(0), "signal 9");
    world.finish(&sweep);
    let mut log = Logged {
        sweep: sweep.clone(),
        request,
        events: Vec::new(),
    };
    for actions in &world.actions {
        log.events
            .extend(actions.iter().filter_map(|action| match action {
                Action::Publish(event) => Some(event.clone()),
                Action::Send { .. } => None,
            }));
        if !log.events.is_empty() {
            let state = State::rebuild(patient(), Time(0), LeaseToken(0), [log.clone()]);
            assert!(state.is_ok(), "{state:?}");
        }
    }
}

/// The log of a sweep that has ended.
fn whole_log() -> Logged {
    let (mut world, sweep) = unsplit(1);
    world.finish(&sweep);
    assert_eq!(world.result(&sweep).outcome, Some(Outcome::Completed));
    world.logged().remove(0)
}

fn refused(log: Logged) -> RebuildError {
    State::rebuild(patient(), Time(0), LeaseToken(0), [log]).expect_err("it cannot have happened")
}

fn renumber(log: &mut Logged) {
    for (number, event) in (1..).zip(&mut log.events) {
        event.number = number;
    }
}

#[test]
fn a_log_with_a_gap_is_refused_with_the_sweep_and_the_number() {
    let whole = whole_log();
    for missing in 0..whole.events.len() - 1 {
        let mut log = whole.clone();
        log.events.remove(missing);
        let error = refused(log);
        assert_eq!(
            (error.sweep.0.as_str(), error.number),
            ("s", missing as u64 + 1)
        );
        assert!(matches!(error.problem, Problem::OutOfPlace { .. }));
    }
    let mut of_another = whole.clone();
    of_another.events[3].sweep = SweepId("other".to_owned());
    let message = refused(of_another).to_string();
    assert!(
        message.contains("log of sweep s") && message.contains("of sweep other"),
        "{message}"
    );
}

/// The first event of which `which` holds.
fn place(log: &Logged, which: impl Fn(&Happening) -> bool) -> usize {
    let mut events = log.events.iter();
    events
        .position(|event| which(&event.happening))
        .expect("there is one")
}

#[test]
fn what_cannot_have_happened_is_refused_with_its_number() {
    let whole = whole_log();
    let granted = place(&whole, |h| matches!(h, Happening::Granted { .. }));
    let observed = place(&whole, |h| matches!(h, Happening::Observed { .. }));
    let described = place(&whole, |h| matches!(h, Happening::Described { .. }));
    let planned = place(&whole, |h| matches!(h, Happening::Planned { .. }));
    let stopped = place(&whole, |h| matches!(h, Happening::Stopped { .. }));
    let twice = |at: usize| {
        let mut log = whole.clone();
        log.events.insert(at, log.events[at].clone());
        renumber(&mut log);
        (log, at + 2)
    };
    let without = |at: usize, fails_at: usize| {
        let mut log = whole.clone();
        log.events.remove(at);
        renumber(&mut log);
        (log, fails_at)
    };
    let mut other_end = whole.clone();
    if let Happening::Stopped { step, .. } = &mut other_end.events[stopped].happening {
        *step = Some(3);
    }
    let mut other_loss = whole.clone();
    if let Happening::Observed { observations, .. } = &mut other_loss.events[observed].happening {
        observations[0].loss = f64::NAN;
    }
    let mut other_plan = whole.clone();
    if let Happening::Planned { plan } = &mut other_plan.events[planned].happening {
        plan.replicas = u32::MAX;
    }
    let after_the_end = whole.events.len() + 1;
    let mut longer = whole.clone();
    longer.events.push(SweepEvent {
        number: after_the_end as u64,
        ..whole.events[described].clone()
    });
    let cases = [
        twice(0),
        twice(granted),
        twice(observed),
        twice(described),
        twice(stopped),
        without(0, 1),
        without(granted, granted + 1),
        without(described, described + 2),
        (other_end, stopped + 1),
        (other_loss, stopped + 1),
        (other_plan, planned + 1),
        (longer, after_the_end),
    ];
    for (case, (log, number)) in cases.into_iter().enumerate() {
        let error = refused(log);
        assert!(
            matches!(error.problem, Problem::Impossible(_)),
            "{case}: {error}"
        );
        // A loss that ends the curve shows in what follows.
        assert!(
            error.number <= number as u64,
            "{case}: {error} instead of {number}"
        );
    }
}

#[test]
fn a_log_that_ends_within_what_belongs_together_is_refused() {
    let whole = whole_log();
    let ends = [
        place(&whole, |h| {
            matches!(
                h,
                Happening::AttemptEnded {
                    work: WorkKind::Describe,
                    ..
                }
            )
        }),
        place(&whole, |h| {
            matches!(
                h,
                Happening::AttemptEnded {
                    work: WorkKind::Probe,
                    ..
                }
            )
        }),
        place(&whole, |h| matches!(h, Happening::Probed { .. })),
        place(&whole, |h| matches!(h, Happening::Stopped { .. })),
    ];
    for end in ends {
        let mut log = whole.clone();
        log.events.truncate(end + 1);
        let error = refused(log);
        assert!(matches!(error.problem, Problem::Torn(_)), "{error}");
        assert_eq!(error.number, end as u64 + 2);
    }
    let mut empty = whole;
    empty.events.clear();
    assert!(matches!(refused(empty).problem, Problem::Torn(_)));
}

#[test]
fn two_sweeps_with_the_same_lease_are_refused() {
    let (mut world, _) = unsplit(1);
    world.work(0, 3);
    let one = world.logged().remove(0);
    let mut other = one.clone();
    other.sweep = SweepId("t".to_owned());
    for event in &mut other.events {
        event.sweep = other.sweep.clone();
    }
    let rebuilt = State::rebuild(patient(), Time(0), LeaseToken(0), [one.clone(), other]);
    assert!(matches!(
        rebuilt.expect_err("twice").problem,
        Problem::HeldTwice(_)
    ));
    let again = State::rebuild(patient(), Time(0), LeaseToken(0), [one.clone(), one]);
    assert!(matches!(
        again.expect_err("twice").problem,
        Problem::Impossible(_)
    ));
}

#[test]
fn a_nan_of_any_kind_is_the_same_after_a_restart() {
    let (mut world, sweep) = unsplit(1);
    let token = world.token(0);
    let lr = world.result(&sweep).plan.map(|_| 1e-8).expect("planned");
    let negative_nan = f64::from_bits(0xfff8_0000_0000_1234);
    world.say(
        0,
        Report::Observations(
            token,
            vec![Observation {
                step: 0,
                lr,
                loss: negative_nan,
                samples: 1,
            }],
        ),
    );
    let live = world.result(&sweep).replicas[0].curve.clone();
    world.restart();
    assert_eq!(world.result(&sweep).replicas[0].curve, live);
}

#[test]
fn grants_of_earlier_releases_are_read() {
    let old = r#"{"event":"granted","worker":"w","work":"describe","attempt":1,"token":7}"#;
    let granted: Happening = serde_json::from_str(old).expect("it is read");
    let expected = Happening::Granted {
        worker: WorkerId("w".to_owned()),
        incarnation: Incarnation(0),
        work: WorkKind::Describe,
        attempt: 1,
        token: LeaseToken(7),
    };
    assert_eq!(granted, expected);
    let aside = r#"{"event":"worker_set_aside","worker":"w","reason":"r"}"#;
    assert!(serde_json::from_str::<Happening>(aside).is_ok());
}

proptest! {
    #[test]
    fn numbers_come_back_bit_for_bit(bits in any::<[u64; 3]>(), step in any::<u32>()) {
        let [lr, loss, other] = bits.map(f64::from_bits);
        let observed = Happening::Observed {
            task: TaskId(1),
            replica: 0,
            token: LeaseToken(u64::MAX),
            observations: vec![Observation { step, lr, loss, samples: 1 }],
        };
        let Happening::Observed { observations, .. } = through_json(&observed) else {
            return Err(TestCaseError::fail("another event"));
        };
        let same = |one: f64, back: f64| one.to_bits() == back.to_bits() || one.is_nan() && back.is_nan();
        prop_assert!(same(lr, observations[0].lr) && same(loss, observations[0].loss));
        let mut sent = request(Split::None, None, None, 40);
        sent.plan.range.min_lr = lr;
        sent.plan.overlap_decades = loss;
        sent.stop.threshold = other;
        let back: SweepRequest = through_json(&sent);
        prop_assert!(same(lr, back.plan.range.min_lr));
        prop_assert!(same(loss, back.plan.overlap_decades));
        prop_assert!(same(other, back.stop.threshold));
    }
}

#[test]
fn cancelling_and_restarting_leaves_the_sweep_as_it_was_cancelled() {
    let (mut world, sweep) = unsplit(1);
    world.work(0, 11);
    world.apply(Event::Cancel {
        sweep: sweep.clone(),
    });
    let before = world.result(&sweep);
    world.restart();
    assert_eq!(world.result(&sweep), before);
    assert_eq!(before.outcome, Some(Outcome::Cancelled));
}
