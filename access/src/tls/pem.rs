//! Certificates and keys from files in PEM, and their dates.

use rangefinder_errors::Code;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::{Error, private};

/// Days before its end from which on a certificate is warned about.
const WARN_DAYS: i64 = 14;

const SECONDS_A_DAY: i64 = 24 * 60 * 60;

/// Largest file of certificates that is read, in bytes.
const MAX_BYTES: u64 = 16 << 20;

/// All certificates of a file, as they follow each other; at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let reading = |error| Error::reading(path, &error);
    let mut bytes = Vec::new();
    File::open(path)
        .map_err(reading)?
        .take(MAX_BYTES)
        .read_to_end(&mut bytes)
        .map_err(reading)?;
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        .map_err(|_| unusable(path, "holds a certificate that is cut off or damaged"))?;
    if certificates.is_empty() {
        return Err(unusable(path, "holds no certificate"));
    }
    for certificate in &certificates {
        if X509Certificate::from_der(certificate).is_err() {
            return Err(unusable(path, "holds a certificate that cannot be read"));
        }
    }
    Ok(certificates)
}

/// The private key of a file that its owner alone may read. What the file holds is never repeated.
pub(super) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    let bytes = private::read(path)?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| {
        let encrypted = String::from_utf8_lossy(&bytes).contains("ENCRYPTED");
        if encrypted {
            Error::new(
                Code::CertificateFile,
                format!("{}: the private key has a passphrase", path.display()),
                "write it without one (`openssl pkey -in KEY -out NEW`), for its owner's eyes only",
            )
        } else {
            unusable(path, "holds no private key that can be read")
        }
    })
}

/// A certificate with those that vouch for it, and its key.
pub(super) fn certified_key(certificate: &Path, key: &Path) -> Result<CertifiedKey, Error> {
    let chain = certificates(certificate)?;
    let private = private_key(key)?;
    CertifiedKey::from_der(chain, private, &ring::default_provider()).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => Error::new(
            Code::KeyMismatch,
            format!(
                "{}: is not the key of the first certificate in {}",
                key.display(),
                certificate.display()
            ),
            "give certificate and key that were made together, the server's or client's own \
             certificate first",
        ),
        _ => unusable(key, "holds a private key of a kind that cannot be used"),
    })
}

fn unusable(path: &Path, what: &str) -> Error {
    Error::new(
        Code::CertificateFile,
        format!("{}: {what}", path.display()),
        "give a file in PEM, with lines such as -----BEGIN CERTIFICATE----- or -----BEGIN PRIVATE \
         KEY-----",
    )
}

/// What is to be said about the dates of a file's certificates at a time, if anything.
pub(super) fn dates(
    path: &Path,
    certificates: &[CertificateDer<'_>],
    now: SystemTime,
) -> Option<Error> {
    let now = seconds(now);
    certificates
        .iter()
        .filter_map(|der| X509Certificate::from_der(der).ok())
        .find_map(|(_, certificate)| {
            let validity = certificate.validity();
            let (from, until) = (validity.not_before, validity.not_after);
            let day = |time: x509_parser::time::ASN1Time| time.to_datetime().date();
            let what = if until.timestamp() < now {
                format!("expired on {}", day(until))
            } else if from.timestamp() > now {
                format!("is valid from {} on only", day(from))
            } else if until.timestamp() < now.saturating_add(WARN_DAYS * SECONDS_A_DAY) {
                format!("expires on {}", day(until))
            } else {
                return None;
            };
            Some(Error::new(
                Code::CertificateDates,
                format!(
                    "{}: the certificate of {} {what}",
                    path.display(),
                    certificate.subject()
                ),
                "renew it and replace the file, which is then read again; check the clock",
            ))
        })
}

/// When the first of the certificates ends.
#[cfg(feature = "server")]
pub(super) fn expires(certificates: &[CertificateDer<'_>]) -> Option<SystemTime> {
    certificates
        .iter()
        .filter_map(|der| X509Certificate::from_der(der).ok())
        .filter_map(|(_, certificate)| {
            u64::try_from(certificate.validity().not_after.timestamp()).ok()
        })
        .min()
        .map(|until| UNIX_EPOCH + std::time::Duration::from_secs(until))
}

fn seconds(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_secs()).ok())
        .unwrap_or(0)
}
