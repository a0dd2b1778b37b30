//! A coordinator that does what a test tells it to, and the worker under test.

use crate::shelf::Shelf;
use rangefinder_proto::v1;
use rangefinder_proto::v1::artifact_service_server::ArtifactServiceServer;
use rangefinder_proto::v1::connect_request::Message as FromWorker;
use rangefinder_proto::v1::connect_response::Message as ToWorker;
use rangefinder_proto::v1::worker_service_server::{WorkerService, WorkerServiceServer};
use rangefinder_session::mock::MockTrainer;
use rangefinder_session::trainer::{StepLoss, TaskStart, Trainer};
use rangefinder_session::{Credential, End, Error, Options, Session};
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::Stream;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_util::sync::CancellationToken;
use tonic::transport::{Server, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};

pub const TOKEN: &str = "the-right-token";

/// Waits for something that must come, with a deadline far beyond what it needs.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

pub struct Coordinator {
    pub address: SocketAddr,
    pub shelf: Shelf,
    connections: mpsc::UnboundedReceiver<Connection>,
    server: JoinHandle<()>,
}

impl Coordinator {
    pub async fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().expect("address")).await
    }

    pub async fn start_at(address: SocketAddr) -> Self {
        Self::serve(address, Server::builder()).await
    }

    pub async fn start_tls(tls: ServerTlsConfig) -> Self {
        let server = Server::builder().tls_config(tls).expect("certificates");
        Self::serve("127.0.0.1:0".parse().expect("address"), server).await
    }

    async fn serve(address: SocketAddr, mut server: Server) -> Self {
        let shelf = Shelf::default();
        let artifacts = ArtifactServiceServer::new(shelf.clone());
        let listener = TcpListener::bind(address).await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (sender, connections) = mpsc::unbounded_channel();
        let server = tokio::spawn(async move {
            server
                .add_service(artifacts)
                .add_service(WorkerServiceServer::new(Service { sender }))
                .serve_with_incoming(TcpListenerStream::new(listener))
                .await
                .expect("served");
        });
        Self {
            address,
            shelf,
            connections,
            server,
        }
    }

    pub fn options(&self) -> Options {
        let uri = format!("http://{}", self.address).parse().expect("uri");
        let mut options = Options::new(uri, Credential::new(TOKEN).expect("token"));
        options.worker_id = "w1".to_owned();
        options.device = "cpu".to_owned();
        options.timing.backoff_min = Duration::from_millis(5);
        options.timing.backoff_max = Duration::from_millis(50);
        options
    }

    /// The next connection, not yet greeted.
    pub async fn accept(&mut self) -> (Connection, v1::Hello) {
        let mut connection = soon("a connection", self.connections.recv())
            .await
            .expect("server");
        match connection.next().await {
            FromWorker::Hello(hello) => (connection, hello),
            other => panic!("the first message is {other:?}"),
        }
    }

    /// The next connection, greeted with a pace and a lease time in milliseconds.
    pub async fn greet(&mut self, heartbeat_ms: u32, lease_ms: u32) -> (Connection, v1::Hello) {
        let (connection, hello) = self.accept().await;
        connection
            .send(ToWorker::Welcome(v1::Welcome {
                heartbeat_interval_ms: heartbeat_ms,
                lease_ms,
            }))
            .await;
        (connection, hello)
    }

    /// Ends the server and all its connections, as a crash would.
    pub async fn crash(self) -> SocketAddr {
        self.server.abort();
        let _aborted = self.server.await;
        self.address
    }
}

pub struct Connection {
    requests: mpsc::UnboundedReceiver<FromWorker>,
    responses: mpsc::Sender<Result<v1::ConnectResponse, Status>>,
}

impl Connection {
    pub async fn send(&self, message: ToWorker) {
        self.send_raw(v1::ConnectResponse {
            message: Some(message),
        })
        .await;
    }

    pub async fn send_raw(&self, response: v1::ConnectResponse) {
        self.responses
            .send(Ok(response))
            .await
            .expect("the worker listens");
    }

    /// Ends the stream with a status.
    pub async fn cut(self, status: Status) {
        self.responses
            .send(Err(status))
            .await
            .expect("the worker listens");
    }

    pub async fn ack(&self, lease_token: u64, next_step: u64, finished: bool) {
        self.send(ToWorker::Ack(v1::Ack {
            lease_token,
            next_step,
            finished,
        }))
        .await;
    }

    /// The next message of the worker.
    pub async fn next(&mut self) -> FromWorker {
        soon("a message of the worker", self.requests.recv())
            .await
            .expect("the worker is connected")
    }

    /// The next message that is not a heartbeat.
    pub async fn report(&mut self) -> FromWorker {
        loop {
            match self.next().await {
                FromWorker::Heartbeat(_) => {}
                other => return other,
            }
        }
    }

    pub async fn heartbeat(&mut self) -> Vec<v1::HeldLease> {
        loop {
            if let FromWorker::Heartbeat(heartbeat) = self.next().await {
                return heartbeat.leases;
            }
        }
    }

    /// Whether the next heartbeat says that the worker leaves.
    pub async fn leaving(&mut self) -> bool {
        loop {
            if let FromWorker::Heartbeat(heartbeat) = self.next().await {
                return heartbeat.leaving;
            }
        }
    }

    /// Observations up to the end of the attempt, none of them acknowledged.
    pub async fn until_end(&mut self) -> (Vec<v1::Observations>, FromWorker) {
        let mut batches = Vec::new();
        loop {
            match self.report().await {
                FromWorker::Observations(batch) => batches.push(batch),
                other => return (batches, other),
            }
        }
    }

    /// Everything the worker says until it hangs up.
    pub async fn until_hang_up(mut self) -> Vec<FromWorker> {
        let mut all = Vec::new();
        while let Some(message) = soon("the worker to hang up", self.requests.recv()).await {
            all.push(message);
        }
        all
    }
}

struct Service {
    sender: mpsc::UnboundedSender<Connection>,
}

type Responses = Pin<Box<dyn Stream<Item = Result<v1::ConnectResponse, Status>> + Send>>;

#[tonic::async_trait]
impl WorkerService for Service {
    type ConnectStream = Responses;

    async fn connect(
        &self,
        request: Request<Streaming<v1::ConnectRequest>>,
    ) -> Result<Response<Responses>, Status> {
        let credential = request.metadata().get("authorization");
        if credential.is_none_or(|value| value != format!("Bearer {TOKEN}").as_str()) {
            return Err(Status::unauthenticated("unknown token"));
        }
        let mut stream = request.into_inner();
        let (responses, outgoing) = mpsc::channel(64);
        let (forward, requests) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok(Some(request)) = stream.message().await {
                let Some(message) = request.message else {
                    continue;
                };
                if forward.send(message).is_err() {
                    break;
                }
            }
        });
        let connection = Connection {
            requests,
            responses,
        };
        let _test_is_over = self.sender.send(connection);
        Ok(Response::new(Box::pin(ReceiverStream::new(outgoing))))
    }
}

pub struct Worker {
    pub shutdown: CancellationToken,
    session: JoinHandle<Result<End, Error>>,
}

impl Worker {
    pub fn start(options: Options) -> Self {
        Self::with(options, MockTrainer::default())
    }

    pub fn with(options: Options, trainer: impl Trainer + 'static) -> Self {
        let shutdown = CancellationToken::new();
        let session = tokio::spawn(Session::run(options, trainer, shutdown.clone()));
        Self { shutdown, session }
    }

    pub async fn end(self) -> Result<End, Error> {
        soon("the session to end", self.session)
            .await
            .expect("no panic")
    }

    pub fn is_running(&self) -> bool {
        !self.session.is_finished()
    }
}

/// A specification with a script for the mock trainer.
pub fn spec(script: &str) -> v1::TrainerSpec {
    v1::TrainerSpec {
        trainer: Some(v1::trainer_spec::Trainer::Custom(v1::Custom {
            entry: "mock".to_owned(),
            config: script.as_bytes().to_vec(),
        })),
        batch_size: 32,
        seed: 7,
        ..v1::TrainerSpec::default()
    }
}

/// A task over steps [first, end) of a sweep of 100 steps from 1e-8 to 1, with a warm-up of up to 2.
pub fn task(lease_token: u64, first: u64, end: u64, script: &str) -> v1::Assign {
    v1::Assign {
        lease_token,
        sweep_id: "s".to_owned(),
        task_id: 0,
        stage: v1::Stage::RangeTest.into(),
        replica: 1,
        warm_up_start: first,
        start: (first + 2).min(end - 1),
        end,
        learning_rates: (first..end).map(rate).collect(),
        trainer: Some(spec(script)),
        group: None,
        traceparent: String::new(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "few steps")]
pub fn rate(step: u64) -> f64 {
    1e-8 * 1e8_f64.powf(step as f64 / 99.0)
}

/// What the mock trainer computes for a task, without any session.
pub fn expected(assign: &v1::Assign) -> Vec<StepLoss> {
    let mut trainer = MockTrainer::default();
    let mut losses = Vec::new();
    trainer
        .start(&TaskStart {
            spec: assign.trainer.clone().expect("a trainer"),
            replica: assign.replica,
            first_step: assign.warm_up_start,
            end: assign.end,
        })
        .expect("started");
    for (step, lr) in (assign.warm_up_start..).zip(&assign.learning_rates) {
        trainer.step(step, *lr, &mut losses).expect("trained");
    }
    trainer.flush(&mut losses).expect("flushed");
    losses
}

/// All that a step's report holds, its floating-point numbers as bits.
pub type Bits = (u64, u64, u64, u32);

pub fn bits(batches: &[v1::Observations]) -> Vec<Bits> {
    batches
        .iter()
        .flat_map(|batch| &batch.observations)
        .map(|seen| {
            (
                seen.step,
                seen.learning_rate.to_bits(),
                seen.loss.to_bits(),
                seen.samples,
            )
        })
        .collect()
}

pub fn expected_bits(assign: &v1::Assign) -> Vec<Bits> {
    expected(assign)
        .iter()
        .map(|loss| {
            (
                loss.step,
                loss.lr.to_bits(),
                loss.loss.to_bits(),
                loss.samples,
            )
        })
        .collect()
}

pub fn finished(message: FromWorker) -> v1::Finished {
    match message {
        FromWorker::Finished(finished) => finished,
        other => panic!("expected Finished, got {other:?}"),
    }
}

pub fn failed(message: FromWorker) -> v1::Failed {
    match message {
        FromWorker::Failed(failed) => failed,
        other => panic!("expected Failed, got {other:?}"),
    }
}
