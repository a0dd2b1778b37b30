//! What is stopped, superseded, handed back.

use super::{Bench, ensure, finished, run};
use crate::Scenario::Ordinary;
use crate::coordinator::Connection;
use crate::task::{LONG, bits, task};
use rangefinder_proto::v1;
use rangefinder_proto::v1::connect_request::Message as FromWorker;
use rangefinder_proto::v1::connect_response::Message as ToWorker;

/// A worker in the middle of a task that it will not finish while anybody looks.
async fn busy(
    bench: &mut Bench<'_>,
    token: u64,
    extra: &[(&str, &str)],
) -> Result<Connection, String> {
    let assign = task(token, (bench.subject.spec)(Ordinary), 0, LONG);
    let mut connection = bench.joined(extra).await?;
    connection.send(ToWorker::Assign(assign)).await?;
    match connection.report().await? {
        FromWorker::Observations(_) => Ok(connection),
        other => Err(format!("expected losses, got {other:?}")),
    }
}

/// Gives the worker a short task, which it runs though losses of an older lease may have been on
/// their way; none may come once this one has begun, and no end of the older one.
async fn next_runs(
    bench: &Bench<'_>,
    connection: &mut Connection,
    token: u64,
) -> Result<(), String> {
    let assign = task(token, (bench.subject.spec)(Ordinary), 0, 5);
    connection.send(ToWorker::Assign(assign)).await?;
    let mut begun = false;
    loop {
        match connection.report().await? {
            FromWorker::Observations(batch) if batch.lease_token == token => begun = true,
            FromWorker::Observations(_) if !begun => {}
            end => {
                let end = finished(end, token)?;
                ensure(end.end == 5, || format!("{end:?}"))?;
                return connection.ack(token, 5, true).await;
            }
        }
    }
}

pub(super) async fn stop_drops_the_task_and_the_next_one_runs(
    bench: &mut Bench<'_>,
) -> Result<(), String> {
    let mut connection = busy(bench, 1, &[]).await?;
    let reason = v1::StopReason::Diverged.into();
    let stop = v1::Stop {
        lease_token: 1,
        reason,
    };
    connection.send(ToWorker::Stop(stop)).await?;
    while !connection.heartbeat().await?.is_empty() {}
    next_runs(bench, &mut connection, 2).await
}

pub(super) async fn a_stale_token_is_dropped_quietly(bench: &mut Bench<'_>) -> Result<(), String> {
    let mut connection = busy(bench, 1, &[]).await?;
    // Heartbeats are answered with what is wanted: first this lease, then none.
    connection.desire(&[1]).await?;
    let held = connection.heartbeat().await?;
    ensure(held.iter().map(|lease| lease.lease_token).eq([1]), || {
        format!("{held:?}")
    })?;
    connection.desire(&[]).await?;
    while !connection.heartbeat().await?.is_empty() {}
    next_runs(bench, &mut connection, 2).await?;
    // So it is when a report is answered with "superseded".
    let reason = v1::StopReason::Superseded.into();
    let assign = task(3, (bench.subject.spec)(Ordinary), 0, LONG);
    connection.send(ToWorker::Assign(assign)).await?;
    let stop = v1::Stop {
        lease_token: 3,
        reason,
    };
    connection.send(ToWorker::Stop(stop)).await?;
    next_runs(bench, &mut connection, 4).await
}

pub(super) async fn repeated_and_late_messages_change_nothing(
    bench: &mut Bench<'_>,
) -> Result<(), String> {
    let spec = (bench.subject.spec)(Ordinary);
    let mut connection = bench.joined(&[]).await?;
    let assign = task(3, spec.clone(), 0, 30);
    for _ in 0..3 {
        connection.send(ToWorker::Assign(assign.clone())).await?;
    }
    // Words about leases that are not held.
    connection.ack(2, 10, true).await?;
    let reason = v1::StopReason::Cancelled.into();
    let stop = v1::Stop {
        lease_token: 2,
        reason,
    };
    connection.send(ToWorker::Stop(stop)).await?;
    let (seen, end) = connection.until_end(3, 0).await?;
    let end = finished(end, 3)?;
    ensure(end.end == 30 && seen.len() == 30, || {
        format!("{end:?} after {} losses", seen.len())
    })?;
    connection.ack(3, 30, true).await?;
    // The order again after its end was acknowledged: it is not run again.
    connection.send(ToWorker::Assign(assign)).await?;
    let (again, _) = run(&mut connection, task(4, spec, 0, 30)).await?;
    ensure(bits(&again) == bits(&seen), || {
        "another task's losses".to_owned()
    })
}

pub(super) async fn drain_lets_the_task_at_hand_finish(
    bench: &mut Bench<'_>,
) -> Result<(), String> {
    let mut connection = bench.joined(&[("RANGEFINDER_DRAIN_SECONDS", "60")]).await?;
    let assign = task(1, (bench.subject.spec)(Ordinary), 0, 200);
    connection.send(ToWorker::Assign(assign)).await?;
    let mut told = false;
    let end = loop {
        match connection.report().await? {
            FromWorker::Observations(_) if told => {}
            FromWorker::Observations(_) => {
                connection.send(ToWorker::Drain(v1::Drain {})).await?;
                told = true;
            }
            end => break finished(end, 1)?,
        }
    };
    ensure(told && end.end == 200, || format!("{end:?}"))?;
    connection.ack(1, 200, true).await?;
    bench.worker()?.end_well().await
}

pub(super) async fn drain_hands_back_what_takes_too_long_or_has_not_begun(
    bench: &mut Bench<'_>,
) -> Result<(), String> {
    let connection = busy(bench, 1, &[("RANGEFINDER_DRAIN_SECONDS", "0.3")]).await?;
    let spec = (bench.subject.spec)(Ordinary);
    let waiting = task(2, spec.clone(), 0, LONG);
    connection.send(ToWorker::Assign(waiting)).await?;
    connection.send(ToWorker::Drain(v1::Drain {})).await?;
    connection
        .send(ToWorker::Assign(task(3, spec, 0, LONG)))
        .await?;
    let messages = connection.until_hang_up().await?;
    let mut handed_back: Vec<_> = messages
        .iter()
        .filter_map(|message| match message {
            FromWorker::HandBack(back) => Some(back.lease_token),
            _ => None,
        })
        .collect();
    handed_back.sort_unstable();
    ensure(handed_back == [1, 2, 3], || {
        format!("handed back: {handed_back:?}")
    })?;
    bench.worker()?.end_well().await
}
