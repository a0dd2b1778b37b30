//! The trainer's thread: one job at a time, stopped between steps. Before a job gets there, the files
//! that it names are made ready.

use crate::files::Library;
use crate::mailbox::{Ended, Mailbox};
use crate::panics::caught;
use crate::trainer::{Failure, StepError, StepLoss, TaskStart, Trainer};
use crate::work::{Job, Outcome, worker_failure};
use rangefinder_artifacts::Pin;
use rangefinder_proto::v1::FinishReason;
use std::io;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument as _, Span};

/// As the main thread's: libtorch is used to it.
const STACK_BYTES: usize = 8 << 20;

/// The session's end of the trainer's thread.
pub(crate) struct Runner {
    jobs: mpsc::Sender<Order>,
    mailbox: Arc<Mailbox>,
    library: Library,
    /// Tells the job at hand to stop.
    abort: CancellationToken,
    /// Makes the files of the job at hand ready.
    preparing: Option<AbortOnDropHandle<()>>,
    ended: oneshot::Receiver<()>,
}

struct Order {
    job: Job,
    /// What log lines say of it.
    about: Span,
    abort: CancellationToken,
    /// Keeps the files of the job from being removed, until the next one is there: often it has the
    /// same.
    files: Vec<Pin>,
}

impl Runner {
    /// Starts the thread.
    pub(crate) fn start<T: Trainer + 'static>(
        mut trainer: T,
        library: Library,
    ) -> io::Result<Self> {
        let (jobs, orders) = mpsc::channel::<Order>();
        let (end, ended) = oneshot::channel();
        let mailbox = Arc::new(Mailbox::default());
        let theirs = Arc::clone(&mailbox);
        thread::Builder::new()
            .name("trainer".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || {
                let mut files = Vec::new();
                for order in orders {
                    let before = std::mem::replace(&mut files, order.files);
                    drop(before);
                    let Order { job, about, abort, .. } = order;
                    let ended = about.in_scope(|| run(&mut trainer, job, &abort, &theirs));
                    theirs.end(ended);
                }
                drop(trainer);
                drop(files);
                let _nobody_waits = end.send(());
            })?;
        Ok(Self {
            jobs,
            mailbox,
            library,
            abort: CancellationToken::new(),
            preparing: None,
            ended,
        })
    }

    pub(crate) fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// Begins a job; `false` when the thread is gone. The one before must have ended.
    pub(crate) fn run(&mut self, token: u64, about: Span, job: Job) -> bool {
        self.mailbox.begin(token);
        self.abort = CancellationToken::new();
        let abort = self.abort.clone();
        if self.library.is_ready(&job) {
            let order = Order {
                job,
                about,
                abort,
                files: Vec::new(),
            };
            return self.jobs.send(order).is_ok();
        }
        let preparing = prepare(
            self.library.clone(),
            job,
            about.clone(),
            abort,
            Arc::clone(&self.mailbox),
            self.jobs.clone(),
        );
        self.preparing = Some(AbortOnDropHandle::new(tokio::spawn(preparing.instrument(about))));
        true
    }

    /// Stops the job at hand before its next step.
    pub(crate) fn abort(&self) {
        self.abort.cancel();
    }

    /// Ends the thread. One that hangs in a step is left behind after `patience`: it ends with the
    /// process.
    pub(crate) async fn end(self, patience: Duration) {
        self.abort();
        // It may hold the way to the thread.
        drop(self.preparing);
        drop(self.jobs);
        if tokio::time::timeout(patience, self.ended).await.is_err() {
            tracing::warn!("the trainer does not stop; it is left to end with the process");
        }
    }
}

/// Makes the files of a job ready, and hands it over to the thread.
async fn prepare(
    library: Library,
    job: Job,
    about: Span,
    abort: CancellationToken,
    mailbox: Arc<Mailbox>,
    jobs: mpsc::Sender<Order>,
) {
    let hears = Arc::clone(&mailbox);
    let prepared = library.prepare(job, Arc::new(move |bytes| hears.fetched(bytes)));
    let prepared = tokio::select! {
        biased;
        () = abort.cancelled() => return mailbox.end(Ended::Aborted),
        prepared = prepared => prepared,
    };
    let failure = match prepared {
        Ok((job, files)) => match jobs.send(Order { job, about, abort, files }) {
            Ok(()) => return,
            Err(_) => worker_failure("the trainer's thread is gone"),
        },
        Err(failure) => failure,
    };
    mailbox.end(Ended::With(Outcome::Failed(failure)));
}

fn run(
    trainer: &mut impl Trainer,
    job: Job,
    abort: &CancellationToken,
    mailbox: &Mailbox,
) -> Ended {
    if abort.is_cancelled() {
        return Ended::Aborted;
    }
    let outcome = match job {
        Job::Describe(spec) => caught(|| trainer.describe(&spec))
            .map(|result| result.map(|described| Outcome::Described(Box::new(described)))),
        Job::Probe(spec, steps) => caught(|| trainer.probe(&spec, steps))
            .map(|result| result.map(|probed| Outcome::Probed(Box::new(probed)))),
        Job::Task(start, rates) => {
            let ended = caught(|| train(trainer, &start, &rates, abort, mailbox));
            let stopped = caught(|| trainer.stop());
            match (ended, stopped) {
                (Ok(Ok(ended)), Ok(())) => return ended,
                (Err(message), _) | (Ok(Ok(_)), Err(message)) => Err(message),
                (Ok(Err(failure)), _) => Ok(Err(failure)),
            }
        }
    };
    Ended::With(match outcome {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(failure)) => Outcome::Failed(failure),
        Err(message) => Outcome::Failed(worker_failure(message)),
    })
}

fn train(
    trainer: &mut impl Trainer,
    start: &TaskStart,
    rates: &[f64],
    abort: &CancellationToken,
    mailbox: &Mailbox,
) -> Result<Ended, Failure> {
    trainer.start(start)?;
    let mut losses = Vec::new();
    // First step whose loss is not known yet.
    let mut known = start.first_step;
    let mut progress = 0;
    for (step, lr) in (start.first_step..start.end).zip(rates) {
        if abort.is_cancelled() {
            return Ok(Ended::Aborted);
        }
        match trainer.step(step, *lr, &mut losses) {
            Ok(()) => {}
            Err(StepError::DataExhausted) => {
                return finish(
                    trainer,
                    FinishReason::DataExhausted,
                    losses,
                    known,
                    mailbox,
                    progress,
                );
            }
            Err(StepError::Failed(failure)) => {
                mailbox.step(progress, &mut losses);
                return Err(failure);
            }
        }
        progress += 1;
        let non_finite = cut_after_non_finite(&mut losses);
        known += count(&losses);
        mailbox.step(progress, &mut losses);
        if non_finite {
            return Ok(finished(FinishReason::NonFinite, known));
        }
    }
    finish(
        trainer,
        FinishReason::Completed,
        losses,
        known,
        mailbox,
        progress,
    )
}

/// Asks for the losses that are outstanding; a loss that is not finite decides the end.
fn finish(
    trainer: &mut impl Trainer,
    reason: FinishReason,
    mut losses: Vec<StepLoss>,
    mut known: u64,
    mailbox: &Mailbox,
    progress: u64,
) -> Result<Ended, Failure> {
    let flushed = trainer.flush(&mut losses);
    let non_finite = cut_after_non_finite(&mut losses);
    known += count(&losses);
    mailbox.step(progress, &mut losses);
    if non_finite {
        return Ok(finished(FinishReason::NonFinite, known));
    }
    match flushed {
        Ok(()) => Ok(finished(reason, known)),
        Err(StepError::DataExhausted) => Ok(finished(FinishReason::DataExhausted, known)),
        Err(StepError::Failed(failure)) => Err(failure),
    }
}

fn finished(reason: FinishReason, end: u64) -> Ended {
    Ended::With(Outcome::Finished { reason, end })
}

/// Cuts losses behind the first that is NaN or infinite, if there is one.
fn cut_after_non_finite(losses: &mut Vec<StepLoss>) -> bool {
    let found = losses.iter().position(|loss| !loss.loss.is_finite());
    if let Some(index) = found {
        losses.truncate(index + 1);
    }
    found.is_some()
}

fn count(losses: &[StepLoss]) -> u64 {
    u64::try_from(losses.len()).unwrap_or(u64::MAX)
}
