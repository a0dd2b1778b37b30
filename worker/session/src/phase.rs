//! How a session stands: its connection, its work, its leave.

use crate::error::End;
use std::time::Duration;

/// How the connection stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Phase {
    /// No connection; the next attempt is due then.
    Waiting(Duration),
    /// Welcome has not come; it is due then.
    Greeting(Duration),
    /// Connected; the next heartbeat is due then.
    Connected(Duration),
}

/// What the trainer works on.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) token: u64,
    /// Since when its lease is no longer held: what it still reports means nothing.
    pub(crate) dropped: Option<Duration>,
}

/// The worker has been told to leave.
#[derive(Debug)]
pub(crate) struct Leaving {
    pub(crate) end: End,
    /// What is not done by then is handed back.
    pub(crate) hand_back_at: Duration,
    pub(crate) handed_back: bool,
}
