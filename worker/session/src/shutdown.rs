//! How a worker process learns that it should end.

use std::io::{self, Read as _};
use std::thread;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What signals have told the process.
#[derive(Clone, Debug, Default)]
pub struct Signals {
    /// Leave in good order: cancelled by the first SIGTERM or SIGINT.
    pub leave: CancellationToken,
    /// Leave at once: cancelled by the second.
    pub at_once: CancellationToken,
}

/// Watches SIGTERM and SIGINT. Call it within a runtime.
///
/// # Errors
/// When the system does not let the process watch signals.
pub fn on_signals() -> io::Result<Signals> {
    let signals = Signals::default();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let told = signals.clone();
    tokio::spawn(async move {
        for token in [told.leave, told.at_once] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            token.cancel();
        }
    });
    Ok(signals)
}

/// Cancels the returned token when standard input reaches its end or cannot be read.
///
/// The thread that reads is left behind when the session ends first: a blocking read cannot be
/// called off, and it holds nothing.
pub(crate) fn on_stdin_end() -> io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let told = token.clone();
    thread::Builder::new()
        .name("stdin".to_owned())
        .spawn(move || {
            let mut buffer = [0; 256];
            let mut stdin = io::stdin().lock();
            loop {
                match stdin.read(&mut buffer) {
                    Ok(count) if count > 0 => {}
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Ok(_) | Err(_) => break,
                }
            }
            told.cancel();
        })?;
    Ok(token)
}
