//! Changes as rows.

use crate::change::Change;
use crate::record::{ACTIVE, Sweep, counter_crc, event_crc, place, value_crc};
use rusqlite::{Connection, Error, Result, params};

/// Writes one change. Whether it fits was seen when it was appended.
pub(crate) fn apply(connection: &Connection, change: &Change) -> Result<()> {
    match change {
        Change::Create {
            id,
            owner,
            request_id,
            unix_ms,
            spec,
        } => {
            let sweep = Sweep {
                key: 0,
                id: id.clone(),
                owner: owner.clone(),
                request_id: request_id.clone(),
                created_ms: *unix_ms,
                ended_ms: None,
                status: ACTIVE.to_owned(),
                documented: false,
                summary: None,
            };
            let key = sweep.insert(connection)?;
            connection
                .prepare_cached("INSERT INTO specs (sweep_key, value, crc) VALUES (?, ?, ?)")?
                .execute(params![key, spec, value_crc(key, spec)])?;
        }
        Change::Event {
            sweep,
            number,
            unix_ms,
            payload,
        } => {
            let place = place(key(connection, sweep)?, number32(*number)?);
            let crc = event_crc(place, *unix_ms, payload);
            connection
                .prepare_cached(
                    "INSERT INTO events (place, unix_ms, payload, crc) VALUES (?, ?, ?, ?)",
                )?
                .execute(params![place, unix_ms, payload, crc])?;
        }
        Change::End {
            sweep,
            unix_ms,
            status,
            summary,
        } => {
            let mut sweep = find(connection, sweep)?;
            sweep.ended_ms = Some(*unix_ms);
            sweep.status.clone_from(status);
            sweep.summary = Some(summary.clone());
            sweep.update(connection)?;
        }
        Change::Document {
            sweep,
            summary,
            document,
        } => {
            let mut sweep = find(connection, sweep)?;
            sweep.documented = true;
            sweep.summary = Some(summary.clone());
            sweep.update(connection)?;
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO documents (sweep_key, value, crc) VALUES (?, ?, ?)",
                )?
                .execute(params![sweep.key, document, value_crc(sweep.key, document)])?;
        }
        Change::Delete { sweep } => {
            let key = key(connection, sweep)?;
            let bounds = [place(key, 0), place(key, u32::MAX)];
            connection
                .prepare_cached("DELETE FROM events WHERE place BETWEEN ? AND ?")?
                .execute(bounds)?;
            for delete in [
                "DELETE FROM documents WHERE sweep_key = ?",
                "DELETE FROM specs WHERE sweep_key = ?",
                "DELETE FROM sweeps WHERE key = ?",
            ] {
                connection.prepare_cached(delete)?.execute([key])?;
            }
        }
        Change::Counter { name, value } => {
            let value = i64::try_from(*value).map_err(too_large)?;
            connection
                .prepare_cached(
                    "INSERT INTO counters (name, value, crc) VALUES (?1, ?2, ?3) \
                     ON CONFLICT (name) DO UPDATE SET value = ?2, crc = ?3 WHERE value < ?2",
                )?
                .execute(params![name, value, counter_crc(name, value)])?;
        }
    }
    Ok(())
}

/// The row of a sweep that is to change. One that does not fit its checksum is not given a new one,
/// which would hide the damage.
fn find(connection: &Connection, id: &str) -> Result<Sweep> {
    match Sweep::find(connection, id)? {
        Some((sweep, true)) => Ok(sweep),
        Some((_, false)) => Err(Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT),
            Some(format!("the record of sweep {id}")),
        )),
        None => Err(Error::QueryReturnedNoRows),
    }
}

fn key(connection: &Connection, id: &str) -> Result<i64> {
    connection
        .prepare_cached("SELECT key FROM sweeps WHERE id = ?")?
        .query_row([id], |row| row.get(0))
}

fn number32(number: u64) -> Result<u32> {
    u32::try_from(number).map_err(too_large)
}

fn too_large(error: std::num::TryFromIntError) -> Error {
    Error::ToSqlConversionFailure(error.into())
}
