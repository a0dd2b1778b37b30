//! `coordinator store`.

use super::args::{StoreArgs, StoreCommand};
use crate::cli::output::{Trouble, print};
use crate::exit;
use rangefinder_errors::Code;
use rangefinder_report::terminal;
use rangefinder_store::{Problem, Retention, check, compact, export};
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

/// Problems that are listed one by one.
const LISTED: usize = 100;

pub(in crate::cli) fn run(args: StoreArgs) -> Result<u8, Trouble> {
    match args.command {
        StoreCommand::Check { folder } => checked(&folder),
        StoreCommand::Export { folder } => exported(&folder),
        StoreCommand::Compact {
            folder,
            keep_days,
            keep_sweeps,
        } => compacted(&folder, &retention(keep_days, keep_sweeps)),
    }
}

/// Which ended sweeps are kept.
pub(super) fn retention(keep_days: Option<u32>, keep_sweeps: Option<u64>) -> Retention {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    Retention {
        max_age: keep_days.map(|days| DAY.saturating_mul(days)),
        max_ended: keep_sweeps,
    }
}

fn checked(folder: &Path) -> Result<u8, Trouble> {
    let checked = check(folder).map_err(|error| Trouble::of(&error))?;
    let sweeps = several(checked.sweeps, "sweep");
    let found = format!("{sweeps}, {}", several(checked.events, "event"));
    if checked.problems.is_empty() {
        print(&format!("{found}: all as it was written"))?;
        return Ok(exit::OK);
    }
    print(&found)?;
    Err(damage(folder, &checked.problems))
}

fn exported(folder: &Path) -> Result<u8, Trouble> {
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    let exported = export(folder, &mut stdout).map_err(|error| Trouble::of(&error))?;
    if let Err(error) = stdout.flush()
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        let text = format!("the export cannot be written to standard output: {error}");
        return Err(Trouble::new(exit::FAILED, Code::Stdout, text));
    }
    terminal::say(&format!(
        "{} and {} exported\n",
        several(exported.sweeps, "sweep"),
        several(exported.events, "event")
    ));
    if exported.problems.is_empty() {
        return Ok(exit::OK);
    }
    Err(damage(folder, &exported.problems))
}

fn damage(folder: &Path, problems: &[Problem]) -> Trouble {
    let mut text = format!(
        "{} is damaged in {}",
        folder.display(),
        several(problems.len() as u64, "place")
    );
    for problem in problems.iter().take(LISTED) {
        text.push_str(&format!("\n  {problem}"));
    }
    if problems.len() > LISTED {
        text.push_str(&format!("\n  and {} more", problems.len() - LISTED));
    }
    text.push_str(
        "\n  save what can be read with `coordinator store export`, check the disk, and begin a \
         new folder",
    );
    Trouble::new(exit::FAILED, Code::StoreDamaged, text)
}

/// A number of things.
fn several(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

fn compacted(folder: &Path, retention: &Retention) -> Result<u8, Trouble> {
    let now = jiff::Timestamp::now().as_millisecond();
    let compacted = compact(folder, retention, now).map_err(|error| Trouble::of(&error))?;
    print(&format!(
        "{} deleted; {} before, {} after",
        several(compacted.deleted, "sweep"),
        rangefinder_report::bytes(compacted.bytes_before),
        rangefinder_report::bytes(compacted.bytes_after)
    ))?;
    Ok(exit::OK)
}
