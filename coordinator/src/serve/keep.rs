//! Which ended sweeps are forgotten, and when.

use crate::catalogue::Catalogue;
use crate::pins::Pins;
use rangefinder_store::Retention;
use std::time::Duration;

/// How often it is looked for sweeps that are not to be kept.
const PERIOD: Duration = Duration::from_secs(60);
/// Sweeps that are deleted at a time.
const AT_A_TIME: usize = 100;

/// Deletes sweeps that are not to be kept, a few at a time, and lets go of the artifacts of sweeps
/// that have ended, until it is stopped.
pub(super) async fn forever(catalogue: Catalogue, pins: Pins, retention: Retention) {
    let mut period = tokio::time::interval(PERIOD);
    loop {
        period.tick().await;
        if let Err(error) = pins.release(&catalogue).await {
            tracing::warn!(%error, "artifacts of ended sweeps are held on to");
        }
        if retention == Retention::default() {
            continue;
        }
        let now_ms = jiff::Timestamp::now().as_millisecond();
        match catalogue.expired(retention, now_ms, AT_A_TIME).await {
            Ok(expired) => {
                for sweep in expired {
                    match catalogue.engine().delete(sweep.clone()).await {
                        Ok(()) => tracing::info!(%sweep, "deleted: it is not to be kept longer"),
                        Err(error) => tracing::warn!(%sweep, %error, "not deleted"),
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "ended sweeps cannot be looked through"),
        }
    }
}
