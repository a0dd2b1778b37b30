//! Handshakes over loopback, between the two sides as they are used.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

mod common;

use common::{Authority, FRESH, Folder};
use rangefinder_access::{Acceptor, ClientTls, Error, Peer, ServerTls, explain, incoming};
use rangefinder_errors::Code;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tonic::service::InterceptorLayer;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

/// A server of one real gRPC service, and whoever has called it.
struct Service {
    address: SocketAddr,
    callers: Arc<Mutex<Vec<Peer>>>,
    acceptor: Acceptor,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(acceptor: Acceptor) -> Service {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let callers = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&callers);
    let (_, health) = tonic_health::server::health_reporter();
    let connections = incoming(listener, acceptor.clone());
    let task = tokio::spawn(async move {
        Server::builder()
            .layer(InterceptorLayer::new(move |request: Request<()>| {
                let peer = request.extensions().get::<Peer>().cloned();
                seen.lock().unwrap().push(peer.unwrap());
                Ok::<_, Status>(request)
            }))
            .add_service(health)
            .serve_with_incoming(connections)
            .await
            .unwrap();
    });
    Service {
        address,
        callers,
        acceptor,
        task,
    }
}

impl Service {
    fn uri(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address)
    }

    fn calls(&self) -> Vec<Peer> {
        self.callers.lock().unwrap().clone()
    }

    /// One call over a connection of its own.
    async fn call(&self, tls: &ClientTls) -> Result<(), Error> {
        let channel = connect(&self.uri("https"), tls).await?;
        check(channel).await
    }
}

fn explained(error: &(dyn std::error::Error + 'static)) -> Error {
    let explained = explain(error);
    assert!(explained.is_some(), "not explained: {error:?}");
    explained.unwrap()
}

async fn connect(uri: &str, tls: &ClientTls) -> Result<Channel, Error> {
    let endpoint = Endpoint::from_shared(uri.to_owned()).unwrap();
    let endpoint = tls.endpoint(endpoint)?;
    endpoint.connect().await.map_err(|error| explained(&error))
}

async fn check(channel: Channel) -> Result<(), Error> {
    let mut client = HealthClient::new(channel);
    match client.check(HealthCheckRequest::default()).await {
        Ok(_) => Ok(()),
        Err(status) => Err(explained(&status)),
    }
}

/// A folder with `server.pem`, `server.key` and `ca.pem`, and the authority of the latter.
fn pki() -> (Folder, Authority) {
    let folder = Folder::new();
    let authority = Authority::new("servers");
    folder.write("ca.pem", &authority.pem());
    folder.pair("server", &authority.sign(&["127.0.0.1"], FRESH));
    (folder, authority)
}

fn server(folder: &Folder) -> ServerTls {
    ServerTls {
        certificate: folder.path("server.pem"),
        key: folder.path("server.key"),
        client_ca: None,
    }
}

fn mutual(folder: &Folder, clients: &Authority) -> ServerTls {
    ServerTls {
        client_ca: Some(folder.write("clients.pem", &clients.pem())),
        ..server(folder)
    }
}

fn trusting(ca: PathBuf) -> ClientTls {
    ClientTls {
        ca: Some(ca),
        ..ClientTls::default()
    }
}

#[tokio::test]
async fn the_right_authority_lets_calls_through() {
    let (folder, _) = pki();
    let service = serve(Acceptor::tls(server(&folder)).unwrap()).await;
    service
        .call(&trusting(folder.path("ca.pem")))
        .await
        .unwrap();
    let calls = service.calls();
    assert_eq!(calls.len(), 1);
    assert!(calls[0].tls && calls[0].address.is_some_and(|a| a.ip().is_loopback()));
    assert_eq!(calls[0].protocol.as_deref(), Some("h2"));
    assert_eq!(calls[0].certificate, None);
}

#[tokio::test]
async fn a_server_of_another_authority_is_refused() {
    let (folder, _) = pki();
    let service = serve(Acceptor::tls(server(&folder)).unwrap()).await;
    let other = folder.write("other.pem", &Authority::new("others").pem());
    let error = service.call(&trusting(other)).await.unwrap_err();
    assert_eq!(error.code, Code::UntrustedPeer);
    // The system's authorities know nothing of ours either.
    let error = service.call(&ClientTls::default()).await.unwrap_err();
    assert!([Code::UntrustedPeer, Code::NoSystemRoots].contains(&error.code));
    assert_eq!(service.calls(), []);
}

/// Runs itself in a process whose system trusts our authority.
#[tokio::test]
async fn without_a_file_the_authorities_of_the_system_are_trusted() {
    const SERVER: &str = "RANGEFINDER_TEST_TLS_SERVER";
    if let Ok(uri) = std::env::var(SERVER) {
        let channel = connect(&uri, &ClientTls::default()).await.unwrap();
        check(channel).await.unwrap();
        return;
    }
    let (folder, _) = pki();
    let service = serve(Acceptor::tls(server(&folder)).unwrap()).await;
    let output = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "without_a_file_the_authorities_of_the_system_are_trusted",
        ])
        .env(SERVER, service.uri("https"))
        .env("SSL_CERT_FILE", folder.path("ca.pem"))
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(service.calls().len(), 1);
}

#[tokio::test]
async fn plaintext_is_refused_where_there_is_tls() {
    let (folder, _) = pki();
    let service = serve(Acceptor::tls(server(&folder)).unwrap()).await;
    let endpoint = Endpoint::from_shared(service.uri("http")).unwrap();
    if let Ok(channel) = endpoint.connect().await {
        let mut client = HealthClient::new(channel);
        client
            .check(HealthCheckRequest::default())
            .await
            .unwrap_err();
    }
    assert_eq!(service.calls(), []);

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut tcp = TcpStream::connect(address).await.unwrap();
        // More than is read before it is clear that this is no TLS.
        let request = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".repeat(1000);
        tcp.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        tcp.read_to_end(&mut answer).await.unwrap(); // Not reset, so that it is heard.
        answer
    });
    let (tcp, _) = listener.accept().await.unwrap();
    let error = service.acceptor.accept(tcp).await.unwrap_err();
    assert_eq!(error.code, Code::NotTls);
    // An alert of TLS, and not a word of HTTP.
    assert_eq!(client.await.unwrap()[0], 0x15);
}

#[tokio::test]
async fn tls_is_not_given_up_where_the_server_has_none() {
    let (folder, _) = pki();
    let service = serve(Acceptor::plain()).await;
    let tls = trusting(folder.path("ca.pem"));
    assert_eq!(service.call(&tls).await.unwrap_err().code, Code::NotTls);
    // Nor does an address without TLS make nothing of a file of authorities.
    let error = connect(&service.uri("http"), &tls).await.unwrap_err();
    assert_eq!(error.code, Code::NotTls);
    assert_eq!(service.calls(), []);

    let channel = connect(&service.uri("http"), &ClientTls::default())
        .await
        .unwrap();
    check(channel).await.unwrap();
    assert!(!service.calls()[0].tls);
}

#[tokio::test]
async fn mutual_tls_demands_a_certificate_of_the_clients_authority() {
    let (folder, servers) = pki();
    let clients = Authority::new("clients");
    let service = serve(Acceptor::tls(mutual(&folder, &clients)).unwrap()).await;
    let mut tls = trusting(folder.path("ca.pem"));
    let error = service.call(&tls).await.unwrap_err();
    assert_eq!(error.code, Code::ClientCertificate);

    // The authority of servers is not that of clients.
    tls.identity = Some(folder.pair("wrong", &servers.sign(&["node7"], FRESH)));
    let error = service.call(&tls).await.unwrap_err();
    assert_eq!(error.code, Code::UntrustedPeer);
    tls.identity = Some(folder.pair("old", &clients.sign(&["node7"], (-9, -2))));
    let error = service.call(&tls).await.unwrap_err();
    assert_eq!(error.code, Code::CertificateDates);
    assert_eq!(service.calls(), []);

    tls.identity = Some(folder.pair("node7", &clients.sign(&["node7"], FRESH)));
    service.call(&tls).await.unwrap();
    let certificate = service.calls()[0].certificate.clone().unwrap();
    assert!(certificate.subject.contains("CN=node7"), "{certificate:?}");
    assert_eq!(certificate.fingerprint.len(), 64);
}

#[tokio::test]
async fn an_expired_certificate_is_refused_by_the_client_and_named_by_the_server() {
    let (folder, authority) = pki();
    folder.pair("server", &authority.sign(&["127.0.0.1"], (-9, -2)));
    let service = serve(Acceptor::tls(server(&folder)).unwrap()).await;
    let error = service
        .call(&trusting(folder.path("ca.pem")))
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::CertificateDates);
    let notices = service.acceptor.notices();
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0].code, Code::CertificateDates);
    assert!(notices[0].message.contains("server.pem") && notices[0].message.contains("expired on"));
    assert!(service.acceptor.expires().unwrap() < std::time::SystemTime::now());
}

#[tokio::test]
async fn a_certificate_is_for_its_names_only() {
    let (folder, authority) = pki();
    folder.pair("server", &authority.sign(&["rangefinder.internal"], FRESH));
    let service = serve(Acceptor::tls(server(&folder)).unwrap()).await;
    let mut tls = trusting(folder.path("ca.pem"));
    assert_eq!(service.call(&tls).await.unwrap_err().code, Code::ServerName);
    tls.server_name = Some("rangefinder.internal".to_owned());
    service.call(&tls).await.unwrap();
    tls.server_name = Some("not a name".to_owned());
    assert_eq!(service.call(&tls).await.unwrap_err().code, Code::ServerName);
}

#[tokio::test]
async fn a_new_certificate_is_served_without_a_restart() {
    let (folder, _) = pki();
    let service = serve(Acceptor::tls(server(&folder)).unwrap()).await;
    let old = trusting(folder.path("ca.pem"));
    let standing = connect(&service.uri("https"), &old).await.unwrap();

    let next = Authority::new("next");
    let pair = next.sign(&["127.0.0.1"], FRESH);
    let new = trusting(folder.write("next.pem", &next.pem()));
    // Half of a pair is not taken.
    folder.write("server.key", &pair.1);
    let error = service.acceptor.reload().unwrap_err();
    assert_eq!(error.code, Code::KeyMismatch);
    assert_eq!(service.acceptor.warning(), Some(error));
    service.call(&old).await.unwrap();

    folder.write("server.pem", &pair.0);
    service.acceptor.reload().unwrap();
    assert_eq!(service.acceptor.warning(), None);
    service.call(&new).await.unwrap();
    let error = service.call(&old).await.unwrap_err();
    assert_eq!(error.code, Code::UntrustedPeer);
    check(standing).await.unwrap();
}

#[tokio::test]
async fn a_client_reads_its_files_for_each_connection() {
    let (folder, authority) = pki();
    let service = serve(Acceptor::tls(server(&folder)).unwrap()).await;
    let tls = trusting(folder.write("mine.pem", &Authority::new("others").pem()));
    service.call(&tls).await.unwrap_err();
    folder.write("mine.pem", &authority.pem());
    service.call(&tls).await.unwrap();
}

#[tokio::test]
async fn an_authority_of_clients_that_is_gone_lets_nobody_in() {
    let (folder, servers) = pki();
    let clients = Authority::new("clients");
    let service = serve(Acceptor::tls(mutual(&folder, &clients)).unwrap()).await;

    // One client that keeps its TLS sessions, to resume them.
    let (chain, key) = clients.sign(&["node7"], FRESH);
    let client = raw(&servers.pem(), Some((&chain, &key)), b"h2");
    for resumed in [false, true] {
        let kind = handshake(service.address, &client).await.unwrap();
        assert_eq!(
            kind == Some(rustls::HandshakeKind::Resumed),
            resumed,
            "{kind:?}"
        );
    }
    folder.write("clients.pem", &Authority::new("new clients").pem());
    service.acceptor.reload().unwrap();
    let error = handshake(service.address, &client).await.unwrap_err();
    assert_eq!(explained(&error).code, Code::UntrustedPeer);
}

/// A client of rustls itself.
fn raw(ca: &str, identity: Option<(&str, &str)>, protocol: &[u8]) -> Arc<rustls::ClientConfig> {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => builder
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(chain.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            )
            .unwrap(),
    };
    config.alpn_protocols = vec![protocol.to_vec()];
    Arc::new(config)
}

/// Connects, waits for the server's first bytes, and says how the handshake went.
async fn handshake(
    address: SocketAddr,
    config: &Arc<rustls::ClientConfig>,
) -> std::io::Result<Option<rustls::HandshakeKind>> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let tcp = TcpStream::connect(address).await?;
    let name = address.ip().into();
    let connector = tokio_rustls::TlsConnector::from(Arc::clone(config));
    let mut stream = connector.connect(name, tcp).await?;
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await?;
    stream.read_u8().await?;
    Ok(stream.get_ref().1.handshake_kind())
}

#[tokio::test]
async fn http_1_is_spoken_beside_grpc() {
    let (folder, authority) = pki();
    let acceptor = Acceptor::tls(server(&folder)).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    for protocol in ["h2", "http/1.1"] {
        let client = raw(&authority.pem(), None, protocol.as_bytes());
        let client = tokio::spawn(async move { handshake(address, &client).await });
        let (tcp, _) = listener.accept().await.unwrap();
        let connection = acceptor.accept(tcp).await.unwrap();
        assert_eq!(connection.peer().protocol.as_deref(), Some(protocol));
        client.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_is_sent_away_in_time() {
    let (folder, _) = pki();
    let acceptor = Acceptor::tls(server(&folder)).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (tcp, _) = listener.accept().await.unwrap();
    let start = tokio::time::Instant::now();
    let error = acceptor.accept(tcp).await.unwrap_err();
    assert_eq!(start.elapsed(), Duration::from_secs(10));
    assert_eq!(error.code, Code::TlsHandshake);
    assert!(error.message.contains("within 10 s"), "{error}");
    drop(silent);
}

#[tokio::test]
async fn who_says_nothing_holds_up_nobody() {
    let (folder, _) = pki();
    let for_ever = Duration::from_secs(1_000_000);
    let acceptor = Acceptor::tls(server(&folder)).unwrap();
    let service = serve(acceptor.with_handshake_limit(for_ever)).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(service.address).await.unwrap());
    }
    let tls = trusting(folder.path("ca.pem"));
    let call = tokio::time::timeout(Duration::from_secs(60), service.call(&tls));
    call.await.unwrap().unwrap();
    assert_eq!(service.calls().len(), 1);
}
