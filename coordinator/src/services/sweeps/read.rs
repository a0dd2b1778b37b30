//! `Suggest` and `AnalyzeCurve`: a learning rate read off a curve.

use super::super::status::Refusal;
use super::Sweeps;
use super::field::{Field, of_reading};
use crate::engine;
use crate::record::read;
use crate::wire::sweeps as wire;
use rangefinder_access::{Operation, Principal};
use rangefinder_config::{reading, reread};
use rangefinder_errors::Code;
use rangefinder_proto::v1;
use rangefinder_sweep::suggest::{SmoothedRequest, suggest_smoothed};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Most points of a curve that is analyzed, over all replicas: the time goes by their square.
const MAX_POINTS: usize = 20_000;

/// Curves that are read at a time; others wait, so that reading them leaves the engine its core.
const AT_A_TIME: usize = 1;

/// Reads curves on a thread of its own, one after the other.
#[derive(Clone, Debug)]
pub(super) struct Readers(Arc<Semaphore>);

impl Default for Readers {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_A_TIME)))
    }
}

impl Readers {
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        // Never closed; a caller who leaves gives up the place only when the reading is done.
        let place = Arc::clone(&self.0).acquire_owned().await;
        let reading = tokio::task::spawn_blocking(move || {
            let _place = place;
            read()
        });
        let read = reading.await;
        read.map_err(|error| engine::Error::Defect(error.to_string()).into())
    }
}

impl Sweeps {
    pub(super) async fn read_again(
        &self,
        caller: &Principal,
        request: v1::SuggestRequest,
    ) -> Result<v1::CurveAnswer, Refusal> {
        let entry = self
            .permitted(caller, Operation::ReadSweep, &request.sweep_id)
            .await?;
        let document = self.catalogue.document(&entry.id).await?;
        let completed = document.filter(|_| entry.outcome.as_deref() == Some("completed"));
        let document = completed.ok_or_else(|| Refusal::NotCompleted(entry.id.clone()))?;
        let asked = request.reading.unwrap_or_default();
        let spec = reread(&document.spec, &asked);
        let described = document.described.as_ref().and_then(|told| told.beta);
        let beta = rangefinder_config::memory(&document.spec).or(described);
        let settings = reading(&spec, beta).map_err(of_reading)?;
        let answer = self.readers.read(move || {
            let losses: Vec<_> = document
                .replicas
                .iter()
                .map(|replica| replica.curve.loss.clone())
                .collect();
            read(&settings, &document.learning_rates, &losses)
        });
        Ok(wire::answer(&answer.await?))
    }
}

/// Reads a learning rate off a curve that comes with the call.
pub(super) async fn analyze(
    readers: &Readers,
    request: v1::AnalyzeCurveRequest,
) -> Result<v1::CurveAnswer, Refusal> {
    let mistake = |path: &str, code, message: String, remedy: &str| {
        Refusal::Fields(vec![Field::new(path, code, message, remedy)])
    };
    let mut rates = request.learning_rates;
    let replicas: Vec<Vec<f64>> = request
        .replicas
        .into_iter()
        .map(|losses| losses.values)
        .collect();
    let points = replicas
        .iter()
        .map(Vec::len)
        .sum::<usize>()
        .max(rates.len());
    if points > MAX_POINTS {
        return Err(mistake(
            "learning_rates",
            Code::OutOfRange,
            format!("there are {points} points; expected at most {MAX_POINTS}"),
            "thin the curve out",
        ));
    }
    let rising = rates.windows(2).all(|pair| pair[0] < pair[1]);
    if !rising || !rates.iter().all(|rate| rate.is_finite() && *rate > 0.0) {
        return Err(mistake(
            "learning_rates",
            Code::CurveRates,
            "are not finite, positive and increasing".to_owned(),
            "give one a step, in the order of the steps",
        ));
    }
    if replicas.is_empty() || replicas.iter().any(Vec::is_empty) {
        return Err(mistake(
            "replicas",
            Code::CurveEmpty,
            "a replica without losses, or none at all".to_owned(),
            "give the losses of at least 8 steps",
        ));
    }
    if let Some(losses) = replicas.iter().find(|losses| losses.len() > rates.len()) {
        return Err(mistake(
            "replicas",
            Code::CurveRow,
            format!("{} losses for {} learning rates", losses.len(), rates.len()),
            "give a learning rate for each step",
        ));
    }
    if let Some(planned) = request.num_training {
        let planned = planned as usize;
        if planned < rates.len() {
            return Err(mistake(
                "num_training",
                Code::CurveSteps,
                format!("{planned} is less than the {} learning rates", rates.len()),
                "give the number of planned steps",
            ));
        }
        if planned > MAX_POINTS {
            return Err(mistake(
                "num_training",
                Code::OutOfRange,
                format!("{planned} is too large; expected at most {MAX_POINTS}"),
                "give the number of planned steps",
            ));
        }
        extend(&mut rates, planned);
    }
    let asked = request.reading.unwrap_or_default();
    let spec = v1::SweepSpec {
        method: asked.method,
        profile: asked.profile,
        skip_begin: asked.skip_begin,
        skip_end: asked.skip_end,
        early_stop_threshold: asked.early_stop_threshold,
        seed: asked.seed,
        ..v1::SweepSpec::default()
    };
    let settings = reading(&spec, request.beta).map_err(of_reading)?;
    if !request.smoothed {
        let answer = readers
            .read(move || read(&settings, &rates, &replicas))
            .await?;
        return Ok(wire::answer(&answer));
    }
    let [smoothed] = replicas.as_slice() else {
        return Err(mistake(
            "replicas",
            Code::CurveSmoothed,
            format!("{} replicas of smoothed losses", replicas.len()),
            "give one replica, or raw losses",
        ));
    };
    let found = suggest_smoothed(&SmoothedRequest {
        learning_rates: &rates,
        smoothed,
        method: settings.method,
        profile: settings.profile,
        skip_begin: settings.skip_begin,
        skip_end: settings.skip_end,
    });
    Ok(wire::of_smoothed(&found, &rates))
}

/// Goes on with learning rates that were planned and not reached, in the same proportion.
fn extend(rates: &mut Vec<f64>, planned: usize) {
    let ratio = match rates.as_slice() {
        [.., before, last] => last / before,
        _ => 1.0,
    };
    while let Some(last) = rates.last().copied()
        && rates.len() < planned
    {
        rates.push(last * ratio);
    }
}
