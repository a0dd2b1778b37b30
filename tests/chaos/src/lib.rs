//! Chaos: a real coordinator, real workers, and a network between them, killed, stopped and cut off
//! at chosen points of a sweep. What comes out is compared with an undisturbed run, bit for bit.
//!
//! - [`matrix`]: the cells: which fault, at which point, for how long; and what each may cost.
//! - [`cell`](mod@cell): runs one cell. [`stories`]: faults that fit no matrix.
//! - [`check`]: what must hold at the end of each.
//! - [`bench`](mod@bench): what the cells of one run share: programs, tokens, undisturbed runs, results.
//! - [`cluster`]: a coordinator and its workers, each behind a [`proxy`]; [`program`]: one process.
//! - [`sweeps`]: the sweeps that are run. [`gates`]: holds their tasks at a step.
//! - [`watching`]: the events of a sweep, over any number of connections.
//! - [`report`]: the table in `docs/reliability.md`.
//!
//! Points are reached by observing: a gate in the trainer, the events of the sweep, a direction of
//! the network that is held. Only the length of an outage is measured in time, for it is the fault.

pub mod bench;
pub mod cell;
pub mod check;
pub mod cluster;
pub mod gates;
pub mod matrix;
pub mod program;
pub mod proxy;
pub mod report;
pub mod stories;
pub mod sweeps;
pub mod watching;

use libtest_mimic::Failed;
use std::time::Duration;

/// Why a cell fails, in words.
pub type Result<T = ()> = std::result::Result<T, Failed>;

/// How long anything may take that is waited for; a cell that waits longer has failed.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Waits until a condition that nothing announces comes to hold.
///
/// # Errors
/// After [`DEADLINE`], naming what was waited for.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> Result<bool>) -> Result {
    let waiting = async {
        let mut looks = tokio::time::interval(Duration::from_millis(5));
        loop {
            looks.tick().await;
            if holds().await? {
                return Ok(());
            }
        }
    };
    in_time(what, waiting).await?
}

/// What a future brings, if it does so in time.
///
/// # Errors
/// After [`DEADLINE`], naming what was waited for.
pub async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> Result<T> {
    let outcome = tokio::time::timeout(DEADLINE, future).await;
    outcome.map_err(|_| format!("waited for {} s until {what}", DEADLINE.as_secs()).into())
}
