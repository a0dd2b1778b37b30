//! Stops: decided once, on the merged curve, in step order.

use crate::support::worker::Training;
use crate::support::{World, patient, request, training_world, worker_id};
use rangefinder_sweep::curve::StopReason;
use rangefinder_sweep::event::{AttemptOutcome, Happening, Observation, Outcome};
use rangefinder_sweep::ids::{SweepId, TaskId};
use rangefinder_sweep::plan::Split;
use rangefinder_sweep::state::{Command, Event, Halt, ReplicaResult, Report};

const SEGMENTS: u32 = 3;

/// Three segments, one on each of three workers, in segment order of [`by_segment`].
fn segments(training: Training) -> (World, SweepId) {
    let request = request(Split::Segments, Some(SEGMENTS), None, 60);
    training_world(patient(), training, 3, request)
}

/// The worker that has the task of each segment.
fn by_segment(world: &World) -> Vec<usize> {
    let mut workers: Vec<usize> = (0..3).collect();
    workers.sort_by_key(|worker| world.task_of(world.token(*worker)).segment);
    workers
}

fn replica(world: &World, sweep: &SweepId) -> ReplicaResult {
    world.result(sweep).replicas.remove(0)
}

fn losses(replica: &ReplicaResult) -> Vec<u64> {
    replica
        .curve
        .iter()
        .map(|observation| observation.loss.to_bits())
        .collect()
}

#[test]
fn a_stop_waits_for_all_steps_before_it_and_then_stops_what_lies_above() {
    let (mut world, sweep) = segments(Training {
        diverges_at: Some(30),
        ..Training::default()
    });
    let workers = by_segment(&world);
    let last = world.token(workers[2]);
    world.work(workers[1], 100);
    assert!(
        replica(&world, &sweep).curve.is_empty(),
        "the first segment is missing"
    );
    assert!(!world.ended(&sweep));
    world.work(workers[0], 100);
    let stopped = replica(&world, &sweep);
    assert_eq!(stopped.stop, StopReason::Diverged);
    let stop = stopped.curve.last().expect("it is not empty").step;
    assert!((30..40).contains(&stop), "{stop}");
    assert!(world.commands.contains(&(
        worker_id(workers[2]),
        Command::Stop {
            token: last,
            reason: Halt::Diverged
        }
    )));
    assert_eq!(
        stopped.tasks[2].attempts[0].outcome,
        Some(AttemptOutcome::Diverged)
    );
    assert_eq!(world.result(&sweep).outcome, Some(Outcome::Completed));
    let said = world.happenings(&sweep).any(|happening| {
        *happening
            == Happening::Stopped {
                replica: 0,
                reason: StopReason::Diverged,
                step: Some(stop),
            }
    });
    assert!(said);
}

#[test]
fn a_decided_stop_stays_though_the_worker_that_brought_it_dies() {
    let (mut world, sweep) = training_world(
        patient(),
        Training {
            diverges_at: Some(20),
            ..Training::default()
        },
        2,
        request(Split::Replicas, None, Some(2), 60),
    );
    world.work(0, 30);
    let before = replica(&world, &sweep);
    assert_eq!(before.stop, StopReason::Diverged);
    assert!(!world.ended(&sweep), "the other replica still runs");
    world.training.diverges_at = None;
    world.kill(&worker_id(0), "killed");
    world.finish(&sweep);
    assert_eq!(losses(&replica(&world, &sweep)), losses(&before));
}

#[test]
fn what_a_lost_attempt_showed_before_a_stop_was_decided_decides_nothing() {
    // On a GPU the next attempt brings other losses: here the first one is about to diverge.
    let calm = Training::default();
    let (mut world, sweep) = segments(Training {
        diverges_at: Some(9),
        ..calm.clone()
    });
    let first = by_segment(&world)[0];
    world.work(first, 10);
    assert_eq!(replica(&world, &sweep).curve.len(), 10);
    world.kill(&worker_id(first), "killed");
    world.training = calm.clone();
    world.finish(&sweep);

    let (mut undisturbed, other) = segments(calm);
    undisturbed.finish(&other);
    assert_eq!(replica(&world, &sweep).stop, StopReason::Completed);
    assert_eq!(
        losses(&replica(&world, &sweep)),
        losses(&replica(&undisturbed, &other))
    );
}

#[test]
fn a_loss_that_is_not_finite_in_own_steps_ends_the_curve_with_it() {
    let (mut world, sweep) = segments(Training {
        nan_at: Some((0, 7)),
        ..Training::default()
    });
    world.finish(&sweep);
    let replica = replica(&world, &sweep);
    assert_eq!(replica.stop, StopReason::NonFinite);
    assert_eq!(replica.curve.len(), 8);
    assert!(replica.curve[7].loss.is_nan());
}

#[test]
fn a_loss_that_is_not_finite_in_the_warm_up_counts_at_the_first_own_step() {
    let plan_only = segments(Training::default());
    let task = plan_only
        .0
        .result(&plan_only.1)
        .plan
        .expect("planned")
        .tasks[2];
    assert!(task.warm_up_start < task.start);
    let (mut world, sweep) = segments(Training {
        nan_at: Some((2, task.warm_up_start)),
        ..Training::default()
    });
    world.finish(&sweep);
    let replica = replica(&world, &sweep);
    assert_eq!(replica.stop, StopReason::NonFinite);
    assert_eq!(replica.curve.len(), task.start as usize + 1);
    assert!(replica.curve[task.start as usize].loss.is_nan());
    assert!(
        replica.curve[..task.start as usize]
            .iter()
            .all(|o| o.loss.is_finite())
    );
}

#[test]
fn data_that_ends_early_shortens_the_curve_and_says_so() {
    let (mut world, sweep) = segments(Training {
        data_ends: Some(35),
        ..Training::default()
    });
    world.finish(&sweep);
    let replica = replica(&world, &sweep);
    assert_eq!(replica.stop, StopReason::DataExhausted);
    assert_eq!(replica.curve.len(), 35);
    assert_eq!(world.result(&sweep).outcome, Some(Outcome::Completed));
}

#[test]
fn without_a_threshold_a_curve_goes_on_to_its_last_step() {
    let mut request = request(Split::None, None, None, 40);
    request.stop.threshold = f64::INFINITY;
    let training = Training {
        diverges_at: Some(5),
        ..Training::default()
    };
    let (mut world, sweep) = training_world(patient(), training, 1, request);
    world.finish(&sweep);
    let replica = replica(&world, &sweep);
    assert_eq!(
        (replica.stop, replica.curve.len()),
        (StopReason::Completed, 40)
    );
}

#[test]
fn a_cancelled_sweep_keeps_the_curve_as_far_as_it_is_complete_and_stops_everyone() {
    let (mut world, sweep) = segments(Training::default());
    let workers = by_segment(&world);
    let tokens: Vec<_> = workers.iter().map(|worker| world.token(*worker)).collect();
    world.work(workers[0], 11);
    world.work(workers[2], 20);
    world.apply(Event::Cancel {
        sweep: sweep.clone(),
    });
    let result = world.result(&sweep);
    assert_eq!(result.outcome, Some(Outcome::Cancelled));
    assert_eq!(result.replicas[0].stop, StopReason::Cancelled);
    assert_eq!(result.replicas[0].curve.len(), 11);
    for (worker, token) in workers.iter().zip(tokens) {
        let stop = Command::Stop {
            token,
            reason: Halt::Cancelled,
        };
        assert!(world.commands.contains(&(worker_id(*worker), stop)));
    }
    let published = world.events.len();
    world.apply(Event::Cancel { sweep });
    assert_eq!(world.events.len(), published, "it is cancelled once");
}

#[test]
fn overlaps_that_agree_are_measured_and_said_to_be_fine_by_silence() {
    let (mut world, sweep) = segments(Training::default());
    world.finish(&sweep);
    let result = world.result(&sweep);
    let overlaps = &result.replicas[0].overlaps;
    assert_eq!(overlaps.len(), 2);
    assert!(
        overlaps
            .iter()
            .all(|check| check.delta < 0.03 && check.from < check.to)
    );
    let plan = result.plan.expect("planned");
    assert_eq!(result.warnings, plan.warnings);
    assert_eq!(overlaps[0].to, plan.tasks[1].start);
    assert_eq!(plan.tasks[1].id, TaskId(1));
}

#[test]
fn overlaps_that_differ_are_warned_of_with_the_number_and_the_remedy() {
    let (mut world, sweep) = segments(Training {
        trace: 5.0,
        ..Training::default()
    });
    world.finish(&sweep);
    let result = world.result(&sweep);
    let warning = result
        .warnings
        .iter()
        .find(|warning| warning.code == "not_faithful");
    let warning = warning.expect("it is said");
    let delta = format!("{:.3}", result.replicas[0].overlaps[0].delta);
    assert!(warning.message.contains(&delta), "{}", warning.message);
    assert!(
        warning.message.contains("double the overlap"),
        "{}",
        warning.message
    );
}

#[test]
fn a_lost_attempt_leaves_no_trace_in_the_decision_of_the_stop() {
    let request = request(Split::None, None, None, 40);
    let rates = request.plan.range.learning_rates();
    let (mut world, sweep) = training_world(patient(), Training::default(), 1, request);
    let constant = |loss: f64, steps: usize| {
        (0u32..)
            .zip(&rates[..steps])
            .map(|(step, lr)| Observation {
                step,
                lr: *lr,
                loss,
                samples: 32,
            })
            .collect::<Vec<_>>()
    };
    // On a GPU another attempt may see other losses. Against the best of the lost one, those of
    // the next would have diverged at once.
    let token = world.token(0);
    world.say(0, Report::Observations(token, constant(0.01, 20)));
    world.kill(&worker_id(0), "signal 9");
    world.start_worker(&worker_id(0));
    world.advance(world.options.backoff_ms);
    let token = world.token(0);
    world.say(0, Report::Observations(token, constant(2.0, 40)));
    let replica = replica(&world, &sweep);
    assert_eq!(
        (replica.stop, replica.curve.len()),
        (StopReason::Completed, 40)
    );
}

#[test]
fn what_lies_above_the_stop_of_a_replica_is_never_begun_while_others_run() {
    let request = request(Split::Hybrid, Some(2), Some(2), 60);
    let training = Training {
        nan_at: Some((0, 5)),
        ..Training::default()
    };
    let (mut world, sweep) = training_world(patient(), training, 1, request);
    let mut granted = Vec::new();
    while !world.ended(&sweep) {
        let task = world.task_of(world.token(0));
        granted.push((task.replica, task.segment));
        world.work(0, 100);
    }
    assert_eq!(granted, [(0, 0), (1, 0)]);
}
