//! `ArtifactService`: models and data that clients upload and workers download.
//!
//! Who calls is taken from the request, where the layer that checks tokens has left a
//! [`Principal`]. File work is done where it may block, a chunk at a time: who sends faster than
//! the disk writes is held back by the transport, and so is the disk by who reads slowly.

use super::status::{self, Refusal};
use rangefinder_access::{Denied, DeniedKind, Grant, Operation, Principal};
use rangefinder_artifacts::{ArtifactStore, Digest, Error, Status as Progress, Upload};
use rangefinder_errors::{Code, Coded};
use rangefinder_proto::v1;
use rangefinder_proto::v1::artifact_service_server::{ArtifactService, ArtifactServiceServer};
use rangefinder_proto::v1::upload_artifact_request::Message;
use std::io::Read;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Extensions, Request, Response, Status, Streaming};

/// Most bytes in a message of an upload or a download, beside a few that frame them.
pub const CHUNK_BYTES: usize = 1 << 20;
/// Bytes of a message that are not its chunk, at most.
const FRAME_BYTES: usize = 1 << 10;
/// Chunks that are read ahead of a slow reader.
const AHEAD: usize = 2;

/// How transfers are limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferLimits {
    /// How long a transfer may bring nothing before it ends.
    pub stall: Duration,
    /// Most transfers at a time.
    pub transfers: usize,
}

impl Default for TransferLimits {
    fn default() -> Self {
        Self {
            stall: Duration::from_secs(60),
            transfers: 256,
        }
    }
}

/// Why a transfer is refused or ends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ArtifactRefusal {
    #[error(transparent)]
    Denied(Denied),
    #[error(transparent)]
    Artifact(#[from] Error),
    #[error("the transfer brought nothing for {} s: go on from where it ended", .0.as_secs_f64())]
    Stalled(Duration),
    #[error("{0}: an upload is a header, and then chunks of at most 1 MiB")]
    Malformed(&'static str),
    #[error("{0} transfers of artifacts are under way, and no more at a time: try again later")]
    TooMany(usize),
    #[error("the coordinator could not do it: {0}")]
    Defect(String),
}

impl ArtifactRefusal {
    /// gRPC's code, and the reason for programs.
    pub(super) fn classify(&self) -> (tonic::Code, &'static str) {
        use tonic::Code as Grpc;
        match self {
            Self::Denied(denied) => match denied.kind() {
                DeniedKind::Unauthenticated => (Grpc::Unauthenticated, "CREDENTIAL"),
                DeniedKind::Forbidden => (Grpc::PermissionDenied, "ROLE"),
                DeniedKind::NotFound => (Grpc::NotFound, "UNKNOWN_ARTIFACT"),
            },
            Self::Artifact(error) => match error {
                Error::Digest { .. } | Error::Reference { .. } => {
                    (Grpc::InvalidArgument, "ARTIFACT_NAME")
                }
                Error::Unknown { .. } => (Grpc::NotFound, "UNKNOWN_ARTIFACT"),
                Error::TooLarge { .. } => (Grpc::FailedPrecondition, "ARTIFACT_TOO_LARGE"),
                Error::NoRoom { .. } => (Grpc::ResourceExhausted, "ARTIFACT_NO_ROOM"),
                Error::WrongDigest { .. } => (Grpc::DataLoss, "ARTIFACT_CONTENT"),
                Error::Offset { .. } => (Grpc::OutOfRange, "ARTIFACT_OFFSET"),
                Error::Length { .. } => (Grpc::OutOfRange, "ARTIFACT_LENGTH"),
                Error::Busy { .. } => (Grpc::Aborted, "ARTIFACT_BUSY"),
                Error::Folder { .. } => (Grpc::Unavailable, "ARTIFACT_FOLDER"),
            },
            Self::Stalled(_) => (Grpc::DeadlineExceeded, "ARTIFACT_STALLED"),
            Self::Malformed(_) => (Grpc::InvalidArgument, "MEANINGLESS_MESSAGE"),
            Self::TooMany(_) => (Grpc::ResourceExhausted, "ARTIFACT_TRANSFERS"),
            Self::Defect(_) => (Grpc::Internal, "DEFECT"),
        }
    }
}

impl Coded for ArtifactRefusal {
    fn code(&self) -> Code {
        match self {
            Self::Denied(denied) => denied.code(),
            Self::Artifact(error) => error.code(),
            Self::Stalled(_) | Self::Malformed(_) => Code::ArtifactStalled,
            Self::TooMany(_) => Code::ArtifactBusy,
            Self::Defect(_) => Code::Defect,
        }
    }
}

/// What a client is told of a folder that does not do: which one it is, is the operator's business.
fn told(error: Error) -> Error {
    match error {
        Error::Folder { path, problem } => {
            tracing::error!(path = %path.display(), problem, "the store of artifacts does not work");
            Error::Folder {
                path: path.file_name().unwrap_or_default().into(),
                problem,
            }
        }
        other => other,
    }
}

impl From<ArtifactRefusal> for Status {
    fn from(refusal: ArtifactRefusal) -> Self {
        status::refusal(&Refusal::Artifact(refusal))
    }
}

/// The artifacts, in front of their store.
#[derive(Clone, Debug)]
pub struct Artifacts {
    store: ArtifactStore,
    limits: TransferLimits,
    transfers: Arc<Semaphore>,
}

impl Artifacts {
    /// The service of a store.
    #[must_use]
    pub fn new(store: ArtifactStore, limits: TransferLimits) -> Self {
        Self {
            store,
            limits,
            transfers: Arc::new(Semaphore::new(limits.transfers)),
        }
    }

    /// The same, with the limits of its messages, as a server adds it.
    #[must_use]
    pub fn into_server(self) -> ArtifactServiceServer<Self> {
        ArtifactServiceServer::new(self)
            .max_decoding_message_size(CHUNK_BYTES + FRAME_BYTES)
            .max_encoding_message_size(CHUNK_BYTES + FRAME_BYTES)
    }

    fn transfer(&self) -> Result<OwnedSemaphorePermit, ArtifactRefusal> {
        Arc::clone(&self.transfers)
            .try_acquire_owned()
            .map_err(|_| ArtifactRefusal::TooMany(self.limits.transfers))
    }

    /// Waits for the next message of an upload, but not for long.
    async fn next(
        &self,
        incoming: &mut Streaming<v1::UploadArtifactRequest>,
    ) -> Result<Option<Message>, Status> {
        let message = tokio::time::timeout(self.limits.stall, incoming.message())
            .await
            .map_err(|_| ArtifactRefusal::Stalled(self.limits.stall))??;
        match message {
            None => Ok(None),
            Some(v1::UploadArtifactRequest { message: None }) => {
                Err(ArtifactRefusal::Malformed("a message is empty").into())
            }
            Some(v1::UploadArtifactRequest { message }) => Ok(message),
        }
    }

    /// Takes chunks until the stream ends or breaks. What has arrived stays in either case.
    async fn receive(
        &self,
        mut upload: Upload,
        incoming: &mut Streaming<v1::UploadArtifactRequest>,
    ) -> Result<Upload, Status> {
        loop {
            let problem = match self.next(incoming).await {
                Ok(None) => return Ok(upload),
                Ok(Some(Message::Chunk(chunk))) if chunk.len() <= CHUNK_BYTES => {
                    upload = blocking(move || {
                        upload.write(&chunk)?;
                        Ok(upload)
                    })
                    .await?;
                    continue;
                }
                Ok(Some(Message::Chunk(_))) => {
                    ArtifactRefusal::Malformed("a chunk is too large").into()
                }
                Ok(Some(Message::Header(_))) => {
                    ArtifactRefusal::Malformed("a second header came").into()
                }
                Err(status) => status,
            };
            let received_bytes = blocking(move || upload.pause()).await?;
            tracing::debug!(received_bytes, %problem, "an upload was cut off");
            return Err(problem);
        }
    }
}

/// Who calls, provided that the role may do this at all.
fn caller(extensions: &Extensions, operation: Operation) -> Result<Principal, ArtifactRefusal> {
    let principal = extensions
        .get::<Principal>()
        .ok_or(ArtifactRefusal::Denied(Denied::Missing))?;
    principal
        .may_ever(operation)
        .map_err(ArtifactRefusal::Denied)?;
    Ok(principal.clone())
}

/// As whose a caller sees artifacts: `None` for who sees all of them. Also for [`ArtifactStore::pin`]
/// when a caller's specification names artifacts.
#[must_use]
pub fn sees_as(principal: &Principal) -> Option<&str> {
    match Operation::ReadArtifact.grant(principal.role) {
        Grant::Any => None,
        Grant::Own | Grant::Never => Some(&principal.name),
    }
}

fn artifact(digest: Digest, progress: Progress) -> v1::Artifact {
    v1::Artifact {
        digest: digest.to_string(),
        size_bytes: progress.size_bytes.unwrap_or_default(),
        received_bytes: progress.received_bytes,
        complete: progress.is_complete(),
    }
}

/// Does file work where it may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, ArtifactRefusal> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| ArtifactRefusal::Defect(error.to_string()))?
        .map_err(|error| ArtifactRefusal::Artifact(told(error)))
}

fn parse(digest: &str) -> Result<Digest, ArtifactRefusal> {
    Ok(digest.parse::<Digest>()?)
}

#[tonic::async_trait]
impl ArtifactService for Artifacts {
    type DownloadArtifactStream =
        Pin<Box<dyn Stream<Item = Result<v1::DownloadArtifactResponse, Status>> + Send>>;

    async fn get_artifact(
        &self,
        request: Request<v1::GetArtifactRequest>,
    ) -> Result<Response<v1::GetArtifactResponse>, Status> {
        let principal = caller(request.extensions(), Operation::ReadArtifact)?;
        let digest = parse(&request.get_ref().digest)?;
        let store = self.store.clone();
        let progress = blocking(move || {
            let seen = store.status(digest, sees_as(&principal))?;
            if seen.is_complete() {
                return Ok(seen);
            }
            // What is arriving belongs to who uploads it, also where the role sees all.
            store.status(digest, Some(&principal.name))
        })
        .await?;
        Ok(Response::new(v1::GetArtifactResponse {
            artifact: Some(artifact(digest, progress)),
        }))
    }

    async fn upload_artifact(
        &self,
        request: Request<Streaming<v1::UploadArtifactRequest>>,
    ) -> Result<Response<v1::UploadArtifactResponse>, Status> {
        let principal = caller(request.extensions(), Operation::UploadArtifact)?;
        let _transfer = self.transfer()?;
        let mut incoming = request.into_inner();
        let Some(Message::Header(header)) = self.next(&mut incoming).await? else {
            return Err(ArtifactRefusal::Malformed("no header came first").into());
        };
        let digest = parse(&header.digest)?;
        let store = self.store.clone();
        let upload = blocking(move || {
            let owner = Some(principal.name.as_str());
            store.begin(digest, owner, header.size_bytes, header.offset)
        })
        .await?;
        let upload = self.receive(upload, &mut incoming).await?;
        let pin = blocking(move || upload.finish()).await?;
        Ok(Response::new(v1::UploadArtifactResponse {
            artifact: Some(artifact(
                digest,
                Progress {
                    size_bytes: Some(pin.size_bytes()),
                    received_bytes: pin.size_bytes(),
                },
            )),
        }))
    }

    async fn download_artifact(
        &self,
        request: Request<v1::DownloadArtifactRequest>,
    ) -> Result<Response<Self::DownloadArtifactStream>, Status> {
        let principal = caller(request.extensions(), Operation::ReadArtifact)?;
        let transfer = self.transfer()?;
        let request = request.into_inner();
        let digest = parse(&request.digest)?;
        let store = self.store.clone();
        let content = blocking(move || {
            let pin = store.pin(digest, sees_as(&principal))?;
            pin.read_from(request.offset)
        })
        .await?;
        let (chunks, outgoing) = mpsc::channel(AHEAD + 1);
        tokio::spawn(send(content, chunks, self.limits.stall, transfer));
        Ok(Response::new(Box::pin(ReceiverStream::new(outgoing))))
    }
}

/// Sends an artifact as fast as it is read on the other side.
async fn send(
    mut content: impl Read + Send + 'static,
    chunks: mpsc::Sender<Result<v1::DownloadArtifactResponse, Status>>,
    stall: Duration,
    _transfer: OwnedSemaphorePermit,
) {
    // Room for the last word, which must not look like the end of the content.
    let Ok(last_word) = chunks.clone().reserve_owned().await else {
        return;
    };
    loop {
        let read = tokio::task::spawn_blocking(move || {
            let mut chunk = Vec::with_capacity(CHUNK_BYTES);
            let limit = u64::try_from(CHUNK_BYTES).unwrap_or(u64::MAX);
            content.by_ref().take(limit).read_to_end(&mut chunk)?;
            Ok::<_, std::io::Error>((content, chunk))
        });
        let chunk;
        (content, chunk) = match read.await.map_err(std::io::Error::other) {
            Ok(Ok(read)) => read,
            Ok(Err(error)) | Err(error) => {
                tracing::error!(%error, "an artifact cannot be read");
                last_word.send(Err(ArtifactRefusal::Defect(error.to_string()).into()));
                return;
            }
        };
        if chunk.is_empty() {
            return;
        }
        let response = Ok(v1::DownloadArtifactResponse { chunk });
        match tokio::time::timeout(stall, chunks.send(response)).await {
            Ok(Ok(())) => {}
            // Who read it has gone.
            Ok(Err(_)) => return,
            Err(_) => {
                last_word.send(Err(ArtifactRefusal::Stalled(stall).into()));
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
