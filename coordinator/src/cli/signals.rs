//! Ctrl-C and SIGTERM cancel the sweep, a second one ends the process at once; a lost terminal is
//! no reason to stop.

use crate::exit;
use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Signals that ask for an end.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Takes over the signals of this process.
    pub(super) fn install() -> io::Result<Self> {
        // Once tokio handles a signal it never ends the process again, listener or not.
        drop(signal(SignalKind::hangup())?);
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Cancels at the first signal; ends the process at the second. The workers end when the
    /// process is gone.
    pub(super) async fn watch(mut self, cancel: CancellationToken) {
        self.next().await;
        cancel.cancel();
        self.next().await;
        std::process::exit(i32::from(exit::CANCELLED));
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
