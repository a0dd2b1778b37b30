//! The tokens by which callers are known.
//!
//! A token is `rf_<role>_<id>_<secret>`. The secret is 256 random bits, of which only a hash is kept.
//! SHA-256 is enough for that: slow hashes make guessing what people choose expensive, and nobody
//! guesses 256 random bits, however fast the hash.

mod file;
mod source;

pub use file::TokenFile;
pub use source::TokenSource;

use jiff::Timestamp;
use rangefinder_errors::Code;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use subtle::ConstantTimeEq as _;

use crate::secret::{hex, random_hex};
use crate::{Denied, Error, Principal, Role, Secret};

/// Random bytes of an id: no two are the same among as many tokens as anybody has.
const ID_BYTES: usize = 6;

/// Longest name of a principal, in characters.
const MAX_NAME: usize = 64;

/// Names one token. Not a secret: it is shown in lists and logs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenId(String);

impl TokenId {
    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What is known of a token; not the token itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Names it.
    pub id: TokenId,
    /// Whose it is. Several tokens of one name are one principal.
    pub name: String,
    /// For what it is.
    pub role: Role,
    /// SHA-256 of its whole text, in hexadecimal digits.
    hash: Hash,
    /// When it was made.
    pub created: Timestamp,
    /// From when on it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// When it was revoked: it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Timestamp>,
}

/// SHA-256 of a secret, in hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct Hash(String);

impl Hash {
    fn of(secret: &str) -> Self {
        Self(hex(digest(&SHA256, secret.as_bytes()).as_ref()))
    }

    /// Compares in a time that does not depend on where two hashes differ.
    fn is_of(&self, secret: &str) -> bool {
        self.0
            .as_bytes()
            .ct_eq(Self::of(secret).0.as_bytes())
            .into()
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hidden")
    }
}

impl Token {
    /// Whether it is accepted at that time.
    ///
    /// # Errors
    /// [`Denied::Revoked`] or [`Denied::Expired`].
    pub fn check(&self, now: Timestamp) -> Result<(), Denied> {
        if self.revoked.is_some() {
            return Err(Denied::Revoked(self.id.clone()));
        }
        match self.expires {
            Some(expires) if now >= expires => Err(Denied::Expired(self.id.clone())),
            _ => Ok(()),
        }
    }

    fn principal(&self) -> Principal {
        Principal {
            id: self.id.clone(),
            name: self.name.clone(),
            role: self.role,
        }
    }
}

/// A set of tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    by_id: BTreeMap<TokenId, Token>,
    /// Ids of tokens whose text was given from elsewhere and does not hold their id.
    given: Vec<TokenId>,
}

impl Tokens {
    /// Makes a token. Its text is in no other place than in the [`Secret`].
    ///
    /// # Errors
    /// When the name cannot be one or belongs to another role, when it would have expired already,
    /// or when the operating system gives no random bytes.
    pub fn create(
        &mut self,
        role: Role,
        name: &str,
        expires: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(Token, Secret), Error> {
        self.check_name(role, name)?;
        if expires.is_some_and(|expires| expires <= now) {
            return Err(Error::new(
                Code::TokenName,
                format!("{name:?}: a token that has expired already cannot be used"),
                "give a time that lies ahead",
            ));
        }
        let id = TokenId(random_hex::<ID_BYTES>()?.to_string());
        let secret = Secret::random()?;
        let text = Secret::new(&format!("rf_{role}_{id}_{}", secret.reveal()));
        let token = Token {
            hash: Hash::of(text.reveal()),
            id,
            name: name.to_owned(),
            role,
            created: now,
            expires,
            revoked: None,
        };
        self.by_id.insert(token.id.clone(), token.clone());
        Ok((token, text))
    }

    /// Takes a secret that was given from elsewhere, for as long as the program runs; such tokens are
    /// never written to a file, since the secret may be one that can be guessed from its hash.
    ///
    /// # Errors
    /// When the name cannot be one or belongs to another role, or the secret is shorter than 16
    /// characters.
    pub fn take(
        &mut self,
        role: Role,
        name: &str,
        secret: &Secret,
        now: Timestamp,
    ) -> Result<Principal, Error> {
        const FEWEST: usize = 16;
        self.check_name(role, name)?;
        if secret.reveal().len() < FEWEST {
            return Err(Error::new(
                Code::CredentialMalformed,
                format!("{name:?}: the secret given is shorter than {FEWEST} characters"),
                "give one that nobody can guess, such as `openssl rand -hex 32` prints",
            ));
        }
        let token = Token {
            hash: Hash::of(secret.reveal()),
            id: TokenId(random_hex::<ID_BYTES>()?.to_string()),
            name: name.to_owned(),
            role,
            created: now,
            expires: None,
            revoked: None,
        };
        self.given.push(token.id.clone());
        let principal = token.principal();
        self.by_id.insert(token.id.clone(), token);
        Ok(principal)
    }

    /// Revokes the token of that id, or else all tokens of that name, and gives them.
    ///
    /// # Errors
    /// When there is none.
    pub fn revoke(&mut self, which: &str, now: Timestamp) -> Result<Vec<Token>, Error> {
        let by_id = self.by_id.contains_key(&TokenId(which.to_owned()));
        let mut revoked = Vec::new();
        for token in self.by_id.values_mut() {
            let meant = match by_id {
                true => token.id.as_str() == which,
                false => token.name == which,
            };
            if meant {
                token.revoked.get_or_insert(now);
                revoked.push(token.clone());
            }
        }
        if revoked.is_empty() {
            // What was typed may be a token by mistake, which is not repeated.
            return Err(Error::new(
                Code::NoSuchToken,
                "no token has that id or name",
                "list the tokens, and give an id or a name of the list; not the token itself",
            ));
        }
        Ok(revoked)
    }

    /// All tokens, revoked and expired ones too, the oldest first.
    #[must_use]
    pub fn list(&self) -> Vec<&Token> {
        let mut list: Vec<_> = self.by_id.values().collect();
        list.sort_by_key(|token| token.created);
        list
    }

    /// Whose token that is.
    ///
    /// # Errors
    /// When it is none, or is accepted no more. Only who has the whole token learns which.
    pub fn authenticate(&self, text: &str, now: Timestamp) -> Result<Principal, Denied> {
        let named = id_in(text).and_then(|id| self.by_id.get(&TokenId(id.to_owned())));
        let given = || self.given.iter().filter_map(|id| self.by_id.get(id));
        let token = named
            .into_iter()
            .chain(given())
            .find(|token| token.hash.is_of(text))
            .ok_or(Denied::Unknown)?;
        token.check(now)?;
        Ok(token.principal())
    }

    /// Whether a caller who was accepted would be so still.
    ///
    /// # Errors
    /// When the token is gone, revoked or expired.
    pub fn still_valid(&self, principal: &Principal, now: Timestamp) -> Result<(), Denied> {
        let token = self.by_id.get(&principal.id).ok_or(Denied::Unknown)?;
        if token.principal() != *principal {
            return Err(Denied::Unknown);
        }
        token.check(now)
    }

    fn check_name(&self, role: Role, name: &str) -> Result<(), Error> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "._@-".contains(c);
        if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(fits) {
            return Err(Error::new(
                Code::TokenName,
                format!("{name:?}: cannot be the name of a token's holder"),
                format!("take 1 to {MAX_NAME} letters, digits, `.`, `_`, `@` and `-`"),
            ));
        }
        let other = self
            .by_id
            .values()
            .find(|token| token.name == name && token.role != role);
        match other {
            None => Ok(()),
            Some(other) => Err(Error::new(
                Code::TokenName,
                format!(
                    "{name:?}: is the name of a holder of the role {}",
                    other.role
                ),
                "take another name: a name has one role",
            )),
        }
    }
}

/// The id within the text of a token.
fn id_in(text: &str) -> Option<&str> {
    let mut parts = text.strip_prefix("rf_")?.split('_');
    Role::parse(parts.next()?)?;
    parts.next()
}

/// The token of a header `authorization: Bearer ...`.
///
/// # Errors
/// [`Denied::Missing`] when there is no such header, or it is another scheme's.
pub fn bearer(header: Option<&[u8]>) -> Result<&str, Denied> {
    let (scheme, token) = header
        .and_then(|value| value.split_at_checked("Bearer ".len()))
        .ok_or(Denied::Missing)?;
    let token = std::str::from_utf8(token).map_err(|_| Denied::Missing)?;
    if scheme.eq_ignore_ascii_case(b"Bearer ") && !token.is_empty() {
        Ok(token)
    } else {
        Err(Denied::Missing)
    }
}
