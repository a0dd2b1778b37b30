//! `WatchSweep`.

use super::super::status::{Refusal, refusal};
use super::Sweeps;
use crate::engine;
use crate::wire::sweeps as wire;
use rangefinder_access::{Operation, Principal};
use rangefinder_proto::v1;
use rangefinder_sweep::event::Happening;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

/// Events that wait for a client who reads slowly.
const AHEAD: usize = 16;
/// How often a stream looks whether its caller's token still holds.
const RECHECK: Duration = Duration::from_secs(5);

impl Sweeps {
    pub(super) async fn watch(
        &self,
        caller: Principal,
        request: v1::WatchSweepRequest,
    ) -> Result<ReceiverStream<Result<v1::WatchSweepResponse, Status>>, Refusal> {
        let entry = self
            .permitted(&caller, Operation::ReadSweep, &request.sweep_id)
            .await?;
        let mut events = self
            .catalogue
            .events(&entry.id, request.from_number)
            .await?;
        let tokens = self.tokens.clone();
        let created_ms = entry.created_ms;
        let ended = entry.outcome.is_some();
        let (sender, receiver) = mpsc::channel(AHEAD);
        tokio::spawn(async move {
            let mut recheck = tokio::time::interval(RECHECK);
            loop {
                let event = tokio::select! {
                    () = sender.closed() => return,
                    _ = recheck.tick() => {
                        if let Err(denied) = tokens.still_valid(&caller) {
                            let _gone = sender.send(Err(refusal(&denied.into()))).await;
                            return;
                        }
                        continue;
                    }
                    event = events.next() => event,
                };
                let (message, last) = match event {
                    // It has ended before the number that was asked for: there is nothing to come.
                    Ok(None) if ended => return,
                    Ok(None) => {
                        let stopped = engine::Error::Stopped;
                        let _gone = sender.send(Err(refusal(&stopped.into()))).await;
                        return;
                    }
                    Ok(Some(event)) => {
                        let last = matches!(event.happening, Happening::Ended { .. });
                        let unix_ms = created_ms
                            .saturating_add(i64::try_from(event.at_ms).unwrap_or(i64::MAX));
                        let sent = wire::event(&event, Some(wire::timestamp(unix_ms)));
                        let response =
                            sent.map(|event| v1::WatchSweepResponse { event: Some(event) });
                        let defect = |error: serde_json::Error| {
                            refusal(&engine::Error::Defect(error.to_string()).into())
                        };
                        (response.map_err(defect), last)
                    }
                    Err(error) => (Err(refusal(&error.into())), true),
                };
                let failed = message.is_err();
                if sender.send(message).await.is_err() || last || failed {
                    return;
                }
            }
        });
        Ok(ReceiverStream::new(receiver))
    }
}
