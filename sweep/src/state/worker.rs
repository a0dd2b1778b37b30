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
    /// It handed work back: it leaves, or is full; or it hung. It gets none until then.
    pub rests_until: Time,
    /// A lease of it expired, and it was not heard of since.
    pub silent: bool,
    /// It fails what others complete.
    pub set_aside: bool,
    /// The lease it holds; one at a time.
    pub lease: Option<LeaseToken>,
    /// Attempts that it failed, or let expire, or hung in: others are preferred.
    pub spoilt: u32,
    /// Tasks that it failed and another worker completed.
    pub blamed: u32,
    /// Tasks that it completed.
    pub completed: u32,
}

impl Worker {
    pub(super) fn new(
        incarnation: Incarnation,
        device: String,
        versions: BTreeMap<String, String>,
    ) -> Self {
        Self {
            incarnation,
            device,
            versions,
            connected: true,
            rests_until: Time::default(),
            silent: false,
            set_aside: false,
            lease: None,
            spoilt: 0,
            blamed: 0,
            completed: 0,
        }
    }

    /// Whether it may be given work, now or when it is done with what it has.
    pub(super) fn usable(&self, now: Time) -> bool {
        self.connected && !self.silent && !self.set_aside && self.rests_until <= now
    }

    /// Whether it may be given work now.
    pub(super) fn idle(&self, now: Time) -> bool {
        self.usable(now) && self.lease.is_none()
    }
}
