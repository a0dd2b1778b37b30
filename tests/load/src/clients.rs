//! Who creates sweeps, and asks for them.

use crate::{Coordinator, Error, failed};
use rangefinder_proto::v1;
use rangefinder_proto::v1::sweep_service_client::SweepServiceClient;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

/// The largest answer that is taken: the document of a long sweep.
const MAX_ANSWER_BYTES: usize = 256 << 20;

/// A sweep of mock workers: replicas, each of which is one task.
#[derive(Clone, Copy, Debug)]
pub struct Sweep {
    /// Replicas.
    pub replicas: u32,
    /// Steps of each.
    pub steps: u32,
}

/// What shows a token with every call.
#[derive(Clone, Debug)]
struct Bearer(MetadataValue<Ascii>);

impl tonic::service::Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let header = self.0.clone();
        request.metadata_mut().insert("authorization", header);
        Ok(request)
    }
}

/// A connection of a client; cheap to clone.
#[derive(Clone, Debug)]
pub struct Clients(SweepServiceClient<InterceptedService<Channel, Bearer>>);

impl Clients {
    /// Connects as a client, who sees its own sweeps.
    ///
    /// # Errors
    /// When the coordinator cannot be reached.
    pub async fn connect(coordinator: &Coordinator) -> Result<Self, Error> {
        Self::with(coordinator, &coordinator.tokens().client).await
    }

    /// Connects as an admin, who sees the sweeps of all.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn admin(coordinator: &Coordinator) -> Result<Self, Error> {
        Self::with(coordinator, &coordinator.tokens().admin).await
    }

    async fn with(coordinator: &Coordinator, token: &str) -> Result<Self, Error> {
        let uri = format!("http://{}", coordinator.address());
        let endpoint = Endpoint::new(uri).map_err(failed("the coordinator's address"))?;
        let channel = endpoint.tcp_nodelay(true).connect().await;
        let channel = channel.map_err(failed("connecting a client"))?;
        let header = format!("Bearer {token}")
            .parse()
            .map_err(failed("a token"))?;
        let client = SweepServiceClient::with_interceptor(channel, Bearer(header));
        Ok(Self(client.max_decoding_message_size(MAX_ANSWER_BYTES)))
    }

    /// Starts a sweep, and gives its id.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn create(&mut self, sweep: Sweep) -> Result<String, Error> {
        let request = v1::CreateSweepRequest {
            spec: Some(v1::SweepSpec {
                num_training: Some(sweep.steps),
                split: Some("replicas".to_owned()),
                replicas: Some(sweep.replicas),
                threads_per_worker: Some(1),
                ..v1::SweepSpec::default()
            }),
            workers: sweep.replicas,
            ..v1::CreateSweepRequest::default()
        };
        let created = self.0.create_sweep(request).await;
        let created = created.map_err(failed("creating a sweep"))?.into_inner();
        Ok(created.sweep.unwrap_or_default().id)
    }

    /// A page of sweeps.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn list(
        &mut self,
        request: v1::ListSweepsRequest,
    ) -> Result<v1::ListSweepsResponse, Error> {
        let listed = self.0.list_sweeps(request).await;
        Ok(listed.map_err(failed("listing sweeps"))?.into_inner())
    }

    /// A sweep, with its document where that is wanted and there.
    ///
    /// # Errors
    /// When there is none.
    pub async fn get(
        &mut self,
        sweep_id: &str,
        with_document: bool,
    ) -> Result<v1::GetSweepResponse, Error> {
        let request = v1::GetSweepRequest {
            sweep_id: sweep_id.to_owned(),
            with_document,
        };
        let got = self.0.get_sweep(request).await;
        Ok(got.map_err(failed("getting a sweep"))?.into_inner())
    }
}
