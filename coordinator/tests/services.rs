//! The worker's service over real gRPC, spoken to by a bare client: what it lets in, and how it
//! says no; and what is beside it on the same port.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what a helper of a test cannot do fails the test"
)]

use rangefinder_access::{Acceptor, Role, Secret, TokenSource, Tokens};
use rangefinder_coordinator::engine::{self, Engine, Handle};
use rangefinder_coordinator::services::{self, Server};
use rangefinder_proto::v1::connect_request::Message;
use rangefinder_proto::v1::connect_response::Message as Answer;
use rangefinder_proto::v1::sweep_service_client::SweepServiceClient;
use rangefinder_proto::v1::worker_service_client::WorkerServiceClient;
use rangefinder_proto::{PROTOCOL_VERSION, v1};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status, Streaming};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt as _;

/// The token of a worker.
const RIGHT: &str = "the-right-token-of-a-worker";
/// That of a client.
const CLIENTS: &str = "the-right-token-of-a-client";
const DEADLINE: Duration = Duration::from_secs(20);

/// A coordinator without sweeps.
struct Coordinator {
    address: String,
    engine: Handle,
    stop: CancellationToken,
    /// Ends the engine alone.
    engine_stop: CancellationToken,
    server: tokio::task::JoinHandle<Result<(), tonic::transport::Error>>,
}

impl Coordinator {
    async fn start(hello_deadline: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (engine, handle) = Engine::volatile(engine::Options::default());
        let stop = CancellationToken::new();
        let engine_stop = stop.child_token();
        tokio::spawn(engine.run(engine_stop.clone()));
        let options = services::Options {
            hello_deadline,
            ..services::Options::default()
        };
        let mut tokens = Tokens::default();
        let now = jiff::Timestamp::now();
        tokens
            .take(Role::Worker, "w", &Secret::new(RIGHT), now)
            .unwrap();
        tokens
            .take(Role::Client, "c", &Secret::new(CLIENTS), now)
            .unwrap();
        let server = Server {
            engine: handle.clone(),
            tokens: TokenSource::fixed(tokens),
            acceptor: Acceptor::plain(),
            clients: None,
            options,
        };
        let serving = services::serve(listener, server, stop.clone());
        Self {
            address,
            engine: handle,
            stop,
            engine_stop,
            server: tokio::spawn(serving),
        }
    }

    async fn channel(&self) -> Channel {
        Endpoint::new(self.address.clone())
            .unwrap()
            .connect()
            .await
            .unwrap()
    }

    /// Opens a stream and sends `first` on it.
    async fn open(
        &self,
        token: Option<&str>,
        first: Option<Message>,
    ) -> Result<
        (
            mpsc::Sender<v1::ConnectRequest>,
            Streaming<v1::ConnectResponse>,
        ),
        Status,
    > {
        let (sender, messages) = mpsc::channel(8);
        if let Some(message) = first {
            let message = Some(message);
            sender.send(v1::ConnectRequest { message }).await.unwrap();
        }
        let request = authorized(ReceiverStream::new(messages), token);
        let mut client = WorkerServiceClient::new(self.channel().await);
        let response = timeout(DEADLINE, client.connect(request)).await.unwrap()?;
        Ok((sender, response.into_inner()))
    }

    async fn refusal(&self, token: Option<&str>, first: Option<Message>) -> Status {
        self.open(token, first).await.expect_err("it was let in")
    }
}

fn authorized<T>(message: T, token: Option<&str>) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(token) = token {
        let value = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", value);
    }
    request
}

fn hello(protocol_version: u32) -> Message {
    Message::Hello(v1::Hello {
        worker_id: "w0".to_owned(),
        incarnation: 1,
        protocol_version,
        device: "cpu".to_owned(),
        ..v1::Hello::default()
    })
}

async fn next(stream: &mut Streaming<v1::ConnectResponse>) -> Result<Option<Answer>, Status> {
    let message = timeout(DEADLINE, stream.message()).await.unwrap()?;
    Ok(message.and_then(|message| message.message))
}

fn reason(status: &Status) -> String {
    status
        .get_details_error_info()
        .map(|info| info.reason)
        .unwrap_or_default()
}

#[tokio::test]
async fn a_worker_with_the_credential_is_welcomed() {
    let coordinator = Coordinator::start(DEADLINE).await;
    let opened = coordinator.open(Some(RIGHT), Some(hello(PROTOCOL_VERSION)));
    let (_sender, mut stream) = opened.await.unwrap();
    let Some(Answer::Welcome(welcome)) = next(&mut stream).await.unwrap() else {
        panic!("expected Welcome first");
    };
    let options = engine::Options::default().state;
    assert_eq!(u64::from(welcome.lease_ms), options.lease_ms);
    assert_eq!(
        u64::from(welcome.heartbeat_interval_ms),
        options.heartbeat_ms
    );
}

#[tokio::test]
async fn no_call_gets_in_without_the_credential_not_even_to_ask_for_health() {
    let coordinator = Coordinator::start(DEADLINE).await;
    for token in [None, Some("wrong"), Some("righ"), Some("right2")] {
        let status = coordinator
            .refusal(token, Some(hello(PROTOCOL_VERSION)))
            .await;
        assert_eq!(status.code(), Code::Unauthenticated, "{token:?}: {status}");
        assert_eq!(reason(&status), "CREDENTIAL");
        assert!(!status.message().contains("right2"), "{status}");
    }
    let mut health = HealthClient::new(coordinator.channel().await);
    let question = tonic_health::pb::HealthCheckRequest {
        service: "rangefinder.v1.WorkerService".to_owned(),
    };
    let status = health.check(authorized(question.clone(), None)).await;
    assert_eq!(status.unwrap_err().code(), Code::Unauthenticated);
    let answer = health.check(authorized(question, Some(RIGHT))).await;
    assert_eq!(
        answer.unwrap().into_inner().status(),
        ServingStatus::Serving
    );
}

#[tokio::test]
async fn a_token_is_good_for_the_calls_of_its_role_alone() {
    let coordinator = Coordinator::start(DEADLINE).await;
    let hello = Some(hello(PROTOCOL_VERSION));
    let status = coordinator.refusal(Some(CLIENTS), hello).await;
    assert_eq!(status.code(), Code::PermissionDenied, "{status}");

    let mut client = SweepServiceClient::new(coordinator.channel().await);
    let create = |token| authorized(v1::CreateSweepRequest::default(), token);
    let status = client.create_sweep(create(Some(RIGHT))).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied, "{status}");
    let status = client.create_sweep(create(None)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "{status}");
    // A client may: there is only nobody here who would answer.
    let status = client
        .create_sweep(create(Some(CLIENTS)))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented, "{status}");
}

/// Asks over HTTP/1.1, as a browser and a monitor do; gives the answer as it came.
async fn asked(coordinator: &Coordinator, path: &str, token: Option<&str>) -> String {
    let address = coordinator.address.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let header = match token {
        Some(token) => format!("authorization: Bearer {token}\r\n"),
        None => String::new(),
    };
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{header}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    timeout(DEADLINE, read).await.unwrap().unwrap();
    answer
}

#[tokio::test]
async fn whether_it_lives_is_told_to_everyone_and_nothing_else_is() {
    let coordinator = Coordinator::start(DEADLINE).await;
    for path in ["/healthz", "/readyz"] {
        let answer = asked(&coordinator, path, None).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(answer.ends_with("ok\n"), "{answer}");
    }
    for token in [None, Some("the-wrong-token-of-somebody")] {
        for path in [
            "/metrics",
            "/",
            "/healthz/more",
            "/rangefinder.v1.Unknown/Call",
        ] {
            let answer = asked(&coordinator, path, token).await;
            assert!(answer.starts_with("HTTP/1.1 401 "), "{path}: {answer}");
        }
    }
    for token in [Some(RIGHT), Some(CLIENTS)] {
        for path in ["/", "/healthz/more", "/rangefinder.v1.Unknown/Call"] {
            let answer = asked(&coordinator, path, token).await;
            let refused = ["HTTP/1.1 403 ", "HTTP/1.1 404 "];
            let refused = refused.iter().any(|line| answer.starts_with(line));
            assert!(refused, "{path}: {answer}");
        }
    }
}

#[tokio::test]
async fn an_engine_that_has_ended_is_alive_but_not_ready() {
    let coordinator = Coordinator::start(DEADLINE).await;
    coordinator.engine_stop.cancel();
    while coordinator.engine.workers().await.is_ok() {}
    let ready = asked(&coordinator, "/readyz", None).await;
    assert!(ready.starts_with("HTTP/1.1 503 "), "{ready}");
    assert!(ready.contains("shutting down"), "{ready}");
    let lives = asked(&coordinator, "/healthz", None).await;
    assert!(lives.starts_with("HTTP/1.1 200 "), "{lives}");
}

#[tokio::test]
async fn another_protocol_version_is_refused_with_both_versions_named() {
    let coordinator = Coordinator::start(DEADLINE).await;
    let status = coordinator.refusal(Some(RIGHT), Some(hello(7))).await;
    assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
    assert_eq!(reason(&status), "PROTOCOL_VERSION");
    assert!(status.message().contains("version 7"), "{status}");
    let ours = format!("version {PROTOCOL_VERSION}");
    assert!(status.message().contains(&ours), "{status}");
}

#[tokio::test]
async fn a_stream_that_does_not_say_hello_first_is_refused() {
    let coordinator = Coordinator::start(Duration::from_millis(50)).await;
    let heartbeat = Message::Heartbeat(v1::Heartbeat::default());
    let status = coordinator.refusal(Some(RIGHT), Some(heartbeat)).await;
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    assert!(status.message().contains("Hello"), "{status}");

    let status = coordinator.refusal(Some(RIGHT), None).await;
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    assert_eq!(reason(&status), "NO_HELLO");
}

/// Reads a stream to its end.
async fn ending(mut stream: Streaming<v1::ConnectResponse>) -> Status {
    loop {
        match next(&mut stream).await {
            Ok(message) => assert!(message.is_some(), "it ended without a reason"),
            Err(status) => return status,
        }
    }
}

#[tokio::test]
async fn a_newer_stream_ends_the_older_one_and_says_whether_it_is_another_processs() {
    let coordinator = Coordinator::start(DEADLINE).await;
    let open = |incarnation| {
        let Message::Hello(hello) = hello(PROTOCOL_VERSION) else {
            panic!("it is a Hello");
        };
        let hello = v1::Hello {
            incarnation,
            ..hello
        };
        coordinator.open(Some(RIGHT), Some(Message::Hello(hello)))
    };
    let (_first, first) = open(1).await.unwrap();
    let (_second, second) = open(1).await.unwrap();
    let (sender, mut third) = open(2).await.unwrap();
    for (stream, expected) in [(first, "RECONNECTED"), (second, "REPLACED")] {
        let status = ending(stream).await;
        assert_eq!(status.code(), Code::Aborted, "{status}");
        assert_eq!(reason(&status), expected);
    }

    let heartbeat = Some(Message::Heartbeat(v1::Heartbeat::default()));
    let message = v1::ConnectRequest { message: heartbeat };
    sender.send(message).await.unwrap();
    let mut answered = false;
    while !answered {
        answered = matches!(next(&mut third).await, Ok(Some(Answer::Desired(_))));
    }
}

#[tokio::test]
async fn a_message_that_means_nothing_ends_its_stream_and_no_other() {
    let coordinator = Coordinator::start(DEADLINE).await;
    let opened = coordinator.open(Some(RIGHT), Some(hello(PROTOCOL_VERSION)));
    let (sender, stream) = opened.await.unwrap();
    sender
        .send(v1::ConnectRequest { message: None })
        .await
        .unwrap();
    let status = ending(stream).await;
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    let opened = coordinator.open(Some(RIGHT), Some(hello(PROTOCOL_VERSION)));
    let (_sender, mut stream) = opened.await.unwrap();
    assert!(matches!(
        next(&mut stream).await,
        Ok(Some(Answer::Welcome(_)))
    ));
}

#[tokio::test]
async fn a_shutdown_drains_the_workers_and_does_not_wait_for_those_that_stay() {
    let coordinator = Coordinator::start(DEADLINE).await;
    let opened = coordinator.open(Some(RIGHT), Some(hello(PROTOCOL_VERSION)));
    let (_sender, mut stream) = opened.await.unwrap();
    coordinator.stop.cancel();
    let mut last = None;
    while let Ok(Some(message)) = next(&mut stream).await {
        last = Some(message);
    }
    assert!(matches!(last, Some(Answer::Drain(_))), "{last:?}");
    timeout(DEADLINE, coordinator.server)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert!(
        coordinator
            .engine
            .no_more_workers(String::new())
            .await
            .is_err()
    );
}
