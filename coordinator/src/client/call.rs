//! Calls of a service. All of them are safe to repeat, and are repeated while it is away.

use super::connect::{self, Options, Token};
use super::retry::Outage;
use super::{Error, Kind};
use crate::observe::TraceParent;
use rangefinder_proto::v1;
use rangefinder_proto::v1::artifact_service_client::ArtifactServiceClient;
use rangefinder_proto::v1::sweep_service_client::SweepServiceClient;
use std::sync::Arc;
use std::time::Duration;
use tonic::metadata::AsciiMetadataValue;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

/// Longest answer that is read: a document of a long sweep has megabytes.
const MAX_ANSWER_BYTES: usize = 256 << 20;
/// Most sweeps that one page is asked for.
const PAGE: u32 = 1000;

pub(super) type Service = InterceptedService<Channel, Token>;

/// A service, and what is said while it is away. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    pub(super) sweeps: SweepServiceClient<Service>,
    pub(super) artifacts: ArtifactServiceClient<Service>,
    pub(super) server: String,
    pub(super) timeout: Duration,
    notice: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Client {
    /// A client that connects when it is first needed. `notice` is told what people should know
    /// while they wait.
    ///
    /// # Errors
    /// When address or certificates cannot be used. Needs tokio's runtime.
    pub fn new(
        options: Options,
        notice: impl Fn(&str) + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let service = InterceptedService::new(connect::channel(&options)?, options.token);
        Ok(Self {
            sweeps: SweepServiceClient::new(service.clone())
                .max_decoding_message_size(MAX_ANSWER_BYTES),
            artifacts: ArtifactServiceClient::new(service),
            server: options.server,
            timeout: options.timeout,
            notice: Arc::new(notice),
        })
    }

    /// Starts a sweep. Without a request id a repeated attempt might start a second one.
    ///
    /// # Errors
    /// As the service says; after `timeout` without an answer.
    pub async fn create(&self, request: v1::CreateSweepRequest) -> Result<v1::Sweep, Error> {
        self.create_within(request, None).await
    }

    /// The same within a trace.
    ///
    /// # Errors
    /// As [`Client::create`].
    pub async fn create_within(
        &self,
        request: v1::CreateSweepRequest,
        trace: Option<TraceParent>,
    ) -> Result<v1::Sweep, Error> {
        let trace = trace.and_then(|trace| trace.to_string().parse::<AsciiMetadataValue>().ok());
        let answer = self
            .repeat(async || {
                let mut request = Request::new(request.clone());
                if let Some(trace) = trace.clone() {
                    request.metadata_mut().insert(TraceParent::HEADER, trace);
                }
                self.sweeps.clone().create_sweep(request).await
            })
            .await?;
        self.whole(answer.sweep)
    }

    /// What is known of a sweep, with the text of its `sweep.json` where that is wanted and there.
    ///
    /// # Errors
    /// As [`Client::create`].
    pub async fn get(&self, id: &str, with_document: bool) -> Result<(v1::Sweep, String), Error> {
        let request = v1::GetSweepRequest {
            sweep_id: id.to_owned(),
            with_document,
        };
        let answer = self
            .repeat(async || self.sweeps.clone().get_sweep(request.clone()).await)
            .await?;
        Ok((self.whole(answer.sweep)?, answer.document))
    }

    /// Sweeps, newest first, at most `limit` of them; the page of `request` is filled in here.
    ///
    /// # Errors
    /// As [`Client::create`].
    pub async fn list(
        &self,
        mut request: v1::ListSweepsRequest,
        limit: usize,
    ) -> Result<Vec<v1::Sweep>, Error> {
        let mut sweeps = Vec::new();
        while sweeps.len() < limit {
            let left = u32::try_from(limit - sweeps.len()).unwrap_or(u32::MAX);
            request.page_size = left.min(PAGE);
            let page = self
                .repeat(async || self.sweeps.clone().list_sweeps(request.clone()).await)
                .await?;
            sweeps.extend(page.sweeps);
            if page.next_page_token.is_empty() || page.next_page_token == request.page_token {
                break;
            }
            request.page_token = page.next_page_token;
        }
        sweeps.truncate(limit);
        Ok(sweeps)
    }

    /// Ends a sweep.
    ///
    /// # Errors
    /// As [`Client::create`].
    pub async fn cancel(&self, id: &str) -> Result<v1::Sweep, Error> {
        let request = v1::CancelSweepRequest {
            sweep_id: id.to_owned(),
        };
        let answer = self
            .repeat(async || self.sweeps.clone().cancel_sweep(request.clone()).await)
            .await?;
        self.whole(answer.sweep)
    }

    /// Forgets a sweep that has ended.
    ///
    /// # Errors
    /// As [`Client::create`].
    pub async fn delete(&self, id: &str) -> Result<(), Error> {
        let request = v1::DeleteSweepRequest {
            sweep_id: id.to_owned(),
        };
        self.repeat(async || self.sweeps.clone().delete_sweep(request.clone()).await)
            .await?;
        Ok(())
    }

    /// Reads a learning rate off the curve of a completed sweep in another way.
    ///
    /// # Errors
    /// As [`Client::create`].
    pub async fn suggest(&self, id: &str, reading: v1::Reading) -> Result<v1::CurveAnswer, Error> {
        let request = v1::SuggestRequest {
            sweep_id: id.to_owned(),
            reading: Some(reading),
        };
        let answer = self
            .repeat(async || self.sweeps.clone().suggest(request.clone()).await)
            .await?;
        self.whole(answer.answer)
    }

    /// The workers of the service, by name.
    ///
    /// # Errors
    /// As [`Client::create`].
    pub async fn workers(&self) -> Result<Vec<v1::Worker>, Error> {
        let request = v1::ListWorkersRequest {};
        let answer = self
            .repeat(async || self.sweeps.clone().list_workers(request).await)
            .await?;
        Ok(answer.workers)
    }

    /// Tells a worker to take no more work.
    ///
    /// # Errors
    /// As [`Client::create`].
    pub async fn drain(&self, worker: &str) -> Result<v1::Worker, Error> {
        let request = v1::DrainWorkerRequest {
            worker_id: worker.to_owned(),
        };
        let answer = self
            .repeat(async || self.sweeps.clone().drain_worker(request.clone()).await)
            .await?;
        self.whole(answer.worker)
    }

    /// Calls until there is an answer, or the service is away for too long.
    pub(super) async fn repeat<T>(
        &self,
        call: impl AsyncFn() -> Result<Response<T>, Status>,
    ) -> Result<T, Error> {
        let mut outage = Outage::new(self.timeout);
        loop {
            let failure = match self.once(call()).await {
                Ok(answer) => {
                    if outage.over() {
                        self.notice(&format!("{} is back", self.server));
                    }
                    return Ok(answer);
                }
                Err(failure) if failure.kind != Kind::Away => return Err(failure),
                Err(failure) => failure,
            };
            if !outage.goes_on() {
                self.trying_again(&failure);
            }
            outage.pause(failure).await?;
        }
    }

    /// One attempt, which takes no longer than the service may be silent.
    pub(super) async fn once<T>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Error> {
        match tokio::time::timeout(self.timeout, call).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => Err(Error::of(&status, &self.server)),
            Err(_) => {
                let waited = format!("not a word for {} s", self.timeout.as_secs());
                Err(Error::silent(&self.server, &waited))
            }
        }
    }

    /// Says that something is tried again, and for how long.
    pub(super) fn trying_again(&self, failure: &Error) {
        let seconds = self.timeout.as_secs();
        self.notice(&format!(
            "{}; trying again for {seconds} s",
            failure.message
        ));
    }

    /// Tells people something while they wait.
    pub(super) fn notice(&self, text: &str) {
        (self.notice)(text);
    }

    /// A part that every answer has.
    fn whole<T>(&self, part: Option<T>) -> Result<T, Error> {
        part.ok_or_else(|| Error::release(&self.server, &"an answer without its content"))
    }
}
