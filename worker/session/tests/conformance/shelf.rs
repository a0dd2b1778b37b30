//! The artifacts of a scripted coordinator.

use crate::support::TOKEN;
use rangefinder_artifacts::{Digest, Reference};
use rangefinder_proto::v1;
use rangefinder_proto::v1::artifact_service_server::ArtifactService;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// Bytes of a message of a download.
pub const CHUNK: usize = 100;

/// What there is to download, and what becomes of downloads.
#[derive(Clone)]
pub struct Shelf {
    state: Arc<Mutex<State>>,
    /// One permit for each chunk that may be sent.
    pace: Arc<Semaphore>,
}

#[derive(Default)]
struct State {
    artifacts: HashMap<String, Vec<u8>>,
    /// Chunks after which the next downloads are cut off.
    cuts: Vec<usize>,
    /// Offset of each download, in their order.
    downloads: Vec<u64>,
}

impl Default for Shelf {
    fn default() -> Self {
        Self {
            state: Arc::default(),
            pace: Arc::new(Semaphore::new(100_000)),
        }
    }
}

impl Shelf {
    /// Puts an artifact there, and says what a specification calls it.
    pub fn put(&self, content: &[u8], name: &str) -> String {
        let digest = Digest::of(content);
        self.put_as(digest, content);
        Reference::new(digest, name).expect("a name").to_string()
    }

    /// Puts content there under a name that may not be its own.
    pub fn put_as(&self, digest: Digest, content: &[u8]) {
        let mut state = self.lock();
        state.artifacts.insert(digest.to_string(), content.to_vec());
    }

    /// Cuts the next downloads off after so many chunks each.
    pub fn cut(&self, chunks: &[usize]) {
        self.lock().cuts = chunks.to_vec();
    }

    /// Sends nothing from now on but so many chunks.
    pub fn hold(&self, chunks: usize) {
        self.pace.forget_permits(usize::MAX >> 4);
        self.pace.add_permits(chunks);
    }

    /// Sends so many chunks more.
    pub fn release(&self, chunks: usize) {
        self.pace.add_permits(chunks);
    }

    /// Offsets of all downloads until now.
    pub fn downloads(&self) -> Vec<u64> {
        self.lock().downloads.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("not poisoned")
    }

    fn find(&self, digest: &str) -> Option<Vec<u8>> {
        self.lock().artifacts.get(digest).cloned()
    }
}

fn check<T>(request: &Request<T>) -> Result<(), Status> {
    let credential = request.metadata().get("authorization");
    if credential.is_none_or(|value| value != format!("Bearer {TOKEN}").as_str()) {
        return Err(Status::unauthenticated("unknown token"));
    }
    Ok(())
}

type Chunks = Pin<Box<dyn Stream<Item = Result<v1::DownloadArtifactResponse, Status>> + Send>>;

#[tonic::async_trait]
impl ArtifactService for Shelf {
    type DownloadArtifactStream = Chunks;

    async fn get_artifact(
        &self,
        request: Request<v1::GetArtifactRequest>,
    ) -> Result<Response<v1::GetArtifactResponse>, Status> {
        check(&request)?;
        let digest = request.into_inner().digest;
        let size = self.find(&digest).map(|content| content.len() as u64);
        let artifact = v1::Artifact {
            digest,
            size_bytes: size.unwrap_or_default(),
            received_bytes: size.unwrap_or_default(),
            complete: size.is_some(),
        };
        Ok(Response::new(v1::GetArtifactResponse {
            artifact: Some(artifact),
        }))
    }

    async fn upload_artifact(
        &self,
        _request: Request<Streaming<v1::UploadArtifactRequest>>,
    ) -> Result<Response<v1::UploadArtifactResponse>, Status> {
        Err(Status::permission_denied("not a client"))
    }

    async fn download_artifact(
        &self,
        request: Request<v1::DownloadArtifactRequest>,
    ) -> Result<Response<Chunks>, Status> {
        check(&request)?;
        let request = request.into_inner();
        let content = self
            .find(&request.digest)
            .ok_or_else(|| Status::not_found("no such artifact"))?;
        let cut = {
            let mut state = self.lock();
            state.downloads.push(request.offset);
            (!state.cuts.is_empty()).then(|| state.cuts.remove(0))
        };
        let pace = Arc::clone(&self.pace);
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            let start = usize::try_from(request.offset).expect("an offset");
            for (number, chunk) in content[start..].chunks(CHUNK).enumerate() {
                if Some(number) == cut {
                    let _gone = sender.send(Err(Status::unavailable("scripted"))).await;
                    return;
                }
                pace.acquire().await.expect("open").forget();
                let chunk = chunk.to_vec();
                let response = v1::DownloadArtifactResponse { chunk };
                if sender.send(Ok(response)).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}
