//! Clients: what they want, ask for again until it is answered, and get.

use crate::coordinator::Item;
use crate::invariants::Checked;
use crate::sweeps::{essence, kinds, reference};
use crate::world::{Due, World};
use rangefinder_sweep::event::Outcome;
use rangefinder_sweep::ids::SweepId;
use rangefinder_sweep::state::Event;

/// What a client wants, and asks for until it is answered.
#[derive(Debug)]
pub(crate) struct Intent {
    pub(crate) sweep: SweepId,
    pub(crate) wish: Wish,
    pub(crate) asked: bool,
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

impl World {
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

    pub(crate) fn client(&mut self) -> Checked {
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

    /// Every sweep that is still known ended as it should.
    pub(crate) fn judge(&mut self) -> Checked {
        let sweeps: Vec<_> = self.coordinator.state.sweeps().cloned().collect();
        sweeps.iter().try_for_each(|sweep| self.judge_sweep(sweep))
    }

    pub(crate) fn judge_sweep(&mut self, sweep: &SweepId) -> Checked {
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
                self.note(|| format!("{sweep} has failed: {}", failure.message));
                if self.patient {
                    return Err(format!("{sweep} failed: {failure:?}"));
                }
            }
            None => return Err(format!("{sweep} has not ended")),
        }
        Ok(())
    }

    /// Sweeps that were asked for and have not ended.
    pub(crate) fn open_sweeps(&self) -> impl Iterator<Item = &SweepId> {
        let open = |intent: &&Intent| match intent.wish {
            Wish::Run { .. } => {
                !intent.answered || !(self.coordinator.live.has_ended(&intent.sweep))
            }
            Wish::Cancel | Wish::Forget => !intent.answered,
        };
        self.intents.iter().filter(open).map(|intent| &intent.sweep)
    }
}
