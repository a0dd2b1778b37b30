//! What clients ask of the engine.

use super::core::{Core, Sweep};
use super::held::Effect;
use super::log::Log;
use super::message::{Reply, Request};
use super::{Created, Error, NewSweep, View};
use crate::observe::Overview;
use crate::record::Tally;
use rangefinder_store::{Change, Refused};
use rangefinder_sweep::ids::SweepId;
use rangefinder_sweep::state::{Event, SweepRequest, SweepResult, Time, WaitingFor};
use std::sync::Arc;

impl Core {
    /// Takes in a request. Answers go to callers who may have left; that is theirs to decide.
    pub(super) fn serve(&mut self, now: Time, request: Request) {
        match request {
            Request::Create { sweep, reply } => self.create(now, *sweep, reply),
            Request::Cancel { sweep, reply } => {
                match self.known(&sweep).and_then(|_| self.well()) {
                    Ok(()) => {
                        let event = Event::Cancel { sweep };
                        self.apply_then(now, event, answer(reply, Ok(())));
                    }
                    Err(error) => drop(reply.send(Err(error))),
                }
            }
            Request::Delete { sweep, reply } => self.delete(now, sweep, reply),
            Request::Result { sweep, reply } => {
                let result = self.result(&sweep);
                let _ = reply.send(result.ok_or(Error::UnknownSweep(sweep)));
            }
            Request::View { sweeps, reply } => {
                let views = sweeps.into_iter().filter_map(|id| {
                    let view = self.view(&id)?;
                    Some((id, view))
                });
                let _ = reply.send(views.collect());
            }
            Request::Stored { sweep, reply } => match self.sweeps.get_mut(&sweep) {
                Some(known) => known.waiting.push(reply),
                None => drop(reply.send(())),
            },
            Request::Subscribe { sweep, from, reply } => {
                let subscription = self.known(&sweep).map(|sweep| sweep.log.subscribe(from));
                let _ = reply.send(subscription);
            }
            Request::Overview { reply } => drop(reply.send(self.overview())),
            Request::Workers { reply } => drop(reply.send(self.state.workers())),
            Request::Drain { worker, reply } => {
                let known = self
                    .state
                    .workers()
                    .iter()
                    .any(|view| view.worker == worker);
                match self.well() {
                    Ok(()) if known => {
                        let event = Event::Drain { worker };
                        self.apply_then(now, event, answer(reply, Ok(())));
                    }
                    Ok(()) => drop(reply.send(Err(Error::UnknownWorker(worker)))),
                    Err(error) => drop(reply.send(Err(error))),
                }
            }
            Request::Gone {
                worker,
                cause,
                reply,
            } => {
                let joined = self.peers.remove(&worker);
                let event = Event::Gone {
                    worker,
                    incarnation: None,
                    cause,
                };
                self.apply(now, event);
                let _ = reply.send(joined);
            }
            Request::NoMoreWorkers { cause } => self.apply(now, Event::NoMoreWorkers { cause }),
        }
    }

    fn known(&self, sweep: &SweepId) -> Result<&Sweep, Error> {
        self.sweeps
            .get(sweep)
            .ok_or_else(|| Error::UnknownSweep(sweep.clone()))
    }

    fn well(&self) -> Result<(), Error> {
        match &*self.trouble.borrow() {
            None => Ok(()),
            Some(trouble) => Err(Error::StoreFailing(trouble.clone())),
        }
    }

    fn create(&mut self, now: Time, new: NewSweep, reply: Reply<Created>) {
        match self.admit(now, new) {
            Ok((created, Some(request))) => {
                let event = Event::Create {
                    sweep: created.sweep.clone(),
                    request,
                };
                self.apply_then(now, event, answer(reply, Ok(created)));
            }
            Ok((created, None)) => {
                // Not before the first request's sweep is durable itself.
                let effects = self.held.follow(vec![answer(reply, Ok(created))]);
                self.perform(now, effects);
            }
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    /// Records a sweep; `None` with one that the same request has made before.
    fn admit(
        &mut self,
        now: Time,
        new: NewSweep,
    ) -> Result<(Created, Option<Box<SweepRequest>>), Error> {
        let NewSweep {
            id,
            owner,
            request_id,
            mut creation,
        } = new;
        self.well()?;
        let existing = |sweep| {
            Ok((
                Created {
                    sweep,
                    existing: true,
                },
                None,
            ))
        };
        let same = |sweep: &Sweep| sweep.owner == owner && sweep.request_id == request_id;
        let earlier = self.sweeps.iter().find(|(_, sweep)| same(sweep));
        if let Some((sweep, _)) = earlier.filter(|_| !request_id.is_empty()) {
            return existing(sweep.clone());
        }
        // The store knows those that have ended; without one, this is all there is.
        if self.sweeps.contains_key(&id) {
            return Err(Error::SweepExists(id));
        }
        self.check_limits(&owner)?;
        creation.created_ms = now.0;
        let change = self
            .journal
            .create(&id, &owner, &request_id, &creation)
            .map_err(|error| Error::Defect(error.to_string()))?;
        match self.write(vec![change], Vec::new()) {
            Ok(()) => {}
            Err(Refused::RequestTaken { sweep, .. }) => return existing(SweepId(sweep)),
            Err(Refused::SweepTaken { .. }) => return Err(Error::SweepExists(id)),
            Err(other) => return Err(Error::Defect(other.to_string())),
        }
        let request = Box::new(creation.request.clone());
        let reader = self.journal.reader().cloned();
        let sweep = Sweep {
            owner,
            request_id,
            creation: Arc::new(creation),
            log: Log::new(id.clone(), 0, reader),
            tally: Tally::default(),
            ended: None,
            waiting: Vec::new(),
        };
        self.sweeps.insert(id.clone(), sweep);
        let created = Created {
            sweep: id,
            existing: false,
        };
        Ok((created, Some(request)))
    }

    /// Whether the owner may start another sweep now.
    fn check_limits(&self, owner: &str) -> Result<(), Error> {
        let active = || self.sweeps.values().filter(|sweep| sweep.ended.is_none());
        let own = active().filter(|sweep| sweep.owner == owner).count();
        if active().count() >= self.options.max_active {
            return Err(Error::TooManySweeps(self.options.max_active));
        }
        if own >= self.options.max_active_per_owner {
            return Err(Error::TooManyOfOwner(self.options.max_active_per_owner));
        }
        Ok(())
    }

    fn delete(&mut self, now: Time, sweep: SweepId, reply: Reply<()>) {
        match self.remove(&sweep) {
            Ok(()) => {
                let ready = self.held.follow(vec![answer(reply, Ok(()))]);
                self.perform(now, ready);
            }
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    /// Appends that a sweep is deleted.
    fn remove(&mut self, sweep: &SweepId) -> Result<(), Error> {
        if self.sweeps.contains_key(sweep) {
            return Err(Error::NotEnded(sweep.clone()));
        }
        self.well()?;
        let change = Change::Delete {
            sweep: sweep.0.clone(),
        };
        self.write(vec![change], Vec::new())
            .map_err(|refused| match refused {
                Refused::UnknownSweep { .. } => Error::UnknownSweep(sweep.clone()),
                other => Error::Defect(other.to_string()),
            })
    }

    fn overview(&self) -> Overview {
        let mut overview = Overview {
            workers: self.state.workers(),
            backlog_bytes: self.journal.backlog() as u64,
            ..Overview::default()
        };
        for sweep in self.sweeps.values() {
            let leases = sweep.tally.running();
            overview.leases += u64::from(leases);
            *match (&sweep.ended, leases) {
                (Some(_), _) => &mut overview.ending,
                (None, 0) => &mut overview.waiting,
                (None, _) => &mut overview.running,
            } += 1;
        }
        overview
    }

    fn waiting_for(&self, id: &SweepId) -> Option<String> {
        if let Err(error) = self.well() {
            return Some(error.to_string());
        }
        match self.state.waiting_for(id)? {
            WaitingFor::Nothing { .. } => None,
            other => Some(other.to_string()),
        }
    }

    pub(super) fn result(&self, sweep: &SweepId) -> Option<SweepResult> {
        let created_ms = self.sweeps.get(sweep)?.creation.created_ms;
        let mut result = self.state.result(sweep)?;
        let tasks = result
            .replicas
            .iter_mut()
            .flat_map(|replica| &mut replica.tasks);
        for attempt in tasks.flat_map(|task| &mut task.attempts) {
            attempt.started_ms = attempt.started_ms.saturating_sub(created_ms);
            attempt.ended_ms = attempt.ended_ms.map(|at| at.saturating_sub(created_ms));
        }
        Some(result)
    }

    fn view(&self, id: &SweepId) -> Option<View> {
        let sweep = self.sweeps.get(id)?;
        let last_event = sweep.log.last();
        // It has ended for the outside when that is durable.
        let ended = sweep
            .ended
            .as_ref()
            .filter(|ended| ended.last_event <= last_event);
        Some(View {
            creation: Arc::clone(&sweep.creation),
            started: sweep.tally.has_started(),
            progress: (&sweep.tally).into(),
            last_event,
            waiting_for: self.waiting_for(id),
            ended: ended.cloned(),
        })
    }
}

/// An answer that goes out when what it says is durable.
fn answer<T: Send + 'static>(reply: Reply<T>, with: Result<T, Error>) -> Effect {
    Effect::Answer(Box::new(move || drop(reply.send(with))))
}
