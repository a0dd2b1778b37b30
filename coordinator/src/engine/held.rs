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

/// Something that the outside learns.
pub(super) enum Effect {
    /// A message for a worker, over the stream that it had when it was decided.
    Send {
        worker: WorkerId,
        link: LinkId,
        message: Box<v1::ConnectResponse>,
    },
    /// An event.
    Publish(Arc<SweepEvent>),
    /// An answer to whoever asked.
    Answer(Box<dyn FnOnce() + Send>),
    /// The result of a sweep is stored: the state can forget it.
    Forget(SweepId),
}

impl std::fmt::Debug for Effect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Send { .. } => "Send",
            Self::Publish(_) => "Publish",
            Self::Answer(_) => "Answer",
            Self::Forget(_) => "Forget",
        })
    }
}

/// Effects that wait for the disk, in the order in which they were decided.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Effects, each group after the number of the batch that must be durable before it.
    groups: VecDeque<(u64, Vec<Effect>)>,
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

    /// The next batch is appended, and these are its effects.
    pub(super) fn append(&mut self, effects: Vec<Effect>) {
        self.appended += 1;
        self.groups.push_back((self.appended, effects));
    }

    /// Effects without changes of their own: given back at once where nothing is waited for.
    pub(super) fn follow(&mut self, effects: Vec<Effect>) -> Vec<Effect> {
        match self.groups.back_mut() {
            Some((_, last)) => {
                last.extend(effects);
                Vec::new()
            }
            None => effects,
        }
    }

    /// What may go out now that the batches up to a number are durable.
    pub(super) fn release(&mut self, durable: u64) -> Vec<Effect> {
        let ready = self.groups.partition_point(|(batch, _)| *batch <= durable);
        self.groups
            .drain(..ready)
            .flat_map(|(_, effects)| effects)
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
        held.append(answer());
        assert!(held.follow(answer()).is_empty());
        let second = held.next();
        held.append(answer());
        assert!(held.release(first - 1).is_empty());
        assert_eq!(held.release(first).len(), 2);
        assert_eq!(held.release(second).len(), 1);
        assert_eq!(held.follow(answer()).len(), 1);
    }
}
