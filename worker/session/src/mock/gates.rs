//! Gates: while the file of a step is in the folder, a task waits before that step. Whoever holds a
//! task so knows where it is, however slow the machine, and lets it go on by removing the file.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// How often a task that waits looks whether it may go on.
const LOOK: Duration = Duration::from_millis(2);

/// The file that holds the task of a replica which begins at `first_step` before `step`.
#[must_use]
pub fn gate(folder: &Path, replica: u32, first_step: u64, step: u64) -> PathBuf {
    folder.join(format!("{replica}-{first_step}-{step}"))
}

/// The file that a task leaves when it is over, whether it came to its end or was stopped: its
/// trainer has given all its losses by then.
#[must_use]
pub fn over(folder: &Path, replica: u32, first_step: u64) -> PathBuf {
    folder.join(format!("{replica}-{first_step}.over"))
}

/// Waits while the gate of a step is there.
pub(super) fn pass(folder: &Path, replica: u32, first_step: u64, step: u64) {
    let gate = gate(folder, replica, first_step, step);
    while gate.exists() {
        thread::sleep(LOOK);
    }
}

/// Says that a task is over.
pub(super) fn end(folder: &Path, replica: u32, first_step: u64) {
    // The folder may be gone with the test that made it.
    let _ = std::fs::write(over(folder, replica, first_step), []);
}
