//! How a worker or a command line reaches a server.

use rangefinder_errors::{Code, Coded as _};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, ServerName};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use super::{explain, pem};
use crate::{Error, private};

/// Longest time that a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The client's side of TLS. Its files are read each time that [`ClientTls::endpoint`] is called, so
/// that a program that calls it for each new connection needs no restart when they are replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientTls {
    /// Certificates of the authorities that may sign the server's; without, those that the system
    /// trusts.
    pub ca: Option<PathBuf>,
    /// The client's own certificate and its key, for servers that demand one.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Name that the server's certificate must be for, when it is not the host of the address.
    pub server_name: Option<String>,
}

impl ClientTls {
    /// The endpoint with TLS when its address is `https://`, and as it is when it is `http://`.
    /// Certificates that expire soon are warned about in the log.
    ///
    /// # Errors
    /// When a file is missing or does not fit, and when TLS is configured and the address is
    /// `http://`, which would send the token in the clear.
    pub fn endpoint(&self, endpoint: Endpoint) -> Result<Endpoint, Error> {
        if endpoint.uri().scheme_str() != Some("https") {
            if *self == Self::default() {
                return Ok(endpoint);
            }
            return Err(Error::new(
                Code::NotTls,
                format!(
                    "{}: is an address without TLS, though certificates or a server's name are given",
                    endpoint.uri()
                ),
                "write https:// in front of it",
            ));
        }
        let (config, notices) = self.read(SystemTime::now())?;
        for notice in notices {
            tracing::warn!(code = %notice.code(), "{notice}");
        }
        endpoint.tls_config(config).map_err(|error| {
            explain(&error).unwrap_or_else(|| {
                Error::new(
                    Code::TlsHandshake,
                    format!("TLS cannot be configured: {error}"),
                    "check the files of certificates and the address",
                )
            })
        })
    }

    /// What is to be said about the dates of the files' certificates.
    ///
    /// # Errors
    /// When a file is missing or does not fit.
    pub fn notices(&self) -> Result<Vec<Error>, Error> {
        Ok(self.read(SystemTime::now())?.1)
    }

    fn read(&self, now: SystemTime) -> Result<(ClientTlsConfig, Vec<Error>), Error> {
        let mut notices = Vec::new();
        let mut config = ClientTlsConfig::new().timeout(HANDSHAKE);
        let roots = match &self.ca {
            Some(ca) => {
                let certificates = pem::certificates(ca)?;
                notices.extend(pem::dates(ca, &certificates, now));
                named_roots(ca, certificates)?
            }
            None => system_roots(rustls_native_certs::load_native_certs().certs)?,
        };
        config = config.trust_anchors(roots.roots);
        if let Some((certificate, key)) = &self.identity {
            let certified = pem::certified_key(certificate, key)?;
            notices.extend(pem::dates(certificate, &certified.cert, now));
            config = config.identity(identity(certificate, key)?);
        }
        if let Some(name) = &self.server_name {
            if ServerName::try_from(name.as_str()).is_err() {
                return Err(Error::new(
                    Code::ServerName,
                    format!("{name:?}: cannot be the name of a server"),
                    "give a host name or an IP address, as the server's certificate has it",
                ));
            }
            config = config.domain_name(name);
        }
        Ok((config, notices))
    }
}

fn named_roots(
    path: &Path,
    certificates: Vec<CertificateDer<'static>>,
) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate).map_err(|error| {
            Error::new(
                Code::CertificateFile,
                format!(
                    "{}: holds no authority's certificate: {error}",
                    path.display()
                ),
                "give the certificate of the authority that signed the server's",
            )
        })?;
    }
    Ok(roots)
}

fn system_roots(certificates: Vec<CertificateDer<'static>>) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(certificates);
    if usable == 0 {
        return Err(Error::new(
            Code::NoSystemRoots,
            "no file of an authority's certificate is given, and the system trusts none",
            "give the certificate of the authority that signed the server's (--tls-ca)",
        ));
    }
    Ok(roots)
}

/// tonic reads PEM itself.
fn identity(certificate: &Path, key: &Path) -> Result<Identity, Error> {
    let chain = std::fs::read(certificate).map_err(|error| Error::reading(certificate, &error))?;
    Ok(Identity::from_pem(
        Certificate::from_pem(chain),
        private::read(key)?.as_slice(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_without_authorities_is_no_silent_trust() {
        let error = system_roots(Vec::new()).unwrap_err();
        assert_eq!(error.code, Code::NoSystemRoots);
    }
}
