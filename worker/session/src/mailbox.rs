//! Where the trainer's thread leaves what the session has to know, without ever waiting for it.
//!
//! The session is woken for the first loss, and again for a full batch or the end of the work, so
//! that a fast trainer pays for two wake-ups a batch and not for one a step.

use crate::trainer::StepLoss;
use crate::work::Outcome;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Losses that make a batch worth sending at once.
const BATCH: usize = 64;
/// How long a loss waits for others at most.
const DELAY: Duration = Duration::from_millis(50);

/// What has happened since the last look.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// The lease of the work.
    pub(crate) token: u64,
    /// Steps run so far.
    pub(crate) progress: u64,
    /// Bytes of artifacts that have arrived for it.
    pub(crate) fetched_bytes: u64,
    /// New losses, in step order.
    pub(crate) losses: Vec<StepLoss>,
    /// How the work ended, if it has.
    pub(crate) ended: Option<Ended>,
}

/// The trainer is free again.
#[derive(Debug, PartialEq)]
pub(crate) enum Ended {
    /// The work is over.
    With(Outcome),
    /// It was told to stop.
    Aborted,
}

#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    report: Mutex<(Report, Option<Instant>)>,
    changed: Notify,
}

impl Mailbox {
    /// New work begins.
    pub(crate) fn begin(&self, token: u64) {
        *self.lock() = (
            Report {
                token,
                ..Report::default()
            },
            None,
        );
    }

    /// A step was run; `losses` are those known by now and are taken.
    pub(crate) fn step(&self, progress: u64, losses: &mut Vec<StepLoss>) {
        let mut guard = self.lock();
        let (report, first) = &mut *guard;
        report.progress = progress;
        let before = report.losses.len();
        report.losses.append(losses);
        let after = report.losses.len();
        let is_first = before == 0 && after > 0;
        if is_first {
            *first = Some(Instant::now());
        }
        if is_first || (before < BATCH && after >= BATCH) {
            drop(guard);
            self.changed.notify_one();
        }
    }

    /// So many bytes of artifacts have arrived. Said with the next heartbeat, and no sooner.
    pub(crate) fn fetched(&self, bytes: u64) {
        let report = &mut self.lock().0;
        report.fetched_bytes = report.fetched_bytes.max(bytes);
    }

    /// The work is over.
    pub(crate) fn end(&self, ended: Ended) {
        self.lock().0.ended = Some(ended);
        self.changed.notify_one();
    }

    /// Waits for something worth looking at: a full batch, the end, or a loss that has waited long
    /// enough. Safe to cancel.
    pub(crate) async fn ready(&self) {
        loop {
            let due = {
                let (report, first) = &*self.lock();
                if report.ended.is_some() || report.losses.len() >= BATCH {
                    return;
                }
                first.map(|first| first + DELAY)
            };
            match due {
                None => self.changed.notified().await,
                Some(due) => tokio::select! {
                    () = tokio::time::sleep_until(due) => return,
                    () = self.changed.notified() => {}
                },
            }
        }
    }

    /// Takes what there is.
    pub(crate) fn take(&self) -> Report {
        let mut guard = self.lock();
        let (report, first) = &mut *guard;
        *first = None;
        let kept = Report {
            token: report.token,
            progress: report.progress,
            fetched_bytes: report.fetched_bytes,
            ..Report::default()
        };
        std::mem::replace(report, kept)
    }

    fn lock(&self) -> MutexGuard<'_, (Report, Option<Instant>)> {
        // Nothing here panics while it holds the lock.
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(mailbox: &Mailbox, count: u64) {
        for step in 0..count {
            let loss = StepLoss {
                step,
                lr: 1e-3,
                loss: 1.0,
                samples: 1,
            };
            mailbox.step(step + 1, &mut vec![loss]);
        }
    }

    /// How long the session, already waiting, goes on waiting after `happens`.
    async fn wait_after(happens: impl FnOnce(&Mailbox)) -> Duration {
        let mailbox = Mailbox::default();
        mailbox.begin(1);
        let mut ready = std::pin::pin!(mailbox.ready());
        let asleep = tokio::time::timeout(Duration::from_secs(60), &mut ready);
        assert!(asleep.await.is_err(), "woken for nothing");
        let before = Instant::now();
        happens(&mailbox);
        ready.await;
        before.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_single_loss_waits_for_others_for_a_moment_only() {
        let waited = wait_after(|mailbox| steps(mailbox, 1)).await;
        assert!(waited >= DELAY && waited < DELAY * 2, "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_batch_and_the_end_do_not_wait() {
        let full = wait_after(|mailbox| steps(mailbox, 64)).await;
        assert_eq!(full, Duration::ZERO);
        let end = wait_after(|mailbox| mailbox.end(Ended::Aborted)).await;
        assert_eq!(end, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_taken_is_gone_and_progress_stays() {
        let mailbox = Mailbox::default();
        mailbox.begin(7);
        steps(&mailbox, 3);
        assert_eq!(mailbox.take().losses.len(), 3);
        let rest = mailbox.take();
        assert_eq!((rest.token, rest.progress, rest.losses.len()), (7, 3, 0));
    }
}
