//! How a specification names a file that is an artifact.

use crate::{Digest, Error};
use std::fmt;
use std::str::FromStr;

/// What a reference begins with; a path that begins so has to be written `./artifact:...`.
pub const PREFIX: &str = "artifact:";

/// Most bytes of a name: file systems take 255.
const MAX_NAME_BYTES: usize = 200;

/// A file of a specification: `artifact:DIGEST/NAME`. The name is what the file is called for
/// people, and its extension tells the format; it takes no part in what the artifact is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    digest: Digest,
    name: String,
}

impl Reference {
    /// A reference to an artifact under a name.
    ///
    /// # Errors
    /// [`Error::Reference`] when the name is no plain file name: it is empty, hidden or longer than
    /// 200 bytes, or has separators, control characters or characters of patterns.
    pub fn new(digest: Digest, name: &str) -> Result<Self, Error> {
        let problem = if name.is_empty() {
            "the name is missing"
        } else if name.len() > MAX_NAME_BYTES {
            "the name has more than 200 bytes"
        } else if name.starts_with('.') {
            "the name begins with a dot"
        } else if name.contains(['/', '\\']) {
            "the name has separators of folders"
        } else if name.contains(['*', '?', '[', ']', '{', '}']) {
            "an artifact is one file, and the name has characters of patterns"
        } else if name.chars().any(char::is_control) {
            "the name has control characters"
        } else {
            return Ok(Self {
                digest,
                name: name.to_owned(),
            });
        };
        Err(Error::Reference {
            text: shown(&format!("{PREFIX}{digest}/{name}")),
            problem,
        })
    }

    /// Whether a text is meant as a reference, right or wrong.
    #[must_use]
    pub fn is_one(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// Which artifact.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// What the file is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}/{}", self.digest, self.name)
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |problem| Error::Reference {
            text: shown(text),
            problem,
        };
        let rest = text
            .strip_prefix(PREFIX)
            .ok_or_else(|| wrong("it does not begin with `artifact:`"))?;
        let (digest, name) = rest
            .split_once('/')
            .ok_or_else(|| wrong("the name is missing"))?;
        let digest = digest
            .parse()
            .map_err(|_| wrong("the digest is not `sha256-` and 64 hexadecimal digits"))?;
        Self::new(digest, name)
    }
}

/// As much of a text as a message may hold.
fn shown(text: &str) -> String {
    text.chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rangefinder_errors::{Code, Coded as _};

    #[test]
    fn what_is_printed_is_read_again() {
        let reference = Reference::new(Digest::of(b"abc"), "train set-1.npz").expect("a name");
        let text = reference.to_string();
        assert!(text.starts_with("artifact:sha256-ba78") && text.ends_with("/train set-1.npz"));
        assert_eq!(text.parse(), Ok(reference));
    }

    #[test]
    fn a_reference_that_is_none_says_why() {
        let digest = Digest::of(b"abc");
        let long = "n".repeat(201);
        for (text, part) in [
            ("model.pt".to_owned(), "begin with `artifact:`"),
            (format!("artifact:{digest}"), "the name is missing"),
            (format!("artifact:{digest}/"), "the name is missing"),
            ("artifact:sha256-12/m.pt".to_owned(), "64 hexadecimal"),
            (format!("artifact:{digest}/a/b.pt"), "separators"),
            (format!("artifact:{digest}/a\\b.pt"), "separators"),
            (format!("artifact:{digest}/.."), "dot"),
            (format!("artifact:{digest}/train-*.npz"), "patterns"),
            (format!("artifact:{digest}/a\n.pt"), "control"),
            (format!("artifact:{digest}/{long}"), "200 bytes"),
        ] {
            let error = text.parse::<Reference>().expect_err(&text);
            assert_eq!(error.code(), Code::ArtifactReference);
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    proptest! {
        /// Whatever is accepted is one component of a path, and stays in its folder.
        #[test]
        fn a_name_leads_nowhere_else(name in any::<String>()) {
            if let Ok(reference) = Reference::new(Digest::of(b""), &name) {
                let mut parts = std::path::Path::new(reference.name()).components();
                prop_assert!(matches!(parts.next(), Some(std::path::Component::Normal(_))));
                prop_assert_eq!(parts.next(), None);
            }
        }
    }
}
