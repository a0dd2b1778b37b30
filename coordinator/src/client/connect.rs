//! Where a service is, and how a client makes itself known to it.

use super::{Error, Kind};
use rangefinder_access::ClientTls;
use rangefinder_errors::Code;
use std::fmt;
use std::path::Path;
use std::time::Duration;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

/// Longest time that one attempt to connect may take.
const CONNECT: Duration = Duration::from_secs(10);
/// A connection that carries nothing for so long is asked whether it is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Where a service is, and who calls.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its address: `http://HOST:PORT` or `https://HOST:PORT`.
    pub server: String,
    /// What lets the calls in.
    pub token: Token,
    /// The client's side of TLS.
    pub tls: ClientTls,
    /// How long the service may be away or silent before a command gives up.
    pub timeout: Duration,
}

/// A secret of the client. Never printed, not even for debugging.
#[derive(Clone)]
pub struct Token(MetadataValue<Ascii>);

impl Token {
    /// One that was given; space around it is none of it.
    ///
    /// # Errors
    /// When it is empty or has characters that do not print; it is not repeated.
    pub fn new(text: &str, origin: &str) -> Result<Self, Error> {
        let text = text.trim();
        let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
        let header = MetadataValue::try_from(format!("Bearer {text}")).ok();
        match header.filter(|_| printable && !text.is_empty()) {
            Some(mut header) => {
                header.set_sensitive(true);
                Ok(Self(header))
            }
            None => Err(Error::new(
                Kind::Input,
                Code::ClientToken,
                format!("{origin} holds no token: expected one word of printable characters"),
                "give the token as the operator of the service gave it to you",
            )),
        }
    }

    /// One in a file, alone.
    ///
    /// # Errors
    /// When the file cannot be read, or as [`Token::new`].
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Error::new(
                Kind::Input,
                Code::ClientToken,
                format!("--token-file: {} cannot be read: {error}", path.display()),
                "give the path of a file that holds the token alone",
            )
        })?;
        Self::new(&text, &path.display().to_string())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}

impl Interceptor for Token {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request
            .metadata_mut()
            .insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// A channel that connects when it is first used, and again whenever the connection is lost.
pub(super) fn channel(options: &Options) -> Result<Channel, Error> {
    let wrong = |why: &str| {
        Error::new(
            Kind::Input,
            Code::ServerAddress,
            format!("--server: `{}` is no address: {why}", options.server),
            "write http://HOST:PORT, or https://HOST:PORT for a service with TLS",
        )
    };
    let endpoint = Endpoint::from_shared(options.server.clone())
        .map_err(|error| wrong(&error.to_string()))?
        .connect_timeout(CONNECT.min(options.timeout))
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE);
    let uri = endpoint.uri();
    if uri.host().is_none_or(str::is_empty) {
        return Err(wrong("it names no host"));
    }
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(wrong("it begins neither with http:// nor with https://"));
    }
    if uri.scheme_str() == Some("http") && options.tls != ClientTls::default() {
        return Err(wrong(
            "certificates or a server's name are given, and http:// has no TLS",
        ));
    }
    let endpoint = options
        .tls
        .endpoint(endpoint)
        .map_err(|error| Error::new(Kind::Input, error.code, error.message, error.remedy))?;
    Ok(endpoint.connect_lazy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_words_and_never_printed() {
        let token = Token::new(" secret\n", "RANGEFINDER_TOKEN").unwrap();
        assert_eq!(token.0, "Bearer secret");
        for shown in [format!("{token:?}"), format!("{:?}", token.0)] {
            assert!(!shown.contains("secret"), "{shown}");
        }
        for wrong in ["", "  \n", "two words", "t\u{f6}ken"] {
            let error = Token::new(wrong, "RANGEFINDER_TOKEN").unwrap_err();
            assert_eq!(error.code, Code::ClientToken, "{wrong}");
            assert!(wrong.trim().is_empty() || !error.to_string().contains(wrong));
        }
    }
}
