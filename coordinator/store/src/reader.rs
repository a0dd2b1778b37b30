//! What can be read, also while the writer writes: each answer is of one moment.

use crate::error::Error;
use crate::folder;
use crate::record::{COLUMNS, Sweep, counter_crc, event_crc, place, unplace, value_crc};
use crate::schema;
use rusqlite::{Connection, OptionalExtension as _, Params, params};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Connections that are kept open while nobody reads.
const KEPT: usize = 8;

/// An event of a sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number, from 1.
    pub number: u64,
    /// When, in milliseconds since 1970.
    pub unix_ms: i64,
    /// What happened.
    pub payload: Vec<u8>,
}

/// Which sweeps a list shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those of this owner.
    pub owner: Option<String>,
    /// Only those with one of these; empty for all. [`crate::ACTIVE`] is one.
    pub statuses: Vec<String>,
    /// Only those made at this time or later, in milliseconds since 1970.
    pub from_ms: Option<i64>,
    /// Only those made before this time.
    pub until_ms: Option<i64>,
}

/// Where a sweep stands in lists, which show the highest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// Its place in the order of creation.
    pub key: i64,
}

impl Sweep {
    /// Where it stands in lists.
    #[must_use]
    pub fn position(&self) -> Position {
        Position {
            created_ms: self.created_ms,
            key: self.key,
        }
    }
}

/// Which ended sweeps are kept. Without limits, all are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// For how long after their end.
    pub max_age: Option<Duration>,
    /// How many: the last that ended.
    pub max_ended: Option<u64>,
}

/// How much is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Sweeps by status.
    pub sweeps: BTreeMap<String, u64>,
    /// Bytes of the database, without its write-ahead log.
    pub bytes: u64,
    /// Bytes of it that are free and will be written to first.
    pub free_bytes: u64,
}

/// Reads a store on connections of its own; cheap to clone. All its methods block.
///
/// Every method fails when the database cannot be read ([`Error::Failing`]) or when a row is not as
/// it was written ([`Error::Damaged`], which names it).
#[derive(Clone)]
pub struct Reader {
    pool: Arc<Pool>,
}

struct Pool {
    path: PathBuf,
    free: Mutex<Vec<Connection>>,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reader").field(&self.pool.path).finish()
    }
}

impl Reader {
    pub(crate) fn new(path: PathBuf) -> Self {
        let free = Mutex::default();
        let pool = Arc::new(Pool { path, free });
        Self { pool }
    }

    /// Reads the store of a folder without opening it for writing, whether a coordinator has it
    /// open or not.
    ///
    /// # Errors
    ///
    /// There is no store, or it is newer, foreign or cannot be read.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let path = folder::existing(folder)?;
        let reader = Self::new(path);
        reader.read(|_| Ok(()))?;
        Ok(reader)
    }

    /// A sweep, by its id.
    pub fn sweep(&self, id: &str) -> Result<Option<Sweep>, Error> {
        self.read(|connection| self.one(connection, "WHERE id = ?", [id]))
    }

    /// The sweep that a request of an owner has made.
    pub fn by_request(&self, owner: &str, request_id: &str) -> Result<Option<Sweep>, Error> {
        // The index holds no empty requests, and serves only those who say that they want none.
        let which = "WHERE owner = ? AND request_id = ? AND request_id <> ''";
        self.read(|connection| self.one(connection, which, [owner, request_id]))
    }

    /// What the sweep was created with.
    pub fn spec(&self, id: &str) -> Result<Option<Vec<u8>>, Error> {
        self.value("specs", "specification", id)
    }

    /// The result of the sweep, if it has one.
    pub fn document(&self, id: &str) -> Result<Option<Vec<u8>>, Error> {
        self.value("documents", "document", id)
    }

    /// All sweeps that have not ended, oldest first.
    pub fn active(&self) -> Result<Vec<Sweep>, Error> {
        let which = "INDEXED BY sweeps_by_status WHERE status = 'active' ORDER BY created_ms, key";
        self.read(|connection| self.many(connection, which, []))
    }

    /// All sweeps that have ended and have no document: it is still to be made from their events.
    pub fn ended_without_document(&self) -> Result<Vec<Sweep>, Error> {
        let which = "INDEXED BY sweeps_undocumented \
                     WHERE ended_ms IS NOT NULL AND documented = 0 ORDER BY key";
        self.read(|connection| self.many(connection, which, []))
    }

    /// Up to `limit` sweeps that the filter lets through, newest first, those after a position
    /// only; the next page begins after the position of the last one.
    pub fn list(
        &self,
        filter: &Filter,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Sweep>, Error> {
        let below = [after, filter.until_ms.map(before)];
        let below = below.into_iter().flatten().min();
        let mut statuses: Vec<Option<&String>> = filter.statuses.iter().map(Some).collect();
        statuses.sort_unstable();
        statuses.dedup();
        if statuses.is_empty() {
            statuses.push(None);
        }
        self.read(|connection| {
            // Each status has an index of its own in this order; the pages of all are merged.
            let mut page = Vec::new();
            for status in statuses {
                let which = list_query(filter.owner.is_some(), status.is_some());
                page.extend(self.many(
                    connection,
                    &which,
                    params![
                        filter.owner.as_deref().unwrap_or_default(),
                        status.map_or("", String::as_str),
                        below.map_or(i64::MAX, |position| position.created_ms),
                        below.map_or(i64::MAX, |position| position.key),
                        filter.from_ms.unwrap_or(i64::MIN),
                        sql_limit(limit),
                    ],
                )?);
            }
            page.sort_unstable_by_key(|sweep| std::cmp::Reverse(sweep.position()));
            page.truncate(limit);
            Ok(page)
        })
    }

    /// Up to `limit` events of a sweep, from a number on; none if there is no such sweep.
    pub fn events(&self, id: &str, from_number: u64, limit: usize) -> Result<Vec<Event>, Error> {
        let from_number = from_number.max(1);
        let Ok(from) = u32::try_from(from_number) else {
            return Ok(Vec::new());
        };
        self.read(|connection| {
            let Some(key) = self.key(connection, id)? else {
                return Ok(Vec::new());
            };
            let mut statement = connection
                .prepare_cached(
                    "SELECT place, unix_ms, payload, crc FROM events \
                     WHERE place BETWEEN ? AND ? ORDER BY place LIMIT ?",
                )
                .map_err(|error| self.failed(&error))?;
            let bounds = params![place(key, from), place(key, u32::MAX), sql_limit(limit)];
            let rows = statement
                .query_map(bounds, |row| {
                    let (place, unix_ms) = (row.get(0)?, row.get(1)?);
                    let payload: Vec<u8> = row.get(2)?;
                    let fits = row.get::<_, i64>(3)? == event_crc(place, unix_ms, &payload);
                    let number = unplace(place).1;
                    let event = Event {
                        number,
                        unix_ms,
                        payload,
                    };
                    Ok((event, fits))
                })
                .map_err(|error| self.failed(&error))?;
            let mut events = Vec::new();
            for (row, expected) in rows.zip(from_number..) {
                let (event, fits) = row.map_err(|error| self.failed(&error))?;
                if event.number != expected {
                    return Err(self.damaged(format!("event {expected} of sweep {id} is missing")));
                }
                if !fits {
                    return Err(self.damaged(format!("event {expected} of sweep {id}")));
                }
                events.push(event);
            }
            Ok(events)
        })
    }

    /// All counters.
    pub fn counters(&self) -> Result<BTreeMap<String, u64>, Error> {
        self.read(|connection| {
            let rows: rusqlite::Result<Vec<(String, i64, i64)>> = connection
                .prepare_cached("SELECT name, value, crc FROM counters")
                .and_then(|mut statement| {
                    statement
                        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                        .collect()
                });
            rows.map_err(|error| self.failed(&error))?
                .into_iter()
                .map(|(name, value, crc)| match u64::try_from(value) {
                    Ok(unsigned) if crc == counter_crc(&name, value) => Ok((name, unsigned)),
                    _ => Err(self.damaged(format!("the counter {name}"))),
                })
                .collect()
        })
    }

    /// How much is stored.
    pub fn counts(&self) -> Result<Counts, Error> {
        self.read(|connection| {
            let pragma = |name: &str| {
                connection
                    .pragma_query_value(None, name, |row| row.get(0))
                    .map(i64::unsigned_abs)
                    .map_err(|error| self.failed(&error))
            };
            let page = pragma("page_size")?;
            Ok(Counts {
                sweeps: self.totals(
                    connection,
                    "SELECT status, count(*) FROM sweeps INDEXED BY sweeps_by_status GROUP BY status",
                )?,
                bytes: page * pragma("page_count")?,
                free_bytes: page * pragma("freelist_count")?,
            })
        })
    }

    /// Ids of up to `limit` sweeps that are not to be kept any longer, the first that ended first.
    /// `now_ms` is in milliseconds since 1970.
    pub fn expired(
        &self,
        retention: &Retention,
        now_ms: i64,
        limit: usize,
    ) -> Result<Vec<String>, Error> {
        self.read(|connection| {
            expired(connection, retention, now_ms, limit).map_err(|error| self.failed(&error))
        })
    }

    /// Runs statements that see the store at one moment.
    fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        let kept = self.free().pop();
        let connection = match kept {
            Some(connection) => connection,
            None => schema::open_to_read(&self.pool.path)?,
        };
        let transaction = connection
            .unchecked_transaction()
            .map_err(|error| self.failed(&error))?;
        let result = read(&transaction);
        drop(transaction);
        let mut free = self.free();
        if result.is_ok() && free.len() < KEPT {
            free.push(connection);
        }
        result
    }

    fn free(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.pool
            .free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, error: &rusqlite::Error) -> Error {
        Error::of_database(&self.pool.path, error)
    }

    fn damaged(&self, what: String) -> Error {
        let path = self.pool.path.clone();
        Error::Damaged { path, what }
    }

    fn many(
        &self,
        connection: &Connection,
        which: &str,
        params: impl Params,
    ) -> Result<Vec<Sweep>, Error> {
        let rows: rusqlite::Result<Vec<_>> = connection
            .prepare_cached(&format!("SELECT {COLUMNS} FROM sweeps {which}"))
            .and_then(|mut statement| statement.query_map(params, Sweep::read)?.collect());
        rows.map_err(|error| self.failed(&error))?
            .into_iter()
            .map(|row| Sweep::sound(&self.pool.path, row))
            .collect()
    }

    fn one(
        &self,
        connection: &Connection,
        which: &str,
        params: impl Params,
    ) -> Result<Option<Sweep>, Error> {
        Ok(self.many(connection, which, params)?.pop())
    }

    fn key(&self, connection: &Connection, id: &str) -> Result<Option<i64>, Error> {
        connection
            .prepare_cached("SELECT key FROM sweeps WHERE id = ?")
            .and_then(|mut statement| statement.query_row([id], |row| row.get(0)).optional())
            .map_err(|error| self.failed(&error))
    }

    fn value(&self, table: &str, what: &str, id: &str) -> Result<Option<Vec<u8>>, Error> {
        self.read(|connection| {
            let Some(key) = self.key(connection, id)? else {
                return Ok(None);
            };
            let row: Option<(Vec<u8>, i64)> = connection
                .prepare_cached(&format!(
                    "SELECT value, crc FROM {table} WHERE sweep_key = ?"
                ))
                .and_then(|mut statement| {
                    statement
                        .query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))
                        .optional()
                })
                .map_err(|error| self.failed(&error))?;
            match row {
                Some((value, crc)) if value_crc(key, &value) != crc => {
                    Err(self.damaged(format!("the {what} of sweep {id}")))
                }
                row => Ok(row.map(|(value, _)| value)),
            }
        })
    }

    fn totals(&self, connection: &Connection, query: &str) -> Result<BTreeMap<String, u64>, Error> {
        connection
            .prepare_cached(query)
            .and_then(|mut statement| {
                statement
                    .query_map([], |row| {
                        Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
                    })?
                    .collect()
            })
            .map_err(|error| self.failed(&error))
    }
}

/// The position that all sweeps made before a time are below.
fn before(created_ms: i64) -> Position {
    let key = i64::MIN;
    Position { created_ms, key }
}

/// The rest of a list's query, served in order by one index whatever is asked for. Its parameters:
/// owner, status, the position that all are below, the earliest time, and how many.
fn list_query(owner: bool, status: bool) -> String {
    let (index, equal) = match (owner, status) {
        (false, false) => ("sweeps_by_time", ""),
        (true, false) => ("sweeps_by_owner", "owner = ?1 AND "),
        (false, true) => ("sweeps_by_status", "status = ?2 AND "),
        (true, true) => (
            "sweeps_by_owner_and_status",
            "owner = ?1 AND status = ?2 AND ",
        ),
    };
    format!(
        "INDEXED BY {index} WHERE {equal}(created_ms, key) < (?3, ?4) AND created_ms >= ?5 \
         ORDER BY created_ms DESC, key DESC LIMIT ?6"
    )
}

fn sql_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// What [`Reader::expired`] gives, on any connection.
pub(crate) fn expired(
    connection: &Connection,
    retention: &Retention,
    now_ms: i64,
    limit: usize,
) -> rusqlite::Result<Vec<String>> {
    const ENDED: &str = "FROM sweeps INDEXED BY sweeps_by_end WHERE ended_ms IS NOT NULL";
    let count = |and: &str, params: &[&dyn rusqlite::ToSql]| -> rusqlite::Result<i64> {
        connection
            .prepare_cached(&format!("SELECT count(*) {ENDED} {and}"))?
            .query_row(params, |row| row.get(0))
    };
    // Both limits let go of those that ended first.
    let mut many = 0;
    if let Some(age) = retention.max_age {
        let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        many = count("AND ended_ms < ?", &[&now_ms.saturating_sub(age)])?;
    }
    if let Some(max) = retention.max_ended {
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        many = many.max(count("", &[])?.saturating_sub(max));
    }
    connection
        .prepare_cached(&format!("SELECT id {ENDED} ORDER BY ended_ms, key LIMIT ?"))?
        .query_map([many.min(sql_limit(limit))], |row| row.get(0))?
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_off_an_index_in_its_order() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let connection = schema::open(file.path()).unwrap();
        for (owner, status) in [(false, false), (true, false), (false, true), (true, true)] {
            let query = list_query(owner, status);
            let plan: Vec<String> = connection
                .prepare(&format!(
                    "EXPLAIN QUERY PLAN SELECT {COLUMNS} FROM sweeps {query}"
                ))
                .unwrap()
                .query_map(params!["", "", 0, 0, 0, 0], |row| row.get(3))
                .unwrap()
                .collect::<rusqlite::Result<_>>()
                .unwrap();
            assert_eq!(plan.len(), 1, "no sorting: {plan:?}");
            assert!(plan[0].starts_with("SEARCH sweeps USING INDEX"), "{plan:?}");
        }
    }
}
