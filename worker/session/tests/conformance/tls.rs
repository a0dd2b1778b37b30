//! Coordinators with TLS, and secrets that are replaced while the worker runs.

use crate::support::*;
use rangefinder_errors::Coded as _;
use rangefinder_session::{Credential, End, Options};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;
use tonic::Status;
use tonic::transport::{Certificate, Identity, ServerTlsConfig};

/// An authority, whose files lie in a folder.
struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut params = CertificateParams::new([]).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("signed");
        fs::write(folder.path().join("ca.pem"), certificate.pem()).expect("written");
        Self {
            folder,
            issuer: Issuer::new(params, key),
        }
    }

    fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A certificate and its key, as PEM.
    fn sign(&self, name: &str, usage: ExtendedKeyUsagePurpose) -> (String, String) {
        let mut params = CertificateParams::new([name.to_owned()]).expect("parameters");
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        (certificate.pem(), key.serialize_pem())
    }

    fn server(&self, name: &str) -> ServerTlsConfig {
        let (certificate, key) = self.sign(name, ExtendedKeyUsagePurpose::ServerAuth);
        ServerTlsConfig::new().identity(Identity::from_pem(certificate, key))
    }

    /// Files of a client's certificate and key.
    fn client(&self) -> (PathBuf, PathBuf) {
        let (certificate, key) = self.sign("worker", ExtendedKeyUsagePurpose::ClientAuth);
        let paths = ["worker.pem", "worker.key"].map(|name| self.folder.path().join(name));
        for (path, text) in paths.iter().zip([certificate, key]) {
            fs::write(path, text).expect("written");
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("private");
        }
        let [certificate, key] = paths;
        (certificate, key)
    }
}

fn options(coordinator: &Coordinator, authority: &Authority) -> Options {
    let mut options = coordinator.options();
    let port = coordinator.address.port();
    options.coordinator = format!("https://localhost:{port}").parse().expect("uri");
    options.tls.ca = Some(authority.ca());
    options
}

async fn joins(coordinator: &mut Coordinator, options: Options) {
    let worker = Worker::start(options);
    let (_connection, hello) = coordinator.greet(100, 10_000).await;
    assert_eq!(hello.worker_id, "w1");
    worker.shutdown.cancel();
    assert_eq!(worker.end().await.expect("ended"), End::ShutDown);
}

/// Why a worker that looks for a short while does not find its coordinator.
async fn fails(mut options: Options) -> String {
    options.timing.reconnect = Duration::from_millis(200);
    let error = Worker::start(options).end().await.expect_err("joined");
    format!("{} {error}", error.code())
}

#[tokio::test]
async fn a_worker_joins_a_coordinator_with_tls() {
    let authority = Authority::new();
    let mut coordinator = Coordinator::start_tls(authority.server("localhost")).await;
    let options = options(&coordinator, &authority);
    joins(&mut coordinator, options).await;
}

#[tokio::test]
async fn the_name_of_the_certificate_may_differ_from_the_address() {
    let authority = Authority::new();
    let mut coordinator = Coordinator::start_tls(authority.server("sweeps.example")).await;
    let mut options = options(&coordinator, &authority);
    let text = fails(options.clone()).await;
    assert!(text.contains("name"), "{text}");
    options.tls.server_name = Some("sweeps.example".to_owned());
    joins(&mut coordinator, options).await;
}

#[tokio::test]
async fn a_coordinator_of_another_authority_is_not_trusted_until_the_file_is_replaced() {
    let [ours, theirs] = [Authority::new(), Authority::new()];
    let mut coordinator = Coordinator::start_tls(theirs.server("localhost")).await;
    let options = options(&coordinator, &ours);
    let text = fails(options.clone()).await;
    assert!(
        text.contains("RF608") && text.contains("authority"),
        "{text}"
    );
    // The same worker tries on, and finds the right authority in the same file.
    let worker = Worker::start(options);
    fs::copy(theirs.ca(), ours.ca()).expect("copied");
    let (_connection, _) = coordinator.greet(100, 10_000).await;
    assert!(worker.is_running());
}

#[tokio::test]
async fn a_worker_shows_its_certificate_where_one_is_demanded() {
    let authority = Authority::new();
    let ca = fs::read(authority.ca()).expect("read");
    let tls = authority
        .server("localhost")
        .client_ca_root(Certificate::from_pem(ca));
    let mut coordinator = Coordinator::start_tls(tls).await;
    let mut options = options(&coordinator, &authority);
    let text = fails(options.clone()).await;
    assert!(text.contains("certificate"), "{text}");
    options.tls.identity = Some(authority.client());
    joins(&mut coordinator, options).await;
}

#[tokio::test]
async fn a_token_that_is_replaced_in_its_file_is_used_for_the_next_connection() {
    let mut coordinator = Coordinator::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("token");
    fs::write(&path, TOKEN).expect("written");
    let mut options = coordinator.options();
    options.credential = Credential::in_file(&path).expect("a token");
    let worker = Worker::start(options);
    let (connection, _) = coordinator.greet(100, 10_000).await;
    fs::write(&path, "another-token").expect("written");
    connection.cut(Status::unavailable("scripted")).await;
    let error = worker.end().await.expect_err("the new token is not known");
    assert_eq!(error.code().to_string(), "RF605", "{error}");
}
