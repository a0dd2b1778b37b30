//! Random interleavings of everything that can happen end in the result of an undisturbed run.

use crate::support::worker::Training;
use crate::support::{World, patient, request, worker_failure, worker_id};
use proptest::prelude::*;
use rangefinder_sweep::event::Outcome;
use rangefinder_sweep::ids::SweepId;
use rangefinder_sweep::plan::Split;
use rangefinder_sweep::state::{Event, Report, State, SweepRequest, SweepResult};

/// Workers in the world.
const WORKERS: usize = 3;

#[derive(Clone, Debug)]
enum Op {
    Train(usize, u32),
    Flush(usize),
    Deliver,
    DeliverOutOfTurn(usize),
    LoseMessage(usize),
    RepeatOld(usize),
    Resend(usize),
    Heartbeat(usize),
    Disconnect(usize),
    Reconnect(usize),
    Kill(usize),
    Restart(usize),
    StaleGone(usize),
    /// Only worker 0: a task that fails on two workers is at fault itself.
    Fail,
    HandBack(usize),
    Advance(u64),
    /// The coordinator is killed, and starts again from its log.
    Crash,
}

fn op() -> impl Strategy<Value = Op> {
    let worker = || 0..WORKERS;
    prop_oneof![
        6 => (worker(), 1u32..30).prop_map(|(worker, steps)| Op::Train(worker, steps)),
        6 => worker().prop_map(Op::Flush),
        8 => Just(Op::Deliver),
        2 => any::<usize>().prop_map(Op::DeliverOutOfTurn),
        1 => any::<usize>().prop_map(Op::LoseMessage),
        2 => any::<usize>().prop_map(Op::RepeatOld),
        2 => worker().prop_map(Op::Resend),
        2 => worker().prop_map(Op::Heartbeat),
        1 => worker().prop_map(Op::Disconnect),
        3 => worker().prop_map(Op::Reconnect),
        1 => worker().prop_map(Op::Kill),
        1 => worker().prop_map(Op::Restart),
        1 => worker().prop_map(Op::StaleGone),
        1 => Just(Op::Fail),
        1 => worker().prop_map(Op::HandBack),
        3 => (0u64..8_000).prop_map(Op::Advance),
    ]
}

fn disturb(world: &mut World, op: &Op) {
    let pick = |index: usize, length: usize| (length > 0).then(|| index % length);
    match op {
        Op::Train(worker, steps) => world.train(&worker_id(*worker), *steps),
        Op::Flush(worker) => world.flush(&worker_id(*worker)),
        Op::Deliver => {
            world.deliver();
        }
        Op::DeliverOutOfTurn(index) => {
            if let Some(index) = pick(*index, world.uplink.len())
                && let Some(mail) = world.uplink.remove(index)
            {
                world.delivered.push(mail.clone());
                world.receive(mail);
            }
        }
        Op::LoseMessage(index) => {
            if let Some(index) = pick(*index, world.uplink.len()) {
                world.uplink.remove(index);
            }
        }
        Op::RepeatOld(index) => {
            if let Some(index) = pick(*index, world.delivered.len()) {
                world.receive(world.delivered[index].clone());
            }
        }
        Op::Resend(worker) => {
            if let Some(worker) = world.workers.get_mut(&worker_id(*worker)) {
                worker.go_back();
            }
        }
        Op::Heartbeat(worker) => world.heartbeat(&worker_id(*worker)),
        Op::Disconnect(worker) => world.disconnect(&worker_id(*worker)),
        Op::Reconnect(worker) => world.reconnect(&worker_id(*worker)),
        Op::Kill(worker) => world.kill(&worker_id(*worker), "killed"),
        Op::Restart(worker) => world.start_worker(&worker_id(*worker)),
        Op::StaleGone(worker) => {
            world.apply(Event::Gone {
                worker: worker_id(*worker),
                incarnation: Some(rangefinder_sweep::ids::Incarnation(0)),
                cause: "an old process was reaped".to_owned(),
            });
        }
        Op::Fail => {
            if let Some(token) = world
                .workers
                .get(&worker_id(0))
                .and_then(|worker| worker.token())
            {
                world.post(
                    &worker_id(0),
                    Report::Failed(token, worker_failure("a cosmic ray")),
                );
            }
        }
        Op::HandBack(worker) => {
            let id = worker_id(*worker);
            if let Some(token) = world.workers.get(&id).and_then(|worker| worker.token()) {
                world.post(&id, Report::HandBack(token, "draining".to_owned()));
            }
        }
        Op::Advance(ms) => world.advance(*ms),
        Op::Crash => {
            world.restart();
            world.apply(Event::Tick);
        }
    }
}

/// Everything, with crashes of the coordinator.
fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![30 => op(), 1 => Just(Op::Crash)]
}

/// What must be the same, whatever happened on the way.
fn essence(mut result: SweepResult) -> String {
    for replica in &mut result.replicas {
        for task in &mut replica.tasks {
            let last = task.attempts.pop();
            task.attempts.clear();
            let kept: Vec<_> = last
                .into_iter()
                .flat_map(|last| last.observations)
                .collect();
            // The observations that count are the same; who made them is not.
            if !kept.is_empty() {
                replica.curve.extend(kept);
            }
        }
    }
    serde_json::to_string(&result).expect("results are JSON")
}

fn undisturbed(training: &Training, request: &SweepRequest) -> SweepResult {
    let mut world = World::new(patient(), training.clone());
    world.start_worker(&worker_id(0));
    let sweep = world.create("s", request.clone());
    world.finish(&sweep);
    world.result(&sweep)
}

fn disturbed(training: &Training, request: &SweepRequest, ops: &[Op]) -> (World, SweepId) {
    let mut world = World::new(patient(), training.clone());
    let sweep = world.create("s", request.clone());
    for op in ops {
        disturb(&mut world, op);
    }
    for worker in 0..WORKERS {
        world.reconnect(&worker_id(worker));
    }
    world.finish(&sweep);
    (world, sweep)
}

fn training() -> impl Strategy<Value = Training> {
    let odd = |range: std::ops::Range<u32>| proptest::option::weighted(0.4, range);
    let nan = proptest::option::weighted(0.3, (0u32..3, 0u32..60));
    let trace = prop_oneof![Just(0.01), Just(5.0)];
    (odd(10..60), nan, odd(5..60), trace).prop_map(|(diverges_at, nan_at, data_ends, trace)| {
        Training {
            trace,
            diverges_at,
            nan_at,
            data_ends,
            ..Training::default()
        }
    })
}

fn sweep_request() -> impl Strategy<Value = SweepRequest> {
    prop_oneof![
        Just(request(Split::None, None, None, 40)),
        Just(request(Split::Segments, Some(3), None, 60)),
        Just(request(Split::Replicas, None, Some(3), 30)),
        Just(request(Split::Hybrid, Some(2), Some(2), 60)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn whatever_happens_the_result_is_that_of_an_undisturbed_run(
        training in training(),
        request in sweep_request(),
        ops in proptest::collection::vec(any_op(), 0..250),
    ) {
        let (world, sweep) = disturbed(&training, &request, &ops);
        let result = world.result(&sweep);
        prop_assert_eq!(&result.outcome, &Some(Outcome::Completed));
        prop_assert_eq!(essence(result), essence(undisturbed(&training, &request)));
    }

    #[test]
    fn a_replay_of_the_log_gives_the_same_actions_and_the_same_state(
        training in training(),
        request in sweep_request(),
        ops in proptest::collection::vec(op(), 0..150),
    ) {
        let (world, sweep) = disturbed(&training, &request, &ops);
        let mut state = State::new(world.options.clone());
        for ((now, event), actions) in world.log.iter().zip(&world.actions) {
            // Debug text, since NaN does not equal itself.
            prop_assert_eq!(format!("{:?}", state.apply(*now, event.clone())), format!("{actions:?}"));
        }
        prop_assert_eq!(format!("{:?}", state.result(&sweep)), format!("{:?}", world.state.result(&sweep)));
        prop_assert_eq!(format!("{state:?}"), format!("{:?}", world.state));
    }

    #[test]
    fn within_the_usual_limits_every_sweep_ends_though_every_worker_vanishes(
        training in training(),
        request in sweep_request(),
        ops in proptest::collection::vec(any_op(), 0..150),
        cancel in any::<bool>(),
    ) {
        let mut world = World::new(rangefinder_sweep::state::Options::default(), training);
        let sweep = world.create("s", request);
        for op in &ops {
            disturb(&mut world, op);
        }
        if cancel {
            world.apply(Event::Cancel { sweep: sweep.clone() });
            prop_assert!(world.ended(&sweep));
        }
        let before = world.now;
        world.workers.clear();
        world.wait_until_ended(&sweep);
        // A stall, the leases, and the wait for a worker; nothing else delays the end.
        let limit = world.options.stall_ms + 20 * world.options.lease_ms + world.options.no_worker_ms;
        prop_assert!(world.now.since(before) <= limit, "it took {} ms", world.now.since(before));
    }
}
