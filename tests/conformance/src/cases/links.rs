//! Connections that break, acknowledgements that do not come.

use super::{Bench, ensure, finished, run};
use crate::Scenario::Ordinary;
use crate::task::{bits, task};
use rangefinder_proto::v1::connect_request::Message as FromWorker;
use rangefinder_proto::v1::connect_response::Message as ToWorker;
use tonic::Status;

const STEPS: u64 = 300;

pub(super) async fn a_reconnect_loses_nothing(bench: &mut Bench<'_>) -> Result<(), String> {
    let spec = (bench.subject.spec)(Ordinary);
    let mut connection = bench.joined(&[]).await?;
    let (undisturbed, _) = run(&mut connection, task(1, spec.clone(), 0, STEPS)).await?;

    let mut seen = Vec::new();
    connection
        .send(ToWorker::Assign(task(2, spec, 0, STEPS)))
        .await?;
    for cut in 0..3 {
        match connection.report().await? {
            FromWorker::Observations(batch) => {
                let next = seen.len() as u64;
                let fresh = batch
                    .observations
                    .into_iter()
                    .skip_while(|one| one.step < next);
                seen.extend(fresh);
            }
            FromWorker::Finished(_) => {}
            other => return Err(format!("expected losses, got {other:?}")),
        }
        // Half of it counts as accepted, though the worker does not hear of all that.
        seen.truncate(seen.len() / 2);
        connection.ack(2, seen.len() as u64 / 2, false).await?;
        connection.cut(Status::unavailable("scripted")).await?;
        let (next, hello) = bench.coordinator.greet().await?;
        let held: Vec<_> = hello.leases.iter().map(|lease| lease.lease_token).collect();
        ensure(held == [2], || {
            format!("after cut {cut}, Hello holds {held:?}")
        })?;
        connection = next;
        // As a coordinator does that knows more than the worker has heard.
        connection.ack(2, seen.len() as u64, false).await?;
    }
    let first = seen.len() as u64;
    let rest = loop {
        // What was on its way when the acknowledgement came is older than it.
        match connection.report().await? {
            FromWorker::Observations(mut batch) => {
                batch
                    .observations
                    .retain(|one| one.step >= seen.len() as u64);
                let next = seen.len() as u64;
                let in_order = (next..)
                    .zip(&batch.observations)
                    .all(|(step, one)| one.step == step);
                ensure(in_order, || format!("a gap after step {next}: {batch:?}"))?;
                seen.extend(batch.observations);
                connection.ack(2, seen.len() as u64, false).await?;
            }
            end => break end,
        }
    };
    finished(rest, 2)?;
    ensure(bits(&seen) == bits(&undisturbed), || {
        format!(
            "{} losses from step {first} on are not the undisturbed ones",
            seen.len()
        )
    })
}

pub(super) async fn what_is_not_acknowledged_is_sent_again(
    bench: &mut Bench<'_>,
) -> Result<(), String> {
    let mut connection = bench.joined(&[]).await?;
    let spec = (bench.subject.spec)(Ordinary);
    connection
        .send(ToWorker::Assign(task(1, spec, 0, 10)))
        .await?;
    let mut ends = 0;
    let mut first_steps = Vec::new();
    // Nothing is acknowledged: losses and end come again, the losses before the end.
    while ends < 2 {
        match connection.report().await? {
            FromWorker::Observations(batch) => {
                first_steps.extend(batch.observations.first().map(|one| one.step));
            }
            end => {
                finished(end, 1)?;
                ends += 1;
            }
        }
    }
    let from_the_start = first_steps.iter().filter(|step| **step == 0).count();
    ensure(from_the_start >= 2, || {
        format!("batches began at {first_steps:?}")
    })?;
    connection.ack(1, 10, true).await?;
    while !connection.heartbeat().await?.is_empty() {}
    Ok(())
}
