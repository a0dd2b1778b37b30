//! An artifact from the coordinator into the worker's cache.

use super::{Progress, cache_failure, mistake};
use crate::dial::{Dialed, dial, words};
use crate::options::Options;
use crate::trainer::Failure;
use crate::work::worker_failure;
use rangefinder_artifacts::{ArtifactStore, Digest, Error, Limits, Pin, Reference, Upload};
use rangefinder_errors::Code;
use rangefinder_proto::v1;
use rangefinder_proto::v1::artifact_service_client::ArtifactServiceClient;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout};
use tonic::transport::Channel;
use tonic::{Request, Status};

/// Pause before the next try, and between looks at a download of another worker of this machine.
const PAUSE: Duration = Duration::from_millis(250);
/// How often content may arrive that is not what it should be.
const WRONG_CONTENTS: u32 = 2;
/// Most bytes of a message, its chunk of 1 MiB included.
const MESSAGE_BYTES: usize = (1 << 20) + (1 << 10);
/// Most files of the cache.
const MAX_FILES: usize = 1 << 16;

/// The worker's cache, opened when it is first needed: a worker that never downloads makes none.
#[derive(Debug)]
pub(super) struct Cache {
    folder: Option<PathBuf>,
    limits: Limits,
    store: OnceCell<ArtifactStore>,
}

/// Why an artifact is not there.
#[derive(Debug)]
pub(super) enum Problem {
    /// The specification is wrong: no worker can do it.
    Mistake(Code, String, &'static str),
    /// This worker's cache does not do.
    Cache(String),
    /// The coordinator did not send it.
    Transfer(String),
}

impl Problem {
    pub(super) fn into_failure(self, field: &str) -> Failure {
        match self {
            Self::Mistake(code, message, remedy) => mistake(field, code, &message, remedy),
            Self::Cache(message) => cache_failure(&message),
            Self::Transfer(message) => Failure {
                code: Code::Download,
                ..worker_failure(format!(
                    "the artifact of {field} cannot be downloaded from the coordinator: {message}"
                ))
            },
        }
    }
}

/// One attempt at a download did not reach its end.
enum Interrupted {
    /// It goes on from where it was.
    Retry(String),
    /// Another worker of this machine downloads the same.
    Elsewhere,
    /// What arrived was something else, and is dropped.
    Wrong(String),
    For(Problem),
}

impl From<Error> for Interrupted {
    fn from(error: Error) -> Self {
        match error {
            Error::Busy { .. } => Self::Elsewhere,
            // Another worker has brought bytes since the look at the part.
            Error::Offset { .. } | Error::Length { .. } => Self::Retry(error.to_string()),
            Error::WrongDigest { .. } => Self::Wrong(error.to_string()),
            other => Self::For(Problem::Cache(other.to_string())),
        }
    }
}

impl Cache {
    pub(super) fn new(options: &Options) -> Self {
        let bytes = options.files.cache_bytes;
        Self {
            folder: options.files.cache.clone(),
            limits: Limits {
                max_artifact_bytes: bytes,
                max_total_bytes: bytes,
                max_files: MAX_FILES,
            },
            store: OnceCell::new(),
        }
    }

    /// The artifact, pinned, after as many attempts as it takes while bytes arrive. Safe to cancel.
    pub(super) async fn fetch(
        &self,
        options: &Options,
        reference: &Reference,
        max_bytes: Option<u64>,
        progress: Progress,
    ) -> Result<Pin, Problem> {
        let store = self.open().await?;
        let digest = reference.digest();
        let mut download = Download {
            options,
            store,
            digest,
            max_bytes,
            progress,
            arrived: 0,
            last_progress: Instant::now(),
            client: None,
        };
        let patience = options.timing.download;
        let mut wrong = 0;
        loop {
            match download.attempt().await {
                Ok(pin) => {
                    let too_large = max_bytes.filter(|limit| pin.size_bytes() > *limit);
                    return match too_large {
                        Some(limit) => Err(too_large_model(digest, pin.size_bytes(), limit)),
                        None => Ok(pin),
                    };
                }
                Err(Interrupted::For(problem)) => return Err(problem),
                Err(Interrupted::Wrong(message)) => {
                    wrong += 1;
                    if wrong == WRONG_CONTENTS {
                        return Err(Problem::Transfer(message));
                    }
                }
                Err(Interrupted::Elsewhere) => {}
                Err(Interrupted::Retry(message)) => {
                    tracing::warn!(%digest, message, "a download was cut off; going on with it");
                    download.client = None;
                    if download.last_progress.elapsed() >= patience {
                        return Err(Problem::Transfer(message));
                    }
                }
            }
            if download.last_progress.elapsed() >= patience {
                let message = format!("nothing has arrived for {} s", patience.as_secs_f64());
                return Err(Problem::Transfer(message));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn open(&self) -> Result<ArtifactStore, Problem> {
        let Some(folder) = self.folder.clone() else {
            return Err(Problem::Cache(
                "the environment names no place for it".to_owned(),
            ));
        };
        let limits = self.limits;
        let open = || async {
            blocking(move || ArtifactStore::open(&folder.join("artifacts"), limits)).await
        };
        self.store
            .get_or_try_init(open)
            .await
            .cloned()
            .map_err(|error| Problem::Cache(error.to_string()))
    }
}

fn too_large_model(digest: Digest, bytes: u64, limit: u64) -> Problem {
    Problem::Mistake(
        Code::FileTooLarge,
        format!(
            "artifact {digest} has {bytes} bytes, more than this worker's limit of {limit} for a model"
        ),
        "give a smaller model, or have the operator raise RANGEFINDER_MAX_MODEL_BYTES",
    )
}

/// One artifact on its way.
struct Download<'a> {
    options: &'a Options,
    store: ArtifactStore,
    digest: Digest,
    max_bytes: Option<u64>,
    progress: Progress,
    /// The most bytes that were there so far.
    arrived: u64,
    last_progress: Instant,
    client: Option<(ArtifactServiceClient<Channel>, Dialed)>,
}

impl Download<'_> {
    async fn attempt(&mut self) -> Result<Pin, Interrupted> {
        let (store, digest) = (self.store.clone(), self.digest);
        match blocking(move || store.pin(digest, None)).await {
            Ok(pin) => return Ok(pin),
            Err(Error::Unknown { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let size_bytes = self.size().await?;
        let store = self.store.clone();
        let begun = blocking(move || {
            let offset = store.status(digest, None)?.received_bytes;
            // What is longer than the whole is none of it.
            let offset = if offset > size_bytes { 0 } else { offset };
            Ok((offset, store.begin(digest, None, size_bytes, offset)))
        })
        .await;
        let (offset, begun) = begun?;
        self.saw(offset);
        let upload = begun?;
        tracing::info!(%digest, size_bytes, offset, "downloading an artifact");
        let upload = self.receive(upload, offset).await?;
        let pin = blocking(move || upload.finish()).await?;
        tracing::info!(%digest, size_bytes, "downloaded an artifact");
        Ok(pin)
    }

    /// Bytes of the artifact, as the coordinator says, which must have all of it.
    async fn size(&mut self) -> Result<u64, Interrupted> {
        let digest = self.digest;
        let request = v1::GetArtifactRequest {
            digest: digest.to_string(),
        };
        let patience = self.options.timing.download;
        let (client, request) = self.call(request).await?;
        let artifact = match timeout(patience, client.get_artifact(request)).await {
            Ok(Ok(response)) => response.into_inner().artifact.unwrap_or_default(),
            Ok(Err(status)) => return Err(refused(&status)),
            Err(_) => return Err(Interrupted::Retry("it does not answer".to_owned())),
        };
        if !artifact.complete {
            return Err(Interrupted::For(unknown(digest)));
        }
        let size_bytes = artifact.size_bytes;
        match self.max_bytes.filter(|limit| size_bytes > *limit) {
            Some(limit) => Err(Interrupted::For(too_large_model(digest, size_bytes, limit))),
            None => Ok(size_bytes),
        }
    }

    /// Takes what the coordinator sends until its end; what has arrived stays in any case.
    async fn receive(&mut self, mut upload: Upload, offset: u64) -> Result<Upload, Interrupted> {
        let request = v1::DownloadArtifactRequest {
            digest: self.digest.to_string(),
            offset,
        };
        let patience = self.options.timing.download;
        let (client, request) = self.call(request).await?;
        let mut stream = match timeout(patience, client.download_artifact(request)).await {
            Ok(Ok(response)) => response.into_inner(),
            Ok(Err(status)) => return Err(refused(&status)),
            Err(_) => return Err(Interrupted::Retry("it does not answer".to_owned())),
        };
        loop {
            let chunk = match timeout(patience, stream.message()).await {
                Ok(Ok(Some(response))) => response.chunk,
                Ok(Ok(None)) => return Ok(upload),
                Ok(Err(status)) => return Err(refused(&status)),
                Err(_) => {
                    let message = format!("nothing came for {} s", patience.as_secs_f64());
                    return Err(Interrupted::Retry(message));
                }
            };
            upload = blocking(move || {
                upload.write(&chunk)?;
                Ok(upload)
            })
            .await?;
            self.saw(upload.received_bytes());
        }
    }

    /// So many bytes are there, whoever brought them.
    fn saw(&mut self, bytes: u64) {
        if bytes > self.arrived {
            self.arrived = bytes;
            self.last_progress = Instant::now();
            (self.progress)(bytes);
        }
    }

    /// A client of the coordinator, connected, and a request with the credential.
    async fn call<T>(
        &mut self,
        message: T,
    ) -> Result<(&mut ArtifactServiceClient<Channel>, Request<T>), Interrupted> {
        if self.client.is_none() {
            let dialed = dial(self.options).await.map_err(Interrupted::Retry)?;
            let client = ArtifactServiceClient::new(dialed.channel.clone())
                .max_decoding_message_size(MESSAGE_BYTES);
            self.client = Some((client, dialed));
        }
        let Some((client, dialed)) = &mut self.client else {
            return Err(Interrupted::Retry("there is no connection".to_owned()));
        };
        let mut request = Request::new(message);
        request
            .metadata_mut()
            .insert("authorization", dialed.authorization.clone());
        Ok((client, request))
    }
}

/// Whether it is of use to ask again after `status`.
fn refused(status: &Status) -> Interrupted {
    let message = words(status);
    match status.code() {
        tonic::Code::NotFound => Interrupted::For(Problem::Mistake(
            Code::NoSuchArtifact,
            status.message().to_owned(),
            "upload it, and submit the sweep again",
        )),
        tonic::Code::Unimplemented => Interrupted::For(Problem::Mistake(
            Code::NoSuchArtifact,
            "this coordinator keeps no artifacts".to_owned(),
            "name the file by a path on the workers' machine, or use a coordinator that is a service",
        )),
        tonic::Code::Unauthenticated
        | tonic::Code::PermissionDenied
        | tonic::Code::InvalidArgument
        | tonic::Code::FailedPrecondition
        | tonic::Code::Internal => Interrupted::For(Problem::Transfer(message)),
        _ => Interrupted::Retry(message),
    }
}

fn unknown(digest: Digest) -> Problem {
    Problem::Mistake(
        Code::NoSuchArtifact,
        format!("the coordinator has no artifact {digest}, or not all of it"),
        "upload it, and submit the sweep again",
    )
}

/// Does file work where it may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Error::Folder {
            path: PathBuf::new(),
            problem: error.to_string(),
        }),
    }
}
