//! `SweepService`: what clients ask.
//!
//! Who calls is taken from the request, where the layer that checks tokens has left a [`Principal`].
//! A sweep that the caller may not see is answered word for word as one that does not exist.

use super::auth::caller;
use super::status::{Refusal, refusal};
use crate::catalogue::{self, Catalogue, Entry};
use crate::engine::{self, NewSweep};
use crate::record::{Creation, read};
use crate::wire::sweeps as wire;
use rangefinder_access::{Denied, Operation, Principal, TokenSource};
use rangefinder_config::{reading, resolve_elsewhere};
use rangefinder_errors::Code;
use rangefinder_proto::v1;
use rangefinder_store::{ACTIVE, Filter, Position};
use rangefinder_sweep::event::{FieldError, Happening};
use rangefinder_sweep::ids::{SweepId, WorkerId};
use rangefinder_sweep::suggest::{SmoothedRequest, suggest_smoothed};
use std::pin::Pin;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

/// Bytes of the longest request id and name.
const MAX_TEXT: usize = 128;
/// Highest priority, and lowest below zero.
const MAX_PRIORITY: i32 = 100;
/// Sweeps on a page where nothing is said.
const PAGE: u32 = 100;
/// Most sweeps on a page.
const MAX_PAGE: u32 = 1000;
/// Most points of a curve that is analyzed, over all replicas.
const MAX_POINTS: usize = 1_000_000;
/// Events that wait for a client who reads slowly.
const AHEAD: usize = 16;
/// How often a stream looks whether its caller's token still holds.
const RECHECK: Duration = Duration::from_secs(5);

/// The sweeps, in front of their catalogue.
#[derive(Clone, Debug)]
pub struct Sweeps {
    catalogue: Catalogue,
    tokens: TokenSource,
    roots: Roots,
}

type Answer<T> = Result<Response<T>, Status>;

impl Sweeps {
    /// The service of a catalogue; streams end when `tokens` no longer hold their callers'.
    #[must_use]
    pub fn new(catalogue: Catalogue, tokens: TokenSource, roots: Roots) -> Self {
        Self {
            catalogue,
            tokens,
            roots,
        }
    }

    /// A sweep that the caller may do this to.
    async fn permitted(
        &self,
        caller: &Principal,
        operation: Operation,
        id: &str,
    ) -> Result<Entry, Refusal> {
        caller.may_ever(operation)?;
        let id = SweepId(id.to_owned());
        let entry = self.catalogue.get(&id).await?;
        match caller.allowed(operation, Some(&entry.owner)) {
            Ok(()) => Ok(entry),
            Err(Denied::NotYours) => Err(engine::Error::UnknownSweep(id).into()),
            Err(denied) => Err(denied.into()),
        }
    }

    async fn workers_there(&self) -> Result<u32, Refusal> {
        let workers = self.catalogue.engine().workers().await?;
        let there = workers.iter().filter(|worker| worker.connected).count();
        let most = rangefinder_config::MOST_WORKERS_ELSEWHERE as usize;
        Ok(u32::try_from(there.clamp(1, most)).unwrap_or(1))
    }

    async fn create(
        &self,
        caller: Principal,
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
        let spec = request.spec.clone().unwrap_or_default();
        let mut mistakes = mistakes_of(&request);
        let resolved = match resolve_elsewhere(spec, workers) {
            Ok(resolved) if mistakes.is_empty() => resolved,
            Ok(_) => return Err(Refusal::Fields(mistakes)),
            Err(errors) => {
                mistakes.extend(errors.into_iter().map(Field::of_spec));
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
        let id = getrandom::u64().map_err(|error| engine::Error::Defect(error.to_string()))?;
        let new = NewSweep {
            id: SweepId(format!("sweep-{id:016x}")),
            owner: caller.name,
            request_id: request.request_id,
            creation,
        };
        let created = self.catalogue.create(new).await?;
        self.whole(&created.sweep).await
    }

    /// A sweep with its specification.
    async fn whole(&self, id: &SweepId) -> Result<v1::Sweep, Refusal> {
        let entry = self.catalogue.get(id).await?;
        let creation = self.catalogue.creation(id).await?;
        Ok(v1::Sweep {
            spec: Some(creation.spec),
            ..wire::sweep(&entry)
        })
    }

    async fn list(
        &self,
        caller: &Principal,
        request: v1::ListSweepsRequest,
    ) -> Result<v1::ListSweepsResponse, Refusal> {
        caller.may_ever(Operation::ListSweeps)?;
        let sees_all = caller.allowed(Operation::ReadSweep, None).is_ok();
        let owner = match (sees_all, request.owner.as_str()) {
            (true, "") => None,
            (true, owner) => Some(owner.to_owned()),
            (false, "") => Some(caller.name.clone()),
            (false, owner) if owner == caller.name => Some(caller.name.clone()),
            (false, _) => return Ok(v1::ListSweepsResponse::default()),
        };
        let states = Wanted::of(&request.states)?;
        let filter = Filter {
            owner,
            statuses: states.statuses(),
            ..Filter::default()
        };
        let limit = match request.page_size {
            0 => PAGE,
            size => size.min(MAX_PAGE),
        } as usize;
        let mut after = position(&request.page_token)?;
        let mut sweeps = Vec::new();
        loop {
            let page = self.catalogue.list(filter.clone(), after, MAX_PAGE as usize);
            let page = page.await?;
            let last = page.len() < MAX_PAGE as usize;
            for entry in page {
                let named = entry.summary.name.starts_with(&request.name_prefix);
                let sweep = wire::sweep(&entry);
                if !named || !states.has(sweep.state()) {
                    continue;
                }
                if sweeps.len() == limit {
                    let next_page_token = after.map(token).unwrap_or_default();
                    return Ok(v1::ListSweepsResponse {
                        sweeps,
                        next_page_token,
                    });
                }
                after = Some(entry.position);
                sweeps.push(sweep);
            }
            if last {
                return Ok(v1::ListSweepsResponse {
                    sweeps,
                    next_page_token: String::new(),
                });
            }
        }
    }

    async fn suggest(
        &self,
        caller: &Principal,
        request: v1::SuggestRequest,
    ) -> Result<v1::CurveAnswer, Refusal> {
        let entry = self
            .permitted(caller, Operation::ReadSweep, &request.sweep_id)
            .await?;
        let document = self.catalogue.document(&entry.id).await?;
        let completed = document.filter(|_| entry.outcome.as_deref() == Some("completed"));
        let document = completed.ok_or_else(|| Refusal::NotCompleted(entry.id.clone()))?;
        let asked = request.reading.unwrap_or_default();
        let mut spec = document.spec.clone();
        if asked.method.is_some() || asked.profile.is_some() {
            if asked.profile != spec.profile {
                // What was meant for another tool's rule.
                spec.skip_begin = None;
                spec.skip_end = None;
                spec.early_stop_threshold = None;
            }
            spec.method = asked.method;
            spec.profile = asked.profile;
        }
        spec.skip_begin = asked.skip_begin.or(spec.skip_begin);
        spec.skip_end = asked.skip_end.or(spec.skip_end);
        spec.early_stop_threshold = asked.early_stop_threshold.or(spec.early_stop_threshold);
        spec.seed = asked.seed.or(spec.seed);
        let described = document.described.as_ref().and_then(|told| told.beta);
        let beta = rangefinder_config::memory(&document.spec).or(described);
        let settings = reading(&spec, beta).map_err(of_reading)?;
        let answer = blocking(move || {
            let losses: Vec<_> = document
                .replicas
                .iter()
                .map(|replica| replica.curve.loss.clone())
                .collect();
            read(&settings, &document.learning_rates, &losses)
        });
        Ok(wire::answer(&answer.await?))
    }

    async fn watch(
        &self,
        caller: Principal,
        request: v1::WatchSweepRequest,
    ) -> Result<ReceiverStream<Result<v1::WatchSweepResponse, Status>>, Refusal> {
        let entry = self
            .permitted(&caller, Operation::ReadSweep, &request.sweep_id)
            .await?;
        let mut events = self
            .catalogue
            .events(&entry.id, request.from_number)
            .await?;
        let tokens = self.tokens.clone();
        let created_ms = entry.created_ms;
        let (sender, receiver) = mpsc::channel(AHEAD);
        tokio::spawn(async move {
            let mut recheck = tokio::time::interval(RECHECK);
            loop {
                let event = tokio::select! {
                    () = sender.closed() => return,
                    _ = recheck.tick() => {
                        if let Err(denied) = tokens.still_valid(&caller) {
                            let _gone = sender.send(Err(refusal(&denied.into()))).await;
                            return;
                        }
                        continue;
                    }
                    event = events.next() => event,
                };
                let (message, last) = match event {
                    Ok(None) => {
                        let stopped = engine::Error::Stopped;
                        let _gone = sender.send(Err(refusal(&stopped.into()))).await;
                        return;
                    }
                    Ok(Some(event)) => {
                        let last = matches!(event.happening, Happening::Ended { .. });
                        let unix_ms = created_ms
                            .saturating_add(i64::try_from(event.at_ms).unwrap_or(i64::MAX));
                        let sent = wire::event(&event, Some(wire::timestamp(unix_ms)));
                        let response = sent.map(|event| v1::WatchSweepResponse {
                            event: Some(event),
                        });
                        let defect = |error: serde_json::Error| {
                            refusal(&engine::Error::Defect(error.to_string()).into())
                        };
                        (response.map_err(defect), last)
                    }
                    Err(error) => (Err(refusal(&error.into())), true),
                };
                let failed = message.is_err();
                if sender.send(message).await.is_err() || last || failed {
                    return;
                }
            }
        });
        Ok(ReceiverStream::new(receiver))
    }
}

/// A mistake in a field of a request: its path, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) path: String,
    pub(super) error: FieldError,
}

impl Field {
    fn of_spec(error: FieldError) -> Self {
        let path = match error.field.as_str() {
            // The number of workers belongs to the request.
            "workers" => error.field.clone(),
            field => format!("spec.{field}"),
        };
        Self { path, error }
    }

    fn new(path: &str, code: Code, message: String, remedy: &str) -> Self {
        let error = FieldError {
            code,
            field: path.to_owned(),
            message,
            remedy: remedy.to_owned(),
        };
        Self {
            path: path.to_owned(),
            error,
        }
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
    mistakes
}

fn of_reading(errors: Vec<FieldError>) -> Refusal {
    let field = |error: FieldError| Field {
        path: format!("reading.{}", error.field),
        error,
    };
    Refusal::Fields(errors.into_iter().map(field).collect())
}

/// The states that a list is to show.
struct Wanted(Vec<v1::SweepState>);

impl Wanted {
    fn of(numbers: &[i32]) -> Result<Self, Refusal> {
        let known = |number: &i32| {
            v1::SweepState::try_from(*number)
                .ok()
                .filter(|state| *state != v1::SweepState::Unspecified)
                .ok_or_else(|| {
                    Refusal::Fields(vec![Field::new(
                        "states",
                        Code::UnknownName,
                        format!("{number} is no state of a sweep"),
                        "name states of SweepState, or none for all",
                    )])
                })
        };
        Ok(Self(numbers.iter().map(known).collect::<Result<_, _>>()?))
    }

    fn has(&self, state: v1::SweepState) -> bool {
        self.0.is_empty() || self.0.contains(&state)
    }

    /// The same as the store calls them; it does not tell waiting and running apart.
    fn statuses(&self) -> Vec<String> {
        let mut statuses: Vec<String> = self
            .0
            .iter()
            .map(|state| match wire::has_ended(*state) {
                true => wire::sweep_state_name(*state).to_owned(),
                false => ACTIVE.to_owned(),
            })
            .collect();
        statuses.dedup();
        statuses
    }
}

/// The place after which a page begins.
fn position(token: &str) -> Result<Option<Position>, Refusal> {
    if token.is_empty() {
        return Ok(None);
    }
    let parts = token.split_once('.');
    let read = parts.and_then(|(created_ms, key)| {
        Some(Position {
            created_ms: created_ms.parse().ok()?,
            key: key.parse().ok()?,
        })
    });
    let wrong = || {
        Refusal::Fields(vec![Field::new(
            "page_token",
            Code::UnknownName,
            "is none that this service has given".to_owned(),
            "give `next_page_token` of the page before, or nothing for the first page",
        )])
    };
    read.map(Some).ok_or_else(wrong)
}

fn token(position: Position) -> String {
    format!("{}.{}", position.created_ms, position.key)
}

/// Does what takes long on a thread of its own.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| engine::Error::Defect(error.to_string()).into())
}

/// Reads a learning rate off a curve that comes with the call.
async fn analyze(request: v1::AnalyzeCurveRequest) -> Result<v1::CurveAnswer, Refusal> {
    let mistake = |path: &str, code, message: String, remedy: &str| {
        Refusal::Fields(vec![Field::new(path, code, message, remedy)])
    };
    let mut rates = request.learning_rates;
    let replicas: Vec<Vec<f64>> = request
        .replicas
        .into_iter()
        .map(|losses| losses.values)
        .collect();
    let points = replicas.iter().map(Vec::len).sum::<usize>().max(rates.len());
    if points > MAX_POINTS {
        return Err(mistake(
            "learning_rates",
            Code::OutOfRange,
            format!("there are {points} points; expected at most {MAX_POINTS}"),
            "thin the curve out",
        ));
    }
    let rising = rates.windows(2).all(|pair| pair[0] < pair[1]);
    if !rising || !rates.iter().all(|rate| rate.is_finite() && *rate > 0.0) {
        return Err(mistake(
            "learning_rates",
            Code::CurveRates,
            "are not finite, positive and increasing".to_owned(),
            "give one a step, in the order of the steps",
        ));
    }
    if replicas.is_empty() || replicas.iter().any(Vec::is_empty) {
        return Err(mistake(
            "replicas",
            Code::CurveEmpty,
            "a replica without losses, or none at all".to_owned(),
            "give the losses of at least 8 steps",
        ));
    }
    if let Some(losses) = replicas.iter().find(|losses| losses.len() > rates.len()) {
        return Err(mistake(
            "replicas",
            Code::CurveRow,
            format!("{} losses for {} learning rates", losses.len(), rates.len()),
            "give a learning rate for each step",
        ));
    }
    if let Some(planned) = request.num_training {
        let planned = planned as usize;
        if planned < rates.len() {
            return Err(mistake(
                "num_training",
                Code::CurveSteps,
                format!("{planned} is less than the {} learning rates", rates.len()),
                "give the number of planned steps",
            ));
        }
        if planned > MAX_POINTS {
            return Err(mistake(
                "num_training",
                Code::OutOfRange,
                format!("{planned} is too large; expected at most {MAX_POINTS}"),
                "give the number of planned steps",
            ));
        }
        extend(&mut rates, planned);
    }
    let asked = request.reading.unwrap_or_default();
    let spec = v1::SweepSpec {
        method: asked.method,
        profile: asked.profile,
        skip_begin: asked.skip_begin,
        skip_end: asked.skip_end,
        early_stop_threshold: asked.early_stop_threshold,
        seed: asked.seed,
        ..v1::SweepSpec::default()
    };
    let settings = reading(&spec, request.beta).map_err(of_reading)?;
    if !request.smoothed {
        let answer = blocking(move || read(&settings, &rates, &replicas)).await?;
        return Ok(wire::answer(&answer));
    }
    let [smoothed] = replicas.as_slice() else {
        return Err(mistake(
            "replicas",
            Code::CurveSmoothed,
            format!("{} replicas of smoothed losses", replicas.len()),
            "give one replica, or raw losses",
        ));
    };
    let found = suggest_smoothed(&SmoothedRequest {
        learning_rates: &rates,
        smoothed,
        method: settings.method,
        profile: settings.profile,
        skip_begin: settings.skip_begin,
        skip_end: settings.skip_end,
    });
    Ok(wire::of_smoothed(&found, &rates))
}

/// Goes on with learning rates that were planned and not reached, in the same proportion.
fn extend(rates: &mut Vec<f64>, planned: usize) {
    let ratio = match rates.as_slice() {
        [.., before, last] => last / before,
        _ => 1.0,
    };
    while let Some(last) = rates.last().copied()
        && rates.len() < planned
    {
        rates.push(last * ratio);
    }
}

#[tonic::async_trait]
impl v1::sweep_service_server::SweepService for Sweeps {
    type WatchSweepStream =
        Pin<Box<dyn Stream<Item = Result<v1::WatchSweepResponse, Status>> + Send>>;

    async fn create_sweep(
        &self,
        request: Request<v1::CreateSweepRequest>,
    ) -> Answer<v1::CreateSweepResponse> {
        let caller = caller(request.extensions())?;
        let sweep = Some(self.create(caller, request.into_inner()).await?);
        Ok(Response::new(v1::CreateSweepResponse { sweep }))
    }

    async fn get_sweep(
        &self,
        request: Request<v1::GetSweepRequest>,
    ) -> Answer<v1::GetSweepResponse> {
        let caller = caller(request.extensions())?;
        let request = request.into_inner();
        let entry = self
            .permitted(&caller, Operation::ReadSweep, &request.sweep_id)
            .await?;
        let document = match request.with_document {
            true => self.catalogue.document_json(&entry.id).await.map_err(Refusal::from)?,
            false => None,
        };
        Ok(Response::new(v1::GetSweepResponse {
            sweep: Some(self.whole(&entry.id).await?),
            document: document.unwrap_or_default(),
        }))
    }

    async fn list_sweeps(
        &self,
        request: Request<v1::ListSweepsRequest>,
    ) -> Answer<v1::ListSweepsResponse> {
        let caller = caller(request.extensions())?;
        let page = self.list(&caller, request.into_inner()).await?;
        Ok(Response::new(page))
    }

    async fn watch_sweep(
        &self,
        request: Request<v1::WatchSweepRequest>,
    ) -> Answer<Self::WatchSweepStream> {
        let caller = caller(request.extensions())?;
        let stream = self.watch(caller, request.into_inner()).await?;
        Ok(Response::new(Box::pin(stream)))
    }

    async fn cancel_sweep(
        &self,
        request: Request<v1::CancelSweepRequest>,
    ) -> Answer<v1::CancelSweepResponse> {
        let caller = caller(request.extensions())?;
        let id = request.into_inner().sweep_id;
        let entry = self
            .permitted(&caller, Operation::CancelSweep, &id)
            .await?;
        match self.catalogue.engine().cancel(entry.id.clone()).await {
            // One that has ended stays as it is.
            Ok(()) | Err(engine::Error::UnknownSweep(_)) => {}
            Err(error) => return Err(Refusal::from(error).into()),
        }
        let sweep = Some(self.whole(&entry.id).await?);
        Ok(Response::new(v1::CancelSweepResponse { sweep }))
    }

    async fn delete_sweep(
        &self,
        request: Request<v1::DeleteSweepRequest>,
    ) -> Answer<v1::DeleteSweepResponse> {
        let caller = caller(request.extensions())?;
        let id = request.into_inner().sweep_id;
        let entry = self
            .permitted(&caller, Operation::DeleteSweep, &id)
            .await?;
        let deleted = self.catalogue.engine().delete(entry.id).await;
        deleted.map_err(Refusal::from)?;
        Ok(Response::new(v1::DeleteSweepResponse {}))
    }

    async fn suggest(&self, request: Request<v1::SuggestRequest>) -> Answer<v1::SuggestResponse> {
        let caller = caller(request.extensions())?;
        let answer = Some(Self::suggest(self, &caller, request.into_inner()).await?);
        Ok(Response::new(v1::SuggestResponse { answer }))
    }

    async fn analyze_curve(
        &self,
        request: Request<v1::AnalyzeCurveRequest>,
    ) -> Answer<v1::AnalyzeCurveResponse> {
        let caller = caller(request.extensions())?;
        caller
            .may_ever(Operation::AnalyzeCurve)
            .map_err(Refusal::from)?;
        let answer = Some(analyze(request.into_inner()).await?);
        Ok(Response::new(v1::AnalyzeCurveResponse { answer }))
    }

    async fn list_workers(
        &self,
        request: Request<v1::ListWorkersRequest>,
    ) -> Answer<v1::ListWorkersResponse> {
        let caller = caller(request.extensions())?;
        caller
            .may_ever(Operation::ListWorkers)
            .map_err(Refusal::from)?;
        let views = self.catalogue.engine().workers().await;
        let mut workers = Vec::new();
        for view in views.map_err(Refusal::from)? {
            workers.push(self.worker(&caller, &view).await);
        }
        Ok(Response::new(v1::ListWorkersResponse { workers }))
    }

    async fn drain_worker(
        &self,
        request: Request<v1::DrainWorkerRequest>,
    ) -> Answer<v1::DrainWorkerResponse> {
        let caller = caller(request.extensions())?;
        caller
            .may_ever(Operation::DrainWorker)
            .map_err(Refusal::from)?;
        let id = WorkerId(request.into_inner().worker_id);
        let engine = self.catalogue.engine();
        engine.drain(id.clone()).await.map_err(Refusal::from)?;
        let views = engine.workers().await.map_err(Refusal::from)?;
        let worker = match views.iter().find(|view| view.worker == id) {
            Some(view) => Some(self.worker(&caller, view).await),
            None => None,
        };
        Ok(Response::new(v1::DrainWorkerResponse { worker }))
    }
}

impl Sweeps {
    /// A worker, without the sweep that the caller may not see.
    async fn worker(
        &self,
        caller: &Principal,
        view: &rangefinder_sweep::state::WorkerView,
    ) -> v1::Worker {
        let mut worker = wire::worker(view);
        if let Some((sweep, _)) = &view.work {
            let seen = self
                .permitted(caller, Operation::ReadSweep, &sweep.0)
                .await;
            if seen.is_ok() {
                worker.sweep_id.clone_from(&sweep.0);
            }
        }
        worker
    }
}

impl From<Refusal> for Status {
    fn from(reason: Refusal) -> Self {
        refusal(&reason)
    }
}

impl From<catalogue::Error> for Refusal {
    fn from(error: catalogue::Error) -> Self {
        match error {
            catalogue::Error::Engine(error) => Self::Engine(error),
            catalogue::Error::Unreadable(error) => Self::Unreadable(error),
        }
    }
}
