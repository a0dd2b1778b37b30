//! Files as artifacts: named by their content, uploaded once, and from where they were cut off.

use super::retry::Outage;
use super::{Client, Error, Kind};
use rangefinder_errors::Code;
use rangefinder_proto::v1;
use rangefinder_proto::v1::upload_artifact_request::Message;
use ring::digest::{Context, SHA256};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Response;

/// Bytes that are read at a time, and bytes of a message; a service takes up to 1 MiB.
const CHUNK: usize = 256 << 10;
/// Messages that wait for the network.
const QUEUE: usize = 4;

/// Is told up to which byte a file has come.
pub type OnPosition = Arc<dyn Fn(u64) + Send + Sync>;

/// The name of a content: `sha256-` and 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest(pub String);

/// A file that is to be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Where it is.
    pub path: PathBuf,
    /// Its content's name.
    pub digest: Digest,
    /// Its bytes.
    pub size_bytes: u64,
}

/// Reads a file once to name its content. `on_bytes` is told how many more bytes were read.
///
/// # Errors
/// When it cannot be read.
pub fn digest(path: &Path, on_bytes: &mut dyn FnMut(u64)) -> io::Result<Upload> {
    let mut file = File::open(path)?;
    let mut context = Context::new(&SHA256);
    let mut buffer = vec![0; CHUNK];
    let mut size_bytes = 0;
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        context.update(&buffer[..count]);
        size_bytes += count as u64;
        on_bytes(count as u64);
    }
    let name = context
        .finish()
        .as_ref()
        .iter()
        .fold("sha256-".to_owned(), |mut name, byte| {
            // Writing to a text cannot fail.
            let _ = write!(name, "{byte:02x}");
            name
        });
    Ok(Upload {
        path: path.to_owned(),
        digest: Digest(name),
        size_bytes,
    })
}

impl Client {
    /// Brings a file to the service, unless it is there. `on_position` is told up to which byte it
    /// is there or on its way.
    ///
    /// # Errors
    /// As the service says; when it is away for longer than `timeout` without a byte more getting
    /// there; when the file cannot be read.
    pub async fn upload(&self, upload: &Upload, on_position: &OnPosition) -> Result<(), Error> {
        let mut outage = Outage::new(self.timeout);
        let mut furthest = 0;
        loop {
            let there = self.there(&upload.digest).await?;
            if there.complete {
                on_position(upload.size_bytes);
                return Ok(());
            }
            let offset = there.received_bytes.min(upload.size_bytes);
            if offset > furthest {
                furthest = offset;
                if outage.over() {
                    self.notice(&format!("{} is back; the upload goes on", self.server));
                }
            }
            let failure = match self.send(upload, offset, on_position).await {
                Ok(()) => return Ok(()),
                Err(failure) if failure.kind != Kind::Away => return Err(failure),
                Err(failure) => failure,
            };
            if !outage.goes_on() {
                self.trying_again(&failure);
            }
            outage.pause(failure).await?;
        }
    }

    /// What the service has of an artifact.
    async fn there(&self, digest: &Digest) -> Result<v1::Artifact, Error> {
        let request = v1::GetArtifactRequest {
            digest: digest.0.clone(),
        };
        let call = async || match self.artifacts.clone().get_artifact(request.clone()).await {
            // Nobody has begun to upload it.
            Err(status) if status.code() == tonic::Code::NotFound => {
                Ok(Response::new(v1::GetArtifactResponse::default()))
            }
            other => other,
        };
        Ok(self.repeat(call).await?.artifact.unwrap_or_default())
    }

    /// Sends a file from an offset on, over one connection, which may take as long as bytes move.
    async fn send(
        &self,
        upload: &Upload,
        offset: u64,
        on_position: &OnPosition,
    ) -> Result<(), Error> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let moved = Arc::new(AtomicU64::new(offset));
        // Files are read on a thread of their own, which ends when nobody listens any more.
        let reading = tokio::task::spawn_blocking({
            let (upload, moved) = (upload.clone(), Arc::clone(&moved));
            let on_position = Arc::clone(on_position);
            move || {
                read_into(&upload, offset, &sender, &|position| {
                    moved.store(position, Ordering::Relaxed);
                    on_position(position);
                })
            }
        });
        let mut artifacts = self.artifacts.clone();
        let call = artifacts.upload_artifact(ReceiverStream::new(receiver));
        tokio::pin!(call);
        let mut last = offset;
        let answer = loop {
            match tokio::time::timeout(self.timeout, &mut call).await {
                Ok(answer) => break answer,
                Err(_) => {
                    let now = moved.load(Ordering::Relaxed);
                    if now == last {
                        let waited = format!("it takes no byte for {} s", self.timeout.as_secs());
                        return Err(Error::silent(&self.server, &waited));
                    }
                    last = now;
                }
            }
        };
        if let Err(status) = answer {
            return Err(Error::of(&status, &self.server));
        }
        match reading.await {
            Ok(Err(error)) => Err(Error::new(
                Kind::Input,
                Code::of_reading(&error),
                format!("{}: cannot be read: {error}", upload.path.display()),
                "check the path, the rights and the disk",
            )),
            _ => Ok(()),
        }
    }
}

/// Reads a file from an offset on into messages, the header first.
fn read_into(
    upload: &Upload,
    offset: u64,
    messages: &mpsc::Sender<v1::UploadArtifactRequest>,
    on_position: &dyn Fn(u64),
) -> io::Result<()> {
    let send = |message| {
        let message = v1::UploadArtifactRequest {
            message: Some(message),
        };
        messages.blocking_send(message).is_ok()
    };
    let mut file = File::open(&upload.path)?;
    file.seek(SeekFrom::Start(offset))?;
    let header = v1::UploadHeader {
        digest: upload.digest.0.clone(),
        size_bytes: upload.size_bytes,
        offset,
    };
    let mut listening = send(Message::Header(header));
    let mut position = offset;
    while listening {
        let mut chunk = Vec::with_capacity(CHUNK);
        (&mut file).take(CHUNK as u64).read_to_end(&mut chunk)?;
        if chunk.is_empty() {
            break;
        }
        position += chunk.len() as u64;
        listening = send(Message::Chunk(chunk));
        on_position(position);
    }
    Ok(())
}
