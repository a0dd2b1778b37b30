//! A service in this process, with workers that train nothing.

use rangefinder_access::{Role, Roots, TokenFile};
use rangefinder_artifacts::Limits;
use rangefinder_coordinator::client::{self, Client, Token};
use rangefinder_coordinator::observe::{Observer, TraceParent};
use rangefinder_coordinator::serve::{self, Error, Service};
use rangefinder_coordinator::{engine, services};
use rangefinder_proto::v1;
use rangefinder_session::mock::MockTrainer;
use rangefinder_session::{Credential, Session};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long anything may take before a test fails.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// The tokens of a service.
pub struct Tokens {
    pub client: String,
    pub worker: String,
}

/// Makes the tokens of a folder that is to be a service's.
pub fn tokens(folder: &Path) -> Tokens {
    let file = TokenFile::new(folder.join("tokens.json"));
    let make = |role, name| file.create(role, name, None).unwrap().1.reveal().to_owned();
    Tokens {
        client: make(Role::Client, "ann"),
        worker: make(Role::Worker, "w"),
    }
}

/// A service that runs.
pub struct Running {
    pub address: SocketAddr,
    pub http: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<Result<(), Error>>,
}

impl Running {
    pub async fn start(folder: &Path, observer: Observer) -> Self {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let options = serve::Options {
            data_dir: folder.to_owned(),
            listen: loopback,
            http_listen: Some(loopback),
            tokens: folder.join("tokens.json"),
            tls: None,
            insecure: false,
            roots: Roots::new::<String>(&[], &[]).unwrap(),
            engine: engine::Options {
                at_end: engine::AtEnd::Park,
                observer,
                ..engine::Options::default()
            },
            services: services::Options::default(),
            artifacts: Limits {
                max_artifact_bytes: 1 << 20,
                max_total_bytes: 1 << 20,
                max_files: 10,
            },
            retention: rangefinder_store::Retention::default(),
        };
        let (service, _) = Service::open(options).await.unwrap();
        let (address, http) = (service.address().unwrap(), service.http_address().unwrap());
        let stop = CancellationToken::new();
        Self {
            address,
            http: http.unwrap(),
            task: tokio::spawn(service.run(stop.clone())),
            stop,
        }
    }

    pub async fn stop(self) {
        self.stop.cancel();
        timeout(DEADLINE, self.task)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }
}

/// Starts a worker, which leaves when the guard is dropped.
pub fn work(address: SocketAddr, tokens: &Tokens, id: &str) -> DropGuard {
    let coordinator = format!("http://{address}").parse().unwrap();
    let credential = Credential::new(&tokens.worker).unwrap();
    let mut options = rangefinder_session::Options::new(coordinator, credential);
    id.clone_into(&mut options.worker_id);
    "cpu".clone_into(&mut options.device);
    let leave = CancellationToken::new();
    tokio::spawn(Session::run(options, MockTrainer::default(), leave.clone()));
    leave.drop_guard()
}

pub fn client(address: SocketAddr, tokens: &Tokens) -> Client {
    let options = client::Options {
        server: format!("http://{address}"),
        token: Token::new(&tokens.client, "the test").unwrap(),
        tls: rangefinder_access::ClientTls::default(),
        timeout: DEADLINE,
    };
    Client::new(options, |_| ()).unwrap()
}

/// A small sweep.
pub fn request() -> v1::CreateSweepRequest {
    v1::CreateSweepRequest {
        request_id: "once".to_owned(),
        spec: Some(v1::SweepSpec {
            num_training: Some(60),
            ..v1::SweepSpec::default()
        }),
        workers: 2,
        ..v1::CreateSweepRequest::default()
    }
}

/// Starts a sweep and waits for its end.
pub async fn sweep(client: &Client, trace: Option<TraceParent>) -> v1::Sweep {
    let created = client.create_within(request(), trace).await.unwrap();
    end_of(client, &created.id).await
}

/// Waits for the end of a sweep.
pub async fn end_of(client: &Client, id: &str) -> v1::Sweep {
    let mut ignore = |_| ();
    let ended = timeout(DEADLINE, client.watch(id, 1, &mut ignore)).await;
    ended.unwrap().unwrap()
}

/// Status and body of a page.
pub async fn page(address: SocketAddr, path: &str, token: Option<&str>) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
    let authorization = authorization.unwrap_or_default();
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{authorization}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let read = timeout(DEADLINE, stream.read_to_string(&mut answer));
    read.await.unwrap().unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}
