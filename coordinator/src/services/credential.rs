//! The secret that lets a call in.

use super::status;
use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;
use subtle::ConstantTimeEq as _;
use tonic::metadata::MetadataMap;
use tonic::service::Interceptor;
use tonic::{Request, Status};

/// Random bytes of a one-time credential.
const SECRET_BYTES: usize = 32;

/// A secret shared by coordinator and workers. Never printed, not even for debugging.
#[derive(Clone)]
pub struct Credential(Arc<str>);

impl Credential {
    /// A new one, from the operating system's random source.
    ///
    /// # Errors
    /// When that source cannot be read.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut secret = [0; SECRET_BYTES];
        getrandom::fill(&mut secret)?;
        let text = secret
            .iter()
            .fold(String::with_capacity(2 * SECRET_BYTES), |mut text, byte| {
                // Writing to a string cannot fail.
                let _ = write!(text, "{byte:02x}");
                text
            });
        Ok(Self(text.into()))
    }

    /// One that was given.
    #[must_use]
    pub fn new(secret: &str) -> Self {
        Self(secret.into())
    }

    /// The secret itself, for the environment of a worker.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether a call carries it as `authorization: Bearer ...`. How long that takes tells only
    /// whether the lengths agree.
    fn admits(&self, metadata: &MetadataMap) -> bool {
        let presented = metadata
            .get("authorization")
            .and_then(|value| value.as_bytes().split_at_checked("Bearer ".len()));
        match presented {
            Some((scheme, secret)) if scheme.eq_ignore_ascii_case(b"Bearer ") => {
                secret.ct_eq(self.0.as_bytes()).into()
            }
            _ => false,
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(hidden)")
    }
}

/// Lets in calls with the credential, and no others.
#[derive(Clone, Debug)]
pub(super) struct Authenticate {
    credential: Credential,
}

impl Authenticate {
    pub(super) fn new(credential: Credential) -> Self {
        Self { credential }
    }
}

impl Interceptor for Authenticate {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        if self.credential.admits(request.metadata()) {
            Ok(request)
        } else {
            Err(status::refusal(&status::Refusal::Unauthenticated))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(header: &str) -> bool {
        let mut metadata = MetadataMap::new();
        metadata.insert("authorization", header.parse().unwrap());
        Credential::new("secret").admits(&metadata)
    }

    #[test]
    fn only_the_whole_secret_as_a_bearer_is_let_in() {
        assert!(admits("Bearer secret"));
        assert!(admits("bearer secret"));
        for header in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer secre",
            "Bearer secret2",
            "Bearer SECRET",
            "secret",
            "Basic secret",
            "Bearer  secret",
        ] {
            assert!(!admits(header), "{header:?}");
        }
        assert!(!Credential::new("secret").admits(&MetadataMap::new()));
    }

    #[test]
    fn one_time_credentials_differ_and_are_never_printed() {
        let one = Credential::random().unwrap();
        let other = Credential::random().unwrap();
        assert_ne!(one.reveal(), other.reveal());
        assert_eq!(one.reveal().len(), 2 * SECRET_BYTES);
        assert!(!format!("{one:?}").contains(one.reveal()));
    }
}
