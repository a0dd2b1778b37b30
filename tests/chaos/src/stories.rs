//! Faults that fit no matrix: many at once, many in a row, and those of the disk.

use crate::bench::Bench;
use crate::cell::{Held, connected_again, pass};
use crate::check::{self, Reference};
use crate::cluster::Cluster;
use crate::matrix::Downtime;
use crate::proxy::Direction;
use crate::sweeps::{Shape, WORKERS, request};
use crate::watching::Watching;
use crate::{Result, eventually};
use rangefinder_proto::v1;
use rangefinder_sweep::event::AttemptOutcome;
use rustix::process::Signal;
use std::time::Duration;

/// What a story is told with.
pub type Story = fn(&Bench) -> Result;

/// All of them, by name, with what they show.
pub const STORIES: [(&str, &str, Story); 13] = [
    (
        "all_workers_are_killed_at_once",
        "every task is run again by the processes that take their places",
        all_workers_are_killed_at_once,
    ),
    (
        "coordinator_and_workers_are_killed_over_and_over",
        "the coordinator five times and each worker three times, further on each time",
        killed_over_and_over,
    ),
    (
        "the_coordinator_is_redeployed",
        "SIGTERM, a new process on the same store: no worker loses anything",
        the_coordinator_is_redeployed,
    ),
    (
        "replicas_are_killed",
        "a replica is one task; the other replica does not notice",
        replicas_are_killed,
    ),
    (
        "a_worker_is_drained_by_an_operator",
        "it finishes its task and leaves",
        a_worker_is_drained_by_an_operator,
    ),
    (
        "a_worker_hands_back_what_takes_too_long",
        "SIGTERM, and the task is not done in time: handed back, run by the other worker",
        a_worker_hands_back,
    ),
    (
        "the_disk_is_full_for_a_while",
        "`GetSweep` and `/readyz` say so, nothing is acknowledged, and all goes on where it was",
        |bench| the_disk_is_full(bench, Downtime::None),
    ),
    (
        "the_disk_is_full_for_longer_than_a_lease",
        "the same: no lease ends while the coordinator cannot write",
        |bench| the_disk_is_full(bench, Downtime::Longer),
    ),
    (
        "the_clock_is_set_back_by_a_day",
        "between the coordinator's death and its return: its time goes on where it was",
        the_clock_is_set_back,
    ),
    (
        "the_answer_to_a_creation_is_lost",
        "the coordinator is killed before the client hears of its sweep; asked again, it starts no second one",
        the_answer_to_a_creation_is_lost,
    ),
    (
        "everything_is_slow",
        "40 ms for every message, each way",
        everything_is_slow,
    ),
    (
        "everything_is_sent_twice",
        "acknowledgements do not arrive, so that all losses are sent again",
        everything_is_sent_twice,
    ),
    (
        "the_network_flaps",
        "both workers and the client are cut off eight times in one sweep",
        the_network_flaps,
    ),
];

/// The sweep completes as if nothing had happened, with so many attempts a task at most.
async fn completes(
    cluster: &Cluster<'_>,
    reference: &Reference,
    id: &str,
    watching: &Watching,
    most: usize,
) -> Result {
    watching
        .until("the sweep ends", |seen| seen.ended())
        .await?;
    let (sweep, document) = check::ended(cluster, id).await?;
    let seen = watching.seen();
    reference.equals(&sweep, &document, &seen)?;
    for task in &reference.plan.tasks {
        check::attempts(&seen, task, 1, most)?;
    }
    Ok(())
}

/// Starts a sweep whose first tasks, one a worker, are held in the middle.
async fn held<'a>(
    cluster: &mut Cluster<'_>,
    reference: &'a Reference,
    shape: Shape,
) -> Result<(String, Watching, Vec<Held<'a>>)> {
    cluster.start_workers().await?;
    let first = reference.plan.tasks.iter().take(WORKERS);
    let held: Vec<_> = first.map(Held::mid_segment).collect();
    for Held { task, step } in &held {
        cluster.gates.hold(task, *step)?;
    }
    let (id, watching) = cluster.create(shape).await?;
    for held in &held {
        held.reached(&watching).await?;
    }
    Ok((id, watching, held))
}

fn let_go(cluster: &Cluster<'_>, held: &[Held<'_>]) -> Result {
    held.iter()
        .try_for_each(|Held { task, step }| cluster.gates.release(task, *step))
}

/// Which worker has a held task.
fn holder(cluster: &Cluster<'_>, watching: &Watching, held: &Held<'_>) -> Result<usize> {
    let holder = watching.seen().holder(held.task.id).cloned();
    cluster.index(&holder.ok_or("nobody has the task")?)
}

fn all_workers_are_killed_at_once(bench: &Bench) -> Result {
    let reference = bench.reference(Shape::Hybrid)?;
    bench.run(WORKERS, async |cluster: &mut Cluster<'_>| {
        let (id, watching, held) = held(cluster, &reference, Shape::Hybrid).await?;
        for index in 0..WORKERS {
            cluster.worker(index)?.kill().await?;
        }
        let_go(cluster, &held)?;
        for index in 0..WORKERS {
            cluster.start_worker(index)?;
        }
        completes(cluster, &reference, &id, &watching, 2).await
    })
}

fn killed_over_and_over(bench: &Bench) -> Result {
    const COORDINATOR: u32 = 5;
    const EACH_WORKER: u32 = 3;
    let reference = bench.reference(Shape::Segments)?;
    bench.run(WORKERS, async |cluster: &mut Cluster<'_>| {
        cluster.start_workers().await?;
        let tasks = &reference.plan.tasks;
        let stations = |round: u32| {
            tasks.iter().map(move |task| Held {
                task,
                step: task.start + (round + 1) * (task.end - task.start) / (COORDINATOR + 2),
            })
        };
        for Held { task, step } in (0..COORDINATOR).flat_map(stations) {
            cluster.gates.hold(task, step)?;
        }
        let (id, watching) = cluster.create(Shape::Segments).await?;
        for round in 0..COORDINATOR {
            for held in stations(round) {
                held.reached(&watching).await?;
            }
            cluster.coordinator()?.kill().await?;
            let kills_workers = round < EACH_WORKER;
            for index in (0..WORKERS).filter(|_| kills_workers) {
                cluster.worker(index)?.kill().await?;
            }
            for Held { task, step } in stations(round) {
                cluster.gates.release(task, step)?;
            }
            cluster.start_coordinator().await?;
            for index in (0..WORKERS).filter(|_| kills_workers) {
                cluster.start_worker(index)?;
            }
        }
        completes(
            cluster,
            &reference,
            &id,
            &watching,
            EACH_WORKER as usize + 1,
        )
        .await
    })
}

fn the_coordinator_is_redeployed(bench: &Bench) -> Result {
    let reference = bench.reference(Shape::Hybrid)?;
    bench.run(WORKERS, async |cluster: &mut Cluster<'_>| {
        let (id, watching, held) = held(cluster, &reference, Shape::Hybrid).await?;
        let coordinator = cluster.coordinator()?;
        coordinator.signal(Signal::TERM);
        coordinator.ends_well().await?;
        let_go(cluster, &held)?;
        pass(Downtime::Longer).await;
        cluster.start_coordinator().await?;
        completes(cluster, &reference, &id, &watching, 1).await
    })
}

fn replicas_are_killed(bench: &Bench) -> Result {
    let reference = bench.reference(Shape::Replicas)?;
    bench.run(WORKERS, async |cluster: &mut Cluster<'_>| {
        let (id, watching, held) = held(cluster, &reference, Shape::Replicas).await?;
        let [first, second] = &held[..] else {
            return Err("two replicas were due".into());
        };
        let target = holder(cluster, &watching, first)?;
        cluster.worker(target)?.kill().await?;
        let_go(cluster, &held)?;
        cluster.start_worker(target)?;
        completes(cluster, &reference, &id, &watching, 2).await?;
        check::attempts(&watching.seen(), first.task, 2, 2)?;
        check::attempts(&watching.seen(), second.task, 1, 1)
    })
}

fn a_worker_is_drained_by_an_operator(bench: &Bench) -> Result {
    let reference = bench.reference(Shape::Segments)?;
    bench.run(WORKERS, async |cluster: &mut Cluster<'_>| {
        let (id, watching, held) = held(cluster, &reference, Shape::Segments).await?;
        let target = holder(cluster, &watching, &held[1])?;
        let name = cluster.place(target)?.id.0.clone();
        let drained = cluster.client()?.drain(&name).await?;
        if drained.state() != v1::WorkerState::Draining {
            return Err(format!("the answer is {drained:?}").into());
        }
        let_go(cluster, &held)?;
        cluster.has_left(target).await?;
        completes(cluster, &reference, &id, &watching, 1).await
    })
}

fn a_worker_hands_back(bench: &Bench) -> Result {
    let reference = bench.reference(Shape::Segments)?;
    bench.run(WORKERS, async |cluster: &mut Cluster<'_>| {
        cluster.drain_seconds = 1;
        let (id, watching, held) = held(cluster, &reference, Shape::Segments).await?;
        let target = holder(cluster, &watching, &held[1])?;
        cluster.worker(target)?.signal(Signal::TERM);
        let task = held[1].task;
        watching
            .until("the task is handed back", |seen| {
                let mut outcomes = seen.outcomes(task.id);
                outcomes.any(|outcome| matches!(outcome, AttemptOutcome::Preempted(_)))
            })
            .await?;
        let_go(cluster, &held)?;
        cluster.has_left(target).await?;
        completes(cluster, &reference, &id, &watching, 2).await?;
        check::attempts(&watching.seen(), held[0].task, 1, 1)
    })
}

fn the_disk_is_full(bench: &Bench, downtime: Downtime) -> Result {
    /// Less than the store has already.
    const FULL: u64 = 4 << 10;
    let reference = bench.reference(Shape::Segments)?;
    bench.run(WORKERS, async |cluster: &mut Cluster<'_>| {
        let (id, watching, held) = held(cluster, &reference, Shape::Segments).await?;
        cluster.coordinator()?.limit_files(Some(FULL))?;
        let_go(cluster, &held)?;
        let client = cluster.client()?;
        eventually("the sweep says that it is paused", async || {
            let (sweep, _) = client.get(&id, false).await?;
            Ok(sweep.waiting_for.contains("paused"))
        })
        .await?;
        let ready = cluster.http("/readyz").await?;
        let lives = cluster.http("/healthz").await?;
        if !ready.starts_with("HTTP/1.1 503") || !lives.starts_with("HTTP/1.1 200") {
            return Err(format!("/readyz: {ready}\n/healthz: {lives}").into());
        }
        pass(downtime).await;
        cluster.coordinator()?.limit_files(None)?;
        completes(cluster, &reference, &id, &watching, 1).await?;
        let ready = cluster.http("/readyz").await?;
        if !ready.starts_with("HTTP/1.1 200") {
            return Err(format!("/readyz: {ready}").into());
        }
        Ok(())
    })
}

fn the_clock_is_set_back(bench: &Bench) -> Result {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let reference = bench.reference(Shape::Segments)?;
    bench.run(WORKERS, async |cluster: &mut Cluster<'_>| {
        let (id, watching, held) = held(cluster, &reference, Shape::Segments).await?;
        cluster.coordinator()?.kill().await?;
        cluster.set_clock_back(DAY)?;
        let_go(cluster, &held)?;
        cluster.start_coordinator().await?;
        completes(cluster, &reference, &id, &watching, 1).await
    })
}

fn the_answer_to_a_creation_is_lost(bench: &Bench) -> Result {
    let reference = bench.reference(Shape::Segments)?;
    bench.run(WORKERS, async |cluster: &mut Cluster<'_>| {
        cluster.start_workers().await?;
        cluster.door().hold(Direction::Down);
        let client = cluster.client()?;
        let creating = client.create(request(Shape::Segments)?);
        let all = || (v1::ListSweepsRequest::default(), usize::MAX);
        let disturbing = async {
            let beside = cluster.client_beside()?;
            eventually("the sweep is there", async || {
                let (request, most) = all();
                Ok(!beside.list(request, most).await?.is_empty())
            })
            .await?;
            cluster.coordinator()?.kill().await?;
            cluster.door().cut();
            cluster.door().heal();
            cluster.start_coordinator().await
        };
        let (created, disturbed) = tokio::join!(creating, disturbing);
        disturbed?;
        // The same request once more.
        let (id, watching) = cluster.create(Shape::Segments).await?;
        let (request, most) = all();
        let there = client.list(request, most).await?;
        if created?.id != id || there.len() != 1 {
            return Err(format!("not one sweep, but {there:?}").into());
        }
        // An order that had not left may have been lost with the coordinator.
        completes(cluster, &reference, &id, &watching, 2).await
    })
}

fn everything_is_slow(bench: &Bench) -> Result {
    const SLOW: Duration = Duration::from_millis(40);
    let reference = bench.reference(Shape::Hybrid)?;
    bench.run(WORKERS, async |cluster: &mut Cluster<'_>| {
        for index in 0..WORKERS {
            cluster.place(index)?.line.delay(SLOW);
        }
        cluster.start_workers().await?;
        let (id, watching) = cluster.create(Shape::Hybrid).await?;
        completes(cluster, &reference, &id, &watching, 1).await
    })
}

fn everything_is_sent_twice(bench: &Bench) -> Result {
    let reference = bench.reference(Shape::Segments)?;
    bench.run(WORKERS, async |cluster: &mut Cluster<'_>| {
        let (id, watching, held) = held(cluster, &reference, Shape::Segments).await?;
        let target = holder(cluster, &watching, &held[1])?;
        let line = &cluster.place(target)?.line;
        let before = *line.made().borrow();
        line.hold(Direction::Down);
        let_go(cluster, &held)?;
        // The losses come again over the old connection, and then over the next.
        connected_again(cluster, target, before).await?;
        cluster.place(target)?.line.heal();
        completes(cluster, &reference, &id, &watching, 1).await
    })
}

fn the_network_flaps(bench: &Bench) -> Result {
    const TIMES: u32 = 8;
    let reference = bench.reference(Shape::Segments)?;
    bench.run(WORKERS, async |cluster: &mut Cluster<'_>| {
        cluster.start_workers().await?;
        let tasks = &reference.plan.tasks;
        let stations = |round: u32| {
            tasks.iter().map(move |task| Held {
                task,
                step: task.start + (round + 1) * (task.end - task.start) / (TIMES + 2),
            })
        };
        for Held { task, step } in (0..TIMES).flat_map(stations) {
            cluster.gates.hold(task, step)?;
        }
        let (id, watching) = cluster.create(Shape::Segments).await?;
        for round in 0..TIMES {
            for held in stations(round) {
                held.reached(&watching).await?;
            }
            for index in 0..WORKERS {
                let line = &cluster.place(index)?.line;
                line.cut();
                line.heal();
            }
            cluster.door().cut();
            cluster.door().heal();
            for Held { task, step } in stations(round) {
                cluster.gates.release(task, step)?;
            }
        }
        completes(cluster, &reference, &id, &watching, 1).await
    })
}
