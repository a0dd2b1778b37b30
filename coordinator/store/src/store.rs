//! Opening and closing a folder.

use crate::error::Error;
use crate::folder::{self, Notice};
use crate::health::Health;
use crate::index::{Index, Known};
use crate::lock::Lock;
use crate::reader::Reader;
use crate::record::{LAST_NUMBER, place, unplace};
use crate::schema;
use crate::writer::{Appender, Shared, Writer};
use rusqlite::Connection;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// How a store writes.
pub struct Options {
    /// Bytes after which a group takes no further batch.
    pub group_bytes: usize,
    /// Pause before a failed group is tried again; doubles with each failure.
    pub retry_first: Duration,
    /// The longest pause.
    pub retry_most: Duration,
    /// Called on the writer's thread with every failed attempt, and once it writes again.
    pub on_health: Box<dyn FnMut(&Health) + Send>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            group_bytes: 4 << 20,
            retry_first: Duration::from_millis(100),
            retry_most: Duration::from_secs(10),
            on_health: Box::new(|_| {}),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("group_bytes", &self.group_bytes)
            .field("retry_first", &self.retry_first)
            .field("retry_most", &self.retry_most)
            .finish_non_exhaustive()
    }
}

/// An open store; the only one on its folder.
pub struct Store {
    folder: PathBuf,
    shared: Arc<Shared>,
    writer: Option<JoinHandle<Result<(), Error>>>,
    reader: Reader,
    _lock: Lock,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.folder).finish()
    }
}

impl Store {
    /// Opens the store of a folder and starts its writer; makes both when they are not there.
    /// Blocks: it reads the number of events of every sweep.
    ///
    /// # Errors
    ///
    /// Another coordinator has it open ([`Error::InUse`]), its database is newer, foreign or
    /// damaged, or the folder cannot be used.
    pub fn open(folder: &Path, options: Options) -> Result<(Self, Vec<Notice>), Error> {
        folder::create(folder)?;
        // Absolute, so that a later change of the working folder changes nothing.
        let folder = &fs::canonicalize(folder).map_err(|error| Error::of_file(folder, &error))?;
        let (lock, left) = Lock::take(folder)?;
        let mut notices: Vec<Notice> = folder::network(folder).into_iter().collect();
        notices.extend(left.map(|holder| Notice::Unclean { holder }));
        folder::create_database(folder)?;
        let path = folder::database(folder);
        let connection = schema::open(&path).map_err(|error| folder::refine(folder, error))?;
        let index = load(&connection).map_err(|error| Error::of_database(&path, &error))?;
        let shared = Shared::new(index);
        let writer = Writer::new(Arc::clone(&shared), connection, folder, options);
        let writer = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| Error::of_file(folder, &error))?;
        let store = Self {
            folder: folder.clone(),
            shared,
            writer: Some(writer),
            reader: Reader::new(path),
            _lock: lock,
        };
        Ok((store, notices))
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What writes to it.
    #[must_use]
    pub fn appender(&self) -> Appender {
        Appender::new(Arc::clone(&self.shared))
    }

    /// What reads from it.
    #[must_use]
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// Whether what is appended reaches the disk.
    #[must_use]
    pub fn health(&self) -> Health {
        self.shared.health()
    }

    /// Tries a failed group again at once, without waiting for the end of the pause.
    pub fn retry(&self) {
        self.shared.retry();
    }

    /// Takes no more, writes all that was appended, and lets go of the folder. Blocks. Dropping a
    /// store does the same and says nothing of what it could not write.
    ///
    /// # Errors
    ///
    /// The disk does not take all; what it did not take was never acknowledged.
    pub fn shutdown(mut self) -> Result<(), Error> {
        self.close()
    }

    fn close(&mut self) -> Result<(), Error> {
        self.shared.close();
        let Some(writer) = self.writer.take() else {
            return Ok(());
        };
        writer.join().unwrap_or_else(|_| {
            Err(Error::Defect {
                path: folder::database(&self.folder),
                what: "the writer has panicked".to_owned(),
            })
        })
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // Who wants to know calls `shutdown`.
        let _ = self.close();
    }
}

/// What the appender has to know of what is there.
fn load(connection: &Connection) -> rusqlite::Result<Index> {
    let mut sweeps = connection
        .prepare("SELECT key, id, owner, request_id, ended_ms IS NOT NULL FROM sweeps")?;
    let mut last = connection.prepare(
        "SELECT place FROM events WHERE place BETWEEN ? AND ? ORDER BY place DESC LIMIT 1",
    )?;
    let mut rows = sweeps.query([])?;
    let mut index = Index::default();
    while let Some(row) = rows.next()? {
        let key = row.get(0)?;
        let request: (String, String) = (row.get(2)?, row.get(3)?);
        let mut place = last.query([place(key, 0), place(key, u32::MAX)])?;
        let number = match place.next()? {
            Some(row) => unplace(row.get(0)?).1,
            None => 0,
        };
        debug_assert!(number <= LAST_NUMBER, "a number is 32 bits of a place");
        let known = Known {
            next: number + 1,
            ended: row.get(4)?,
            request: (!request.1.is_empty()).then(|| Arc::new(request)),
        };
        index.insert(row.get(1)?, known);
    }
    Ok(index)
}
