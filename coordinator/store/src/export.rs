//! All that can be read of a store, as lines of JSON, even when it is damaged.

use crate::check::Problem;
use crate::error::Error;
use crate::folder;
use crate::record::{COLUMNS, Sweep, counter_crc, event_crc, unplace, value_crc};
use crate::schema;
use rusqlite::{Connection, Row};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

/// What [`export`] has written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Sweeps.
    pub sweeps: u64,
    /// Events.
    pub events: u64,
    /// What could not be read, or is not as it was written (and is exported all the same).
    pub problems: Vec<Problem>,
}

/// One line. `damaged` ones are not as they were written.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Line<'a> {
    Counter {
        name: String,
        value: i64,
        damaged: bool,
    },
    Sweep {
        key: i64,
        id: &'a str,
        owner: &'a str,
        request_id: &'a str,
        created_ms: i64,
        ended_ms: Option<i64>,
        status: &'a str,
        summary: Option<Bytes>,
        damaged: bool,
    },
    Spec(Value<'a>),
    Document(Value<'a>),
    Event {
        /// `None`: its sweep cannot be read.
        sweep: Option<&'a str>,
        key: i64,
        number: u64,
        unix_ms: i64,
        payload: Bytes,
        damaged: bool,
    },
}

#[derive(Serialize)]
struct Value<'a> {
    /// `None`: its sweep cannot be read.
    sweep: Option<&'a str>,
    key: i64,
    value: Bytes,
    damaged: bool,
}

/// Bytes as JSON if that is what they are, else as `{"hex": "..."}`.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Bytes {
    Json(Box<RawValue>),
    Hex(String),
}

impl Bytes {
    fn new(bytes: &[u8]) -> Self {
        let json = str::from_utf8(bytes).ok().and_then(|text| {
            // Line breaks stand only between the parts of JSON, where a space means the same.
            RawValue::from_string(text.replace(['\n', '\r'], " ")).ok()
        });
        json.map_or_else(
            || {
                let mut hex = String::with_capacity(2 * bytes.len());
                for byte in bytes {
                    // Writing to a text cannot fail.
                    let _ = write!(hex, "{byte:02x}");
                }
                Self::Hex(hex)
            },
            Self::Json,
        )
    }
}

/// Writes all that can be read of a store as lines of JSON: counters, sweeps, specifications,
/// documents, events, each by ascending key. Changes nothing, and needs no closed store. Blocks.
///
/// What a coordinator has stored as JSON is written as `{"json": ...}`, digit for digit, and all
/// else as `{"hex": "..."}`. Where a table is damaged, it is read from both ends. While it runs, the
/// write-ahead log of a coordinator at work grows, as it does during [`crate::check`].
///
/// # Errors
///
/// There is no store, its database cannot be opened or is of a newer version, or `to` takes no more
/// ([`Error::Output`]). Damage is no error but a [`Problem`].
pub fn export(folder: &Path, to: &mut dyn Write) -> Result<Exported, Error> {
    let path = folder::existing(folder)?;
    let connection = match schema::open_to_read(&path) {
        Err(newer @ Error::Newer { .. }) => return Err(newer),
        // Whatever it is said to be, its tables may be there.
        Err(_) => schema::open_damaged(&path)?,
        Ok(connection) => connection,
    };
    let failed = |error: rusqlite::Error| Error::of_database(&path, &error);
    let transaction = connection.unchecked_transaction().map_err(failed)?;
    // What is in the schema says whether there is anything to read.
    transaction
        .query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
        .map_err(failed)?;
    let mut exporting = Exporting {
        connection: &transaction,
        to,
        ids: HashMap::new(),
        done: Exported::default(),
    };
    exporting.run()?;
    exporting.to.flush().map_err(|error| output(&error))?;
    Ok(exporting.done)
}

fn output(error: &dyn std::error::Error) -> Error {
    let reason = error.to_string();
    Error::Output { reason }
}

struct Exporting<'a> {
    connection: &'a Connection,
    to: &'a mut dyn Write,
    ids: HashMap<i64, String>,
    done: Exported,
}

/// Writes a row of a table whose first column is its key; the inner error says why it cannot be read.
type Each = fn(&mut Exporting<'_>, &Row<'_>) -> Result<rusqlite::Result<()>, Error>;

impl Exporting<'_> {
    fn run(&mut self) -> Result<(), Error> {
        self.counters()?;
        self.table("sweeps", "key", COLUMNS, |this, row| this.sweep(row))?;
        let value = "sweep_key, value, crc";
        self.table("specs", "sweep_key", value, |this, row| {
            this.value(row, false)
        })?;
        self.table("documents", "sweep_key", value, |this, row| {
            this.value(row, true)
        })?;
        self.table(
            "events",
            "place",
            "place, unix_ms, payload, crc",
            |this, row| this.event(row),
        )
    }

    fn problem(&mut self, what: String) {
        self.done.problems.push(Problem {
            sweep: None,
            number: None,
            what,
        });
    }

    fn line(&mut self, line: &Line<'_>) -> Result<(), Error> {
        serde_json::to_writer(&mut *self.to, line).map_err(|error| output(&error))?;
        self.to.write_all(b"\n").map_err(|error| output(&error))
    }

    fn counters(&mut self) -> Result<(), Error> {
        let counters: rusqlite::Result<Vec<(String, i64, i64)>> = self
            .connection
            .prepare("SELECT name, value, crc FROM counters ORDER BY name")
            .and_then(|mut statement| {
                statement
                    .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                    .collect()
            });
        let counters = counters.unwrap_or_else(|error| {
            self.problem(format!("the counters cannot be read: {error}"));
            Vec::new()
        });
        for (name, value, crc) in counters {
            let fits = crc == counter_crc(&name, value);
            self.damage(fits, &format!("the counter {name}"));
            self.line(&Line::Counter {
                name,
                value,
                damaged: !fits,
            })?;
        }
        Ok(())
    }

    /// Writes a table by ascending key. A row whose value cannot be read is left out; where the
    /// table itself is broken, the rest is read from its end.
    fn table(&mut self, table: &str, key: &str, columns: &str, each: Each) -> Result<(), Error> {
        let up = format!("SELECT {columns} FROM {table} WHERE {key} > ? ORDER BY {key}");
        let next = format!("SELECT {key} FROM {table} WHERE {key} > ? ORDER BY {key} LIMIT 1");
        let mut last = i64::MIN;
        loop {
            let (seen, stopped) = self.scan(&up, last, each)?;
            let Some(error) = stopped else {
                return Ok(());
            };
            last = seen;
            match self.connection.query_row(&next, [last], |row| row.get(0)) {
                Ok(broken) => {
                    let row = place_in(table, broken);
                    self.problem(format!("{row} cannot be read: {error}"));
                    last = broken;
                }
                Err(_) => {
                    let row = place_in(table, last);
                    self.problem(format!("what follows {row} cannot be read: {error}"));
                    break;
                }
            }
        }
        let down = format!("SELECT {columns} FROM {table} WHERE {key} > ? ORDER BY {key} DESC");
        self.scan(&down, last, each).map(|_| ())
    }

    /// Writes rows until their end or damage; says the key of the last one, and what stopped it.
    fn scan(
        &mut self,
        query: &str,
        after: i64,
        each: Each,
    ) -> Result<(i64, Option<rusqlite::Error>), Error> {
        let connection = self.connection;
        let mut last = after;
        let mut statement = match connection.prepare(query) {
            Ok(statement) => statement,
            Err(error) => return Ok((last, Some(error))),
        };
        let mut rows = match statement.query([after]) {
            Ok(rows) => rows,
            Err(error) => return Ok((last, Some(error))),
        };
        loop {
            match rows.next() {
                Ok(Some(row)) => {
                    match row.get(0) {
                        Ok(key) => last = key,
                        Err(error) => return Ok((last, Some(error))),
                    }
                    if let Err(error) = each(self, row)? {
                        self.problem(format!("a row with key {last} cannot be read: {error}"));
                    }
                }
                Ok(None) => return Ok((last, None)),
                Err(error) => return Ok((last, Some(error))),
            }
        }
    }

    fn sweep(&mut self, row: &Row<'_>) -> Result<rusqlite::Result<()>, Error> {
        let (sweep, fits) = match Sweep::read(row) {
            Ok(read) => read,
            Err(error) => return Ok(Err(error)),
        };
        self.done.sweeps += 1;
        self.damage(fits, &format!("the record of sweep {}", sweep.id));
        self.line(&Line::Sweep {
            key: sweep.key,
            id: &sweep.id,
            owner: &sweep.owner,
            request_id: &sweep.request_id,
            created_ms: sweep.created_ms,
            ended_ms: sweep.ended_ms,
            status: &sweep.status,
            summary: sweep.summary.as_deref().map(Bytes::new),
            damaged: !fits,
        })?;
        self.ids.insert(sweep.key, sweep.id);
        Ok(Ok(()))
    }

    fn value(&mut self, row: &Row<'_>, document: bool) -> Result<rusqlite::Result<()>, Error> {
        let read = || {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, Vec<u8>>(1)?,
                row.get::<_, i64>(2)?,
            ))
        };
        let (key, value, crc) = match read() {
            Ok(read) => read,
            Err(error) => return Ok(Err(error)),
        };
        let fits = crc == value_crc(key, &value);
        let id = self.ids.get(&key).cloned();
        let what = if document {
            "document"
        } else {
            "specification"
        };
        self.damage(fits, &format!("the {what} of {}", name(id.as_ref(), key)));
        let value = Value {
            sweep: id.as_deref(),
            key,
            value: Bytes::new(&value),
            damaged: !fits,
        };
        self.line(&if document {
            Line::Document(value)
        } else {
            Line::Spec(value)
        })?;
        Ok(Ok(()))
    }

    fn event(&mut self, row: &Row<'_>) -> Result<rusqlite::Result<()>, Error> {
        let read = || {
            let payload: Vec<u8> = row.get(2)?;
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, i64>(1)?,
                payload,
                row.get::<_, i64>(3)?,
            ))
        };
        let (place, unix_ms, payload, crc) = match read() {
            Ok(read) => read,
            Err(error) => return Ok(Err(error)),
        };
        self.done.events += 1;
        let (key, number) = unplace(place);
        let fits = crc == event_crc(place, unix_ms, &payload);
        let id = self.ids.get(&key).cloned();
        self.damage(
            fits,
            &format!("event {number} of {}", name(id.as_ref(), key)),
        );
        self.line(&Line::Event {
            sweep: id.as_deref(),
            key,
            number,
            unix_ms,
            payload: Bytes::new(&payload),
            damaged: !fits,
        })?;
        Ok(Ok(()))
    }

    fn damage(&mut self, fits: bool, what: &str) {
        if !fits {
            self.problem(format!("{what} is not as it was written"));
        }
    }
}

fn name(id: Option<&String>, key: i64) -> String {
    id.map_or_else(
        || format!("the sweep with key {key}"),
        |id| format!("sweep {id}"),
    )
}

/// A row, for people.
fn place_in(table: &str, key: i64) -> String {
    if table == "events" {
        let (key, number) = unplace(key);
        format!("event {number} of the sweep with key {key}")
    } else {
        format!("the row of {table} with key {key}")
    }
}
