//! The events of a sweep, over any number of connections.

use super::retry::Outage;
use super::{Client, Error, Kind};
use crate::wire::sweeps;
use rangefinder_proto::v1;

impl Client {
    /// Hands on the events of a sweep from a number on, each once and in their order, until it has
    /// ended; a lost connection is made again, and goes on after the last event that was seen. How
    /// the sweep stands at the end comes back.
    ///
    /// Cancel-safe: an event is either handed on or not.
    ///
    /// # Errors
    /// As the service says; when it is away for longer than `timeout`.
    pub async fn watch(
        &self,
        id: &str,
        from: u64,
        on_event: &mut (dyn FnMut(v1::SweepEvent) + Send),
    ) -> Result<v1::Sweep, Error> {
        let mut next = from.max(1);
        let mut outage = Outage::new(self.timeout);
        loop {
            let failure = match self.listen(id, &mut next, &mut outage, on_event).await {
                // A service that stops ends its streams as if there were no more to say.
                Ok(()) => {
                    let (sweep, _) = self.get(id, false).await?;
                    if sweeps::has_ended(sweep.state()) && next > sweep.last_event_number {
                        return Ok(sweep);
                    }
                    Error::new(
                        Kind::Away,
                        rangefinder_errors::Code::ServiceUnreachable,
                        format!("{} has closed the connection", self.server),
                        "check that the service runs; the sweep goes on without you",
                    )
                }
                Err(failure) if failure.kind != Kind::Away => return Err(failure),
                Err(failure) => failure,
            };
            if !outage.goes_on() {
                self.trying_again(&failure);
            }
            outage.pause(failure).await?;
        }
    }

    /// Listens on one connection until it ends.
    async fn listen(
        &self,
        id: &str,
        next: &mut u64,
        outage: &mut Outage,
        on_event: &mut (dyn FnMut(v1::SweepEvent) + Send),
    ) -> Result<(), Error> {
        let request = v1::WatchSweepRequest {
            sweep_id: id.to_owned(),
            from_number: *next,
        };
        let mut stream = self.once(self.sweeps.clone().watch_sweep(request)).await?;
        loop {
            let message = stream
                .message()
                .await
                .map_err(|status| Error::of(&status, &self.server))?;
            let Some(message) = message else {
                return Ok(());
            };
            if outage.over() {
                self.notice(&format!("{} is back; nothing was missed", self.server));
            }
            let Some(event) = message.event else { continue };
            if event.number >= *next {
                *next = event.number + 1;
                on_event(event);
            }
        }
    }
}
