//! The rows of the database, with their checksums. A row that does not fit its own is never given
//! out.

use crate::error::Error;
use crc32fast::Hasher;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use std::path::Path;

/// The status of a sweep that has not ended.
pub const ACTIVE: &str = "active";

/// The highest number of an event.
pub(crate) const LAST_NUMBER: u64 = u32::MAX as u64;

/// The bits of an event's place that are its number.
const NUMBER_BITS: u32 = 32;

/// What lists show of a sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// Its place in the order of creation; never used again.
    pub key: i64,
    /// Its id.
    pub id: String,
    /// Who it belongs to.
    pub owner: String,
    /// The request that made it; empty for none.
    pub request_id: String,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it ended, in milliseconds since 1970; `None` while it is active.
    pub ended_ms: Option<i64>,
    /// [`ACTIVE`], or how it ended.
    pub status: String,
    /// Whether its result is stored.
    pub documented: bool,
    /// What the last `End` or `Document` gave for lists.
    pub summary: Option<Vec<u8>>,
}

/// The columns of a [`Sweep`], in the order that [`Sweep::read`] takes them.
pub(crate) const COLUMNS: &str =
    "key, id, owner, request_id, created_ms, ended_ms, status, documented, summary, crc";

impl Sweep {
    fn crc(&self) -> i64 {
        Sum::new()
            .number(self.key)
            .bytes(self.id.as_bytes())
            .bytes(self.owner.as_bytes())
            .bytes(self.request_id.as_bytes())
            .number(self.created_ms)
            .option(self.ended_ms.map(i64::to_le_bytes).as_ref())
            .bytes(self.status.as_bytes())
            .number(self.documented.into())
            .option(self.summary.as_ref())
            .finish()
    }

    /// A row of [`COLUMNS`], and whether it fits its checksum.
    pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<(Self, bool)> {
        let sweep = Self {
            key: row.get(0)?,
            id: row.get(1)?,
            owner: row.get(2)?,
            request_id: row.get(3)?,
            created_ms: row.get(4)?,
            ended_ms: row.get(5)?,
            status: row.get(6)?,
            documented: row.get(7)?,
            summary: row.get(8)?,
        };
        let fits = row.get::<_, i64>(9)? == sweep.crc();
        Ok((sweep, fits))
    }

    /// The row of that id as it stands, whether it fits its checksum or not.
    pub(crate) fn find(
        connection: &Connection,
        id: &str,
    ) -> rusqlite::Result<Option<(Self, bool)>> {
        connection
            .prepare_cached(&format!("SELECT {COLUMNS} FROM sweeps WHERE id = ?"))?
            .query_row([id], Self::read)
            .optional()
    }

    /// Inserts the row; its key is the next one.
    pub(crate) fn insert(mut self, connection: &Connection) -> rusqlite::Result<i64> {
        connection
            .prepare_cached(
                "INSERT INTO sweeps (id, owner, request_id, created_ms, status, documented, crc) \
                 VALUES (?, ?, ?, ?, ?, 0, 0)",
            )?
            .execute(params![
                self.id,
                self.owner,
                self.request_id,
                self.created_ms,
                self.status
            ])?;
        self.key = connection.last_insert_rowid();
        self.update(connection)?;
        Ok(self.key)
    }

    /// Writes what may change after the creation.
    pub(crate) fn update(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "UPDATE sweeps SET ended_ms = ?, status = ?, documented = ?, summary = ?, crc = ? \
                 WHERE key = ?",
            )?
            .execute(params![
                self.ended_ms,
                self.status,
                self.documented,
                self.summary,
                self.crc(),
                self.key
            ])?;
        Ok(())
    }

    /// The row, if it fits its checksum.
    pub(crate) fn sound(path: &Path, (sweep, fits): (Self, bool)) -> Result<Self, Error> {
        if fits {
            return Ok(sweep);
        }
        let what = format!("the record of sweep {}", sweep.id.escape_debug());
        let path = path.to_owned();
        Err(Error::Damaged { path, what })
    }
}

/// Where an event of a sweep lies; number 0 lies before all of them.
pub(crate) fn place(key: i64, number: u32) -> i64 {
    (key << NUMBER_BITS) | i64::from(number)
}

/// Key of the sweep and number of the event that lie there.
pub(crate) fn unplace(place: i64) -> (i64, u64) {
    let number = place & ((1 << NUMBER_BITS) - 1);
    (place >> NUMBER_BITS, number.unsigned_abs())
}

/// The checksum of an event.
pub(crate) fn event_crc(place: i64, unix_ms: i64, payload: &[u8]) -> i64 {
    Sum::new()
        .number(place)
        .number(unix_ms)
        .bytes(payload)
        .finish()
}

/// The checksum of a specification or a document.
pub(crate) fn value_crc(key: i64, value: &[u8]) -> i64 {
    Sum::new().number(key).bytes(value).finish()
}

/// The checksum of a counter.
pub(crate) fn counter_crc(name: &str, value: i64) -> i64 {
    Sum::new().bytes(name.as_bytes()).number(value).finish()
}

/// A CRC-32 over fields: each is preceded by its length, so that no two rows look the same.
struct Sum(Hasher);

impl Sum {
    fn new() -> Self {
        Self(Hasher::new())
    }

    fn number(mut self, number: i64) -> Self {
        self.0.update(&number.to_le_bytes());
        self
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        // A length of more than 64 bits does not exist.
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    fn option(self, bytes: Option<impl AsRef<[u8]>>) -> Self {
        match bytes {
            Some(bytes) => self.bytes(bytes.as_ref()),
            None => self.number(-1),
        }
    }

    /// As the column holds it.
    fn finish(self) -> i64 {
        self.0.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_keep_sweep_and_number_apart() {
        for (key, number) in [
            (1, 0),
            (1, 1),
            (1, u32::MAX),
            (2, 0),
            (2_147_483_647, u32::MAX),
        ] {
            assert_eq!(unplace(place(key, number)), (key, number.into()));
        }
        assert!(place(1, u32::MAX) < place(2, 0));
    }
}
