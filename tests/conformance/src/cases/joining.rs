//! Hello, credential, how a worker process ends.

use super::{Bench, ensure};
use crate::coordinator::soon;
use std::collections::HashMap;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

pub(super) async fn hello_says_who_the_worker_is(bench: &mut Bench<'_>) -> Result<(), String> {
    bench.start(&[])?;
    let (_connection, hello) = bench.coordinator.accept().await?;
    ensure(
        hello.worker_id == "w0"
            && hello.protocol_version == rangefinder_proto::PROTOCOL_VERSION
            && hello.incarnation != 0
            && hello.device == "cpu"
            && hello.leases.is_empty(),
        || format!("{hello:?}"),
    )
}

pub(super) async fn a_wrong_credential_ends_the_worker_with_words(
    bench: &mut Bench<'_>,
) -> Result<(), String> {
    // One that tried again for ever would not end while anybody looks.
    bench.start(&[
        ("RANGEFINDER_TOKEN", "wrong-token"),
        ("RANGEFINDER_RECONNECT_SECONDS", "3600"),
    ])?;
    let worker = bench.worker()?;
    let code = worker.end().await?;
    ensure(!matches!(code, Some(0) | None), || {
        format!("exit code {code:?}")
    })?;
    let said = async {
        while worker.words().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    soon("a word on standard error", said).await?;
    let words = worker.words();
    ensure(!words.contains("wrong-token"), || {
        "the credential is shown".to_owned()
    })
}

/// Two that connected again and again would take the name from each other for ever.
pub(super) async fn a_worker_that_was_replaced_ends(bench: &mut Bench<'_>) -> Result<(), String> {
    let connection = bench.joined(&[]).await?;
    let details = ErrorDetails::with_error_info("REPLACED", "rangefinder", HashMap::new());
    let replaced =
        Status::with_error_details(Code::Aborted, "another process joined as w0", details);
    connection.cut(replaced).await?;
    let Some(worker) = bench.worker.as_mut() else {
        return Err("no worker was started".to_owned());
    };
    tokio::select! {
        code = worker.end() => {
            let code = code?;
            ensure(!matches!(code, Some(0) | None), || format!("exit code {code:?}"))
        }
        _ = bench.coordinator.accept() => Err("it connected again".to_owned()),
    }
}

pub(super) async fn the_worker_ends_with_its_standard_input(
    bench: &mut Bench<'_>,
) -> Result<(), String> {
    let _connection = bench.joined(&[]).await?;
    let worker = bench.worker()?;
    worker.close_stdin();
    worker.end_well().await
}

pub(super) async fn sigterm_ends_an_idle_worker_in_good_order(
    bench: &mut Bench<'_>,
) -> Result<(), String> {
    let mut connection = bench.joined(&[]).await?;
    let _settled = connection.heartbeat().await?;
    let worker = bench.worker()?;
    worker.terminate()?;
    worker.end_well().await
}
