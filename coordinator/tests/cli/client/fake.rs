//! A service that does as it is told, on loopback.

use rangefinder_coordinator::wire::sweeps;
use rangefinder_proto::v1;
use rangefinder_proto::v1::artifact_service_server::{ArtifactService, ArtifactServiceServer};
use rangefinder_proto::v1::sweep_service_server::{SweepService, SweepServiceServer};
use rangefinder_proto::v1::upload_artifact_request::Message;
use rangefinder_sweep::event::{Happening, Outcome, SweepEvent};
use rangefinder_sweep::ids::SweepId;
use std::collections::VecDeque;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status, Streaming};

/// A sweep.json that has been read by every release.
pub const DOCUMENT: &str = include_str!("../../../report/src/tests/data/sweep.format-1.json");
/// The token that it lets in.
pub const TOKEN: &str = "a-secret-that-must-not-show";
/// Bytes of each artifact that it has, by digest.
type Artifacts = std::collections::BTreeMap<String, Vec<u8>>;

/// What comes after the events of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It ends.
    End,
    /// The connection breaks.
    Break,
    /// Nothing, for ever.
    Hold,
}

/// What it answers, in the order in which it is asked. A call for which nothing is left is not
/// implemented.
#[derive(Default)]
pub struct Script {
    pub create: VecDeque<Result<v1::Sweep, Status>>,
    pub get: VecDeque<Result<(v1::Sweep, &'static str), Status>>,
    pub list: VecDeque<Result<v1::ListSweepsResponse, Status>>,
    pub watch: VecDeque<Result<(Vec<v1::SweepEvent>, Then), Status>>,
    pub cancel: VecDeque<Result<v1::Sweep, Status>>,
    pub delete: VecDeque<Result<(), Status>>,
    pub suggest: VecDeque<Result<v1::CurveAnswer, Status>>,
    pub workers: VecDeque<Result<Vec<v1::Worker>, Status>>,
    pub drain: VecDeque<Result<v1::Worker, Status>>,
    /// What it has of artifacts from the start.
    pub artifacts: Artifacts,
    /// Bytes after which the next upload breaks.
    pub break_upload_at: Option<usize>,
}

/// What it was asked.
#[derive(Default)]
pub struct Seen {
    pub tokens: Vec<String>,
    pub created: Vec<v1::CreateSweepRequest>,
    pub listed: Vec<v1::ListSweepsRequest>,
    pub watched_from: Vec<u64>,
    pub readings: Vec<v1::Reading>,
    pub cancelled: Vec<String>,
    /// Headers of uploads.
    pub uploads: Vec<v1::UploadHeader>,
    pub artifacts: Artifacts,
}

struct State {
    script: Script,
    seen: Seen,
    /// Is told of each watch.
    watched: Option<mpsc::Sender<()>>,
}

#[derive(Clone)]
struct Service(Arc<Mutex<State>>);

/// The service, running. Dropped, it is gone.
pub struct Fake {
    pub address: SocketAddr,
    /// Holds the port while the service restarts.
    listener: TcpListener,
    service: Service,
    runtime: Runtime,
}

impl Fake {
    pub fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self::on(listener, script)
    }

    /// Kills it, with all its connections, and starts it anew.
    pub fn restart(self, script: Script) -> Self {
        drop(self.runtime);
        Self::on(self.listener, script)
    }

    fn on(listener: TcpListener, script: Script) -> Self {
        let artifacts = script.artifacts.clone();
        let service = Service(Arc::new(Mutex::new(State {
            script,
            seen: Seen {
                artifacts,
                ..Seen::default()
            },
            watched: None,
        })));
        let runtime = Runtime::new().unwrap();
        let incoming = {
            let _within = runtime.enter();
            tokio::net::TcpListener::from_std(listener.try_clone().unwrap()).unwrap()
        };
        let serving = tonic::transport::Server::builder()
            .add_service(SweepServiceServer::new(service.clone()))
            .add_service(ArtifactServiceServer::new(service.clone()))
            .serve_with_incoming(TcpListenerStream::new(incoming));
        runtime.spawn(serving);
        Self {
            address: listener.local_addr().unwrap(),
            listener,
            service,
            runtime,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Looks at what it was asked.
    pub fn seen<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.service.0.lock().unwrap().seen)
    }

    /// Tells when somebody watches.
    pub fn watched(&self) -> mpsc::Receiver<()> {
        let (sender, receiver) = mpsc::channel();
        self.service.0.lock().unwrap().watched = Some(sender);
        receiver
    }
}

impl Service {
    fn asked<T, R>(
        &self,
        request: &Request<T>,
        answer: impl FnOnce(&mut State) -> R,
    ) -> Result<R, Status> {
        let mut state = self.0.lock().unwrap();
        let token = request.metadata().get("authorization").unwrap();
        state.seen.tokens.push(token.to_str().unwrap().to_owned());
        if token != format!("Bearer {TOKEN}").as_str() {
            return Err(Status::unauthenticated("no such token"));
        }
        Ok(answer(&mut state))
    }
}

fn next<T>(answers: &mut VecDeque<Result<T, Status>>) -> Result<T, Status> {
    let nothing = || Err(Status::unimplemented("nothing is scripted"));
    answers.pop_front().unwrap_or_else(nothing)
}

#[tonic::async_trait]
impl SweepService for Service {
    type WatchSweepStream = ReceiverStream<Result<v1::WatchSweepResponse, Status>>;

    async fn create_sweep(
        &self,
        request: Request<v1::CreateSweepRequest>,
    ) -> Result<Response<v1::CreateSweepResponse>, Status> {
        let sweep = self.asked(&request, |state| {
            state.seen.created.push(request.get_ref().clone());
            next(&mut state.script.create)
        })??;
        Ok(Response::new(v1::CreateSweepResponse {
            sweep: Some(sweep),
        }))
    }

    async fn get_sweep(
        &self,
        request: Request<v1::GetSweepRequest>,
    ) -> Result<Response<v1::GetSweepResponse>, Status> {
        let (sweep, document) = self.asked(&request, |state| next(&mut state.script.get))??;
        Ok(Response::new(v1::GetSweepResponse {
            sweep: Some(sweep),
            document: match request.get_ref().with_document {
                true => document.to_owned(),
                false => String::new(),
            },
        }))
    }

    async fn list_sweeps(
        &self,
        request: Request<v1::ListSweepsRequest>,
    ) -> Result<Response<v1::ListSweepsResponse>, Status> {
        let page = self.asked(&request, |state| {
            state.seen.listed.push(request.get_ref().clone());
            next(&mut state.script.list)
        })??;
        Ok(Response::new(page))
    }

    async fn watch_sweep(
        &self,
        request: Request<v1::WatchSweepRequest>,
    ) -> Result<Response<Self::WatchSweepStream>, Status> {
        let (events, then) = self.asked(&request, |state| {
            state.seen.watched_from.push(request.get_ref().from_number);
            let answer = next(&mut state.script.watch);
            if let Some(watched) = &state.watched {
                watched.send(()).unwrap();
            }
            answer
        })??;
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move {
            for event in events {
                let response = v1::WatchSweepResponse { event: Some(event) };
                if sender.send(Ok(response)).await.is_err() {
                    return;
                }
            }
            match then {
                Then::End => {}
                Then::Break => {
                    let _ = sender.send(Err(Status::unavailable("gone"))).await;
                }
                Then::Hold => sender.closed().await,
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn cancel_sweep(
        &self,
        request: Request<v1::CancelSweepRequest>,
    ) -> Result<Response<v1::CancelSweepResponse>, Status> {
        let sweep = self.asked(&request, |state| {
            state
                .seen
                .cancelled
                .push(request.get_ref().sweep_id.clone());
            next(&mut state.script.cancel)
        })??;
        Ok(Response::new(v1::CancelSweepResponse {
            sweep: Some(sweep),
        }))
    }

    async fn delete_sweep(
        &self,
        request: Request<v1::DeleteSweepRequest>,
    ) -> Result<Response<v1::DeleteSweepResponse>, Status> {
        self.asked(&request, |state| next(&mut state.script.delete))??;
        Ok(Response::new(v1::DeleteSweepResponse {}))
    }

    async fn suggest(
        &self,
        request: Request<v1::SuggestRequest>,
    ) -> Result<Response<v1::SuggestResponse>, Status> {
        let answer = self.asked(&request, |state| {
            state
                .seen
                .readings
                .extend(request.get_ref().reading.clone());
            next(&mut state.script.suggest)
        })??;
        Ok(Response::new(v1::SuggestResponse {
            answer: Some(answer),
        }))
    }

    async fn analyze_curve(
        &self,
        _: Request<v1::AnalyzeCurveRequest>,
    ) -> Result<Response<v1::AnalyzeCurveResponse>, Status> {
        Err(Status::unimplemented("no command asks this"))
    }

    async fn list_workers(
        &self,
        request: Request<v1::ListWorkersRequest>,
    ) -> Result<Response<v1::ListWorkersResponse>, Status> {
        let workers = self.asked(&request, |state| next(&mut state.script.workers))??;
        Ok(Response::new(v1::ListWorkersResponse { workers }))
    }

    async fn drain_worker(
        &self,
        request: Request<v1::DrainWorkerRequest>,
    ) -> Result<Response<v1::DrainWorkerResponse>, Status> {
        let worker = self.asked(&request, |state| next(&mut state.script.drain))??;
        Ok(Response::new(v1::DrainWorkerResponse {
            worker: Some(worker),
        }))
    }
}

#[tonic::async_trait]
impl ArtifactService for Service {
    type DownloadArtifactStream = ReceiverStream<Result<v1::DownloadArtifactResponse, Status>>;

    async fn get_artifact(
        &self,
        request: Request<v1::GetArtifactRequest>,
    ) -> Result<Response<v1::GetArtifactResponse>, Status> {
        let digest = request.get_ref().digest.clone();
        let received_bytes = self.asked(&request, |state| {
            state.seen.artifacts.get(&digest).map_or(0, Vec::len) as u64
        })?;
        let state = self.0.lock().unwrap();
        let uploads = state.seen.uploads.iter();
        let size_bytes = uploads
            .filter(|upload| upload.digest == digest)
            .map(|upload| upload.size_bytes)
            .next_back()
            .unwrap_or(0);
        // What is there from the start is complete unless somebody has begun to upload it.
        let is_there = state
            .script
            .artifacts
            .get(&digest)
            .is_some_and(|it| it.len() > 3);
        Ok(Response::new(v1::GetArtifactResponse {
            artifact: Some(v1::Artifact {
                digest,
                size_bytes,
                received_bytes,
                complete: is_there || (size_bytes > 0 && received_bytes == size_bytes),
            }),
        }))
    }

    async fn upload_artifact(
        &self,
        request: Request<Streaming<v1::UploadArtifactRequest>>,
    ) -> Result<Response<v1::UploadArtifactResponse>, Status> {
        let break_at = self.asked(&request, |state| state.script.break_upload_at.take())?;
        let mut messages = request.into_inner();
        let Some(Message::Header(header)) = messages.message().await?.unwrap().message else {
            return Err(Status::invalid_argument("the header comes first"));
        };
        self.0.lock().unwrap().seen.uploads.push(header.clone());
        while let Some(message) = messages.message().await? {
            let Some(Message::Chunk(chunk)) = message.message else {
                return Err(Status::invalid_argument("expected a chunk"));
            };
            let mut state = self.0.lock().unwrap();
            let content = state
                .seen
                .artifacts
                .entry(header.digest.clone())
                .or_default();
            content.extend(chunk);
            if let Some(at) = break_at {
                content.truncate(at);
                return Err(Status::unavailable("gone"));
            }
        }
        Ok(Response::new(v1::UploadArtifactResponse {
            artifact: Some(v1::Artifact {
                digest: header.digest,
                size_bytes: header.size_bytes,
                received_bytes: header.size_bytes,
                complete: true,
            }),
        }))
    }

    async fn download_artifact(
        &self,
        _: Request<v1::DownloadArtifactRequest>,
    ) -> Result<Response<Self::DownloadArtifactStream>, Status> {
        Err(Status::unimplemented("no command asks this"))
    }
}

/// A sweep in a state, created so many minutes ago.
pub fn sweep(id: &str, state: v1::SweepState, minutes: i64) -> v1::Sweep {
    let now = jiff::Timestamp::now().as_second();
    v1::Sweep {
        id: id.to_owned(),
        owner: "ann".to_owned(),
        state: state.into(),
        spec: Some(v1::SweepSpec {
            model: Some("mlp".to_owned()),
            data: Some("digits".to_owned()),
            optimizer: Some("adamw".to_owned()),
            batch_size: Some(64),
            min_lr: Some(1e-8),
            max_lr: Some(1.0),
            num_training: Some(60),
            mode: Some("exponential".to_owned()),
            ..v1::SweepSpec::default()
        }),
        workers: 2,
        create_time: Some(prost_types::Timestamp {
            seconds: now - 60 * minutes,
            nanos: 0,
        }),
        last_event_number: 4,
        ..v1::Sweep::default()
    }
}

/// The four events of a sweep.
pub fn events() -> Vec<v1::SweepEvent> {
    let happenings = [
        Happening::Created,
        Happening::Waiting {
            reason: "a worker".to_owned(),
        },
        Happening::WorkerGone {
            worker: rangefinder_sweep::ids::WorkerId("w1".to_owned()),
            cause: "its node was taken".to_owned(),
        },
        Happening::Ended {
            outcome: Outcome::Completed,
        },
    ];
    (1..)
        .zip(happenings)
        .map(|(number, happening)| {
            let event = SweepEvent {
                sweep: SweepId("s1".to_owned()),
                number,
                at_ms: 1000 * number,
                happening,
            };
            sweeps::event(&event, None).unwrap()
        })
        .collect()
}

/// Waits for something that another thread tells.
pub fn wait(told: &mpsc::Receiver<()>) {
    told.recv_timeout(Duration::from_secs(30)).unwrap();
}
