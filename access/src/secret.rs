//! A text that lets somebody in.

use rangefinder_errors::Code;
use std::fmt::{self, Write as _};
use zeroize::Zeroizing;

use crate::Error;

/// Random bytes of a secret: nobody guesses 256 bits.
const SECRET_BYTES: usize = 32;

/// A secret. Never printed, not even for debugging, and wiped from memory when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// One that was given.
    #[must_use]
    pub fn new(secret: &str) -> Self {
        Self(Zeroizing::new(secret.to_owned()))
    }

    /// 64 hexadecimal digits from the operating system's random source.
    ///
    /// # Errors
    /// When that source cannot be read.
    pub fn random() -> Result<Self, Error> {
        Ok(Self(random_hex::<SECRET_BYTES>()?))
    }

    /// The secret itself, for a file, the environment of a worker, or the one time it is shown.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// `N` random bytes as hexadecimal digits.
pub(crate) fn random_hex<const N: usize>() -> Result<Zeroizing<String>, Error> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(bytes.as_mut()).map_err(|error| {
        Error::new(
            Code::System,
            format!("the operating system gives no random bytes: {error}"),
            "check that the process may call getrandom",
        )
    })?;
    Ok(Zeroizing::new(hex(bytes.as_ref())))
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
