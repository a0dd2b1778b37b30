//! The file of tokens.

use jiff::Timestamp;
use rangefinder_errors::Code;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::{Token, Tokens};
use crate::{Error, Role, Secret, private};

/// Version of the file's format.
const VERSION: u32 = 1;

/// A file of tokens, such as `tokens.json` in the data folder. Its owner alone may read it. It is
/// replaced as a whole, so that a reader never sees half of it, by one writer at a time.
#[derive(Clone, Debug)]
pub struct TokenFile {
    path: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Format {
    version: u32,
    tokens: Vec<Token>,
}

/// What is read of a file of any version.
#[derive(Deserialize)]
struct AnyVersion {
    version: u32,
}

impl TokenFile {
    /// The file of that path, which need not exist yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it.
    ///
    /// # Errors
    /// When it is not there, others may read or change it, or it is damaged or of a newer release.
    pub fn load(&self) -> Result<Tokens, Error> {
        let bytes = private::read(&self.path)?;
        let damaged = |why: String| {
            Error::new(
                Code::TokensFile,
                format!("{}: {why}", self.path.display()),
                "restore it from a backup, or move it away and create tokens anew",
            )
        };
        // serde_json's messages quote values; this file's are none that may be repeated.
        let place = |error: &serde_json::Error| {
            damaged(format!(
                "is not a file of tokens (line {}, column {})",
                error.line(),
                error.column()
            ))
        };
        let AnyVersion { version } = serde_json::from_slice(&bytes).map_err(|e| place(&e))?;
        if version != VERSION {
            return Err(damaged(format!(
                "has version {version}, and this release reads version {VERSION}"
            )));
        }
        let Format { tokens, .. } = serde_json::from_slice(&bytes).map_err(|e| place(&e))?;
        let mut set = Tokens::default();
        for token in tokens {
            if let Err(error) = set.check_name(token.role, &token.name) {
                return Err(damaged(error.message));
            }
            let id = token.id.clone();
            if set.by_id.insert(id.clone(), token).is_some() {
                return Err(damaged(format!("has token {id} twice")));
            }
        }
        Ok(set)
    }

    /// Makes a token and writes it down; the file too, where there is none.
    ///
    /// # Errors
    /// As [`Tokens::create`], and when the file cannot be read or written.
    pub fn create(
        &self,
        role: Role,
        name: &str,
        expires: Option<Timestamp>,
    ) -> Result<(Token, Secret), Error> {
        self.change(|tokens| tokens.create(role, name, expires, Timestamp::now()))
    }

    /// Revokes the token of that id, or else all tokens of that name, and gives them.
    ///
    /// # Errors
    /// As [`Tokens::revoke`], and when the file cannot be read or written.
    pub fn revoke(&self, which: &str) -> Result<Vec<Token>, Error> {
        self.change(|tokens| tokens.revoke(which, Timestamp::now()))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Tokens) -> Result<T, Error>) -> Result<T, Error> {
        let writing = |error: io::Error| {
            Error::new(
                Code::Unwritable,
                format!("{}: cannot be written: {error}", self.path.display()),
                "give yourself the right to write in its folder, or name another file",
            )
        };
        // Two writers at once would each lose what the other wrote. The lock goes with its file
        // handle, however the process ends.
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(self.beside(".lock"))
            .map_err(writing)?;
        lock.lock().map_err(writing)?;
        let mut tokens = match self.load() {
            Err(error) if error.code == Code::NoSuchFile => Tokens::default(),
            other => other?,
        };
        let result = change(&mut tokens)?;
        self.store(&tokens).map_err(writing)?;
        Ok(result)
    }

    fn store(&self, tokens: &Tokens) -> io::Result<()> {
        let format = Format {
            version: VERSION,
            tokens: tokens.list().into_iter().cloned().collect(),
        };
        // Such a file is born with rights for its owner only.
        let mut file = tempfile::NamedTempFile::new_in(self.folder())?;
        serde_json::to_writer_pretty(&mut file, &format)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(&self.path)?;
        File::open(self.folder())?.sync_all()
    }

    fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(suffix);
        name.into()
    }
}
