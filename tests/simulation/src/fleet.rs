//! The workers: places for them, and the processes that come and go there.

use crate::worker::{Effect, Process};
use crate::world::{Due, World};
use rangefinder_sweep::ids::{Incarnation, WorkerId};
use rangefinder_sweep::state::Report;

/// Messages that may be repeated later.
const REMEMBERED: usize = 128;

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

impl World {
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

    pub(crate) fn start_worker(&mut self, slot: usize) {
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

    pub(crate) fn turn(&mut self, slot: usize, incarnation: Incarnation) {
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

    /// A process dies, without a word.
    pub(crate) fn kill(&mut self, slot: usize) -> Option<(WorkerId, Incarnation)> {
        let process = self.slots.get_mut(slot)?.process.take()?;
        if let Some(link) = process.link {
            let silently = self.rng.u8(..3) == 0;
            self.break_link(link, silently);
        }
        Some((process.id, process.incarnation))
    }
}
