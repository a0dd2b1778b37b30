//! Full verification: SQLite's own, the checksum of every row, and what belongs together.

use crate::error::Error;
use crate::folder;
use crate::record::{COLUMNS, Sweep, counter_crc, event_crc, unplace, value_crc};
use crate::schema;
use rusqlite::Connection;
use std::collections::HashMap;
use std::fmt;
use std::path::Path;

/// Problems that SQLite lists before it gives up.
const SQLITE_PROBLEMS: u32 = 100;

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Id of the sweep, or `key N` where only that is known; `None` where it is no single sweep's.
    pub sweep: Option<String>,
    /// Number of the event, where it is one.
    pub number: Option<u64>,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(sweep) = &self.sweep {
            write!(f, "sweep {}: ", sweep.escape_debug())?;
        }
        if let Some(number) = self.number {
            write!(f, "event {number}: ")?;
        }
        f.write_str(&self.what)
    }
}

/// What [`check`] has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Sweeps that were read.
    pub sweeps: u64,
    /// Events that were read.
    pub events: u64,
    /// All that is wrong, in the order of the tables; empty for a sound store.
    pub problems: Vec<Problem>,
}

/// Verifies a store without changing it, whether a coordinator has it open or not. Blocks, and reads
/// all of it.
///
/// What is lost without a trace it cannot see: events at the end of a log whose rows are gone.
///
/// # Errors
///
/// There is no store, it is newer or foreign, or nothing of it can be read. Damage is no error but a
/// [`Problem`].
pub fn check(folder: &Path) -> Result<Checked, Error> {
    let path = folder::existing(folder)?;
    let connection = schema::open_to_read(&path)?;
    let transaction = connection
        .unchecked_transaction()
        .map_err(|error| Error::of_database(&path, &error))?;
    let mut checking = Checking {
        connection: &transaction,
        sweeps: HashMap::new(),
        done: Checked::default(),
    };
    checking.run();
    Ok(checking.done)
}

struct Checking<'a> {
    connection: &'a Connection,
    sweeps: HashMap<i64, Found>,
    done: Checked,
}

/// What belongs to a sweep.
struct Found {
    id: String,
    spec: bool,
    /// Whether its row says that there is a document.
    documented: bool,
    document: bool,
    /// Number of the last event before which all are there or reported missing.
    last: u64,
}

impl Checking<'_> {
    fn run(&mut self) {
        type Step<'a> = (&'static str, fn(&mut Checking<'a>) -> rusqlite::Result<()>);
        let steps: [Step<'_>; 6] = [
            ("the database", Self::integrity),
            ("the counters", Self::counters),
            ("the sweeps", Self::sweeps),
            ("the specifications", |checking| checking.values("specs")),
            ("the documents", |checking| checking.values("documents")),
            ("the events", Self::events),
        ];
        for (what, step) in steps {
            if let Err(error) = step(self) {
                self.problem(
                    None,
                    None,
                    format!("{what} cannot be read to the end: {error}"),
                );
            }
        }
        self.belongings();
    }

    fn problem(&mut self, sweep: Option<String>, number: Option<u64>, what: impl Into<String>) {
        let what = what.into();
        self.done.problems.push(Problem {
            sweep,
            number,
            what,
        });
    }

    fn name(&self, key: i64) -> String {
        self.sweeps
            .get(&key)
            .map_or_else(|| format!("key {key}"), |found| found.id.clone())
    }

    fn integrity(&mut self) -> rusqlite::Result<()> {
        let mut statement = self
            .connection
            .prepare(&format!("PRAGMA integrity_check({SQLITE_PROBLEMS})"))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let line: String = row.get(0)?;
            if line != "ok" {
                self.problem(None, None, line);
            }
        }
        Ok(())
    }

    fn counters(&mut self) -> rusqlite::Result<()> {
        let mut statement = self
            .connection
            .prepare("SELECT name, value, crc FROM counters ORDER BY name")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let name: String = row.get(0)?;
            if row.get::<_, i64>(2)? != counter_crc(&name, row.get(1)?) {
                self.problem(
                    None,
                    None,
                    format!("the counter {name} is not as it was written"),
                );
            }
        }
        Ok(())
    }

    fn sweeps(&mut self) -> rusqlite::Result<()> {
        let mut statement = self
            .connection
            .prepare(&format!("SELECT {COLUMNS} FROM sweeps ORDER BY key"))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            self.done.sweeps += 1;
            match Sweep::read(row) {
                Ok((sweep, fits)) => {
                    if !fits {
                        let what = "its record is not as it was written";
                        self.problem(Some(sweep.id.clone()), None, what);
                    }
                    let found = Found {
                        id: sweep.id,
                        spec: false,
                        documented: sweep.documented,
                        document: false,
                        last: 0,
                    };
                    self.sweeps.insert(sweep.key, found);
                }
                Err(error) => {
                    let key: i64 = row.get(0)?;
                    let what = format!("its record cannot be read: {error}");
                    self.problem(Some(format!("key {key}")), None, what);
                }
            }
        }
        Ok(())
    }

    /// Checks `specs` or `documents`.
    fn values(&mut self, table: &str) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare(&format!(
            "SELECT sweep_key, value, crc FROM {table} ORDER BY sweep_key"
        ))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let key = row.get(0)?;
            let fits = row.get_ref(1)?.as_blob().is_ok_and(|value| {
                row.get::<_, i64>(2)
                    .is_ok_and(|crc| crc == value_crc(key, value))
            });
            if !fits {
                let what = format!("its row of {table} is not as it was written");
                self.problem(Some(self.name(key)), None, what);
            }
            match self.sweeps.get_mut(&key) {
                Some(found) if table == "specs" => found.spec = true,
                Some(found) => found.document = true,
                None => {
                    let what = format!("a row of {table} belongs to no sweep");
                    self.problem(Some(self.name(key)), None, what);
                }
            }
        }
        Ok(())
    }

    fn events(&mut self) -> rusqlite::Result<()> {
        let mut statement = self
            .connection
            .prepare("SELECT place, unix_ms, payload, crc FROM events ORDER BY place")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            self.done.events += 1;
            let place = row.get(0)?;
            let (key, number) = unplace(place);
            let fits = row.get_ref(2)?.as_blob().is_ok_and(|payload| {
                let unix_ms = row.get(1);
                let crc = row.get::<_, i64>(3);
                unix_ms.is_ok_and(|unix_ms| {
                    crc.is_ok_and(|crc| crc == event_crc(place, unix_ms, payload))
                })
            });
            if !fits {
                let what = "it is not as it was written";
                self.problem(Some(self.name(key)), Some(number), what);
            }
            let Some(found) = self.sweeps.get_mut(&key) else {
                self.problem(Some(self.name(key)), Some(number), "it belongs to no sweep");
                continue;
            };
            let expected = found.last + 1;
            found.last = number;
            if number > expected {
                let what = format!("the events {expected} to {} are missing", number - 1);
                self.problem(Some(self.name(key)), Some(expected), what);
            } else if number < expected {
                self.problem(
                    Some(self.name(key)),
                    Some(number),
                    "its number is out of order",
                );
            }
        }
        Ok(())
    }

    fn belongings(&mut self) {
        let mut keys: Vec<_> = self.sweeps.keys().copied().collect();
        keys.sort_unstable();
        for key in keys {
            let Some(found) = self.sweeps.get(&key) else {
                continue;
            };
            let id = Some(found.id.clone());
            let (spec, documented, document) = (found.spec, found.documented, found.document);
            if !spec {
                self.problem(id.clone(), None, "its specification is missing");
            }
            if documented && !document {
                self.problem(id, None, "its document is missing");
            } else if document && !documented {
                self.problem(
                    id,
                    None,
                    "it has a document that its record does not know of",
                );
            }
        }
    }
}
