//! Which ended sweeps are forgotten, and when.

use crate::catalogue::{self, Catalogue};
use crate::pins::Pins;
use rangefinder_store::Retention;
use std::time::Duration;

/// How often it is looked for sweeps that are not to be kept; the first time at the start.
const PERIOD: Duration = Duration::from_secs(60);
/// Sweeps that are asked for at a time.
const AT_A_TIME: usize = 100;

/// Deletes sweeps that are not to be kept, and lets go of the artifacts of sweeps that have ended,
/// until it is stopped.
pub(super) async fn forever(catalogue: Catalogue, pins: Pins, retention: Retention) {
    let mut period = tokio::time::interval(PERIOD);
    loop {
        period.tick().await;
        if let Err(error) = pins.release(&catalogue).await {
            tracing::warn!(%error, "artifacts of ended sweeps are held on to");
        }
        if let Err(error) = forget(&catalogue, retention).await {
            tracing::warn!(%error, "sweeps that are not to be kept are still there");
        }
    }
}

/// Deletes all sweeps that are not to be kept, one after the other.
async fn forget(catalogue: &Catalogue, retention: Retention) -> Result<(), catalogue::Error> {
    if retention == Retention::default() {
        return Ok(());
    }
    loop {
        let now_ms = jiff::Timestamp::now().as_millisecond();
        let expired = catalogue.expired(retention, now_ms, AT_A_TIME).await?;
        if expired.is_empty() {
            return Ok(());
        }
        for sweep in expired {
            catalogue.engine().delete(sweep.clone()).await?;
            tracing::info!(%sweep, "deleted: it is not to be kept longer");
        }
    }
}
