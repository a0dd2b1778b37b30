//! Describe, probe, tasks and their losses.

use super::{Bench, describe, ensure, run};
use crate::Scenario::Ordinary;
use crate::task::{bits, task};
use rangefinder_proto::v1;
use rangefinder_proto::v1::connect_request::Message as FromWorker;
use rangefinder_proto::v1::connect_response::Message as ToWorker;

pub(super) async fn describe_says_what_model_and_data_are(
    bench: &mut Bench<'_>,
) -> Result<(), String> {
    let spec = (bench.subject.spec)(Ordinary);
    let mut connection = bench.joined(&[]).await?;
    let described = describe(&mut connection, 1, spec).await?;
    let weights: i64 = described
        .parameters
        .iter()
        .map(|parameter| parameter.shape.iter().product::<i64>())
        .sum();
    ensure(
        described.parameter_count > 0 && u64::try_from(weights) == Ok(described.parameter_count),
        || {
            format!(
                "{weights} weights in the shapes, {} counted",
                described.parameter_count
            )
        },
    )?;
    ensure(
        described.initial_loss.is_finite()
            && !described.optimizer.is_empty()
            && described.beta.is_none_or(|beta| (0.0..1.0).contains(&beta))
            && described.effective_batch_size > 0,
        || format!("{described:?}"),
    )
}

pub(super) async fn probe_measures_the_gradient_and_the_time_of_a_step(
    bench: &mut Bench<'_>,
) -> Result<(), String> {
    let trainer = Some((bench.subject.spec)(Ordinary));
    let mut connection = bench.joined(&[]).await?;
    let (lease_token, steps) = (1, 4);
    let order = v1::Probe {
        lease_token,
        trainer,
        steps,
        traceparent: String::new(),
    };
    connection.send(ToWorker::Probe(order)).await?;
    match connection.report().await? {
        FromWorker::Probed(probed) => ensure(
            probed.lease_token == 1
                && probed.initial_loss.is_finite()
                && probed.gradient_squared >= 0.0
                && probed.gradient_l1 > 0.0
                && probed.seconds_per_step > 0.0,
            || format!("{probed:?}"),
        ),
        other => Err(format!("expected Probed, got {other:?}")),
    }
}

pub(super) async fn a_task_reports_exactly_its_steps_and_rates(
    bench: &mut Bench<'_>,
) -> Result<(), String> {
    let mut connection = bench.joined(&[]).await?;
    let mut assign = task(1, (bench.subject.spec)(Ordinary), 0, 20);
    assign.learning_rates = (1..=20).map(|step| 1e-6 * f64::from(step)).collect();
    let rates = assign.learning_rates.clone();
    connection.send_unknown().await?; // Passed over.
    let (seen, end) = run(&mut connection, assign).await?;
    ensure(
        end.reason() == v1::FinishReason::Completed && end.end == 20,
        || format!("{end:?}"),
    )?;
    let steps_fit = seen.iter().map(|one| one.step).eq(0..20);
    let rates_fit = seen.iter().map(|one| one.learning_rate.to_bits());
    ensure(
        steps_fit && rates_fit.eq(rates.iter().map(|rate| rate.to_bits())),
        || format!("{seen:?}"),
    )?;
    ensure(
        seen.iter()
            .all(|one| one.loss.is_finite() && one.samples > 0),
        || format!("{seen:?}"),
    )
}

pub(super) async fn replay_of_a_task_gives_the_same_bits_also_in_another_process(
    bench: &mut Bench<'_>,
) -> Result<(), String> {
    let spec = (bench.subject.spec)(Ordinary);
    let mut runs = Vec::new();
    for _ in 0..2 {
        let mut connection = bench.joined(&[]).await?;
        for token in [1, 2] {
            let (seen, _) = run(&mut connection, task(token, spec.clone(), 3, 23)).await?;
            runs.push(bits(&seen));
        }
    }
    ensure(runs.windows(2).all(|pair| pair[0] == pair[1]), || {
        format!("four runs of one task: {runs:?}")
    })
}

/// At a learning rate of 0 the weights stay, so that the loss of a step is that of its batch.
pub(super) async fn a_batch_belongs_to_its_step_wherever_the_task_starts(
    bench: &mut Bench<'_>,
) -> Result<(), String> {
    let spec = (bench.subject.spec)(Ordinary);
    let mut connection = bench.joined(&[]).await?;
    if !describe(&mut connection, 1, spec.clone()).await?.seekable {
        return Ok(());
    }
    let mut losses = Vec::new();
    for (token, first) in [(2, 0), (3, 12)] {
        let mut assign = task(token, spec.clone(), first, 24);
        assign.learning_rates.fill(0.0);
        let (seen, _) = run(&mut connection, assign).await?;
        losses.push(bits(&seen).split_off(usize::from(first == 0) * 12));
    }
    ensure(losses[0] == losses[1], || format!("{losses:?}"))
}

pub(super) async fn another_replica_has_another_order(bench: &mut Bench<'_>) -> Result<(), String> {
    let spec = (bench.subject.spec)(Ordinary);
    let mut connection = bench.joined(&[]).await?;
    let mut losses = Vec::new();
    for (token, replica) in [(1, 0), (2, 1)] {
        let mut assign = task(token, spec.clone(), 0, 4);
        assign.replica = replica;
        losses.push(bits(&run(&mut connection, assign).await?.0));
    }
    ensure(losses[0] != losses[1], || format!("{losses:?}"))
}
