//! The matrix: which fault, at which point, for how long; and how often the task at the point may
//! be run for it.

use std::fmt;
use std::ops::RangeInclusive;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The coordinator is killed, and started again on its store.
    CoordinatorKilled,
    /// The coordinator is stopped, and goes on.
    CoordinatorStopped,
    /// The worker is killed, and another process started under its name.
    WorkerKilled,
    /// The worker is stopped, and goes on.
    WorkerStopped,
    /// The worker's connection is cut, with what was on its way, and no other one comes about.
    NetworkCut,
    /// Nothing gets through between coordinator and worker, and nobody is told.
    NetworkSilent,
}

/// Where the sweep is when it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Point {
    /// Nothing of the sweep was granted yet.
    BeforeGrant,
    /// The worker has the task, and has run no step.
    Granted,
    /// Half of the warm-up is acknowledged.
    MidWarmUp,
    /// Half of the task's own steps are acknowledged.
    MidSegment,
    /// The worker is done, and half of the losses have not left it.
    FinishedUnsent,
    /// The coordinator has the end of the attempt, and the worker does not know.
    SentUnacknowledged,
    /// The sweep was cancelled, and the worker does not know.
    DuringCancel,
    /// The worker was told to leave, and is in the middle of its task.
    DuringDrain,
}

/// How long it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Downtime {
    /// What went is back at once.
    None,
    /// Shorter than a lease.
    Shorter,
    /// Longer than a lease.
    Longer,
}

/// All faults.
pub const FAULTS: [Fault; 6] = [
    Fault::CoordinatorKilled,
    Fault::CoordinatorStopped,
    Fault::WorkerKilled,
    Fault::WorkerStopped,
    Fault::NetworkCut,
    Fault::NetworkSilent,
];

/// All points.
pub const POINTS: [Point; 8] = [
    Point::BeforeGrant,
    Point::Granted,
    Point::MidWarmUp,
    Point::MidSegment,
    Point::FinishedUnsent,
    Point::SentUnacknowledged,
    Point::DuringCancel,
    Point::DuringDrain,
];

/// All lengths of time.
pub const DOWNTIMES: [Downtime; 3] = [Downtime::None, Downtime::Shorter, Downtime::Longer];

impl Fault {
    /// Whether it befalls the coordinator, and so every worker.
    #[must_use]
    pub fn is_coordinators(self) -> bool {
        matches!(self, Self::CoordinatorKilled | Self::CoordinatorStopped)
    }

    /// Whether it lasts at all: who is stopped for no time was not stopped.
    #[must_use]
    pub fn can_last(self, downtime: Downtime) -> bool {
        let lasts = matches!(
            self,
            Self::CoordinatorStopped | Self::WorkerStopped | Self::NetworkSilent
        );
        !lasts || downtime != Downtime::None
    }
}

/// One cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// What goes wrong.
    pub fault: Fault,
    /// When.
    pub point: Point,
    /// For how long.
    pub downtime: Downtime,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let snake = |name: String| {
            let mut snake = String::new();
            for letter in name.chars() {
                if letter.is_uppercase() && !snake.is_empty() {
                    snake.push('_');
                }
                snake.extend(letter.to_lowercase());
            }
            snake
        };
        write!(
            f,
            "{}::{}::{}",
            snake(format!("{:?}", self.fault)),
            snake(format!("{:?}", self.point)),
            snake(format!("{:?}", self.downtime))
        )
    }
}

impl Cell {
    /// How often the task at the point is run, undisturbed once.
    #[must_use]
    pub fn attempts(self) -> RangeInclusive<usize> {
        let holds = matches!(
            self.point,
            Point::Granted
                | Point::MidWarmUp
                | Point::MidSegment
                | Point::FinishedUnsent
                | Point::DuringDrain
        );
        let waits = self.point == Point::BeforeGrant;
        match (self.fault, self.downtime) {
            // What was only in the worker's memory is gone with it.
            (Fault::WorkerKilled, _) if holds => 2..=2,
            // Someone else has it by then.
            (Fault::WorkerStopped | Fault::NetworkCut | Fault::NetworkSilent, Downtime::Longer)
                if holds =>
            {
                2..=2
            }
            // It may or may not have been given to the worker that is not heard.
            (Fault::WorkerStopped | Fault::NetworkSilent, Downtime::Longer) if waits => 1..=2,
            _ => 1..=1,
        }
    }

    /// How often the task of the other worker, which is in the middle of it, may be run.
    #[must_use]
    pub fn attempts_of_the_other(self) -> RangeInclusive<usize> {
        match self.point {
            Point::BeforeGrant => self.attempts(),
            _ => 1..=1,
        }
    }
}

/// All cells.
pub fn cells() -> impl Iterator<Item = Cell> {
    let all = FAULTS.into_iter().flat_map(|fault| {
        POINTS.into_iter().flat_map(move |point| {
            DOWNTIMES.into_iter().map(move |downtime| Cell {
                fault,
                point,
                downtime,
            })
        })
    });
    all.filter(|cell| cell.fault.can_last(cell.downtime))
}
