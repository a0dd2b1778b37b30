//! A coordinator that says what a case tells it to say.

use rangefinder_proto::v1;
use rangefinder_proto::v1::connect_request::Message as FromWorker;
use rangefinder_proto::v1::connect_response::Message as ToWorker;
use rangefinder_proto::v1::worker_service_server::{WorkerService, WorkerServiceServer};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::Stream;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status, Streaming};

/// The credential of the workers.
pub(crate) const TOKEN: &str = "conformance-token";
/// For whatever must come: far beyond what a program needs that loads its libraries first.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// Milliseconds between heartbeats.
const HEARTBEAT_MS: u32 = 100;
/// Milliseconds for which a lease lives.
const LEASE_MS: u32 = 20_000;

/// Waits for something that must come.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> Result<T, String> {
    tokio::time::timeout(PATIENCE, future)
        .await
        .map_err(|_| format!("waited {} s in vain for {what}", PATIENCE.as_secs()))
}

/// A listening coordinator.
pub(crate) struct Coordinator {
    pub(crate) address: SocketAddr,
    connections: mpsc::UnboundedReceiver<Connection>,
    server: JoinHandle<()>,
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Coordinator {
    pub(crate) async fn start() -> Result<Self, String> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(|error| format!("no port: {error}"))?;
        let address = listener
            .local_addr()
            .map_err(|error| format!("no address: {error}"))?;
        let (sender, connections) = mpsc::unbounded_channel();
        let server = tokio::spawn(async move {
            // A case that waits for its connections in vain says so.
            let _ = tonic::transport::Server::builder()
                .add_service(WorkerServiceServer::new(Service { sender }))
                .serve_with_incoming(TcpListenerStream::new(listener))
                .await;
        });
        Ok(Self {
            address,
            connections,
            server,
        })
    }

    /// The next connection, not yet greeted, with its Hello.
    pub(crate) async fn accept(&mut self) -> Result<(Connection, v1::Hello), String> {
        let mut connection = soon("a connection of the worker", self.connections.recv())
            .await?
            .ok_or("the server has ended")?;
        match connection.next().await? {
            FromWorker::Hello(hello) => Ok((connection, hello)),
            other => Err(format!("the first message is {other:?}, expected Hello")),
        }
    }

    /// The next connection, greeted.
    pub(crate) async fn greet(&mut self) -> Result<(Connection, v1::Hello), String> {
        let (connection, hello) = self.accept().await?;
        connection
            .send(ToWorker::Welcome(v1::Welcome {
                heartbeat_interval_ms: HEARTBEAT_MS,
                lease_ms: LEASE_MS,
            }))
            .await?;
        Ok((connection, hello))
    }
}

/// A worker's stream.
pub(crate) struct Connection {
    requests: mpsc::UnboundedReceiver<FromWorker>,
    responses: mpsc::Sender<Result<v1::ConnectResponse, Status>>,
}

impl Connection {
    pub(crate) async fn send(&self, message: ToWorker) -> Result<(), String> {
        let message = Some(message);
        self.say(Ok(v1::ConnectResponse { message })).await
    }

    /// A message of a protocol that the worker cannot know.
    pub(crate) async fn send_unknown(&self) -> Result<(), String> {
        self.say(Ok(v1::ConnectResponse { message: None })).await
    }

    /// Ends the stream with a status.
    pub(crate) async fn cut(self, status: Status) -> Result<(), String> {
        self.say(Err(status)).await
    }

    async fn say(&self, word: Result<v1::ConnectResponse, Status>) -> Result<(), String> {
        let gone = |_| "the worker has hung up".to_owned();
        self.responses.send(word).await.map_err(gone)
    }

    pub(crate) async fn ack(&self, token: u64, next: u64, finished: bool) -> Result<(), String> {
        self.send(ToWorker::Ack(v1::Ack {
            lease_token: token,
            next_step: next,
            finished,
        }))
        .await
    }

    pub(crate) async fn desire(&self, lease_tokens: &[u64]) -> Result<(), String> {
        let lease_tokens = lease_tokens.to_vec();
        self.send(ToWorker::Desired(v1::Desired { lease_tokens }))
            .await
    }

    /// The next message of the worker.
    pub(crate) async fn next(&mut self) -> Result<FromWorker, String> {
        soon("a message of the worker", self.requests.recv())
            .await?
            .ok_or_else(|| "the worker has hung up".to_owned())
    }

    /// The next message that is not a heartbeat.
    pub(crate) async fn report(&mut self) -> Result<FromWorker, String> {
        loop {
            match self.next().await? {
                FromWorker::Heartbeat(_) => {}
                other => return Ok(other),
            }
        }
    }

    /// The leases of the next heartbeat, which comes though reports come too.
    pub(crate) async fn heartbeat(&mut self) -> Result<Vec<v1::HeldLease>, String> {
        loop {
            if let FromWorker::Heartbeat(heartbeat) = self.next().await? {
                return Ok(heartbeat.leases);
            }
        }
    }

    /// Observations under a lease up to the end of its attempt, acknowledged as they come; the end
    /// is not. Losses are to come in step order, without gaps, and none again that was
    /// acknowledged; reports of other leases are an error.
    pub(crate) async fn until_end(
        &mut self,
        token: u64,
        first: u64,
    ) -> Result<(Vec<v1::Observation>, FromWorker), String> {
        let mut seen: Vec<v1::Observation> = Vec::new();
        loop {
            match self.report().await? {
                FromWorker::Observations(batch) if batch.lease_token == token => {
                    self.take(token, first, &mut seen, batch.observations)
                        .await?;
                }
                FromWorker::Observations(batch) => {
                    return Err(format!(
                        "losses of lease {}, which is not held",
                        batch.lease_token
                    ));
                }
                end => return Ok((seen, end)),
            }
        }
    }

    async fn take(
        &self,
        token: u64,
        first: u64,
        seen: &mut Vec<v1::Observation>,
        batch: Vec<v1::Observation>,
    ) -> Result<(), String> {
        if batch.is_empty() || batch.len() > 1000 {
            return Err(format!(
                "a batch of {} losses, expected 1 to 1000",
                batch.len()
            ));
        }
        for one in batch {
            let next = first + seen.len() as u64;
            if one.step > next {
                return Err(format!(
                    "the loss of step {}, expected step {next}",
                    one.step
                ));
            }
            // What comes again because its acknowledgement was late is no news.
            if one.step == next {
                seen.push(one);
            }
        }
        self.ack(token, first + seen.len() as u64, false).await
    }

    /// Everything the worker says until it hangs up.
    pub(crate) async fn until_hang_up(mut self) -> Result<Vec<FromWorker>, String> {
        let mut all = Vec::new();
        while let Some(message) = soon("the worker to hang up", self.requests.recv()).await? {
            all.push(message);
        }
        Ok(all)
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
            return Err(Status::unauthenticated("unknown credential"));
        }
        let mut stream = request.into_inner();
        let (responses, outgoing) = mpsc::channel(64);
        let (forward, requests) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok(Some(request)) = stream.message().await {
                if let Some(message) = request.message
                    && forward.send(message).is_err()
                {
                    break;
                }
            }
        });
        // Nobody takes it once the case is over.
        let _ = self.sender.send(Connection {
            requests,
            responses,
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(outgoing))))
    }
}
