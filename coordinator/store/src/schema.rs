//! The versions of the database, and how one becomes the next.

use crate::error::Error;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::path::Path;
use std::time::Duration;

/// What makes version n + 1 of version n; version 0 is an empty file.
const MIGRATIONS: &[&str] = &[include_str!("schema/1.sql")];

/// SQLite's field for telling one program's databases from another's: "RFst".
const APPLICATION: i64 = 0x5246_7374;

/// How long to wait for another connection's lock, which readers and the writer never hold for more
/// than moments.
const BUSY: Duration = Duration::from_secs(10);

/// Statements that a connection keeps compiled; more than there are.
const STATEMENTS: usize = 64;

/// Bytes to which the write-ahead log is cut back once a long reader has let it grow.
const LOG_BYTES: i64 = 64 << 20;

/// Pages of the log after which a commit copies them into the database. A thousand sweeps at work
/// change a thousand pages a group; with SQLite's own 1,000 each group would be copied at once.
const CHECKPOINT_PAGES: i64 = 4_000;

/// Memory for pages, in KiB: more than a group changes, or SQLite writes them twice.
const CACHE_KIB: i64 = 16 << 10;

/// Opens the database for writing, creates its tables or brings it up to this release's version.
pub(crate) fn open(path: &Path) -> Result<Connection, Error> {
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let failed = |error: rusqlite::Error| Error::of_database(path, &error);
    let found = version(path, &connection)?;
    if found == 0 {
        // Has to come before the first table; lets `compact` give pages back in place.
        connection
            .pragma_update(None, "auto_vacuum", "INCREMENTAL")
            .map_err(failed)?;
    }
    connection
        .pragma_update(None, "journal_mode", "WAL")
        .map_err(failed)?;
    connection
        .pragma_update(None, "synchronous", "FULL")
        .map_err(failed)?;
    connection
        .pragma_update(None, "journal_size_limit", LOG_BYTES)
        .map_err(failed)?;
    connection
        .pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)
        .map_err(failed)?;
    connection
        .pragma_update(None, "cache_size", -CACHE_KIB)
        .map_err(failed)?;
    migrate(&mut connection, MIGRATIONS).map_err(failed)?;
    Ok(connection)
}

/// Opens the database for reading only. The first read fails if it is not there or not ours.
pub(crate) fn open_to_read(path: &Path) -> Result<Connection, Error> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    match version(path, &connection)? {
        0 => Err(Error::Foreign {
            path: path.to_owned(),
            reason: "it is empty".to_owned(),
        }),
        _ => Ok(connection),
    }
}

/// Opens the database for reading, whatever it says that it is.
pub(crate) fn open_damaged(path: &Path) -> Result<Connection, Error> {
    connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, Error> {
    let failed = |error: rusqlite::Error| Error::of_database(path, &error);
    // Connections never serve two threads at once, so they need no locks of their own.
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// The version of a database that is ours and not newer than we are; 0 for an empty one.
fn version(path: &Path, connection: &Connection) -> Result<i64, Error> {
    let failed = |error: rusqlite::Error| Error::of_database(path, &error);
    let pragma = |name: &str| -> Result<i64, Error> {
        connection
            .pragma_query_value(None, name, |row| row.get(0))
            .map_err(failed)
    };
    let application = pragma("application_id")?;
    let found = pragma("user_version")?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(failed)?;
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    match (application, found) {
        (0, 0) if tables == 0 => Ok(0),
        (APPLICATION, 1..) if found <= known => Ok(found),
        (APPLICATION, 1..) => Err(Error::Newer {
            path: path.to_owned(),
            found,
            known,
        }),
        _ => Err(Error::Foreign {
            path: path.to_owned(),
            reason: format!("its application id is {application:#x}, its version {found}"),
        }),
    }
}

/// Applies the migrations that are missing, all in one transaction.
fn migrate(connection: &mut Connection, migrations: &[&str]) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: usize = transaction.pragma_query_value(None, "user_version", |row| {
        Ok(usize::try_from(row.get::<_, i64>(0)?).unwrap_or(0))
    })?;
    for migration in migrations.iter().skip(found) {
        transaction.execute_batch(migration)?;
    }
    if found < migrations.len() {
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(
            None,
            "user_version",
            i64::try_from(migrations.len()).unwrap_or(i64::MAX),
        )?;
        transaction.execute(
            "INSERT OR REPLACE INTO meta (name, value) VALUES ('migrated_by', ?)",
            [env!("CARGO_PKG_VERSION")],
        )?;
    }
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rangefinder_errors::{Code, Coded as _};

    fn number(connection: &Connection, pragma: &str) -> i64 {
        connection
            .pragma_query_value(None, pragma, |row| row.get(0))
            .unwrap()
    }

    #[test]
    fn commits_are_synchronous_in_a_write_ahead_log() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let connection = open(file.path()).unwrap();
        assert_eq!(number(&connection, "synchronous"), 2, "FULL");
        assert_eq!(number(&connection, "auto_vacuum"), 2, "INCREMENTAL");
        let mode: String = connection
            .pragma_query_value(None, "journal_mode", |row| row.get(0))
            .unwrap();
        assert_eq!(mode, "wal");
    }

    #[test]
    fn a_migration_is_applied_once_and_as_a_whole() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut connection = open(file.path()).unwrap();
        let bad = [
            MIGRATIONS[0],
            "CREATE TABLE extra (a); CREATE TABLE sweeps (a);",
        ];
        migrate(&mut connection, &bad).unwrap_err();
        assert_eq!(number(&connection, "user_version"), 1);
        connection.execute("SELECT * FROM extra", []).unwrap_err();
        let good = [MIGRATIONS[0], "CREATE TABLE extra (a);"];
        migrate(&mut connection, &good).unwrap();
        migrate(&mut connection, &good).unwrap();
        assert_eq!(number(&connection, "user_version"), 2);
        drop(connection);
        let error = open(file.path()).unwrap_err();
        assert_eq!(error.code(), Code::StoreNewer);
        assert!(error.to_string().contains("version 2"), "{error}");
    }

    #[test]
    fn other_databases_and_other_files_are_left_alone() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let other = Connection::open(file.path()).unwrap();
        other.execute_batch("CREATE TABLE theirs (a)").unwrap();
        drop(other);
        let before = std::fs::read(file.path()).unwrap();
        assert_eq!(open(file.path()).unwrap_err().code(), Code::StoreForeign);
        assert_eq!(std::fs::read(file.path()).unwrap(), before);
        std::fs::write(file.path(), [b'x'; 5000]).unwrap();
        assert_eq!(open(file.path()).unwrap_err().code(), Code::StoreForeign);
    }
}
