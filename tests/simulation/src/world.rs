//! The world: an agenda of what happens when, and who it happens to.

use crate::clients::{Intent, Wish};
use crate::coordinator::{Coordinator, Item, Mutation, Out, REBUILT_EVERY};
use crate::fleet::Slot;
use crate::invariants::Checked;
use crate::network::Link;
use fastrand::Rng;
use rangefinder_sweep::ids::{Incarnation, WorkerId};
use rangefinder_sweep::state::{Command, Event, Held, Options, Report, Time};
use std::collections::{BTreeMap, VecDeque};

/// Time after the last fault within which every sweep has to have ended.
const PATIENCE_MS: u64 = 3 * 3_600_000;
/// One seed in so many is checked after each event for whether the log gives the live state.
const THOROUGH: u64 = 50;
/// Workers at the start.
const FIRST_WORKERS: usize = 3;

/// What is on the agenda.
#[derive(Clone, Debug)]
pub(crate) enum Due {
    Turn(usize, Incarnation),
    StartWorker(usize),
    Gone(WorkerId, Incarnation),
    Hello(u64, Vec<Held>),
    Up(u64, Report),
    /// A message that was on its way when its link broke, or that is repeated.
    Stray(WorkerId, Incarnation, Report),
    Welcome(u64),
    Down(u64, Command),
    CoordinatorSeesCut(u64),
    WorkerSeesCut(u64),
    Commit,
    DiskIsBack,
    Tick,
    Resumed,
    Client,
    StartCoordinator,
    Crash,
    Fault,
}

impl Due {
    /// Whether it waits for a coordinator that is held up.
    fn needs_coordinator(&self) -> bool {
        matches!(
            self,
            Self::Hello(..)
                | Self::Up(..)
                | Self::Stray(..)
                | Self::Gone(..)
                | Self::CoordinatorSeesCut(_)
                | Self::Commit
                | Self::Tick
                | Self::Resumed
                | Self::Client
                | Self::Crash
        )
    }
}

/// What a run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Sweeps that were completed, and compared with their reference.
    pub completed: u32,
    /// Sweeps that were cancelled.
    pub cancelled: u32,
    /// Sweeps that failed by the rules.
    pub failed: u32,
    /// Times that the coordinator was killed or restarted.
    pub restarts: u32,
    /// Faults of all kinds.
    pub faults: u32,
}

impl Summary {
    /// Adds those of another run.
    pub fn add(&mut self, other: Self) {
        self.completed += other.completed;
        self.cancelled += other.cancelled;
        self.failed += other.failed;
        self.restarts += other.restarts;
        self.faults += other.faults;
    }
}

pub(crate) struct World {
    pub(crate) rng: Rng,
    pub(crate) now: u64,
    agenda: BTreeMap<(u64, u64), Due>,
    pub(crate) entries: u64,
    pub(crate) trace: bool,
    pub(crate) coordinator: Coordinator,
    pub(crate) up: bool,
    /// What the coordinator's clock shows more than the world's.
    pub(crate) clock_ahead: u64,
    pub(crate) stalled_until: u64,
    pub(crate) disk_is_full: bool,
    commit_is_due: bool,
    tick_at: Option<u64>,
    pub(crate) links: BTreeMap<u64, Link>,
    pub(crate) slots: Vec<Slot>,
    pub(crate) incarnations: u64,
    pub(crate) intents: Vec<Intent>,
    pub(crate) sent: VecDeque<(WorkerId, Incarnation, Report)>,
    /// No limit of attempts is reached: every sweep that is not cancelled is completed.
    pub(crate) patient: bool,
    pub(crate) faults_left: u32,
    calm_since: Option<u64>,
    pub(crate) summary: Summary,
}

impl World {
    pub(crate) fn new(seed: u64, mutation: Option<Mutation>, trace: bool) -> Self {
        let mut rng = Rng::with_seed(seed);
        let patient = rng.u8(..4) > 0;
        let usual = Options::default();
        let many = if patient { 1_000_000 } else { usual.max_lost };
        let options = Options {
            stall_ms: 60_000,
            max_failed: many,
            max_lost: many,
            no_worker_ms: if patient {
                1_000_000_000
            } else {
                usual.no_worker_ms
            },
            lease_ms: match mutation {
                Some(Mutation::EndlessLeases) => 1_000_000_000_000,
                _ => usual.lease_ms,
            },
            max_leases_per_owner: rng.bool().then_some(2),
            ..usual
        };
        let rebuilt_every = if seed.is_multiple_of(THOROUGH) {
            1
        } else {
            REBUILT_EVERY
        };
        let mut world = Self {
            now: 0,
            agenda: BTreeMap::new(),
            entries: 0,
            trace,
            coordinator: Coordinator::new(options, mutation, rebuilt_every, trace),
            up: true,
            clock_ahead: 0,
            stalled_until: 0,
            disk_is_full: false,
            commit_is_due: false,
            tick_at: None,
            links: BTreeMap::new(),
            slots: Vec::new(),
            incarnations: 0,
            intents: Vec::new(),
            sent: VecDeque::new(),
            patient,
            faults_left: rng.u32(0..25),
            calm_since: None,
            summary: Summary::default(),
            rng,
        };
        for _ in 0..FIRST_WORKERS {
            world.add_worker();
        }
        for _ in 0..world.rng.u32(1..4) {
            world.want_sweep();
        }
        world.after(0, Due::Client);
        world.after(500, Due::Fault);
        world
    }

    /// Runs until every sweep has ended.
    pub(crate) fn run(mut self) -> Result<Summary, String> {
        while !self.is_over() {
            let Some(((at, _), due)) = self.agenda.pop_first() else {
                return Err("nothing happens any more".to_owned());
            };
            self.now = at;
            if self
                .calm_since
                .is_some_and(|since| at > since + PATIENCE_MS)
            {
                let open: Vec<_> = self.open_sweeps().collect();
                return Err(format!("these sweeps do not end: {open:?}"));
            }
            if due.needs_coordinator() && self.stalled_until > at {
                self.at(self.stalled_until, due);
                continue;
            }
            if self.trace {
                self.print(&due);
            }
            self.happen(due)?;
        }
        let commits = self.coordinator.commit(usize::MAX)?;
        self.let_out(commits);
        self.coordinator.check_rebuilt(self.time())?;
        self.judge()?;
        Ok(self.summary)
    }

    fn print(&self, due: &Due) {
        let text = format!("{due:?}");
        let text: String = text.chars().take(240).collect();
        if !matches!(due, Due::Turn(..)) {
            println!("{:>9} {text}", self.now);
        }
    }

    pub(crate) fn note(&self, what: impl FnOnce() -> String) {
        if self.trace {
            println!("{:>9} ** {}", self.now, what());
        }
    }

    fn is_over(&self) -> bool {
        self.calm_since.is_some() && self.up && self.open_sweeps().next().is_none()
    }

    pub(crate) fn at(&mut self, at: u64, due: Due) {
        self.entries += 1;
        self.agenda.insert((at, self.entries), due);
    }

    pub(crate) fn after(&mut self, ms: u64, due: Due) {
        self.at(self.now + ms, due);
    }

    pub(crate) fn time(&self) -> Time {
        Time(self.now + self.clock_ahead)
    }

    fn happen(&mut self, due: Due) -> Checked {
        match due {
            Due::Turn(slot, incarnation) => self.turn(slot, incarnation),
            Due::StartWorker(slot) => self.start_worker(slot),
            Due::Gone(worker, incarnation) => {
                return self.apply(Event::Gone {
                    worker,
                    incarnation: Some(incarnation),
                    cause: "signal 9".to_owned(),
                });
            }
            Due::Hello(link, held) => return self.hello(link, held),
            Due::Up(link, report) => return self.arrives(link, report),
            Due::Stray(worker, incarnation, report) => {
                if self.up {
                    let event = self.coordinator.received(worker, incarnation, report);
                    return self.apply(event);
                }
            }
            Due::Welcome(link) => {
                let now = self.now;
                if let Some(process) = self.at_end_of(link) {
                    process.welcome(now);
                }
            }
            Due::Down(link, command) => {
                let now = self.now;
                if let Some(process) = self.at_end_of(link) {
                    process.take(now, command);
                }
            }
            Due::CoordinatorSeesCut(link) => return self.coordinator_sees_cut(link),
            Due::WorkerSeesCut(link) => {
                if let Some(process) = self.slot_of(link).and_then(|slot| slot.process.as_mut())
                    && process.link == Some(link)
                {
                    process.cut();
                }
            }
            Due::Commit => return self.commit(),
            Due::DiskIsBack => {
                self.disk_is_full = false;
                self.commit_is_due = true;
                self.after(0, Due::Commit);
                return self.apply(Event::Resumed);
            }
            Due::Tick => {
                self.tick_at = None;
                return self.apply(Event::Tick);
            }
            Due::Resumed => return self.apply(Event::Resumed),
            Due::Client => return self.client(),
            Due::StartCoordinator => return self.start_coordinator(),
            Due::Crash => self.crash(),
            Due::Fault => return self.fault(),
        }
        Ok(())
    }

    /// The coordinator takes in an event.
    pub(crate) fn apply(&mut self, event: Event) -> Checked {
        self.apply_with(event, Vec::new(), None)
    }

    pub(crate) fn apply_with(
        &mut self,
        event: Event,
        items: Vec<Item>,
        reply: Option<usize>,
    ) -> Checked {
        if !self.up {
            return Ok(());
        }
        let out = self.coordinator.apply(self.time(), event, items, reply)?;
        self.let_out(out);
        if self.coordinator.keeps_something() && !self.commit_is_due && !self.disk_is_full {
            self.commit_is_due = true;
            let ms = self.rng.u64(1..40);
            self.after(ms, Due::Commit);
        }
        if let Some(Time(at)) = self.coordinator.state.next_deadline() {
            let at = at.saturating_sub(self.clock_ahead).max(self.now);
            if self.tick_at.is_none_or(|tick| tick > at) {
                self.tick_at = Some(at);
                self.at(at, Due::Tick);
            }
        }
        Ok(())
    }

    fn commit(&mut self) -> Checked {
        if !self.up || self.disk_is_full {
            self.commit_is_due = false;
            return Ok(());
        }
        let events = match self.rng.u8(..4) {
            0 => self.rng.usize(1..4),
            _ => usize::MAX,
        };
        let out = self.coordinator.commit(events)?;
        self.let_out(out);
        self.commit_is_due = self.coordinator.keeps_something();
        if self.commit_is_due {
            let ms = self.rng.u64(1..40);
            self.after(ms, Due::Commit);
        }
        Ok(())
    }

    fn let_out(&mut self, out: Vec<Out>) {
        for out in out {
            match out {
                Out::Send(link, command) => self.send_down(link, Due::Down(link, command)),
                Out::Reply(intent) => {
                    if let Some(intent) = self.intents.get_mut(intent) {
                        intent.answered = true;
                    }
                }
            }
        }
    }

    pub(crate) fn crash(&mut self) {
        self.up = false;
        self.summary.restarts += 1;
        self.coordinator.crash();
        self.stalled_until = 0;
        self.disk_is_full = false;
        self.commit_is_due = false;
        self.tick_at = None;
        for intent in &mut self.intents {
            intent.asked = false;
        }
        let links: Vec<u64> = self.links.keys().copied().collect();
        for link in links {
            if let Some(known) = self.links.get_mut(&link).filter(|known| !known.broken) {
                known.broken = true;
                let ms = self.rng.u64(1..3_000);
                self.after(ms, Due::WorkerSeesCut(link));
            }
        }
        let down_ms = match self.rng.u8(..3) {
            0 => 1,
            1 => self.rng.u64(100..10_000),
            _ => self.rng.u64(10_000..60_000),
        };
        self.after(down_ms, Due::StartCoordinator);
    }

    fn start_coordinator(&mut self) -> Checked {
        if self.up {
            return Ok(());
        }
        // Another clock, which may be behind the one before.
        let clock = self.now + self.rng.u64(0..100_000);
        self.coordinator.restart(Time(clock))?;
        self.clock_ahead = self.coordinator.state.now().0.saturating_sub(self.now);
        self.up = true;
        for intent in &self.intents {
            let forgotten = self
                .intents
                .iter()
                .any(|other| other.wish == Wish::Forget && other.sweep == intent.sweep);
            let kept = match intent.wish {
                _ if !intent.answered || forgotten => true,
                Wish::Run { .. } => self.coordinator.has_kept(&intent.sweep),
                Wish::Cancel => self.coordinator.live.has_ended(&intent.sweep),
                Wish::Forget => true,
            };
            if !kept {
                return Err(format!("a client was promised {intent:?}, which is lost"));
            }
        }
        self.apply(Event::Tick)
    }

    fn fault(&mut self) -> Checked {
        if self.faults_left == 0 {
            self.calm_since = Some(self.now);
            for slot in 0..self.slots.len() {
                let dead = self
                    .slots
                    .get(slot)
                    .is_some_and(|slot| slot.process.is_none());
                if dead {
                    self.start_worker_after(slot, 1_000);
                }
            }
            if self.slots.iter().all(|slot| slot.vanished) {
                self.add_worker();
            }
            return Ok(());
        }
        self.faults_left -= 1;
        self.summary.faults += 1;
        let ms = self.rng.u64(1..6_000);
        self.after(ms, Due::Fault);
        self.strike()
    }
}
