//! TLS from one end to the other.

use rangefinder_access::ClientTls;
use rangefinder_proto::v1;
use rangefinder_service_tests::calls::{create, ended, named};
use rangefinder_service_tests::{ANN, Service, eventually};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// An authority that signs certificates.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    /// Writes a certificate for a name and its key into a folder.
    fn sign(&self, folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (
            write(folder, &format!("{name}.pem"), &certificate.pem()),
            write(folder, &format!("{name}.key"), &key.serialize_pem()),
        )
    }

    /// Writes its own certificate into a folder.
    fn trusted(&self, folder: &Path, file: &str) -> PathBuf {
        write(folder, file, &self.0.pem())
    }
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_and_workers_come_through_mutual_tls_and_strangers_do_not() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let builder = Service::builder();
    let folder = builder.folder().to_owned();
    let (certificate, key) = servers.sign(&folder, "127.0.0.1");
    let ca = servers.trusted(&folder, "ca.pem");
    let client_ca = clients.trusted(&folder, "client-ca.pem");
    let identity = clients.sign(&folder, "someone");
    let path = |path: &PathBuf| path.to_str().unwrap().to_owned();
    let service = builder
        .with(&["--tls-cert", &path(&certificate), "--tls-key", &path(&key)])
        .with(&["--client-ca", &path(&client_ca)])
        .tls(ClientTls {
            ca: Some(ca.clone()),
            identity: Some(identity.clone()),
            server_name: None,
        })
        .start()
        .await;
    let files: [(&str, &Path); 3] = [
        ("RANGEFINDER_CA_FILE", &ca),
        ("RANGEFINDER_CERT_FILE", &identity.0),
        ("RANGEFINDER_KEY_FILE", &identity.1),
    ];
    let _worker = service.worker_with("w1", "{}", &files);
    let mut ann = service.sweeps(ANN);
    let sweep = create(&mut ann, named("secret")).await;
    assert_eq!(
        ended(&mut ann, &sweep.id).await.state(),
        v1::SweepState::Completed
    );
    let shown = service.command(ANN, &["show", &sweep.id]);
    assert!(
        shown.code == Some(0) && shown.stdout.contains(&sweep.id),
        "{shown:?}"
    );

    // Without a certificate of one's own, without trust, and without TLS.
    let server = service.url();
    let plain = server.replace("https", "http");
    let arguments =
        |server: &str| vec!["list".to_owned(), "--server".to_owned(), server.to_owned()];
    let run = |server: &str, ca: Option<&Path>| {
        let mut command =
            std::process::Command::new(rangefinder_service_tests::program("served-coordinator"));
        command
            .args(arguments(server))
            .args(["--timeout", "2"])
            .env("RANGEFINDER_TOKEN_FILE", service.token_file(ANN));
        if let Some(ca) = ca {
            command.env("RANGEFINDER_CA_FILE", ca);
        }
        rangefinder_service_tests::Process::run(&mut command)
    };
    for stranger in [
        run(&server, Some(&ca)),
        run(&server, Some(&client_ca)),
        run(&plain, None),
    ] {
        assert_eq!(stranger.code, Some(1), "{stranger:?}");
        assert!(!stranger.stdout.contains(&sweep.id));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_served_without_a_restart() {
    let (first, second) = (Authority::new("first"), Authority::new("second"));
    let builder = Service::builder();
    let folder = builder.folder().to_owned();
    let (certificate, key) = first.sign(&folder, "127.0.0.1");
    let ca = first.trusted(&folder, "ca.pem");
    let service = builder
        .with(&["--tls-cert", certificate.to_str().unwrap()])
        .with(&["--tls-key", key.to_str().unwrap()])
        .tls(ClientTls {
            ca: Some(ca),
            ..ClientTls::default()
        })
        .start()
        .await;
    let mut ann = service.sweeps(ANN);
    let before = create(&mut ann, named("before")).await;
    second.sign(&folder, "127.0.0.1");
    second.trusted(&folder, "ca.pem");
    // Clients that come now are told to trust the second authority alone.
    let served = eventually("the new certificate", async || {
        let listed = service.command(ANN, &["list", "--timeout", "1"]);
        listed.stdout.contains(&before.id).then_some(listed)
    })
    .await;
    assert_eq!(served.code, Some(0));
    // Who was connected stays so.
    create(&mut ann, named("after")).await;
}
