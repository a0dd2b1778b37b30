//! Which lease is valid, and for whom: three verbs, asked at one place.

use super::message::Halt;
use crate::ids::{Incarnation, LeaseToken, WorkerId};
use std::collections::BTreeMap;

/// A process of a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    pub worker: WorkerId,
    pub incarnation: Incarnation,
}

/// What a worker is told that speaks under a lease which is no longer valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// Its last message was accepted before; said again, since the first answer may be lost.
    Accepted { next_step: u32 },
    /// It is to stop.
    Halt(Halt),
}

/// The leases that were ever granted.
#[derive(Clone, Debug, Default)]
pub(super) struct Fence {
    last: u64,
    valid: BTreeMap<LeaseToken, Holder>,
    closed: BTreeMap<LeaseToken, Reply>,
}

impl Fence {
    /// A new lease, with a token above all earlier ones.
    pub(super) fn mint(&mut self, holder: Holder) -> LeaseToken {
        self.last += 1;
        let token = LeaseToken(self.last);
        self.valid.insert(token, holder);
        token
    }

    /// Whether `holder` may speak under this lease.
    pub(super) fn accepts(&self, token: LeaseToken, holder: &Holder) -> Result<(), Reply> {
        match self.valid.get(&token) {
            Some(valid) if valid == holder => Ok(()),
            Some(_) => Err(Reply::Halt(Halt::Superseded)),
            None => Err(self
                .closed
                .get(&token)
                .copied()
                .unwrap_or(Reply::Halt(Halt::Superseded))),
        }
    }

    /// Ends a lease; whoever speaks under it from now on gets `reply`.
    pub(super) fn clear(&mut self, token: LeaseToken, reply: Reply) {
        if self.valid.remove(&token).is_some() {
            self.closed.insert(token, reply);
        }
    }
}
