//! What the outside must not learn before it is durable.
//!
//! Everything that an event leads to, messages to workers, answers to clients, events for whoever
//! watches, waits until the changes that came with it, and all before them, are on disk.

use super::message::LinkId;
use rangefinder_proto::v1;
use rangefinder_sweep::event::SweepEvent;
use rangefinder_sweep::ids::{SweepId, WorkerId};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::time::Instant;

/// Something that the outside learns.
pub(super) enum Effect {
    /// A message for a worker, over the stream that it had when it was decided.
    Send {
        worker: WorkerId,
        link: LinkId,
        message: Box<v1::ConnectResponse>,
    },
    /// An event; for the end of an attempt with when that was granted.
    Publish(Arc<SweepEvent>, Option<u64>),
    /// An answer to whoever asked.
    Answer(Box<dyn FnOnce() + Send>),
    /// The result of a sweep is stored: the state can forget it.
    Forget(SweepId),
}

impl std::fmt::Debug for Effect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Send { .. } => "Send",
            Self::Publish(..) => "Publish",
            Self::Answer(_) => "Answer",
            Self::Forget(_) => "Forget",
        })
    }
}

/// Effects that wait for the disk, in the order in which they were decided.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Effects, each group after the number of the batch that must be durable before it, and with
    /// when the worker's message that led to it came, where it was one.
    groups: VecDeque<(u64, Vec<Effect>, Option<Instant>)>,
    /// Number of the last batch that was appended.
    appended: u64,
}

impl Held {
    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// The number of the next batch.
    pub(super) fn next(&self) -> u64 {
        self.appended + 1
    }

    /// The next batch is appended, and these are its effects; `came` is when the worker's message
    /// came that led to it, where it was one.
    pub(super) fn append(&mut self, effects: Vec<Effect>, came: Option<Instant>) {
        self.appended += 1;
        self.groups.push_back((self.appended, effects, came));
    }

    /// Effects without changes of their own: given back at once where nothing is waited for.
    pub(super) fn follow(&mut self, effects: Vec<Effect>) -> Vec<Effect> {
        match self.groups.back_mut() {
            Some((_, last, _)) => {
                last.extend(effects);
                Vec::new()
            }
            None => effects,
        }
    }

    /// What may go out now that the batches up to a number are durable. `released` is told of each
    /// batch, with when the worker's message came that led to it.
    pub(super) fn release(
        &mut self,
        durable: u64,
        mut released: impl FnMut(Option<Instant>),
    ) -> Vec<Effect> {
        let ready = self.groups.partition_point(|(batch, ..)| *batch <= durable);
        self.groups
            .drain(..ready)
            .flat_map(|(_, effects, came)| {
                released(came);
                effects
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Vec<Effect> {
        vec![Effect::Answer(Box::new(|| ()))]
    }

    #[test]
    fn nothing_goes_out_before_what_it_rests_on_is_durable() {
        let mut held = Held::default();
        assert_eq!(held.follow(answer()).len(), 1);
        let first = held.next();
        held.append(answer(), None);
        assert!(held.follow(answer()).is_empty());
        let second = held.next();
        held.append(answer(), None);
        assert!(held.release(first - 1, drop).is_empty());
        assert_eq!(held.release(first, drop).len(), 2);
        assert_eq!(held.release(second, drop).len(), 1);
        assert_eq!(held.follow(answer()).len(), 1);
    }
}
