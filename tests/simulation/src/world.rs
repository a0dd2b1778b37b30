//! The world: an agenda of what happens when, and who it happens to.

use crate::coordinator::{Coordinator, Item, Mutation, Out};
use crate::invariants::Checked;
use crate::sweeps::{essence, kinds, reference};
use crate::worker::{Effect, Process};
use fastrand::Rng;
use rangefinder_sweep::event::Outcome;
use rangefinder_sweep::ids::{Incarnation, SweepId, WorkerId};
use rangefinder_sweep::state::{Command, Event, Held, Options, Report, Time};
use std::collections::{BTreeMap, VecDeque};

/// Time after the last fault within which every sweep has to have ended.
const PATIENCE_MS: u64 = 3 * 3_600_000;
/// Messages that may be repeated later.
const REMEMBERED: usize = 128;
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

/// A stream between a worker and the coordinator.
#[derive(Debug)]
struct Link {
    slot: usize,
    incarnation: Incarnation,
    /// Nothing passes any more, though its ends may not know.
    broken: bool,
    up_until: u64,
    down_until: u64,
}

/// A place for a worker.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) id: WorkerId,
    pub(crate) process: Option<Process>,
    /// Nothing passes between it and the coordinator.
    pub(crate) cut_off_until: u64,
    /// No process of that name comes again.
    pub(crate) vanished: bool,
    starting: bool,
}

/// What a client wants, and asks for until it is answered.
#[derive(Debug)]
pub(crate) struct Intent {
    pub(crate) sweep: SweepId,
    pub(crate) wish: Wish,
    asked: bool,
    pub(crate) answered: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Run {
        kind: usize,
        owner: u8,
        priority: i32,
    },
    Cancel,
    Forget,
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
    entries: u64,
    pub(crate) trace: bool,
    pub(crate) coordinator: Coordinator,
    pub(crate) up: bool,
    /// What the coordinator's clock shows more than the world's.
    pub(crate) clock_ahead: u64,
    pub(crate) stalled_until: u64,
    pub(crate) disk_is_full: bool,
    commit_is_due: bool,
    tick_at: Option<u64>,
    links: BTreeMap<u64, Link>,
    pub(crate) slots: Vec<Slot>,
    incarnations: u64,
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
        let mut world = Self {
            now: 0,
            agenda: BTreeMap::new(),
            entries: 0,
            trace,
            coordinator: Coordinator::new(options, mutation, trace),
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

    /// Sweeps that were asked for and have not ended.
    fn open_sweeps(&self) -> impl Iterator<Item = &SweepId> {
        let open = |intent: &&Intent| match intent.wish {
            Wish::Run { .. } => {
                !intent.answered || !(self.coordinator.live.has_ended(&intent.sweep))
            }
            Wish::Cancel | Wish::Forget => !intent.answered,
        };
        self.intents.iter().filter(open).map(|intent| &intent.sweep)
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

    pub(crate) fn add_worker(&mut self) {
        let slot = self.slots.len();
        self.slots.push(Slot {
            id: WorkerId(format!("w{slot}")),
            process: None,
            cut_off_until: 0,
            vanished: false,
            starting: false,
        });
        self.start_worker_after(slot, 0);
    }

    pub(crate) fn start_worker_after(&mut self, slot: usize, ms: u64) {
        if let Some(known) = self.slots.get_mut(slot)
            && !known.starting
            && !known.vanished
        {
            known.starting = true;
            self.after(ms, Due::StartWorker(slot));
        }
    }

    pub(crate) fn want_sweep(&mut self) {
        let kind = self.rng.usize(..kinds().len());
        let number = self.intents.len();
        let wish = Wish::Run {
            kind,
            owner: self.rng.u8(..2),
            priority: self.rng.i32(0..2),
        };
        self.want(SweepId(format!("{kind}-{number}")), wish);
    }

    pub(crate) fn want(&mut self, sweep: SweepId, wish: Wish) {
        self.intents.push(Intent {
            sweep,
            wish,
            asked: false,
            answered: false,
        });
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

    fn apply_with(&mut self, event: Event, items: Vec<Item>, reply: Option<usize>) -> Checked {
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

    fn send_down(&mut self, link: u64, due: Due) {
        let delay = self.rng.u64(1..60);
        let now = self.now;
        let cut_off = self
            .slot_of(link)
            .is_none_or(|slot| slot.cut_off_until > now);
        if let Some(known) = self.links.get_mut(&link) {
            known.broken |= cut_off;
            if !known.broken {
                known.down_until = known.down_until.max(now + delay);
                let at = known.down_until;
                self.at(at, due);
            }
        }
    }

    fn slot_of(&mut self, link: u64) -> Option<&mut Slot> {
        let slot = self.links.get(&link)?.slot;
        self.slots.get_mut(slot)
    }

    /// The process that still listens on a link.
    fn at_end_of(&mut self, link: u64) -> Option<&mut Process> {
        let process = self.slot_of(link)?.process.as_mut()?;
        (process.link == Some(link)).then_some(process)
    }

    fn start_worker(&mut self, slot: usize) {
        self.incarnations += 1;
        let incarnation = Incarnation(self.incarnations);
        let step_ms = self.rng.u64(20..300);
        let options = &self.coordinator.options;
        let times = (options.lease_ms, options.heartbeat_ms);
        let now = self.now;
        if let Some(known) = self.slots.get_mut(slot) {
            known.starting = false;
            let id = known.id.clone();
            known.process = Some(Process::new(id, incarnation, now, step_ms, times));
            self.after(0, Due::Turn(slot, incarnation));
        }
    }

    fn turn(&mut self, slot: usize, incarnation: Incarnation) {
        let now = self.now;
        let Some(known) = self.slots.get_mut(slot) else {
            return;
        };
        let cut_off = known.cut_off_until > now;
        let process = known.process.as_mut();
        let Some(process) = process.filter(|process| process.incarnation == incarnation) else {
            return;
        };
        let id = process.id.clone();
        let before = process.link;
        for effect in process.turn(now) {
            match effect {
                Effect::Send(report) => {
                    let link = before.unwrap_or_default();
                    self.remember(&id, incarnation, &report);
                    self.send_up(link, cut_off, Due::Up(link, report));
                }
                Effect::Dial(held) => self.dial(slot, incarnation, held, cut_off),
                Effect::HangUp => {
                    if let Some(link) = before {
                        self.break_link(link, false);
                    }
                }
                Effect::Exit => {
                    self.kill(slot);
                    let ms = self.rng.u64(100..5_000);
                    self.start_worker_after(slot, ms);
                    return;
                }
            }
        }
        let ms = self.rng.u64(200..400);
        self.after(ms, Due::Turn(slot, incarnation));
    }

    fn remember(&mut self, id: &WorkerId, incarnation: Incarnation, report: &Report) {
        if matches!(report, Report::Heartbeat(_)) {
            return;
        }
        if self.sent.len() == REMEMBERED {
            self.sent.pop_front();
        }
        self.sent
            .push_back((id.clone(), incarnation, report.clone()));
    }

    fn send_up(&mut self, link: u64, cut_off: bool, due: Due) {
        let delay = self.rng.u64(1..60);
        let now = self.now;
        if let Some(known) = self.links.get_mut(&link) {
            known.broken |= cut_off;
            if !known.broken {
                known.up_until = known.up_until.max(now + delay);
                let at = known.up_until;
                self.at(at, due);
            }
        }
    }

    fn dial(&mut self, slot: usize, incarnation: Incarnation, held: Vec<Held>, cut_off: bool) {
        if cut_off || !self.up {
            return;
        }
        let link = self.entries;
        self.links.insert(
            link,
            Link {
                slot,
                incarnation,
                broken: false,
                up_until: 0,
                down_until: 0,
            },
        );
        if let Some(process) = self
            .slots
            .get_mut(slot)
            .and_then(|slot| slot.process.as_mut())
        {
            process.link = Some(link);
        }
        self.send_up(link, false, Due::Hello(link, held));
    }

    fn hello(&mut self, link: u64, leases: Vec<Held>) -> Checked {
        let Some(known) = self.links.get(&link).filter(|known| !known.broken) else {
            return Ok(());
        };
        if !self.up {
            return Ok(());
        }
        let incarnation = known.incarnation;
        let Some(worker) = self.slot_of(link).map(|slot| slot.id.clone()) else {
            return Ok(());
        };
        self.coordinator
            .links
            .insert(worker.clone(), (link, incarnation));
        self.send_down(link, Due::Welcome(link));
        self.apply(Event::Joined {
            worker,
            incarnation,
            device: "cpu".to_owned(),
            versions: BTreeMap::new(),
            leases,
        })
    }

    fn arrives(&mut self, link: u64, report: Report) -> Checked {
        let Some(known) = self.links.get(&link) else {
            return Ok(());
        };
        let (broken, incarnation) = (known.broken, known.incarnation);
        let Some(worker) = self.slot_of(link).map(|slot| slot.id.clone()) else {
            return Ok(());
        };
        if !self.up {
            return Ok(());
        }
        let current = self.coordinator.links.get(&worker) == Some(&(link, incarnation));
        if broken || !current {
            // Most often it is gone with its link; but a message may come late.
            if self.rng.u8(..4) == 0 {
                let ms = self.rng.u64(0..20_000);
                self.after(ms, Due::Stray(worker, incarnation, report));
            }
            return Ok(());
        }
        let event = self.coordinator.received(worker, incarnation, report);
        self.apply(event)
    }

    /// Nothing passes any more; its ends learn it some time, or not.
    pub(crate) fn break_link(&mut self, link: u64, silently: bool) {
        if let Some(known) = self.links.get_mut(&link) {
            known.broken = true;
        }
        if !silently {
            let (one, other) = (self.rng.u64(1..3_000), self.rng.u64(1..3_000));
            self.after(one, Due::CoordinatorSeesCut(link));
            self.after(other, Due::WorkerSeesCut(link));
        }
    }

    fn coordinator_sees_cut(&mut self, link: u64) -> Checked {
        let Some(worker) = self.slot_of(link).map(|slot| slot.id.clone()) else {
            return Ok(());
        };
        match self.coordinator.links.get(&worker) {
            Some((current, incarnation)) if *current == link => {
                let incarnation = *incarnation;
                self.coordinator.links.remove(&worker);
                self.apply(Event::Disconnected {
                    worker,
                    incarnation,
                })
            }
            _ => Ok(()),
        }
    }

    /// A process dies, without a word.
    pub(crate) fn kill(&mut self, slot: usize) -> Option<(WorkerId, Incarnation)> {
        let process = self.slots.get_mut(slot)?.process.take()?;
        if let Some(link) = process.link {
            let silently = self.rng.u8(..3) == 0;
            self.break_link(link, silently);
        }
        Some((process.id, process.incarnation))
    }

    fn client(&mut self) -> Checked {
        self.after(1_000, Due::Client);
        if !self.up {
            return Ok(());
        }
        for number in 0..self.intents.len() {
            let Some(intent) = self.intents.get_mut(number) else {
                break;
            };
            if intent.asked || intent.answered {
                continue;
            }
            intent.asked = true;
            let (sweep, wish) = (intent.sweep.clone(), intent.wish);
            let (event, items) = match wish {
                Wish::Run {
                    kind,
                    owner,
                    priority,
                } => {
                    let Some(kind) = kinds().get(kind) else {
                        continue;
                    };
                    let request = kind.request(&format!("owner {owner}"), priority);
                    let known = self.coordinator.state.result(&sweep).is_some();
                    let create = Item::Create(sweep.clone(), request.clone());
                    let items = if known { Vec::new() } else { vec![create] };
                    let request = Box::new(request);
                    (Event::Create { sweep, request }, items)
                }
                Wish::Cancel => (Event::Cancel { sweep }, Vec::new()),
                Wish::Forget => {
                    let result = self.coordinator.state.result(&sweep);
                    match result.map(|result| result.outcome.is_some()) {
                        Some(true) => self.judge_sweep(&sweep)?,
                        // That it has ended was lost; it will end again.
                        Some(false) => {
                            if let Some(intent) = self.intents.get_mut(number) {
                                intent.asked = false;
                            }
                            continue;
                        }
                        None => {}
                    }
                    let items = vec![Item::Forget(sweep.clone())];
                    (Event::Forget { sweep }, items)
                }
            };
            self.apply_with(event, items, Some(number))?;
        }
        Ok(())
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

    /// Every sweep that is still known ended as it should.
    fn judge(&mut self) -> Checked {
        let sweeps: Vec<_> = self.coordinator.state.sweeps().cloned().collect();
        sweeps.iter().try_for_each(|sweep| self.judge_sweep(sweep))
    }

    fn judge_sweep(&mut self, sweep: &SweepId) -> Checked {
        let Some(result) = self.coordinator.state.result(sweep) else {
            return Err(format!("{sweep} is not known any more"));
        };
        match &result.outcome {
            Some(Outcome::Completed) => {
                self.summary.completed += 1;
                let (ours, expected) = (essence(result), reference(sweep));
                if expected != Some(&ours) {
                    return Err(format!(
                        "{sweep} resulted in\n{ours}\ninstead of\n{}",
                        expected.map_or("nothing", String::as_str)
                    ));
                }
            }
            Some(Outcome::Cancelled) => {
                self.summary.cancelled += 1;
                let mut intents = self.intents.iter();
                if !intents.any(|i| i.wish == Wish::Cancel && i.sweep == *sweep) {
                    return Err(format!("nobody cancelled {sweep}"));
                }
            }
            Some(Outcome::Failed(failure)) => {
                self.summary.failed += 1;
                if self.patient {
                    return Err(format!("{sweep} failed: {failure:?}"));
                }
            }
            None => return Err(format!("{sweep} has not ended")),
        }
        Ok(())
    }
}
