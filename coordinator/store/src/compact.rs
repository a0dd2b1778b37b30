//! Deleting what is not kept, and giving its room back to the disk.

use crate::apply::apply;
use crate::change::Change;
use crate::error::Error;
use crate::folder;
use crate::lock::Lock;
use crate::reader::{Retention, expired};
use crate::schema;
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

/// Sweeps that are deleted in one transaction.
const GROUP: usize = 16;

/// What [`compact`] has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Sweeps that were deleted.
    pub deleted: u64,
    /// Bytes of the database before.
    pub bytes_before: u64,
    /// Bytes of the database after.
    pub bytes_after: u64,
}

/// Deletes the sweeps that are not to be kept any longer and gives all free room back to the disk.
/// Blocks. `now_ms` is in milliseconds since 1970.
///
/// A live store needs none of this: it deletes with [`Change::Delete`], and what that frees is
/// written to before the file grows. Only the file does not become smaller by itself.
///
/// # Errors
///
/// There is no store, a coordinator has it open, it cannot be opened, or the disk does not take
/// what has to be written.
pub fn compact(folder: &Path, retention: &Retention, now_ms: i64) -> Result<Compacted, Error> {
    let path = folder::existing(folder)?;
    let (_lock, _) = Lock::take(folder)?;
    let mut connection = schema::open(&path)?;
    run(&mut connection, retention, now_ms)
        .map_err(|error| folder::refine(folder, Error::of_database(&path, &error)))
}

fn run(
    connection: &mut Connection,
    retention: &Retention,
    now_ms: i64,
) -> rusqlite::Result<Compacted> {
    let mut done = Compacted {
        bytes_before: bytes(connection)?,
        ..Compacted::default()
    };
    loop {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let sweeps = expired(&transaction, retention, now_ms, GROUP)?;
        if sweeps.is_empty() {
            break;
        }
        for sweep in sweeps {
            apply(&transaction, &Change::Delete { sweep })?;
            done.deleted += 1;
        }
        transaction.commit()?;
    }
    finish(connection, "PRAGMA incremental_vacuum")?;
    finish(connection, "PRAGMA wal_checkpoint(TRUNCATE)")?;
    done.bytes_after = bytes(connection)?;
    Ok(done)
}

/// Runs a statement whose every row is a part of its work.
fn finish(connection: &Connection, statement: &str) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(statement)?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}

fn bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let pragma = |name: &str| {
        connection
            .pragma_query_value(None, name, |row| row.get(0))
            .map(i64::unsigned_abs)
    };
    Ok(pragma("page_size")? * pragma("page_count")?)
}
