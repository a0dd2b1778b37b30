//! The leases in a worker's hands, and what has yet to be acknowledged under each.
//!
//! Losses go out in step order and are kept until acknowledged; what is not is sent again from the
//! first step that is missing (go-back-N), after a reconnection at once, else when no
//! acknowledgement has come for a while. The end of an attempt goes out after its losses, and again
//! until it is acknowledged. Memory is bounded by [`Ledger::MAX_STEPS`] and [`Ledger::MAX_LEASES`]:
//! a lease beyond them is not taken.

use crate::trainer::StepLoss;
use crate::work::{Outcome, worker_failure};
use rangefinder_proto::v1;
use rangefinder_proto::v1::connect_request::Message;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::time::Duration;

/// Most observations in one message, as the protocol has it.
const MAX_BATCH: usize = 1000;

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    leases: BTreeMap<u64, Lease>,
}

#[derive(Debug)]
struct Lease {
    /// All steps of the task; empty for work that is not a task.
    steps: Range<u64>,
    /// First step that is not acknowledged: that of the front of `kept`.
    acknowledged: u64,
    /// Losses from `acknowledged` on, without gaps.
    kept: VecDeque<StepLoss>,
    /// How many of `kept` were sent since the last going back.
    sent: usize,
    /// Steps run so far.
    progress: u64,
    /// Bytes of artifacts that have arrived.
    fetched_bytes: u64,
    outcome: Option<Outcome>,
    outcome_sent: bool,
    /// When to go back, unless an acknowledgement comes; `None` when nothing is in flight.
    resend_at: Option<Duration>,
}

impl Lease {
    /// First step whose loss has not been recorded.
    fn next_step(&self) -> u64 {
        self.acknowledged + len(&self.kept)
    }

    fn go_back(&mut self) {
        self.sent = 0;
        self.outcome_sent = false;
        self.resend_at = None;
    }

    fn wants_to_send(&self) -> bool {
        self.sent < self.kept.len() || (self.outcome.is_some() && !self.outcome_sent)
    }
}

/// Why losses of a trainer cannot be reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) expected: u64,
    pub(crate) got: u64,
}

impl Ledger {
    /// Most leases held at once.
    pub(crate) const MAX_LEASES: usize = 64;
    /// Most steps of all leases together; their losses take at most 64 MiB.
    pub(crate) const MAX_STEPS: u64 = 1 << 21;

    /// Whether a lease over so many steps fits; an empty ledger takes any.
    pub(crate) fn has_room(&self, steps: &Range<u64>) -> bool {
        let held: u64 = self.leases.values().map(|lease| span(&lease.steps)).sum();
        self.leases.is_empty()
            || (self.leases.len() < Self::MAX_LEASES
                && held.saturating_add(span(steps)) <= Self::MAX_STEPS)
    }

    /// Takes a lease; one that is held already stays as it is.
    pub(crate) fn grant(&mut self, token: u64, steps: Range<u64>) {
        self.leases.entry(token).or_insert_with(|| Lease {
            acknowledged: steps.start,
            steps,
            kept: VecDeque::new(),
            sent: 0,
            progress: 0,
            fetched_bytes: 0,
            outcome: None,
            outcome_sent: false,
            resend_at: None,
        });
    }

    pub(crate) fn holds(&self, token: u64) -> bool {
        self.leases.contains_key(&token)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.leases.is_empty()
    }

    /// Whether work under a lease is over, acknowledged or not; also for one that is not held.
    pub(crate) fn is_done(&self, token: u64) -> bool {
        self.leases
            .get(&token)
            .is_none_or(|lease| lease.outcome.is_some())
    }

    /// Records losses and progress; those of a lease that is not held are passed over.
    pub(crate) fn record(
        &mut self,
        token: u64,
        progress: u64,
        losses: &[StepLoss],
    ) -> Result<(), Gap> {
        let Some(lease) = self.leases.get_mut(&token) else {
            return Ok(());
        };
        lease.progress = lease.progress.max(progress);
        for loss in losses {
            let expected = lease.next_step();
            if lease.outcome.is_some() || loss.step != expected || expected >= lease.steps.end {
                return Err(Gap {
                    expected,
                    got: loss.step,
                });
            }
            lease.kept.push_back(*loss);
        }
        Ok(())
    }

    /// Records how many bytes of artifacts have arrived.
    pub(crate) fn fetched(&mut self, token: u64, bytes: u64) {
        if let Some(lease) = self.leases.get_mut(&token) {
            lease.fetched_bytes = lease.fetched_bytes.max(bytes);
        }
    }

    /// Records how the work ended; the first word counts.
    pub(crate) fn end(&mut self, token: u64, outcome: Outcome) {
        if let Some(lease) = self.leases.get_mut(&token) {
            lease.outcome.get_or_insert(outcome);
        }
    }

    /// The outcome, or a failure in its place when the losses do not reach as far as it says.
    pub(crate) fn checked(&self, token: u64, outcome: Outcome) -> Outcome {
        let (Outcome::Finished { reason, end }, Some(lease)) = (&outcome, self.leases.get(&token))
        else {
            return outcome;
        };
        let all = *reason != v1::FinishReason::Completed || *end == lease.steps.end;
        if all && *end == lease.next_step() {
            return outcome;
        }
        Outcome::Failed(worker_failure(format!(
            "the trainer ended at step {end} of {:?} with losses up to step {}",
            lease.steps,
            lease.next_step()
        )))
    }

    /// Gives a lease back: its losses are of no use any more.
    pub(crate) fn hand_back(&mut self, token: u64, reason: String) {
        if let Some(lease) = self.leases.get_mut(&token) {
            lease.kept.clear();
            lease.go_back();
            lease.outcome = Some(Outcome::HandBack(reason));
        }
    }

    /// Takes in what has been accepted under a lease. Late and repeated words change nothing, and
    /// steps that were never reported cannot be accepted.
    pub(crate) fn acknowledge(&mut self, now: Duration, resend: Duration, ack: &v1::Ack) {
        if ack.finished {
            self.leases.remove(&ack.lease_token);
            return;
        }
        let Some(lease) = self.leases.get_mut(&ack.lease_token) else {
            return;
        };
        let accepted = ack
            .next_step
            .min(lease.next_step())
            .saturating_sub(lease.acknowledged);
        let count = usize::try_from(accepted).unwrap_or(usize::MAX);
        if count == 0 {
            return;
        }
        lease.kept.drain(..count);
        lease.acknowledged += accepted;
        lease.sent = lease.sent.saturating_sub(count);
        let in_flight = lease.sent > 0 || lease.outcome_sent;
        lease.resend_at = in_flight.then_some(now + resend);
    }

    /// Drops a lease, whatever was left to say about it.
    pub(crate) fn remove(&mut self, token: u64) {
        self.leases.remove(&token);
    }

    /// All tokens, oldest first.
    pub(crate) fn tokens(&self) -> Vec<u64> {
        self.leases.keys().copied().collect()
    }

    /// All leases, for Hello and Heartbeat. One that is being given back is not held any more.
    pub(crate) fn held(&self) -> Vec<v1::HeldLease> {
        self.leases
            .iter()
            .filter(|(_, lease)| !matches!(lease.outcome, Some(Outcome::HandBack(_))))
            .map(|(token, lease)| v1::HeldLease {
                lease_token: *token,
                progress: lease.progress,
                done: lease.outcome.is_some(),
                fetched_bytes: lease.fetched_bytes,
            })
            .collect()
    }

    /// Goes back to what is not acknowledged, under every lease: the connection is a new one.
    pub(crate) fn go_back(&mut self) {
        self.leases.values_mut().for_each(Lease::go_back);
    }

    /// Goes back where no acknowledgement has come in time.
    pub(crate) fn go_back_where_due(&mut self, now: Duration) {
        self.leases
            .values_mut()
            .filter(|lease| lease.resend_at.is_some_and(|at| at <= now))
            .for_each(Lease::go_back);
    }

    /// When the next going back is due.
    pub(crate) fn next_resend(&self) -> Option<Duration> {
        self.leases
            .values()
            .filter_map(|lease| lease.resend_at)
            .min()
    }

    pub(crate) fn wants_to_send(&self) -> bool {
        self.leases.values().any(Lease::wants_to_send)
    }

    /// The next message to send, counted as sent by this call. A lease is forgotten with its
    /// HandBack, which is not acknowledged.
    pub(crate) fn next_message(&mut self, now: Duration, resend: Duration) -> Option<Message> {
        let (&token, lease) = self
            .leases
            .iter_mut()
            .find(|(_, lease)| lease.wants_to_send())?;
        lease.resend_at.get_or_insert(now + resend);
        if lease.sent < lease.kept.len() {
            let observations: Vec<_> = lease
                .kept
                .iter()
                .skip(lease.sent)
                .take(MAX_BATCH)
                .map(observation)
                .collect();
            lease.sent += observations.len();
            return Some(Message::Observations(v1::Observations {
                lease_token: token,
                observations,
            }));
        }
        lease.outcome_sent = true;
        let outcome = lease.outcome.clone()?;
        if matches!(outcome, Outcome::HandBack(_)) {
            self.leases.remove(&token);
        }
        Some(outcome.into_message(token))
    }

    /// What must always hold; the text says what does not.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn check(&self) -> Result<(), String> {
        for (token, lease) in &self.leases {
            let steps: Vec<_> = lease.kept.iter().map(|loss| loss.step).collect();
            let expected: Vec<_> = (lease.acknowledged..lease.next_step()).collect();
            let kept_in_order = steps == expected;
            let within = lease.next_step() <= lease.steps.end.max(lease.acknowledged);
            let sent_is_kept = lease.sent <= lease.kept.len();
            let end_after_losses = !lease.outcome_sent || lease.sent == lease.kept.len();
            let in_flight = lease.sent > 0 || lease.outcome_sent;
            let watched = in_flight == lease.resend_at.is_some();
            if !(kept_in_order && within && sent_is_kept && end_after_losses && watched) {
                return Err(format!("lease {token}: {lease:?}"));
            }
        }
        Ok(())
    }
}

fn observation(loss: &StepLoss) -> v1::Observation {
    v1::Observation {
        step: loss.step,
        learning_rate: loss.lr,
        loss: loss.loss,
        samples: loss.samples,
    }
}

fn span(steps: &Range<u64>) -> u64 {
    steps.end.saturating_sub(steps.start)
}

fn len(kept: &VecDeque<StepLoss>) -> u64 {
    u64::try_from(kept.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
