//! `WorkerService.Connect`: one stream a worker.

use super::auth::caller;
use super::status::{Refusal, refusal};
use crate::engine::{Connection, Handle, Outgoing};
use crate::wire::{self, Hello};
use rangefinder_access::{Principal, TokenSource};
use rangefinder_errors::Code;
use rangefinder_proto::{PROTOCOL_VERSION, v1};
use rangefinder_sweep::event::{Failure, FailureKind};
use rangefinder_sweep::state::Report;
use std::pin::Pin;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status, Streaming};

/// How often a stream looks whether its worker's token still holds.
const RECHECK: Duration = Duration::from_secs(5);

/// The streams of the workers, in front of the engine.
#[derive(Clone, Debug)]
pub struct WorkerStreams {
    engine: Handle,
    tokens: TokenSource,
    hello_deadline: Duration,
}

impl WorkerStreams {
    /// Streams that report to an engine; each says Hello within the deadline, and ends when the
    /// token of its worker no longer holds.
    #[must_use]
    pub fn new(engine: Handle, tokens: TokenSource, hello_deadline: Duration) -> Self {
        Self {
            engine,
            tokens,
            hello_deadline,
        }
    }

    async fn greet(&self, incoming: &mut Streaming<v1::ConnectRequest>) -> Result<Hello, Status> {
        let first = tokio::time::timeout(self.hello_deadline, incoming.message())
            .await
            .map_err(|_| refusal(&Refusal::NoHello(self.hello_deadline)))??
            .ok_or_else(|| refusal(&Refusal::EndedBeforeHello))?;
        let hello = wire::hello(first).map_err(|error| refusal(&Refusal::Meaningless(error)))?;
        if hello.protocol_version != PROTOCOL_VERSION {
            return Err(refusal(&Refusal::ProtocolVersion {
                worker: hello.worker.0,
                theirs: hello.protocol_version,
            }));
        }
        Ok(hello)
    }
}

#[tonic::async_trait]
impl v1::worker_service_server::WorkerService for WorkerStreams {
    type ConnectStream = Pin<Box<dyn Stream<Item = Result<v1::ConnectResponse, Status>> + Send>>;

    async fn connect(
        &self,
        request: Request<Streaming<v1::ConnectRequest>>,
    ) -> Result<Response<Self::ConnectStream>, Status> {
        let caller = caller(request.extensions()).map_err(|reason| refusal(&reason))?;
        let mut incoming = request.into_inner();
        let hello = self.greet(&mut incoming).await?;
        let (connection, outbox) = self
            .engine
            .connect(hello)
            .await
            .map_err(|error| refusal(&Refusal::Engine(error)))?;
        let (last_word, farewell) = mpsc::channel(1);
        let token = (self.tokens.clone(), caller);
        tokio::spawn(listen(connection, incoming, last_word, token));
        let outgoing = ReceiverStream::new(outbox).map(status_of);
        let outgoing = outgoing.merge(ReceiverStream::new(farewell).map(Err));
        Ok(Response::new(Box::pin(outgoing)))
    }
}

/// Passes on what a worker sends until either side ends the stream.
async fn listen(
    connection: Connection,
    mut incoming: Streaming<v1::ConnectRequest>,
    last_word: mpsc::Sender<Status>,
    (tokens, caller): (TokenSource, Principal),
) {
    let mut recheck = tokio::time::interval(RECHECK);
    loop {
        let message = tokio::select! {
            biased;
            () = connection.closed() => return,
            _ = recheck.tick() => {
                if let Err(denied) = tokens.still_valid(&caller) {
                    tracing::warn!(worker = %connection.worker(), %denied, "ending a stream");
                    // Nobody may be left to hear it.
                    let _ = last_word.try_send(refusal(&denied.into()));
                    break;
                }
                continue;
            }
            message = incoming.message() => message,
        };
        let message = match message {
            Ok(Some(message)) => message,
            Ok(None) => break,
            Err(status) => {
                tracing::debug!(worker = %connection.worker(), %status, "a stream broke");
                break;
            }
        };
        match pass_on(&connection, message).await {
            Ok(()) => {}
            Err(reason) => {
                tracing::warn!(worker = %connection.worker(), %reason, "ending a stream");
                // Nobody may be left to hear it.
                let _ = last_word.try_send(refusal(&reason));
                break;
            }
        }
    }
    connection.disconnect().await;
}

/// A message that means nothing is a failure of the attempt that it speaks of, counted like any
/// other: the worker is set aside if it goes on, and the sweep goes on without it. One that
/// speaks of none ends the stream.
async fn pass_on(connection: &Connection, message: v1::ConnectRequest) -> Result<(), Refusal> {
    let (leaving, arrived) = wire::beside(&message);
    if leaving {
        connection.leaving().await.map_err(Refusal::Engine)?;
    }
    for report in arrived {
        connection.report(report).await.map_err(Refusal::Engine)?;
    }
    let report = match wire::report(message) {
        Ok(report) => report,
        Err(error) => {
            let Some(lease) = error.lease else {
                return Err(Refusal::Meaningless(error));
            };
            let failure = Failure {
                kind: FailureKind::Worker,
                code: Code::Protocol,
                message: error.to_string(),
                fields: Vec::new(),
            };
            Report::Failed(lease, failure)
        }
    };
    connection.report(report).await.map_err(Refusal::Engine)
}

fn status_of(outgoing: Outgoing) -> Result<v1::ConnectResponse, Status> {
    outgoing.map_err(|closed| refusal(&Refusal::Closed(closed)))
}
