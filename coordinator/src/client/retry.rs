//! Pauses between attempts, and how long they go on.

use super::Error;
use std::time::Duration;
use tokio::time::Instant;

/// The first pause.
const SHORTEST: Duration = Duration::from_millis(100);
/// No pause is longer.
const LONGEST: Duration = Duration::from_secs(5);

/// Attempts during one outage.
pub(super) struct Outage {
    patience: Duration,
    since: Option<Instant>,
    next: Duration,
}

impl Outage {
    /// One that is borne for so long.
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            patience,
            since: None,
            next: SHORTEST,
        }
    }

    /// The service has answered; whether it was away before.
    pub(super) fn over(&mut self) -> bool {
        self.next = SHORTEST;
        self.since.take().is_some()
    }

    /// Waits before the next attempt; whether it was the first of the outage.
    ///
    /// # Errors
    /// With the failure that led here, once it has lasted too long.
    pub(super) async fn pause(&mut self, failure: Error) -> Result<(), Error> {
        let since = *self.since.get_or_insert_with(Instant::now);
        let left = self.patience.saturating_sub(since.elapsed());
        if left.is_zero() {
            return Err(failure);
        }
        tokio::time::sleep(jittered(self.next).min(left)).await;
        self.next = self.next.saturating_mul(2).min(LONGEST);
        Ok(())
    }

    /// Whether an outage goes on.
    pub(super) fn goes_on(&self) -> bool {
        self.since.is_some()
    }
}

/// Between a half of it and all of it, so that clients that a service has lost do not all come
/// back at once.
fn jittered(pause: Duration) -> Duration {
    let drawn = getrandom::u32().unwrap_or(u32::MAX);
    pause.mul_f64(0.5 + 0.5 * f64::from(drawn) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;
    use rangefinder_errors::Code;

    fn failure() -> Error {
        Error::new(Kind::Away, Code::ServiceUnreachable, "gone", "")
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_and_end_with_the_patience() {
        let mut outage = Outage::new(Duration::from_secs(60));
        let (mut pauses, started) = (Vec::new(), Instant::now());
        loop {
            let before = Instant::now();
            if outage.pause(failure()).await.is_err() {
                break;
            }
            pauses.push(before.elapsed());
        }
        assert!(pauses[0] >= SHORTEST / 2 && pauses[0] <= SHORTEST);
        assert!(
            pauses[8..pauses.len() - 1]
                .iter()
                .all(|it| *it >= LONGEST / 2)
        );
        assert!(pauses.iter().all(|pause| *pause <= LONGEST));
        assert_eq!(started.elapsed().as_secs(), 60);
        assert!(outage.over() && !outage.over());
        assert!(outage.pause(failure()).await.is_ok());
    }
}
