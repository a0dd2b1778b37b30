//! The events of a sweep as a client sees them: with no gap and no repetition, whatever happens to
//! the connection.

use crate::{Result, in_time};
use rangefinder_proto::v1;
use rangefinder_proto::v1::sweep_service_client::SweepServiceClient;
use rangefinder_sweep::event::{AttemptOutcome, Happening, SweepEvent, WorkKind};
use rangefinder_sweep::ids::{TaskId, WorkerId};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Endpoint;

/// Pause before a lost connection is made again.
const PAUSE: Duration = Duration::from_millis(20);

/// What was seen so far.
#[derive(Debug, Default)]
pub struct Seen {
    /// The events, in the order in which they came.
    pub events: Vec<SweepEvent>,
    /// What was wrong with one of them; nothing is taken in after it.
    pub wrong: Option<String>,
}

impl Seen {
    fn take(&mut self, event: &v1::SweepEvent) {
        let due = self.events.len() as u64 + 1;
        if event.number != due {
            self.wrong = Some(format!("event {} came where {due} was due", event.number));
            return;
        }
        match serde_json::from_str::<SweepEvent>(&event.json) {
            Ok(read) => self.events.push(read),
            Err(error) => self.wrong = Some(format!("{}: {error}", event.json)),
        }
    }

    /// Whether the sweep has ended.
    #[must_use]
    pub fn ended(&self) -> bool {
        let last = self.events.last();
        last.is_some_and(|event| matches!(event.happening, Happening::Ended { .. }))
    }

    /// The step after the last one of a task whose loss was accepted in its newest attempt.
    #[must_use]
    pub fn next_step(&self, task: TaskId) -> Option<u32> {
        let mut next = None;
        for event in &self.events {
            match &event.happening {
                Happening::Granted { work, .. } if *work == WorkKind::Task(task) => next = None,
                Happening::Observed {
                    task: of,
                    observations,
                    ..
                } if *of == task => next = observations.last().map(|last| last.step + 1),
                _ => {}
            }
        }
        next
    }

    /// Who got a task last.
    #[must_use]
    pub fn holder(&self, task: TaskId) -> Option<&WorkerId> {
        self.events.iter().rev().find_map(|event| match &event.happening {
            Happening::Granted { worker, work, .. } if *work == WorkKind::Task(task) => {
                Some(worker)
            }
            _ => None,
        })
    }

    /// How often a task was granted.
    #[must_use]
    pub fn attempts(&self, task: TaskId) -> usize {
        let granted = self.events.iter().filter(|event| {
            matches!(&event.happening, Happening::Granted { work, .. } if *work == WorkKind::Task(task))
        });
        granted.count()
    }

    /// How the attempts at a task ended.
    pub fn outcomes(&self, task: TaskId) -> impl Iterator<Item = &AttemptOutcome> {
        self.events.iter().filter_map(move |event| match &event.happening {
            Happening::AttemptEnded { work, outcome, .. } if *work == WorkKind::Task(task) => {
                Some(outcome)
            }
            _ => None,
        })
    }
}

/// Watches a sweep until it has ended.
#[derive(Debug)]
pub struct Watching {
    seen: watch::Receiver<Seen>,
    _watching: AbortOnDropHandle<()>,
}

impl Watching {
    /// Begins to watch.
    pub fn start(endpoint: Endpoint, token: MetadataValue<Ascii>, sweep: &str) -> Self {
        let (saw, seen) = watch::channel(Seen::default());
        let sweep = sweep.to_owned();
        let watching = tokio::spawn(async move {
            let mut client = SweepServiceClient::new(endpoint.connect_lazy());
            while !saw.borrow().ended() && saw.borrow().wrong.is_none() {
                listen(&mut client, &token, &sweep, &saw).await;
                tokio::time::sleep(PAUSE).await;
            }
        });
        Self {
            seen,
            _watching: AbortOnDropHandle::new(watching),
        }
    }

    /// Waits until what was seen fulfils a condition.
    ///
    /// # Errors
    /// When it does not in time, or an event was missing or came twice.
    pub async fn until(&self, what: &str, holds: impl Fn(&Seen) -> bool) -> Result {
        let mut seen = self.seen.clone();
        let waiting = seen.wait_for(|seen| seen.wrong.is_some() || holds(seen));
        match in_time(what, waiting).await {
            Ok(Ok(seen)) => match &seen.wrong {
                Some(wrong) => Err(wrong.into()),
                None => Ok(()),
            },
            Ok(Err(_)) => Err(format!("the sweep ended before {what}").into()),
            Err(late) => {
                let events = &self.seen.borrow().events;
                let last: Vec<_> = events.iter().rev().take(12).rev().collect();
                let late = late.message().unwrap_or_default().to_owned();
                Err(format!("{late}; the last events: {last:#?}").into())
            }
        }
    }

    /// What was seen so far.
    #[must_use]
    pub fn seen(&self) -> watch::Ref<'_, Seen> {
        self.seen.borrow()
    }
}

/// Listens on one connection.
async fn listen(
    client: &mut SweepServiceClient<tonic::transport::Channel>,
    token: &MetadataValue<Ascii>,
    sweep: &str,
    saw: &watch::Sender<Seen>,
) {
    let mut request = tonic::Request::new(v1::WatchSweepRequest {
        sweep_id: sweep.to_owned(),
        from_number: saw.borrow().events.len() as u64 + 1,
    });
    request.metadata_mut().insert("authorization", token.clone());
    let Ok(answer) = client.watch_sweep(request).await else {
        return;
    };
    let mut events = answer.into_inner();
    while let Ok(Some(response)) = events.message().await {
        if let Some(event) = &response.event {
            saw.send_modify(|seen| seen.take(event));
        }
    }
}
