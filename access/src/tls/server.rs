//! The server's side of TLS, read again when its files change.

use rangefinder_errors::{Code, Coded as _};
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use rustls::sign::SingleCertAndKey;
use rustls::{RootCertStore, ServerConfig};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::stream::Connection;
use super::{explain, pem};
use crate::Error;
use crate::reloading::Reloading;

/// Longest time that a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Longest time that a side which is refused has to hear why.
const FAREWELL: Duration = Duration::from_secs(1);

/// gRPC, and what reads `/metrics`.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Files of a server's TLS, all in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTls {
    /// The server's certificate, and after it those that vouch for it.
    pub certificate: PathBuf,
    /// Its private key, which the owner alone may read.
    pub key: PathBuf,
    /// Authorities that sign the certificates of clients and workers. With them, nobody without such
    /// a certificate gets as far as showing a token; without, no certificate is asked for.
    pub client_ca: Option<PathBuf>,
}

/// Makes connections of TCP streams: with TLS, or plain ones. Cheap to clone.
///
/// Files are looked at when a connection comes, at most once a second, and read again when one of them
/// has changed: new connections then have the new certificate, those that stand go on. Files that are
/// broken, or of which only one is new yet, leave the last good ones in use. With new files no TLS
/// session from before is resumed, so that an authority that is gone from them lets nobody in.
#[derive(Clone)]
pub struct Acceptor {
    tls: Option<Arc<Tls>>,
    handshake: Duration,
}

struct Tls {
    files: Reloading<Current>,
    /// Day, counted from 1970, on which the dates of certificates were last looked at.
    noticed: AtomicU64,
}

/// What the files held when they were last read.
struct Current {
    config: Arc<ServerConfig>,
    /// Certificates with the file that holds them.
    certificates: Vec<(PathBuf, Vec<CertificateDer<'static>>)>,
}

impl Acceptor {
    /// One without TLS.
    #[must_use]
    pub fn plain() -> Self {
        Self {
            tls: None,
            handshake: HANDSHAKE,
        }
    }

    /// One with TLS.
    ///
    /// # Errors
    /// When a file is missing or holds nothing of use, when the key is not the certificate's, or when
    /// others may read the key.
    pub fn tls(files: ServerTls) -> Result<Self, Error> {
        let watched = [&files.certificate, &files.key]
            .into_iter()
            .chain(&files.client_ca)
            .cloned()
            .collect();
        let load = move || Current::load(&files);
        Ok(Self {
            tls: Some(Arc::new(Tls {
                files: Reloading::open("certificates", watched, load)?,
                noticed: AtomicU64::new(0),
            })),
            handshake: HANDSHAKE,
        })
    }

    /// The same with another limit for the time that a handshake may take; 10 seconds without.
    #[must_use]
    pub fn with_handshake_limit(mut self, limit: Duration) -> Self {
        self.handshake = limit;
        self
    }

    /// Whether it makes connections with TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Makes a connection, after the handshake where there is one.
    ///
    /// # Errors
    /// When the handshake fails or takes too long; the message says why and what to do.
    pub async fn accept(&self, tcp: TcpStream) -> Result<Connection, Error> {
        // Small messages are not held back; a socket that refuses is a slower one.
        let _ = tcp.set_nodelay(true);
        let Some(tls) = &self.tls else {
            return Ok(Connection::plain(tcp));
        };
        let config = tls.current(SystemTime::now());
        let handshake = TlsAcceptor::from(config).accept(tcp).into_fallible();
        match tokio::time::timeout(self.handshake, handshake).await {
            Ok(Ok(stream)) => Ok(Connection::tls(stream)),
            Ok(Err((error, tcp))) => {
                // What does not come through in time is lost.
                let _ = tokio::time::timeout(FAREWELL, farewell(tcp)).await;
                Err(explain(&error).unwrap_or_else(|| {
                    Error::new(
                        Code::TlsHandshake,
                        format!("the connection ended before TLS stood: {error}"),
                        "look at the other side's message",
                    )
                }))
            }
            Err(_) => Err(Error::new(
                Code::TlsHandshake,
                format!(
                    "no TLS connection within {} s",
                    self.handshake.as_secs_f64()
                ),
                "check that the other side speaks TLS, and the network between",
            )),
        }
    }

    /// Reads the files now, as on SIGHUP.
    ///
    /// # Errors
    /// As [`Acceptor::tls`]; the last good files then stay in use.
    pub fn reload(&self) -> Result<(), Error> {
        self.tls.as_ref().map_or(Ok(()), |tls| tls.files.reload())
    }

    /// Why the files could not be read when they last should have been; nothing when they could.
    #[must_use]
    pub fn warning(&self) -> Option<Error> {
        self.tls.as_ref().and_then(|tls| tls.files.warning())
    }

    /// Certificates that have expired, are not valid yet, or expire within 14 days. They are warned
    /// about in the log too, with the first connection of a day.
    #[must_use]
    pub fn notices(&self) -> Vec<Error> {
        self.tls
            .as_ref()
            .map_or_else(Vec::new, |tls| tls.files.get().notices(SystemTime::now()))
    }

    /// When the first of the certificates in use ends.
    #[must_use]
    pub fn expires(&self) -> Option<SystemTime> {
        let current = self.tls.as_ref()?.files.get();
        let ends = |(_, certificates): &(_, Vec<_>)| pem::expires(certificates);
        current.certificates.iter().filter_map(ends).min()
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor")
            .field("tls", &self.is_tls())
            .field("handshake", &self.handshake)
            .finish()
    }
}

/// Lets the other side hear why it is refused. To close a socket on which bytes wait unread is to
/// reset it, and with that the alert is lost on the way.
async fn farewell(mut tcp: TcpStream) -> io::Result<()> {
    const MOST_BYTES: u64 = 64 << 10;
    tcp.shutdown().await?;
    tokio::io::copy(&mut tcp.take(MOST_BYTES), &mut tokio::io::sink()).await?;
    Ok(())
}

impl Tls {
    /// The configuration for a connection that comes now.
    fn current(&self, now: SystemTime) -> Arc<ServerConfig> {
        const SECONDS_A_DAY: u64 = 24 * 60 * 60;
        let current = self.files.get();
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let day = since.as_secs() / SECONDS_A_DAY;
        if self.noticed.swap(day, Ordering::Relaxed) != day {
            for notice in current.notices(now) {
                tracing::warn!(code = %notice.code(), "{notice}");
            }
        }
        Arc::clone(&current.config)
    }
}

impl Current {
    fn load(files: &ServerTls) -> Result<Self, Error> {
        let certified = pem::certified_key(&files.certificate, &files.key)?;
        let mut certificates = vec![(files.certificate.clone(), certified.cert.clone())];
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(&files.certificate, &error))?;
        let builder = match &files.client_ca {
            None => builder.with_no_client_auth(),
            Some(ca) => {
                let authorities = pem::certificates(ca)?;
                certificates.push((ca.clone(), authorities.clone()));
                let mut roots = RootCertStore::empty();
                for authority in authorities {
                    roots.add(authority).map_err(|error| unusable(ca, &error))?;
                }
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .build()
                        .map_err(|error| unusable(ca, &error))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        Ok(Self {
            config: Arc::new(config),
            certificates,
        })
    }

    fn notices(&self, now: SystemTime) -> Vec<Error> {
        self.certificates
            .iter()
            .filter_map(|(file, certificates)| pem::dates(file, certificates, now))
            .collect()
    }
}

fn unusable(file: &Path, error: &dyn fmt::Display) -> Error {
    Error::new(
        Code::CertificateFile,
        format!(
            "{}: holds certificates that cannot be used: {error}",
            file.display()
        ),
        "give the certificate of an authority, or of the server, in PEM",
    )
}
