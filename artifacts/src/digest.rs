//! The name of an artifact: the SHA-256 of its content.

use crate::Error;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::str::FromStr;

/// What a digest begins with.
const ALGORITHM: &str = "sha256-";

/// SHA-256 of an artifact's content. Written as `sha256-` and 64 lower-case hexadecimal digits, and
/// in no other way: what is the same has the same name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of some bytes.
    #[must_use]
    pub fn of(content: &[u8]) -> Self {
        Self(Sha256::digest(content).into())
    }
}

/// The digest of bytes that come one after the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hasher(Sha256);

impl Hasher {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(ALGORITHM)?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text).ok_or_else(|| Error::Digest {
            text: text.chars().take(100).collect(),
        })
    }
}

fn parse(text: &str) -> Option<Digest> {
    let digits = text.strip_prefix(ALGORITHM)?.as_bytes();
    let mut bytes = [0; 32];
    if digits.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = 16 * value(pair[0])? + value(pair[1])?;
    }
    Some(Digest(bytes))
}

fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rangefinder_errors::{Code, Coded as _};

    /// FIPS 180-4's example.
    const ABC: &str = "sha256-ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn a_digest_is_the_sha_256_of_the_content() {
        assert_eq!(Digest::of(b"abc").to_string(), ABC);
        let mut hasher = Hasher::default();
        hasher.update(b"a");
        hasher.update(b"bc");
        assert_eq!(hasher.finish(), Digest::of(b"abc"));
    }

    #[test]
    fn only_one_text_names_a_digest() {
        assert_eq!(ABC.parse(), Ok(Digest::of(b"abc")));
        let upper = format!("sha256-{}", ABC["sha256-".len()..].to_uppercase());
        let long = format!("{ABC}0");
        let other = ABC.replace("sha256-", "sha256:");
        let sign = ABC.replace("-ba", "-+a");
        for text in ["", "sha256-", &ABC[..70], &upper, &long, &other, &sign] {
            let error = text.parse::<Digest>().expect_err(text);
            assert_eq!(error.code(), Code::ArtifactReference);
            assert!(error.to_string().contains("64"), "{error}");
        }
    }
}
