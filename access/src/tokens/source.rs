//! Tokens that may change while the program runs.

use jiff::Timestamp;
use std::fmt;
use std::sync::Arc;
use tokio::sync::watch;

use super::{TokenFile, Tokens, bearer};
use crate::reloading::Reloading;
use crate::{Denied, Error, Principal};

/// The tokens of a server. Cheap to clone. A file is looked at on use, at most once a second, and read
/// again when it has changed: a token that was revoked is refused from then on. A file that is broken
/// or gone leaves the last good tokens in force, and is warned about in the log.
#[derive(Clone)]
pub struct TokenSource(Arc<Reloading<Tokens>>);

impl TokenSource {
    /// Tokens that are in no file, as those of one sweep on one machine.
    #[must_use]
    pub fn fixed(tokens: Tokens) -> Self {
        Self(Arc::new(Reloading::fixed("tokens", tokens)))
    }

    /// Tokens of a file.
    ///
    /// # Errors
    /// As [`TokenFile::load`].
    pub fn open(file: TokenFile) -> Result<Self, Error> {
        let files = vec![file.path().to_owned()];
        let load = move || file.load();
        Ok(Self(Arc::new(Reloading::open("tokens", files, load)?)))
    }

    /// Whose token that is.
    ///
    /// # Errors
    /// As [`Tokens::authenticate`].
    pub fn authenticate(&self, token: &str) -> Result<Principal, Denied> {
        self.0.get().authenticate(token, Timestamp::now())
    }

    /// Whose token the header `authorization` of a call carries.
    ///
    /// # Errors
    /// As [`bearer`] and [`Tokens::authenticate`].
    pub fn authenticate_header(&self, authorization: Option<&[u8]>) -> Result<Principal, Denied> {
        self.authenticate(bearer(authorization)?)
    }

    /// Whether a caller who was accepted would be so still: for streams that last long, to be asked
    /// every few seconds, and when [`TokenSource::changes`] says so.
    ///
    /// # Errors
    /// When the token is gone, revoked or expired.
    pub fn still_valid(&self, principal: &Principal) -> Result<(), Denied> {
        self.0.get().still_valid(principal, Timestamp::now())
    }

    /// A number that grows with each new set of tokens, and word when it does. The file is looked at
    /// when somebody asks for a token, not by itself.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.generation()
    }

    /// Reads the file now, as on SIGHUP.
    ///
    /// # Errors
    /// As [`TokenFile::load`]; the last good tokens then stay in force.
    pub fn reload(&self) -> Result<(), Error> {
        self.0.reload()
    }

    /// Why the file could not be read when it last should have been; nothing when it could.
    #[must_use]
    pub fn warning(&self) -> Option<Error> {
        self.0.warning()
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TokenSource").field(&self.0.get()).finish()
    }
}
