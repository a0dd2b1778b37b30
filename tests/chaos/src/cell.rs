//! Runs one cell of the matrix.

use crate::bench::Bench;
use crate::check::{self, Reference};
use crate::cluster::{Cluster, LEASE};
use crate::matrix::{Cell, Downtime, Fault, Point};
use crate::proxy::Direction;
use crate::sweeps::{Shape, WORKERS};
use crate::watching::Watching;
use crate::{Result, eventually};
use rangefinder_proto::v1;
use rangefinder_sweep::event::AttemptOutcome;
use rangefinder_sweep::plan::Task;
use rustix::process::Signal;
use std::time::Duration;

/// An outage after which every lease lives: a quarter of one.
const SHORTER: Duration = Duration::from_secs(LEASE.as_secs() / 4);
/// An outage after which none does.
const LONGER: Duration = Duration::from_secs(LEASE.as_secs() + 1);

/// A task, and the step before which it is held.
#[derive(Clone, Copy, Debug)]
pub struct Held<'a> {
    /// The task.
    pub task: &'a Task,
    /// The step.
    pub step: u32,
}

impl<'a> Held<'a> {
    /// In the middle of the task's own steps.
    #[must_use]
    pub fn mid_segment(task: &'a Task) -> Self {
        Self {
            task,
            step: task.start.midpoint(task.end),
        }
    }

    fn at(task: &'a Task, point: Point) -> Self {
        match point {
            Point::Granted => Self {
                task,
                step: task.warm_up_start,
            },
            Point::MidWarmUp => Self {
                task,
                step: task.warm_up_start.midpoint(task.start),
            },
            _ => Self::mid_segment(task),
        }
    }

    /// Waits until everything before the step is durable, and the worker can go no further.
    ///
    /// # Errors
    /// When it does not get there in time.
    pub async fn reached(&self, watching: &Watching) -> Result {
        let Self { task, step } = self;
        let first = (*step == task.warm_up_start).then_some(*step);
        watching
            .until(&format!("task {:?} is at step {step}", task.id), |seen| {
                seen.holder(task.id).is_some() && seen.next_step(task.id).or(first) == Some(*step)
            })
            .await
    }
}

/// Runs a cell.
///
/// # Errors
/// When anything of it is not as promised.
pub fn run(bench: &Bench, cell: Cell) -> Result {
    let reference = bench.reference(Shape::Segments)?;
    bench.run(WORKERS, async |cluster: &mut Cluster<'_>| {
        let attempts = if cell.point == Point::BeforeGrant {
            before_grant(cluster, cell, &reference).await?
        } else {
            at_work(cluster, cell, &reference).await?
        };
        bench.note(&cell.to_string(), attempts);
        Ok(())
    })
}

/// What goes wrong does so before any work is granted.
async fn before_grant(cluster: &mut Cluster<'_>, cell: Cell, reference: &Reference) -> Result<usize> {
    let target = 0;
    let created = if cell.fault.is_coordinators() {
        let created = cluster.create(Shape::Segments).await?;
        strike(cluster, cell.fault, target).await?;
        created
    } else {
        cluster.start_workers().await?;
        strike(cluster, cell.fault, target).await?;
        cluster.create(Shape::Segments).await?
    };
    let (id, watching) = created;
    pass(cell.downtime).await;
    heal(cluster, cell.fault, target).await?;
    if cell.fault.is_coordinators() {
        cluster.start_workers().await?;
    }
    completes(cluster, cell, reference, &id, &watching).await
}

/// What goes wrong does so while both workers have a task: the first one waits in the middle of its
/// segment, the second one, which it befalls, is where the cell says.
async fn at_work(cluster: &mut Cluster<'_>, cell: Cell, reference: &Reference) -> Result<usize> {
    let [first, second, ..] = &reference.plan.tasks[..] else {
        return Err("the plan has too few tasks".into());
    };
    let held = [Held::mid_segment(first), Held::at(second, cell.point)];
    cluster.start_workers().await?;
    for Held { task, step } in held {
        cluster.gates.hold(task, step)?;
    }
    let (id, watching) = cluster.create(Shape::Segments).await?;
    for held in held {
        held.reached(&watching).await?;
    }
    let holder = watching.seen().holder(second.id).cloned();
    let target = cluster.index(&holder.ok_or("nobody has the second task")?)?;

    let mut gates = held.to_vec();
    let mut let_go = |cluster: &Cluster<'_>| -> Result {
        for Held { task, step } in gates.drain(..) {
            cluster.gates.release(task, step)?;
        }
        Ok(())
    };
    match cell.point {
        Point::FinishedUnsent => {
            cluster.place(target)?.line.hold(Direction::Up);
            let_go(cluster)?;
            cluster.gates.over(second).await?;
        }
        Point::SentUnacknowledged => {
            cluster.place(target)?.line.hold(Direction::Down);
            let_go(cluster)?;
            watching
                .until("the second task is completed", |seen| {
                    let mut outcomes = seen.outcomes(second.id);
                    outcomes.any(|outcome| *outcome == AttemptOutcome::Completed)
                })
                .await?;
        }
        Point::DuringCancel => {
            cluster.place(target)?.line.hold(Direction::Down);
            cluster.client()?.cancel(&id).await?;
        }
        Point::DuringDrain => {
            cluster.worker(target)?.signal(Signal::TERM);
            let draining = v1::WorkerState::Draining;
            cluster.until_worker_is(target, draining).await?;
        }
        Point::BeforeGrant | Point::Granted | Point::MidWarmUp | Point::MidSegment => {}
    }
    strike(cluster, cell.fault, target).await?;
    // Whoever can goes on meanwhile.
    let_go(cluster)?;
    pass(cell.downtime).await;
    if cell.downtime == Downtime::Longer && !cell.fault.is_coordinators() && *cell.attempts().start() > 1
    {
        watching
            .until("the attempt is given up", |seen| {
                let mut outcomes = seen.outcomes(second.id);
                outcomes.any(|outcome| matches!(outcome, AttemptOutcome::Lost(_)))
            })
            .await?;
    }
    heal(cluster, cell.fault, target).await?;
    if cell.point == Point::DuringDrain && cell.fault != Fault::WorkerKilled {
        cluster.has_left(target).await?;
    }
    if cell.point != Point::DuringCancel {
        return completes(cluster, cell, reference, &id, &watching).await;
    }
    watching.until("the sweep ends", |seen| seen.ended()).await?;
    let (sweep, document) = check::ended(cluster, &id).await?;
    reference.begins_as(&sweep, &document, held[0].step)?;
    check::attempts(&watching.seen(), second, 1, 1)?;
    Ok(1)
}

/// The sweep completes as if nothing had happened.
async fn completes(
    cluster: &Cluster<'_>,
    cell: Cell,
    reference: &Reference,
    id: &str,
    watching: &Watching,
) -> Result<usize> {
    watching.until("the sweep ends", |seen| seen.ended()).await?;
    let (sweep, document) = check::ended(cluster, id).await?;
    let seen = watching.seen();
    reference.equals(&sweep, &document, &seen)?;
    let [first, second, ..] = &reference.plan.tasks[..] else {
        return Err("the plan has too few tasks".into());
    };
    let (of_first, of_second) = (cell.attempts_of_the_other(), cell.attempts());
    check::attempts(&seen, first, *of_first.start(), *of_first.end())?;
    check::attempts(&seen, second, *of_second.start(), *of_second.end())?;
    Ok(seen.attempts(second.id))
}

/// Something goes wrong.
async fn strike(cluster: &mut Cluster<'_>, fault: Fault, target: usize) -> Result {
    match fault {
        Fault::CoordinatorKilled => cluster.coordinator()?.kill().await?,
        Fault::CoordinatorStopped => cluster.coordinator()?.signal(Signal::STOP),
        Fault::WorkerKilled => {
            cluster.worker(target)?.kill().await?;
            // What a machine that is gone had on its way is gone with it.
            cluster.place(target)?.line.cut();
        }
        Fault::WorkerStopped => cluster.worker(target)?.signal(Signal::STOP),
        Fault::NetworkCut => cluster.place(target)?.line.cut(),
        Fault::NetworkSilent => {
            let line = &cluster.place(target)?.line;
            line.hold(Direction::Up);
            line.hold(Direction::Down);
        }
    }
    Ok(())
}

/// It is well again.
async fn heal(cluster: &mut Cluster<'_>, fault: Fault, target: usize) -> Result {
    cluster.place(target)?.line.heal();
    match fault {
        Fault::CoordinatorKilled => cluster.start_coordinator().await,
        Fault::CoordinatorStopped => {
            cluster.coordinator()?.signal(Signal::CONT);
            Ok(())
        }
        Fault::WorkerKilled => cluster.start_worker(target),
        Fault::WorkerStopped => {
            cluster.worker(target)?.signal(Signal::CONT);
            Ok(())
        }
        Fault::NetworkCut | Fault::NetworkSilent => Ok(()),
    }
}

/// Lets an outage last. This is the one thing here that is a length of time and not a condition.
pub async fn pass(downtime: Downtime) {
    match downtime {
        Downtime::None => {}
        Downtime::Shorter => tokio::time::sleep(SHORTER).await,
        Downtime::Longer => tokio::time::sleep(LONGER).await,
    }
}

/// Waits until a line has been connected once more than it had been.
///
/// # Errors
/// When it is not in time.
pub async fn connected_again(cluster: &Cluster<'_>, index: usize, before: u64) -> Result {
    let made = cluster.place(index)?.line.made();
    eventually("the worker connects again", async || Ok(*made.borrow() > before)).await
}
