//! What is asked of a service, and what refusals say.

use crate::process::within;
use crate::service::Service;
use rangefinder_proto::v1;
use rangefinder_proto::v1::artifact_service_client::ArtifactServiceClient;
use rangefinder_proto::v1::sweep_service_client::SweepServiceClient;
use rangefinder_proto::v1::worker_service_client::WorkerServiceClient;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};
use tonic_types::StatusExt as _;

/// A connection with a token.
pub type Authorized = InterceptedService<Channel, Bearer>;
/// What clients call.
pub type Sweeps = SweepServiceClient<Authorized>;

/// Adds a token to each call.
#[derive(Clone, Debug)]
pub struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let metadata = request.metadata_mut();
        metadata.insert("authorization", self.0.clone());
        Ok(request)
    }
}

impl Service {
    /// A connection with a token, given as its text.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Authorized {
        let header = format!("Bearer {token}").parse().unwrap();
        InterceptedService::new(self.channel(), Bearer(header))
    }

    /// A connection with somebody's token.
    #[must_use]
    pub fn authorized(&self, name: &str) -> Authorized {
        self.with_token(&self.token(name))
    }

    /// Calls about sweeps with somebody's token.
    #[must_use]
    pub fn sweeps(&self, name: &str) -> Sweeps {
        SweepServiceClient::new(self.authorized(name)).max_decoding_message_size(256 << 20)
    }

    /// Calls about artifacts with somebody's token.
    #[must_use]
    pub fn artifacts(&self, name: &str) -> ArtifactServiceClient<Authorized> {
        ArtifactServiceClient::new(self.authorized(name))
    }

    /// The call of workers with somebody's token.
    #[must_use]
    pub fn workers(&self, name: &str) -> WorkerServiceClient<Authorized> {
        WorkerServiceClient::new(self.authorized(name))
    }
}

/// A specification that every service takes.
#[must_use]
pub fn spec() -> v1::SweepSpec {
    v1::SweepSpec {
        model: Some("mlp".to_owned()),
        data: Some("digits".to_owned()),
        optimizer: Some("adam".to_owned()),
        ..v1::SweepSpec::default()
    }
}

/// A specification of replicas, one task each, of so many steps, of which none ends it early.
#[must_use]
pub fn replicas(replicas: u32, steps: u32) -> v1::SweepSpec {
    v1::SweepSpec {
        replicas: Some(replicas),
        num_training: Some(steps),
        early_stop_threshold: Some(f64::INFINITY),
        ..spec()
    }
}

/// A request for a sweep under a name.
#[must_use]
pub fn named(name: &str) -> v1::CreateSweepRequest {
    v1::CreateSweepRequest {
        name: name.to_owned(),
        spec: Some(spec()),
        workers: 1,
        ..v1::CreateSweepRequest::default()
    }
}

/// Starts a sweep.
///
/// # Errors
/// As the service says.
pub async fn try_create(
    sweeps: &mut Sweeps,
    request: v1::CreateSweepRequest,
) -> Result<v1::Sweep, Status> {
    let answer = within("CreateSweep", sweeps.create_sweep(request)).await?;
    Ok(answer.into_inner().sweep.unwrap())
}

/// Starts a sweep.
///
/// # Panics
/// When it is refused.
pub async fn create(sweeps: &mut Sweeps, request: v1::CreateSweepRequest) -> v1::Sweep {
    try_create(sweeps, request).await.unwrap()
}

/// What is known of a sweep, with its document.
///
/// # Errors
/// As the service says.
pub async fn get(sweeps: &mut Sweeps, id: &str) -> Result<(v1::Sweep, String), Status> {
    let request = v1::GetSweepRequest {
        sweep_id: id.to_owned(),
        with_document: true,
    };
    let answer = within("GetSweep", sweeps.get_sweep(request)).await?;
    let answer = answer.into_inner();
    Ok((answer.sweep.unwrap(), answer.document))
}

/// Ends a sweep.
///
/// # Errors
/// As the service says.
pub async fn cancel(sweeps: &mut Sweeps, id: &str) -> Result<v1::Sweep, Status> {
    let sweep_id = id.to_owned();
    let call = sweeps.cancel_sweep(v1::CancelSweepRequest { sweep_id });
    let answer = within("CancelSweep", call).await?;
    Ok(answer.into_inner().sweep.unwrap())
}

/// Forgets a sweep.
///
/// # Errors
/// As the service says.
pub async fn delete(sweeps: &mut Sweeps, id: &str) -> Result<(), Status> {
    let sweep_id = id.to_owned();
    let call = sweeps.delete_sweep(v1::DeleteSweepRequest { sweep_id });
    within("DeleteSweep", call).await.map(drop)
}

/// A page of sweeps.
///
/// # Errors
/// As the service says.
pub async fn list(
    sweeps: &mut Sweeps,
    request: v1::ListSweepsRequest,
) -> Result<v1::ListSweepsResponse, Status> {
    let answer = within("ListSweeps", sweeps.list_sweeps(request)).await?;
    Ok(answer.into_inner())
}

/// The workers.
///
/// # Panics
/// When it is refused.
pub async fn workers(sweeps: &mut Sweeps) -> Vec<v1::Worker> {
    let call = sweeps.list_workers(v1::ListWorkersRequest {});
    let answer = within("ListWorkers", call).await;
    answer.unwrap().into_inner().workers
}

/// Events of a sweep from a number on, as they come.
///
/// # Errors
/// As the service says.
pub async fn watch(
    sweeps: &mut Sweeps,
    id: &str,
    from_number: u64,
) -> Result<tonic::Streaming<v1::WatchSweepResponse>, Status> {
    let request = v1::WatchSweepRequest {
        sweep_id: id.to_owned(),
        from_number,
    };
    let answer = within("WatchSweep", sweeps.watch_sweep(request)).await?;
    Ok(answer.into_inner())
}

/// The next event of a stream; `None` at its end.
///
/// # Errors
/// As the service says.
pub async fn next(
    stream: &mut tonic::Streaming<v1::WatchSweepResponse>,
) -> Result<Option<v1::SweepEvent>, Status> {
    let answer = within("an event", stream.message()).await?;
    Ok(answer.map(|answer| answer.event.unwrap()))
}

/// All events of a sweep, until its end.
///
/// # Panics
/// When the service ends the stream before.
pub async fn events(sweeps: &mut Sweeps, id: &str) -> Vec<v1::SweepEvent> {
    let mut stream = watch(sweeps, id, 1).await.unwrap();
    let mut events = Vec::new();
    while let Some(event) = next(&mut stream).await.unwrap() {
        events.push(event);
    }
    events
}

/// Waits until a sweep has ended, and says what is known of it then.
pub async fn ended(sweeps: &mut Sweeps, id: &str) -> v1::Sweep {
    events(sweeps, id).await;
    get(sweeps, id).await.unwrap().0
}

/// Fields, codes and descriptions of the mistakes that a refusal names, by field.
#[must_use]
pub fn mistakes(status: &Status) -> Vec<(String, String, String)> {
    let mut mistakes: Vec<_> = status
        .get_error_details()
        .bad_request()
        .into_iter()
        .flat_map(|bad| bad.field_violations.clone())
        .map(|found| {
            // The reason of a violation is where the code is.
            let code = found.reason.clone();
            (found.field, code, found.description)
        })
        .collect();
    mistakes.sort();
    mistakes
}

/// The reason of a refusal, for programs.
#[must_use]
pub fn reason(status: &Status) -> String {
    let details = status.get_error_details();
    let info = details.error_info();
    info.map(|info| info.reason.clone()).unwrap_or_default()
}
