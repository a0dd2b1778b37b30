//! The service on a listener of its own, and clients of any role.

use crate::services::artifacts::*;
use rangefinder_access::Role;
use rangefinder_artifacts::Limits;
use rangefinder_proto::v1::artifact_service_client::ArtifactServiceClient;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tonic::Code as Grpc;
use tonic::service::InterceptorLayer;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic_types::StatusExt as _;

pub const DEADLINE: Duration = Duration::from_secs(30);

pub struct Service {
    pub folder: TempDir,
    address: String,
    server: tokio::task::JoinHandle<()>,
}

impl Service {
    pub async fn start(limits: Limits, transfers: TransferLimits) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), limits, transfers).await
    }

    pub async fn start_in(folder: TempDir, limits: Limits, transfers: TransferLimits) -> Self {
        let store = ArtifactStore::open(folder.path(), limits).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let serving = Server::builder()
            .layer(InterceptorLayer::new(identify))
            .add_service(Artifacts::new(store, transfers).into_server())
            .serve_with_incoming(TcpIncoming::from(listener));
        Self {
            folder,
            address,
            server: tokio::spawn(async { serving.await.unwrap() }),
        }
    }

    /// Ends the server at once, as a crash would; its folder stays.
    pub async fn crash(self) -> TempDir {
        self.server.abort();
        let _aborted = self.server.await;
        self.folder
    }

    pub async fn client(&self, role: Role, name: &str) -> Client {
        let endpoint = Endpoint::new(self.address.clone()).unwrap();
        Client {
            service: ArtifactServiceClient::new(endpoint.connect().await.unwrap()),
            caller: format!("{role}:{name}"),
        }
    }
}

/// Stands for the layer that checks tokens: believes every caller.
fn identify(mut request: Request<()>) -> Result<Request<()>, Status> {
    let caller = request
        .metadata()
        .get("caller")
        .map(|value| value.to_str().unwrap().to_owned());
    if let Some((role, name)) = caller.as_deref().and_then(|text| text.split_once(':')) {
        let principal = Principal {
            id: serde_json::from_str("\"id\"").unwrap(),
            name: name.to_owned(),
            role: Role::parse(role).unwrap(),
        };
        request.extensions_mut().insert(principal);
    }
    Ok(request)
}

#[derive(Clone)]
pub struct Client {
    pub service: ArtifactServiceClient<Channel>,
    pub caller: String,
}

impl Client {
    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request
            .metadata_mut()
            .insert("caller", self.caller.parse().unwrap());
        request
    }

    pub async fn get(&mut self, digest: Digest) -> Result<v1::Artifact, Status> {
        let request = self.request(v1::GetArtifactRequest {
            digest: digest.to_string(),
        });
        let response = self.service.get_artifact(request).await?;
        Ok(response.into_inner().artifact.unwrap())
    }

    /// Sends messages, and then waits: for good when `open`.
    pub async fn send(
        &mut self,
        messages: Vec<Message>,
        open: bool,
    ) -> Result<v1::Artifact, Status> {
        let (sender, requests) = mpsc::channel(64);
        for message in messages {
            let message = Some(message);
            sender
                .send(v1::UploadArtifactRequest { message })
                .await
                .unwrap();
        }
        let _kept = open.then_some(sender);
        let request = self.request(ReceiverStream::new(requests));
        let answer = tokio::time::timeout(DEADLINE, self.service.upload_artifact(request));
        Ok(answer
            .await
            .expect("an answer")?
            .into_inner()
            .artifact
            .unwrap())
    }

    /// Uploads what follows an offset.
    pub async fn upload(&mut self, content: &[u8], offset: usize) -> Result<v1::Artifact, Status> {
        let mut messages = vec![header(content, offset)];
        messages.extend(chunks(&content[offset..]));
        self.send(messages, false).await
    }

    pub async fn download(&mut self, digest: Digest, offset: u64) -> Result<Vec<u8>, Status> {
        let request = self.request(v1::DownloadArtifactRequest {
            digest: digest.to_string(),
            offset,
        });
        let mut stream = self.service.download_artifact(request).await?.into_inner();
        let mut all = Vec::new();
        while let Some(response) = stream.message().await? {
            all.extend(response.chunk);
        }
        Ok(all)
    }
}

pub fn header(content: &[u8], offset: usize) -> Message {
    Message::Header(v1::UploadHeader {
        digest: Digest::of(content).to_string(),
        size_bytes: content.len().try_into().unwrap(),
        offset: offset.try_into().unwrap(),
    })
}

pub fn chunks(content: &[u8]) -> impl Iterator<Item = Message> {
    content
        .chunks(CHUNK_BYTES)
        .map(|chunk| Message::Chunk(chunk.to_vec()))
}

/// Bytes of which no two chunks are the same.
pub fn content(bytes: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut draw = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_le_bytes()[3]
    };
    (0..bytes).map(|_| draw()).collect()
}

pub const LIMITS: Limits = Limits {
    max_artifact_bytes: 8 << 20,
    max_total_bytes: 16 << 20,
    max_files: 100,
};

/// A refusal's code, reason and code of `docs/errors.md`.
#[track_caller]
pub fn refused<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Grpc, String, String) {
    let status = answer.unwrap_err();
    let info = status.get_error_details().error_info().unwrap().clone();
    assert_eq!(info.domain, "rangefinder");
    (status.code(), info.reason, info.metadata["code"].clone())
}

pub fn expected(code: Grpc, reason: &str, catalogue: Code) -> (Grpc, String, String) {
    (code, reason.to_owned(), catalogue.to_string())
}
