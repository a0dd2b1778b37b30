//! The tables in `docs/reliability.md`, which the suite writes.

use crate::Result;
use crate::bench::Bench;
use crate::matrix::{Cell, DOWNTIMES, Downtime, FAULTS, Fault, POINTS, Point};
use crate::stories::STORIES;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the tables begin and end.
const BEGIN: &str = "<!-- The tables below are written by `make chaos WRITE=1`. -->\n";
const END: &str = "<!-- End of what is written. -->\n";

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reliability.md")
}

fn fault(fault: Fault) -> &'static str {
    match fault {
        Fault::CoordinatorKilled => "coordinator: SIGKILL",
        Fault::CoordinatorStopped => "coordinator: SIGSTOP",
        Fault::WorkerKilled => "worker: SIGKILL",
        Fault::WorkerStopped => "worker: SIGSTOP",
        Fault::NetworkCut => "network: cut",
        Fault::NetworkSilent => "network: silent",
    }
}

fn point(point: Point) -> &'static str {
    match point {
        Point::BeforeGrant => "before the grant",
        Point::Granted => "granted",
        Point::MidWarmUp => "mid-warm-up",
        Point::MidSegment => "mid-segment",
        Point::FinishedUnsent => "finished, unsent",
        Point::SentUnacknowledged => "sent, unacknowledged",
        Point::DuringCancel => "during cancel",
        Point::DuringDrain => "during drain",
    }
}

fn downtime(downtime: Downtime) -> &'static str {
    match downtime {
        Downtime::None => "none",
        Downtime::Shorter => "shorter than a lease",
        Downtime::Longer => "longer than a lease",
    }
}

/// The tables; `entry` is what stands for a cell.
fn tables(entry: impl Fn(Cell) -> String) -> String {
    let mut text = BEGIN.to_owned();
    text.push_str("\n| fault | downtime |");
    for at in POINTS {
        let _ = write!(text, " {} |", point(at));
    }
    text.push_str("\n|---|---|---|---|---|---|---|---|---|---|\n");
    for what in FAULTS {
        for long in DOWNTIMES.into_iter().filter(|long| what.can_last(*long)) {
            let _ = write!(text, "| {} | {} |", fault(what), downtime(long));
            for at in POINTS {
                let cell = Cell {
                    fault: what,
                    point: at,
                    downtime: long,
                };
                let _ = write!(text, " {} |", entry(cell));
            }
            text.push('\n');
        }
    }
    text.push_str("\n| story | what it shows |\n|---|---|\n");
    for (name, shows, _) in STORIES {
        let _ = writeln!(text, "| `{name}` | {shows} |");
    }
    text.push('\n');
    text.push_str(END);
    text
}

/// The page in three parts: before the tables, the tables, after them.
fn parts(page: &str) -> Result<(&str, &str, &str)> {
    let begin = page.find(BEGIN).ok_or("docs/reliability.md has no place for the tables")?;
    let end = page.find(END).ok_or("docs/reliability.md does not say where the tables end")?;
    let end = end + END.len();
    Ok((&page[..begin], &page[begin..end], &page[end..]))
}

/// Writes the tables of a run of all cells.
///
/// # Errors
/// When a cell has not passed, or the page cannot be written.
pub fn write(bench: &Bench) -> Result {
    let results = bench.results();
    for cell in crate::matrix::cells() {
        if !results.contains_key(&cell.to_string()) {
            return Err(format!("{cell} has not passed: the tables stay as they are").into());
        }
    }
    let entry = |cell: Cell| match results.get(&cell.to_string()) {
        Some(attempts) => attempts.to_string(),
        None => String::new(),
    };
    let before = fs::read_to_string(page())?;
    let (head, _, tail) = parts(&before)?;
    Ok(fs::write(page(), format!("{head}{}{tail}", tables(entry)))?)
}

/// Holds the page to the matrix: each cell has its entry, which lies within what it may cost, and
/// each story is told.
///
/// # Errors
/// When it is not so; with what to do.
pub fn check() -> Result {
    let text = fs::read_to_string(page())?;
    let (_, found, _) = parts(&text)?;
    // Entries are numbers: all else must be as it is written now.
    let written: Vec<_> = entries(found);
    let mut left = written.into_iter();
    let mut wrong = BTreeMap::new();
    let expected = {
        let left = std::cell::RefCell::new(&mut left);
        let wrong = std::cell::RefCell::new(&mut wrong);
        tables(|cell| {
            let entry = left.borrow_mut().next().unwrap_or_default();
            let attempts = entry.parse::<usize>();
            if !attempts.is_ok_and(|attempts| cell.attempts().contains(&attempts)) {
                wrong.borrow_mut().insert(cell.to_string(), entry.clone());
            }
            entry
        })
    };
    if found == expected && wrong.is_empty() && left.next().is_none() {
        return Ok(());
    }
    Err(format!(
        "docs/reliability.md does not show the matrix: wrong entries {wrong:?}; write it with \
         `make chaos WRITE=1`"
    )
    .into())
}

/// The entries of the matrix, row by row.
fn entries(tables: &str) -> Vec<String> {
    let rows = tables.lines().filter(|line| line.starts_with("| ") && line.contains(": "));
    let columns = rows.flat_map(|row| row.trim_matches('|').split('|').skip(2));
    columns.map(|entry| entry.trim().to_owned()).collect()
}
