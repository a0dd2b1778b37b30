//! `CreateSweep`.

use super::super::status::Refusal;
use super::field::Field;
use super::{Sweeps, files};
use crate::engine::{self, NewSweep};
use crate::observe::TraceParent;
use crate::record::Creation;
use rangefinder_access::{Operation, Principal};
use rangefinder_artifacts::Pin;
use rangefinder_config::resolve_elsewhere;
use rangefinder_errors::Code;
use rangefinder_proto::v1;
use rangefinder_sweep::ids::SweepId;
use std::collections::HashSet;

/// Bytes of the longest request id and name.
const MAX_TEXT: usize = 128;
/// Most steps of a sweep: the time to read its curve goes by their square.
const MAX_STEPS: u32 = 20_000;
/// Highest priority, and lowest below zero.
const MAX_PRIORITY: i32 = 100;

impl Sweeps {
    async fn workers_there(&self) -> Result<u32, Refusal> {
        let workers = self.catalogue.engine().workers().await?;
        let there = workers.iter().filter(|worker| worker.connected).count();
        let most = rangefinder_config::MOST_WORKERS_ELSEWHERE as usize;
        Ok(u32::try_from(there.clamp(1, most)).unwrap_or(1))
    }

    /// The specification with the files that it names made sure of: below roots, or artifacts,
    /// which are held.
    async fn with_files(
        &self,
        mut spec: v1::SweepSpec,
        caller: Principal,
    ) -> Result<(v1::SweepSpec, Vec<Pin>, Vec<Field>), Refusal> {
        let (roots, store) = (self.roots.clone(), self.artifacts.clone());
        let made_sure = tokio::task::spawn_blocking(move || {
            let mut mistakes = files::confine(&mut spec, &roots);
            let pins = files::pin(&spec, &store, &caller).unwrap_or_else(|more| {
                mistakes.extend(more);
                Vec::new()
            });
            (spec, pins, mistakes)
        });
        let made_sure = made_sure.await;
        made_sure.map_err(|error| engine::Error::Defect(error.to_string()).into())
    }

    pub(super) async fn create(
        &self,
        caller: Principal,
        trace: Option<TraceParent>,
        request: v1::CreateSweepRequest,
    ) -> Result<v1::Sweep, Refusal> {
        caller.may_ever(Operation::CreateSweep)?;
        let earlier = self
            .catalogue
            .by_request(&caller.name, &request.request_id)
            .await?;
        if let Some(earlier) = earlier {
            return self.whole(&earlier).await;
        }
        let workers = match request.workers {
            0 => self.workers_there().await?,
            workers => workers,
        };
        let mut mistakes = mistakes_of(&request);
        let spec = request.spec.clone().unwrap_or_default();
        let (spec, pins, wrong) = self.with_files(spec, caller.clone()).await?;
        mistakes.extend(wrong);
        let resolved = match resolve_elsewhere(spec, workers) {
            Ok(resolved) if mistakes.is_empty() => resolved,
            Ok(_) => return Err(Refusal::Fields(mistakes)),
            Err(errors) => {
                // A path that leads nowhere is said to be that, and not looked at further.
                let said: HashSet<_> = mistakes.iter().map(|field| field.path.clone()).collect();
                let more = errors.into_iter().map(Field::of_spec);
                mistakes.extend(more.filter(|field| !said.contains(&field.path)));
                return Err(Refusal::Fields(mistakes));
            }
        };
        let mut creation = Creation::new(&resolved, &request.name, None);
        creation.request.owner.clone_from(&caller.name);
        creation.request.priority = request.priority;
        if request.validate_only {
            return Ok(v1::Sweep {
                name: request.name,
                owner: caller.name,
                spec: Some(creation.spec),
                workers,
                priority: request.priority,
                ..v1::Sweep::default()
            });
        }
        let not_random = |error: getrandom::Error| engine::Error::Defect(error.to_string());
        let id = getrandom::u64().map_err(not_random)?;
        let trace = trace.map_or_else(TraceParent::random, Ok);
        creation.traceparent = Some(trace.map_err(not_random)?);
        let new = NewSweep {
            id: SweepId(format!("sweep-{id:016x}")),
            owner: caller.name,
            request_id: request.request_id,
            creation,
        };
        let created = self.catalogue.create(new).await?;
        if !created.existing {
            self.pins.hold(created.sweep.clone(), pins);
        }
        self.whole(&created.sweep).await
    }
}

/// What is wrong with a request beside its specification.
fn mistakes_of(request: &v1::CreateSweepRequest) -> Vec<Field> {
    let mut mistakes = Vec::new();
    for (path, text) in [("request_id", &request.request_id), ("name", &request.name)] {
        if text.len() > MAX_TEXT || text.chars().any(char::is_control) {
            mistakes.push(Field::new(
                path,
                Code::OutOfRange,
                format!("has {} bytes or characters that do not print", text.len()),
                &format!("use at most {MAX_TEXT} bytes of plain text"),
            ));
        }
    }
    if !(-MAX_PRIORITY..=MAX_PRIORITY).contains(&request.priority) {
        mistakes.push(Field::new(
            "priority",
            Code::OutOfRange,
            format!(
                "{} is out of range; expected -{MAX_PRIORITY} to {MAX_PRIORITY}",
                request.priority
            ),
            "leave it at 0 unless the sweep is more urgent than others",
        ));
    }
    let steps = request.spec.as_ref().and_then(|spec| spec.num_training);
    if let Some(steps) = steps.filter(|steps| *steps > MAX_STEPS) {
        mistakes.push(Field::new(
            "spec.num_training",
            Code::OutOfRange,
            format!("{steps} is out of range; a service takes at most {MAX_STEPS}"),
            "use 200 to 500, which are best",
        ));
    }
    mistakes
}
