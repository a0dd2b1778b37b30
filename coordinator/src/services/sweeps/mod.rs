//! `SweepService`: what clients ask.
//!
//! Who calls is taken from the request, where the layer that checks tokens has left a [`Principal`].
//! A sweep that the caller may not see is answered word for word as one that does not exist.
//!
//! - `create`, `list`, `watch`, `read`: the larger calls. `files`: the files that a sweep names.
//! - `field`: a mistake in a field of a request.

mod create;
mod field;
mod files;
mod list;
mod read;
mod watch;

pub(in crate::services) use field::Field;

use super::Clients;
use super::auth::caller;
use super::status::{Refusal, refusal};
use crate::catalogue::{self, Catalogue, Entry};
use crate::engine;
use crate::observe::TraceParent;
use crate::pins::Pins;
use crate::wire::sweeps as wire;
use rangefinder_access::{Denied, Operation, Principal, Roots, TokenSource};
use rangefinder_artifacts::ArtifactStore;
use rangefinder_proto::v1;
use rangefinder_sweep::ids::{SweepId, WorkerId};
use std::pin::Pin;
use tokio_stream::Stream;
use tonic::{Request, Response, Status};

/// The sweeps, in front of their catalogue.
#[derive(Clone, Debug)]
pub struct Sweeps {
    catalogue: Catalogue,
    tokens: TokenSource,
    roots: Roots,
    artifacts: ArtifactStore,
    pins: Pins,
    readers: read::Readers,
}

type Answer<T> = Result<Response<T>, Status>;

impl Sweeps {
    /// The service of a catalogue; streams end when `tokens` no longer hold their callers'.
    #[must_use]
    pub fn new(clients: Clients, tokens: TokenSource) -> Self {
        let Clients {
            catalogue,
            roots,
            artifacts,
            pins,
        } = clients;
        Self {
            catalogue,
            tokens,
            roots,
            artifacts,
            pins,
            readers: read::Readers::default(),
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

    /// A sweep with its specification.
    async fn whole(&self, id: &SweepId) -> Result<v1::Sweep, Refusal> {
        let entry = self.catalogue.get(id).await?;
        let creation = self.catalogue.creation(id).await?;
        Ok(v1::Sweep {
            spec: Some(creation.spec),
            ..wire::sweep(&entry)
        })
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
        let trace = request.metadata().get(TraceParent::HEADER);
        let trace = trace.and_then(|text| TraceParent::parse(text.to_str().ok()?));
        let sweep = Some(self.create(caller, trace, request.into_inner()).await?);
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
        let sweep = self.whole(&entry.id).await?;
        // After the state: a sweep that is said to have ended comes with its document.
        if entry.outcome.is_some() {
            // What was read off its curve follows within a moment of its end.
            let stored = self.catalogue.engine().stored(entry.id.clone()).await;
            stored.map_err(Refusal::from)?;
        }
        let document = match request.with_document {
            true => self
                .catalogue
                .document_json(&entry.id)
                .await
                .map_err(Refusal::from)?,
            false => None,
        };
        Ok(Response::new(v1::GetSweepResponse {
            document: document
                .filter(|_| wire::has_ended(sweep.state()))
                .unwrap_or_default(),
            sweep: Some(sweep),
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
        let entry = self.permitted(&caller, Operation::CancelSweep, &id).await?;
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
        let entry = self.permitted(&caller, Operation::DeleteSweep, &id).await?;
        let deleted = self.catalogue.engine().delete(entry.id).await;
        deleted.map_err(Refusal::from)?;
        Ok(Response::new(v1::DeleteSweepResponse {}))
    }

    async fn suggest(&self, request: Request<v1::SuggestRequest>) -> Answer<v1::SuggestResponse> {
        let caller = caller(request.extensions())?;
        let answer = Some(self.read_again(&caller, request.into_inner()).await?);
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
        let answer = Some(read::analyze(&self.readers, request.into_inner()).await?);
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
            let seen = self.permitted(caller, Operation::ReadSweep, &sweep.0).await;
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
