//! Which lease is valid, and for whom: three verbs, asked at one place.

use super::message::Halt;
use crate::ids::{Incarnation, LeaseToken, WorkerId};
use std::collections::BTreeMap;

/// Ended leases whose last answer is remembered. A worker holds one lease at a time and asks again
/// within seconds, so that those it may still ask for are among them; whoever asks for an older
/// one is told that it is superseded, and forgets it as well.
const REMEMBERED: usize = 4096;

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

/// The leases that are valid, and the last ones that were.
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

    /// The fence of a coordinator that starts again: tokens go on above all earlier ones.
    pub(super) fn restored(last: LeaseToken, valid: BTreeMap<LeaseToken, Holder>) -> Self {
        let highest = valid.last_key_value().map_or(last, |(token, _)| *token);
        Self {
            last: last.max(highest).0,
            valid,
            closed: BTreeMap::new(),
        }
    }

    /// The last token that was given.
    pub(super) fn last(&self) -> LeaseToken {
        LeaseToken(self.last)
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
            if self.closed.len() > REMEMBERED {
                self.closed.pop_first();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_answers_are_given_again_and_memory_is_bounded() {
        let holder = Holder {
            worker: WorkerId("w0".to_owned()),
            incarnation: Incarnation(1),
        };
        let accepted = Reply::Accepted { next_step: 7 };
        let mut fence = Fence::default();
        for _ in 0..2 * REMEMBERED {
            let token = fence.mint(holder.clone());
            assert_eq!(fence.accepts(token, &holder), Ok(()));
            fence.clear(token, accepted);
        }
        let last = LeaseToken(fence.last);
        assert_eq!(fence.accepts(last, &holder), Err(accepted));
        let superseded = Err(Reply::Halt(Halt::Superseded));
        for unknown in [LeaseToken(1), LeaseToken(u64::MAX)] {
            assert_eq!(fence.accepts(unknown, &holder), superseded);
        }
        assert!(fence.valid.is_empty() && fence.closed.len() == REMEMBERED);
    }
}
