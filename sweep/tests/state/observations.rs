//! Observations: each step once, in order, at its learning rate, from one attempt.

use crate::support::worker::Training;
use crate::support::{World, request, training_world, worker_id};
use rangefinder_errors::Code;
use rangefinder_sweep::curve::StopReason;
use rangefinder_sweep::event::{AttemptOutcome, Observation, WorkKind};
use rangefinder_sweep::ids::{LeaseToken, SweepId, TaskId};
use rangefinder_sweep::plan::Split;
use rangefinder_sweep::state::{Command, Halt, Options, Report};

fn unsplit() -> (World, SweepId, LeaseToken, Vec<f64>) {
    let request = request(Split::None, None, None, 40);
    let rates = request.plan.range.learning_rates();
    let (world, sweep) = training_world(Options::default(), Training::default(), 1, request);
    let token = world.token(0);
    (world, sweep, token, rates)
}

fn observations(rates: &[f64], steps: std::ops::Range<u32>) -> Vec<Observation> {
    let observation = |step: u32| Observation {
        step,
        lr: rates[step as usize],
        loss: 2.0 - 0.01 * f64::from(step),
        samples: 32,
    };
    steps.map(observation).collect()
}

fn ack(token: LeaseToken, next_step: u32) -> Vec<Command> {
    vec![Command::Ack {
        token,
        next_step,
        finished: false,
    }]
}

fn failure_of(world: &World, sweep: &SweepId) -> String {
    match world.endings(sweep).pop() {
        Some((WorkKind::Task(TaskId(0)), AttemptOutcome::Failed(failure))) => {
            assert_eq!(failure.code, Code::Protocol);
            failure.message
        }
        other => panic!("the attempt has not failed: {other:?}"),
    }
}

#[test]
fn repeated_steps_are_passed_over_and_the_first_words_count() {
    let (mut world, sweep, token, rates) = unsplit();
    world.say(0, Report::Observations(token, observations(&rates, 0..5)));
    let mut again = observations(&rates, 2..8);
    again[0].loss = 1e9;
    assert_eq!(
        world.say(0, Report::Observations(token, again)),
        ack(token, 8)
    );
    let curve = &world.result(&sweep).replicas[0].curve;
    assert_eq!(*curve, observations(&rates, 0..8));
}

#[test]
fn steps_after_a_gap_are_refused_and_the_answer_says_where_to_go_on() {
    let (mut world, sweep, token, rates) = unsplit();
    let late = Report::Observations(token, observations(&rates, 3..6));
    assert_eq!(world.say(0, late), ack(token, 0));
    assert!(world.result(&sweep).replicas[0].curve.is_empty());
    let first = Report::Observations(token, observations(&rates, 0..3));
    assert_eq!(world.say(0, first), ack(token, 3));
}

#[test]
fn a_step_at_another_learning_rate_fails_the_attempt_and_names_both() {
    let (mut world, sweep, token, rates) = unsplit();
    let mut wrong = observations(&rates, 0..2);
    wrong[1].lr *= 1.01;
    let answer = world.say(0, Report::Observations(token, wrong));
    let stop = Command::Stop {
        token,
        reason: Halt::Superseded,
    };
    assert_eq!(answer[0], stop);
    let message = failure_of(&world, &sweep);
    assert!(
        message.contains("step 1") && message.contains(&format!("{:e}", rates[1])),
        "{message}"
    );
}

#[test]
fn a_learning_rate_kept_in_single_precision_is_taken_for_the_schedules() {
    let (mut world, sweep, token, rates) = unsplit();
    let mut rounded = observations(&rates, 0..40);
    for observation in &mut rounded {
        // As far off as single precision may be.
        observation.lr *= 1.0 + f64::from(f32::EPSILON) / 2.0;
    }
    world.say(0, Report::Observations(token, rounded));
    let result = world.result(&sweep);
    let curve = &result.replicas[0].curve;
    assert!(!curve.is_empty());
    for (observation, rate) in curve.iter().zip(&rates) {
        assert_eq!(observation.lr.to_bits(), rate.to_bits());
    }
}

#[test]
fn a_step_outside_of_the_task_fails_the_attempt() {
    let (mut world, sweep, token, mut rates) = unsplit();
    rates.push(1.0);
    world.say(0, Report::Observations(token, observations(&rates, 38..41)));
    assert!(failure_of(&world, &sweep).contains("step 40"));
}

#[test]
fn the_end_is_accepted_only_after_all_its_observations_and_again_when_repeated() {
    let (mut world, sweep, token, rates) = unsplit();
    let finished = || Report::Finished {
        token,
        reason: StopReason::Completed,
        end: 40,
    };
    let flat = |range| {
        let mut observations = observations(&rates, range);
        observations
            .iter_mut()
            .for_each(|observation| observation.loss = 1.0);
        Report::Observations(token, observations)
    };
    for missing_from in [30, 39] {
        world.say(0, flat(0..missing_from));
        assert_eq!(world.say(0, finished()), ack(token, missing_from));
        assert!(!world.ended(&sweep));
    }
    let answer = world.say(0, flat(39..40));
    let accepted = Command::Ack {
        token,
        next_step: 40,
        finished: true,
    };
    assert_eq!(answer, [ack(token, 40), vec![accepted.clone()]].concat());
    assert!(world.ended(&sweep), "all steps are there");
    for _ in 0..2 {
        let again = world.say(0, finished());
        assert_eq!(again, std::slice::from_ref(&accepted));
    }
}

#[test]
fn an_end_that_contradicts_the_observations_fails_the_attempt() {
    for (reason, end, words) in [
        (StopReason::Completed, 10, "ends before step 40"),
        (StopReason::NonFinite, 10, "not finite"),
        (
            StopReason::Completed,
            41,
            "ended task 0 at step 41, but it ends at step 40",
        ),
        (StopReason::Completed, u32::MAX, "but it ends at step 40"),
        (StopReason::Completed, 5, "observed all steps before 10"),
        (StopReason::Diverged, 10, "not its to decide"),
    ] {
        let (mut world, sweep, token, rates) = unsplit();
        let mut losses = observations(&rates, 0..10);
        losses
            .iter_mut()
            .for_each(|observation| observation.loss = 1.0);
        world.say(0, Report::Observations(token, losses));
        world.say(0, Report::Finished { token, reason, end });
        let message = failure_of(&world, &sweep);
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn an_answer_to_another_question_fails_the_attempt() {
    let (mut world, sweep, token, _) = unsplit();
    let probe = Training::default().probe;
    world.say(0, Report::Probed(token, probe));
    assert!(failure_of(&world, &sweep).contains("a probe"));
}

#[test]
fn the_observations_of_a_lost_attempt_leave_the_curve() {
    let (mut world, sweep, ..) = unsplit();
    world.work(0, 12);
    assert_eq!(world.result(&sweep).replicas[0].curve.len(), 12);
    world.kill(&worker_id(0), "killed");
    let replica = &world.result(&sweep).replicas[0];
    assert!(replica.curve.is_empty());
    assert!(replica.tasks[0].attempts[0].observations.is_empty());
}

#[test]
fn late_words_for_an_ended_sweep_are_answered_and_forgotten() {
    let (mut world, sweep, token, rates) = unsplit();
    world.say(0, Report::Observations(token, observations(&rates, 0..1)));
    world.apply(rangefinder_sweep::state::Event::Cancel {
        sweep: sweep.clone(),
    });
    let before = format!("{:?}", world.result(&sweep));
    let answer = world.say(0, Report::Observations(token, observations(&rates, 1..9)));
    let stop = Command::Stop {
        token,
        reason: Halt::Cancelled,
    };
    assert_eq!(answer, [stop]);
    assert_eq!(format!("{:?}", world.result(&sweep)), before);
}
