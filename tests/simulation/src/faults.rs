//! What goes wrong.

use crate::clients::Wish;
use crate::invariants::Checked;
use crate::world::{Due, World};
use rangefinder_sweep::ids::SweepId;
use rangefinder_sweep::state::Event;

/// Most sweeps in a run.
const MOST_WISHES: usize = 8;
/// Most places for workers.
const MOST_WORKERS: usize = 6;

impl World {
    /// One fault, drawn by the seed.
    pub(crate) fn strike(&mut self) -> Checked {
        let slot = self.rng.usize(..self.slots.len());
        let fault = self.rng.u8(..25);
        self.note(|| format!("fault {fault} at worker {slot}"));
        match fault {
            0..=2 => self.cut(slot),
            3..=4 => self.cut_off(slot),
            5..=7 => self.kill_and_restart(slot),
            8 => self.vanish(slot),
            9 => self.with_process(slot, |process, _| process.hung = true),
            10 => {
                // A task that fails on two workers is at fault itself.
                let slot = if self.patient { 0 } else { slot };
                self.with_process(slot, |process, _| process.fail());
            }
            11 => {
                let leaves = self.rng.bool();
                self.with_process(slot, |process, now| {
                    process.hand_back();
                    if leaves {
                        process.leave(now);
                    }
                });
            }
            12 => {
                if let Some(worker) = self.slots.get(slot).map(|slot| slot.id.clone()) {
                    return self.apply(Event::Drain { worker });
                }
            }
            13..=15 => {
                if self.up {
                    self.crash();
                }
            }
            16 => {
                if self.up {
                    // A planned restart.
                    let ms = self.rng.u64(1..3_000);
                    self.after(ms, Due::Crash);
                    return self.apply(Event::Park);
                }
            }
            17 => self.stall(),
            18 => return self.clock_jumps(),
            19 => {
                if self.up && !self.disk_is_full {
                    self.disk_is_full = true;
                    let ms = self.rng.u64(100..40_000);
                    self.after(ms, Due::DiskIsBack);
                    return self.apply(Event::Suspended);
                }
            }
            20 => self.cancel(),
            21 if self.intents.len() < MOST_WISHES => self.want_sweep(),
            22..=23 => self.repeat(),
            _ => self.forget(),
        }
        Ok(())
    }

    fn with_process(&mut self, slot: usize, what: impl FnOnce(&mut crate::worker::Process, u64)) {
        let now = self.now;
        let slot = self.slots.get_mut(slot);
        if let Some(process) = slot.and_then(|slot| slot.process.as_mut()) {
            what(process, now);
        }
    }

    fn cut(&mut self, slot: usize) {
        let process = self.slots.get(slot).and_then(|slot| slot.process.as_ref());
        if let Some(link) = process.and_then(|process| process.link) {
            self.break_link(link, false);
        }
    }

    fn cut_off(&mut self, slot: usize) {
        let until = self.now + self.rng.u64(500..40_000);
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.cut_off_until = until;
        }
    }

    fn kill_and_restart(&mut self, slot: usize) {
        let Some((worker, incarnation)) = self.kill(slot) else {
            return;
        };
        if self.rng.bool() {
            let ms = self.rng.u64(1..20_000);
            self.after(ms, Due::Gone(worker, incarnation));
        }
        let ms = self.rng.u64(10..30_000);
        self.start_worker_after(slot, ms);
    }

    /// A machine is switched off for good; another one comes in its place.
    fn vanish(&mut self, slot: usize) {
        if self.slots.len() >= MOST_WORKERS {
            return;
        }
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.vanished = true;
        }
        if let Some(link) = self
            .slots
            .get_mut(slot)
            .and_then(|slot| slot.process.take())
            .and_then(|process| process.link)
        {
            self.break_link(link, true);
        }
        self.add_worker();
    }

    /// The coordinator's process stands still; it notices, or does not.
    fn stall(&mut self) {
        let ms = self.rng.u64(500..30_000);
        self.stalled_until = self.now + ms;
        if self.rng.bool() {
            // It begins with this when it goes on.
            self.at(self.stalled_until, Due::Resumed);
        }
    }

    fn clock_jumps(&mut self) -> Checked {
        self.clock_ahead += self.rng.u64(1_000..120_000);
        if self.rng.bool() {
            return self.apply(Event::Resumed);
        }
        self.apply(Event::Tick)
    }

    fn some_sweep(&mut self) -> Option<SweepId> {
        let number = self.rng.usize(..self.intents.len().max(1));
        let intent = self.intents.get(number)?;
        intent.answered.then(|| intent.sweep.clone())
    }

    fn cancel(&mut self) {
        if let Some(sweep) = self.some_sweep() {
            let mut others = self.intents.iter();
            if !others.any(|intent| intent.sweep == sweep && intent.wish == Wish::Forget) {
                self.want(sweep, Wish::Cancel);
            }
        }
    }

    /// Messages of before arrive once more, in any order.
    fn repeat(&mut self) {
        for _ in 0..self.rng.u8(1..12) {
            let number = self.rng.usize(..self.sent.len().max(1));
            if let Some((worker, incarnation, report)) = self.sent.get(number).cloned() {
                let ms = self.rng.u64(1..10_000);
                self.after(ms, Due::Stray(worker, incarnation, report));
            }
        }
    }

    fn forget(&mut self) {
        if let Some(sweep) = self.some_sweep()
            && self.coordinator.live.has_ended(&sweep)
            && self.coordinator.state.result(&sweep).is_some()
        {
            let mut others = self.intents.iter();
            if !others.any(|i| i.sweep == sweep && i.wish == Wish::Forget) {
                self.want(sweep, Wish::Forget);
            }
        }
    }
}
