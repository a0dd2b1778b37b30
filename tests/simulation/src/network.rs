//! Streams between workers and the coordinator: in order and without loss as long as they stand,
//! and of what was on its way when they break, some comes late.

use crate::fleet::Slot;
use crate::invariants::Checked;
use crate::worker::Process;
use crate::world::{Due, World};
use rangefinder_sweep::ids::Incarnation;
use rangefinder_sweep::state::{Event, Held, Report};
use std::collections::BTreeMap;

/// A stream between a worker and the coordinator.
#[derive(Debug)]
pub(crate) struct Link {
    slot: usize,
    incarnation: Incarnation,
    /// Nothing passes any more, though its ends may not know.
    pub(crate) broken: bool,
    up_until: u64,
    down_until: u64,
}

impl World {
    pub(crate) fn send_down(&mut self, link: u64, due: Due) {
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

    pub(crate) fn slot_of(&mut self, link: u64) -> Option<&mut Slot> {
        let slot = self.links.get(&link)?.slot;
        self.slots.get_mut(slot)
    }

    /// The process that still listens on a link.
    pub(crate) fn at_end_of(&mut self, link: u64) -> Option<&mut Process> {
        let process = self.slot_of(link)?.process.as_mut()?;
        (process.link == Some(link)).then_some(process)
    }

    pub(crate) fn send_up(&mut self, link: u64, cut_off: bool, due: Due) {
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

    pub(crate) fn dial(
        &mut self,
        slot: usize,
        incarnation: Incarnation,
        held: Vec<Held>,
        cut_off: bool,
    ) {
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

    pub(crate) fn hello(&mut self, link: u64, leases: Vec<Held>) -> Checked {
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

    pub(crate) fn arrives(&mut self, link: u64, report: Report) -> Checked {
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

    pub(crate) fn coordinator_sees_cut(&mut self, link: u64) -> Checked {
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
}
