//! The worker's credential, and the file that it may lie in.

use super::{TOKEN, TOKEN_FILE};
use crate::error::OptionsError;
use std::fmt;
use std::path::PathBuf;
use tonic::metadata::{Ascii, MetadataValue};

/// A secret that never shows in output.
#[derive(Clone)]
pub struct Credential(Source);

#[derive(Clone)]
enum Source {
    Given(MetadataValue<Ascii>),
    /// Read for every connection: who replaces the file need not start the worker again.
    File(PathBuf),
}

impl Credential {
    /// A credential from its token; white space around it is left out.
    ///
    /// # Errors
    /// When it is empty or holds anything but visible ASCII.
    pub fn new(token: &str) -> Result<Self, String> {
        Ok(Self(Source::Given(header(token)?)))
    }

    /// A credential in a file, which is read now to see whether it is one, and again for every
    /// connection.
    ///
    /// # Errors
    /// When the file cannot be read, or holds no token.
    pub fn in_file(path: impl Into<PathBuf>) -> Result<Self, OptionsError> {
        let credential = Self(Source::File(path.into()));
        credential.header()?;
        Ok(credential)
    }

    /// The value of the `authorization` header, as of now.
    pub(crate) fn header(&self) -> Result<MetadataValue<Ascii>, OptionsError> {
        match &self.0 {
            Source::Given(header) => Ok(header.clone()),
            Source::File(path) => {
                let shown = || path.display().to_string();
                let text =
                    std::fs::read_to_string(path).map_err(|source| OptionsError::TokenFile {
                        path: shown(),
                        source,
                    })?;
                header(&text).map_err(|problem| OptionsError::Credential {
                    origin: format!("{TOKEN_FILE}={}", shown()),
                    problem,
                })
            }
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(..)")
    }
}

/// The credential of the environment.
pub(super) fn read(
    token: Option<String>,
    file: Option<String>,
) -> Result<Credential, OptionsError> {
    match (token, file) {
        (Some(token), None) => {
            Credential::new(&token).map_err(|problem| OptionsError::Credential {
                origin: TOKEN.to_owned(),
                problem,
            })
        }
        (None, Some(path)) => Credential::in_file(path),
        (None, None) => Err(OptionsError::Missing {
            variable: TOKEN_FILE,
            remedy: "set it to a file that holds the coordinator's worker token, or set \
                     RANGEFINDER_TOKEN to the token itself",
        }),
        (Some(_), Some(_)) => Err(OptionsError::TwoCredentials),
    }
}

fn header(token: &str) -> Result<MetadataValue<Ascii>, String> {
    let token = token.trim();
    if token.is_empty() {
        return Err("it is empty".to_owned());
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("it holds characters that are not visible ASCII".to_owned());
    }
    let mut value = MetadataValue::try_from(format!("Bearer {token}"))
        .map_err(|_| "it does not fit a header".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}
