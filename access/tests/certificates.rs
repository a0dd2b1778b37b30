//! Files of certificates and keys that cannot be used, and dates that are to be said.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

mod common;

use common::{Authority, FRESH, Folder, rights};
use rangefinder_access::{Acceptor, ClientTls, Error, ServerTls};
use rangefinder_errors::Code;
use std::path::{Path, PathBuf};
use tonic::transport::Endpoint;

/// What both sides say to a certificate and key of their own: the same.
fn refusal(certificate: &Path, key: &Path, ca: &Path) -> Error {
    let server = Acceptor::tls(ServerTls {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        client_ca: None,
    })
    .unwrap_err();
    let client = ClientTls {
        ca: Some(ca.to_owned()),
        identity: Some((certificate.to_owned(), key.to_owned())),
        server_name: None,
    };
    let endpoint = Endpoint::from_static("https://127.0.0.1:1");
    assert_eq!(client.endpoint(endpoint).unwrap_err(), server);
    server
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_the_remedy() {
    let folder = Folder::new();
    let authority = Authority::new("authority");
    let ca = folder.write("ca.pem", &authority.pem());
    let pair = authority.sign(&["localhost"], FRESH);
    let (certificate, key) = folder.pair("server", &pair);
    let other = folder
        .pair("other", &authority.sign(&["localhost"], FRESH))
        .1;
    let empty = folder.write("empty", "");
    let cut = folder.write("cut.pem", &pair.0[..pair.0.len() / 2]);
    let noise = folder.write(
        "noise.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    let locked = folder.write(
        "locked.key",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    let gone = folder.path("gone.pem");

    let cases: [(&PathBuf, &PathBuf, Code, &PathBuf, &str); 8] = [
        (&gone, &key, Code::NoSuchFile, &gone, "check the path"),
        (
            &certificate,
            &gone,
            Code::NoSuchFile,
            &gone,
            "check the path",
        ),
        (
            &empty,
            &key,
            Code::CertificateFile,
            &empty,
            "BEGIN CERTIFICATE",
        ),
        (&cut, &key, Code::CertificateFile, &cut, "BEGIN CERTIFICATE"),
        (
            &noise,
            &key,
            Code::CertificateFile,
            &noise,
            "BEGIN CERTIFICATE",
        ),
        (
            &certificate,
            &empty,
            Code::CertificateFile,
            &empty,
            "BEGIN PRIVATE KEY",
        ),
        (
            &certificate,
            &locked,
            Code::CertificateFile,
            &locked,
            "openssl pkey",
        ),
        (
            &certificate,
            &other,
            Code::KeyMismatch,
            &other,
            "made together",
        ),
    ];
    for (certificate, key, code, file, remedy) in cases {
        let error = refusal(certificate, key, &ca);
        assert_eq!(error.code, code, "{error}");
        assert!(
            error.message.contains(&file.display().to_string()),
            "{error}"
        );
        assert!(error.remedy.contains(remedy), "{error}");
    }
}

#[test]
fn a_key_that_others_may_read_or_change_is_refused() {
    let folder = Folder::new();
    let authority = Authority::new("authority");
    let ca = folder.write("ca.pem", &authority.pem());
    let (certificate, key) = folder.pair("server", &authority.sign(&["localhost"], FRESH));
    let open = || {
        Acceptor::tls(ServerTls {
            certificate: certificate.clone(),
            key: key.clone(),
            client_ca: None,
        })
    };
    for mode in [0o644, 0o604, 0o620, 0o602, 0o660] {
        rights(&key, mode);
        let error = refusal(&certificate, &key, &ca);
        assert_eq!(error.code, Code::NotPrivate, "{mode:o}");
        assert!(error.remedy.contains("chmod 600"), "{error}");
    }
    // As mounted secrets come.
    for mode in [0o600, 0o400, 0o640] {
        rights(&key, mode);
        open().unwrap();
    }
}

#[test]
fn messages_hold_nothing_of_a_key() {
    let folder = Folder::new();
    let authority = Authority::new("authority");
    let ca = folder.write("ca.pem", &authority.pem());
    let (certificate, key) = authority.sign(&["localhost"], FRESH);
    let certificate = folder.write("server.pem", &certificate);
    let secret = key.lines().nth(1).unwrap();
    for text in [
        key.replace("-----END", "----END"),
        key.replace("BEGIN PRIVATE", "BEGIN PUBLIC"),
        key.replace(secret, &format!("!{secret}")),
        format!("-----BEGIN {secret}\n{key}"),
    ] {
        let broken = folder.write("broken.key", &text);
        let error = refusal(&certificate, &broken, &ca);
        assert_eq!(error.code, Code::CertificateFile);
        assert!(!format!("{error:?} {error}").contains(secret));
    }
}

#[test]
fn certificates_are_warned_about_from_14_days_before_their_end() {
    let folder = Folder::new();
    let authority = Authority::new("authority");
    let ca = folder.write("ca.pem", &authority.pem());
    for (days, said) in [
        ((-1, 365), None),
        ((-1, 15), None),
        ((-1, 13), Some("expires on")),
        ((-9, -1), Some("expired on")),
        ((2, 365), Some("is valid from")),
    ] {
        let (certificate, key) = folder.pair("server", &authority.sign(&["localhost"], days));
        let server = Acceptor::tls(ServerTls {
            certificate: certificate.clone(),
            key: key.clone(),
            client_ca: None,
        });
        let client = ClientTls {
            ca: Some(ca.clone()),
            identity: Some((certificate.clone(), key)),
            server_name: None,
        };
        let notices = client.notices().unwrap();
        assert_eq!(server.unwrap().notices(), notices, "{days:?}");
        match said {
            None => assert_eq!(notices, [], "{days:?}"),
            Some(said) => {
                assert_eq!(notices.len(), 1, "{days:?}");
                assert_eq!(notices[0].code, Code::CertificateDates);
                assert!(notices[0].message.contains(said), "{}", notices[0]);
                assert!(notices[0].message.contains("server.pem"), "{}", notices[0]);
            }
        }
    }
}
