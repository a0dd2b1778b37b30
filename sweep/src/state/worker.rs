//! A worker that is there, or may come back.

use super::message::Time;
use crate::ids::{Incarnation, LeaseToken};
use std::collections::BTreeMap;

/// What is known of the process that runs under a worker's name.
#[derive(Clone, Debug)]
pub(super) struct Worker {
    pub incarnation: Incarnation,
    pub device: String,
    pub versions: BTreeMap<String, String>,
    pub connected: bool,
    /// Since when it is connected, or is not.
    pub since: Time,
    /// It handed work back: it leaves, or is full; or it hung. It gets none until then.
    pub rests_until: Time,
    /// A lease of it expired, and it was not heard of since.
    pub silent: bool,
    /// It was asked to leave.
    pub draining: bool,
    /// It fails what others complete: why, with the counts.
    pub set_aside: Option<String>,
    /// The lease it holds; one at a time.
    pub lease: Option<LeaseToken>,
    /// Attempts that it failed or lost: others are preferred.
    pub spoilt: u32,
    /// Tasks that it failed and another worker completed.
    pub blamed: u32,
    /// Tasks that it completed.
    pub completed: u32,
}

impl Worker {
    pub(super) fn new(incarnation: Incarnation, now: Time) -> Self {
        Self {
            incarnation,
            device: String::new(),
            versions: BTreeMap::new(),
            connected: false,
            since: now,
            rests_until: Time::default(),
            silent: false,
            draining: false,
            set_aside: None,
            lease: None,
            spoilt: 0,
            blamed: 0,
            completed: 0,
        }
    }

    /// Its stream has begun or ended.
    pub(super) fn set_connected(&mut self, connected: bool, now: Time) {
        if self.connected != connected {
            self.connected = connected;
            self.since = now;
        }
    }

    /// Whether it is neither there nor expected back with its work.
    pub(super) fn away(&self) -> bool {
        !self.connected && self.lease.is_none()
    }

    /// Whether it may be given work, now or when it is done with what it has.
    pub(super) fn usable(&self, now: Time) -> bool {
        self.connected
            && !self.silent
            && !self.draining
            && self.set_aside.is_none()
            && self.rests_until <= now
    }

    /// Whether it may be given work now.
    pub(super) fn idle(&self, now: Time) -> bool {
        self.usable(now) && self.lease.is_none()
    }
}
