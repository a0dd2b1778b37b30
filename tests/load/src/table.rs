//! What was measured, as the tables of `docs/benchmarks.md`.

use crate::latency::Quantiles;
use crate::ramp::Level;
use crate::stored::Stored;
use std::fmt::Write as _;

/// A table of levels of load, a row each.
#[must_use]
pub fn levels(levels: &[Level]) -> String {
    let mut table = String::from(
        "| workers | observations/s, offered | acknowledged | ack p50, ms | p99 | max | list and get p99, ms | coordinator MB | its cores | generator's cores | stored bytes an observation |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for level in levels {
        let ack = &level.acknowledged_after;
        // Writing to a String does not fail.
        let _ = writeln!(
            table,
            "| {}{} | {:.0} | {:.0} | {:.1} | {:.1} | {:.0} | {:.1}, {:.1} | {:.0} | {:.2} | {:.2} | {:.0} |",
            level.workers,
            if level.broken { " (breaks)" } else { "" },
            level.offered_per_second,
            level.achieved_per_second,
            ack.p50_ms,
            ack.p99_ms,
            ack.max_ms,
            level.listed_in.p99_ms,
            level.got_in.p99_ms,
            megabytes(level.coordinator_rss_bytes),
            level.coordinator_cores,
            level.generator_cores,
            level.stored_bytes_per_observation,
        );
    }
    table
}

/// A table of a store's figures, a row each.
#[must_use]
pub fn stored(stored: &Stored) -> String {
    let mut table = format!(
        "| {} finished sweeps, {:.0} MB | p50, ms | p99, ms |\n|---|---|---|\n",
        stored.sweeps,
        megabytes(stored.bytes)
    );
    let rows: [(&str, &Quantiles); 6] = [
        ("`ListSweeps`, the first 100", &stored.first_page),
        (
            "`ListSweeps`, 100 after nine tenths of all",
            &stored.deep_page,
        ),
        ("`ListSweeps`, of one owner", &stored.by_owner),
        ("`ListSweeps`, of those that failed", &stored.by_state),
        ("`GetSweep`", &stored.get),
        ("`GetSweep` with its document", &stored.get_document),
    ];
    for (what, took) in rows {
        let _ = writeln!(
            table,
            "| {what} | {:.2} | {:.2} |",
            took.p50_ms, took.p99_ms
        );
    }
    let _ = write!(
        table,
        "\nFrom the start of the process until `/readyz`: {:.0} ms. Most memory: {:.0} MB.\n",
        stored.start_ms,
        megabytes(stored.coordinator_rss_bytes)
    );
    table
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
