//! Mistakes, memory, NaN, a step that hangs.

use super::{Bench, ensure, failed, run};
use crate::Scenario;
use crate::task::task;
use rangefinder_proto::v1;
use rangefinder_proto::v1::connect_request::Message as FromWorker;
use rangefinder_proto::v1::connect_response::Message as ToWorker;

/// A learning rate beyond anything: the weights are lost with the first step.
const ABSURD: f64 = 1e30;

pub(super) async fn a_user_error_comes_back_with_its_field_and_a_remedy(
    bench: &mut Bench<'_>,
) -> Result<(), String> {
    let trainer = Some((bench.subject.spec)(Scenario::UserError));
    let mut connection = bench.joined(&[]).await?;
    let order = v1::Describe {
        lease_token: 1,
        trainer,
        traceparent: String::new(),
    };
    connection.send(ToWorker::Describe(order)).await?;
    let failure = failed(connection.report().await?, 1)?;
    let told = failure.fields.first().is_some_and(|error| {
        !error.field.is_empty() && !error.message.is_empty() && !error.remedy.is_empty()
    });
    ensure(told && failure.kind() == v1::FailureKind::User, || {
        format!("{failure:?}")
    })?;
    connection.ack(1, 0, true).await?;
    // A mistake in one sweep is none in the next.
    let spec = (bench.subject.spec)(Scenario::Ordinary);
    run(&mut connection, task(2, spec, 0, 3)).await.map(|_| ())
}

pub(super) async fn running_out_of_memory_is_a_kind_of_its_own_and_names_the_batch_size(
    bench: &mut Bench<'_>,
) -> Result<(), String> {
    let spec = (bench.subject.spec)(Scenario::OutOfMemory);
    let (batch_size, trainer) = (spec.batch_size.to_string(), Some(spec));
    let mut connection = bench.joined(&[]).await?;
    let order = v1::Describe {
        lease_token: 1,
        trainer: trainer.clone(),
        traceparent: String::new(),
    };
    connection.send(ToWorker::Describe(order)).await?;
    let failure = match connection.report().await? {
        FromWorker::Described(_) => {
            connection.ack(1, 0, true).await?;
            let order = v1::Probe {
                lease_token: 2,
                trainer,
                steps: 2,
                traceparent: String::new(),
            };
            connection.send(ToWorker::Probe(order)).await?;
            failed(connection.report().await?, 2)?
        }
        other => failed(other, 1)?,
    };
    ensure(
        failure.kind() == v1::FailureKind::OutOfMemory && failure.message.contains(&batch_size),
        || format!("{failure:?}"),
    )
}

pub(super) async fn a_nan_loss_is_reported_and_ends_the_task(
    bench: &mut Bench<'_>,
) -> Result<(), String> {
    let mut connection = bench.joined(&[]).await?;
    let mut assign = task(1, (bench.subject.spec)(Scenario::Nan), 0, 40);
    assign.learning_rates[8..].fill(ABSURD);
    let (seen, end) = run(&mut connection, assign).await?;
    ensure(end.reason() == v1::FinishReason::NonFinite, || {
        format!("{end:?}")
    })?;
    let finite = seen.iter().take_while(|one| one.loss.is_finite()).count();
    ensure(
        finite + 1 == seen.len() && end.end == seen.len() as u64,
        || format!("{end:?} after {seen:?}"),
    )
}

pub(super) async fn heartbeats_go_on_while_a_step_hangs_and_show_no_progress(
    bench: &mut Bench<'_>,
) -> Result<(), String> {
    let mut connection = bench.joined(&[]).await?;
    let assign = task(1, (bench.subject.spec)(Scenario::Hang), 0, 50);
    connection.send(ToWorker::Assign(assign)).await?;
    let (mut progress, mut without) = (0, 0);
    while without < 15 {
        let held = connection.heartbeat().await?;
        connection.desire(&[1]).await?;
        if held.is_empty() && progress == 0 {
            continue; // On its way while the order was on its own.
        }
        let [lease] = &held[..] else {
            return Err(format!("heartbeats hold {held:?}"));
        };
        ensure(!lease.done && lease.progress < 50, || format!("{lease:?}"))?;
        without = if lease.progress > 0 && lease.progress == progress {
            without + 1
        } else {
            0
        };
        progress = lease.progress;
    }
    // It can be dropped all the same.
    let reason = v1::StopReason::Superseded.into();
    let stop = v1::Stop {
        lease_token: 1,
        reason,
    };
    connection.send(ToWorker::Stop(stop)).await?;
    while !connection.heartbeat().await?.is_empty() {}
    Ok(())
}
