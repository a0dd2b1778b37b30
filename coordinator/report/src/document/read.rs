//! The text form of a document, and reading it back.

use super::{FORMAT, SweepDocument};
use rangefinder_errors::{Code, Coded};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Why a document cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}; give the path of a sweep.json", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The text is not a document of a known format.
    #[error("{origin} is not a sweep.json: {reason}; give one that a sweep has written")]
    NotADocument {
        /// Where the text comes from.
        origin: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The document was written by a newer version.
    #[error(
        "{origin} has format {found}, but this version of rangefinder reads formats 1 to {FORMAT}: \
         read it with the version that wrote it, or a newer one"
    )]
    Newer {
        /// Where the text comes from.
        origin: String,
        /// Its format.
        found: u64,
    },
}

impl Coded for ReadError {
    fn code(&self) -> Code {
        match self {
            Self::Io { source, .. } => Code::of_reading(source),
            Self::NotADocument { .. } => Code::NotASweep,
            Self::Newer { .. } => Code::NewerSweep,
        }
    }
}

#[derive(Deserialize)]
struct Envelope {
    format: u64,
}

/// Reads `sweep.json`, of this or an older format.
///
/// # Errors
/// When the file cannot be read, is not a document, or is of a newer format.
pub fn read(path: &Path) -> Result<SweepDocument, ReadError> {
    let text = std::fs::read_to_string(path).map_err(|source| ReadError::Io {
        path: path.to_owned(),
        source,
    })?;
    parse(&text, &path.display().to_string())
}

/// Reads the text of a document; `origin` names it in errors.
///
/// # Errors
/// When the text is not a document, or is of a newer format.
pub fn parse(text: &str, origin: &str) -> Result<SweepDocument, ReadError> {
    let not_a_document = |error: serde_json::Error| ReadError::NotADocument {
        origin: origin.to_owned(),
        reason: error.to_string(),
    };
    let Envelope { format } = serde_json::from_str(text).map_err(not_a_document)?;
    if format > u64::from(FORMAT) {
        return Err(ReadError::Newer {
            origin: origin.to_owned(),
            found: format,
        });
    }
    if format == 0 {
        return Err(ReadError::NotADocument {
            origin: origin.to_owned(),
            reason: "`format` is 0, but formats count from 1".to_owned(),
        });
    }
    serde_json::from_str(text).map_err(not_a_document)
}

pub(super) fn write(document: &SweepDocument) -> serde_json::Result<String> {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Layout::default());
    document.serialize(&mut serializer)?;
    bytes.push(b'\n');
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Objects indented by two spaces, a member a line; lists of scalars on one line.
#[derive(Default)]
struct Layout {
    depth: usize,
    /// For each open container, whether a line of its own was begun in it.
    broken: Vec<bool>,
}

impl Layout {
    fn line<W: ?Sized + std::io::Write>(&self, writer: &mut W) -> std::io::Result<()> {
        writer.write_all(b"\n")?;
        (0..self.depth).try_for_each(|_| writer.write_all(b"  "))
    }
}

impl serde_json::ser::Formatter for Layout {
    fn begin_object<W: ?Sized + std::io::Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        self.depth += 1;
        self.broken.push(false);
        writer.write_all(b"{")
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if !first {
            writer.write_all(b",")?;
        }
        if let Some(broken) = self.broken.last_mut() {
            *broken = true;
        }
        self.line(writer)
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
    ) -> std::io::Result<()> {
        writer.write_all(b": ")
    }

    fn end_object<W: ?Sized + std::io::Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        self.depth = self.depth.saturating_sub(1);
        if self.broken.pop() == Some(true) {
            self.line(writer)?;
        }
        writer.write_all(b"}")
    }

    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first {
            Ok(())
        } else {
            writer.write_all(b", ")
        }
    }
}
