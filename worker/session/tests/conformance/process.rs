//! The mock worker as a process: the contract of joining, and how it ends.

use crate::support::*;
use rangefinder_proto::v1::connect_response::Message as ToWorker;
use std::process::{Output, Stdio};
use tokio::process::{Child, Command};

fn command(coordinator: &Coordinator) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mock-worker"));
    command
        .env_clear()
        .env(
            "RANGEFINDER_COORDINATOR",
            format!("http://{}", coordinator.address),
        )
        .env("RANGEFINDER_TOKEN", TOKEN)
        .env("RANGEFINDER_WORKER_ID", "p1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

async fn output(child: Child) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = soon("the process to end", child.wait_with_output())
        .await
        .expect("output");
    (status.code(), String::from_utf8_lossy(&stderr).into_owned())
}

#[tokio::test]
async fn a_worker_process_joins_by_its_environment_and_follows_its_script() {
    let mut coordinator = Coordinator::start().await;
    let script = r#"{"faults": [{"step": 4, "what": "panic"}]}"#;
    let child = command(&coordinator)
        .env("RANGEFINDER_MOCK", script)
        .spawn()
        .expect("started");
    let (mut connection, hello) = coordinator.greet(100, 10_000).await;
    assert_eq!(hello.worker_id, "p1");
    connection.send(ToWorker::Assign(task(1, 0, 9, "{}"))).await;
    let (_, end) = connection.until_end().await;
    assert!(failed(end).message.contains("step 4 panicked"));
    connection.ack(1, 4, true).await;
    connection
        .send(ToWorker::Drain(rangefinder_proto::v1::Drain {}))
        .await;
    drop(connection);
    let (code, stderr) = output(child).await;
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(stderr, "", "a caught panic prints nothing");
}

#[tokio::test]
async fn a_worker_process_ends_with_its_standard_input() {
    let mut coordinator = Coordinator::start().await;
    let mut child = command(&coordinator)
        .env("RANGEFINDER_WATCH_STDIN", "1")
        .spawn()
        .expect("started");
    let (mut connection, _) = coordinator.greet(100, 10_000).await;
    let script = r#"{"faults": [{"step": 4, "what": "hang"}]}"#;
    connection
        .send(ToWorker::Assign(task(1, 0, 9, script)))
        .await;
    let _begun = connection.report().await;
    drop(child.stdin.take());
    drop(connection);
    let (code, stderr) = output(child).await;
    assert_eq!(code, Some(0), "{stderr}");
}

#[tokio::test]
async fn a_worker_process_that_is_killed_hangs_up() {
    let mut coordinator = Coordinator::start().await;
    let mut child = command(&coordinator).spawn().expect("started");
    let (connection, _) = coordinator.greet(100, 10_000).await;
    child.start_kill().expect("killed");
    connection.until_hang_up().await;
}

#[tokio::test]
async fn sigterm_ends_an_idle_worker_process_in_good_order() {
    let mut coordinator = Coordinator::start().await;
    let child = command(&coordinator).spawn().expect("started");
    let (connection, _) = coordinator.greet(100, 10_000).await;
    let id = child.id().expect("running").to_string();
    let kill = Command::new("kill").args(["-TERM", &id]).status().await;
    assert!(kill.expect("kill runs").success());
    drop(connection);
    let (code, stderr) = output(child).await;
    assert_eq!(code, Some(0), "{stderr}");
}

#[tokio::test]
async fn a_second_signal_ends_a_worker_process_at_once() {
    let mut coordinator = Coordinator::start().await;
    let child = command(&coordinator).spawn().expect("started");
    let (mut connection, _) = coordinator.greet(50, 60_000).await;
    let script = r#"{"faults": [{"step": 4, "what": "hang"}]}"#;
    connection
        .send(ToWorker::Assign(task(1, 0, 9, script)))
        .await;
    let _begun = connection.report().await;
    let id = child.id().expect("running").to_string();
    let terminate = || Command::new("kill").args(["-TERM", &id]).status();
    assert!(terminate().await.expect("kill runs").success());
    // It tells its coordinator, and would wait for its task for a minute.
    while !connection.leaving().await {}
    assert!(terminate().await.expect("kill runs").success());
    let (code, stderr) = output(child).await;
    assert_eq!(code, Some(1), "{stderr}");
}

#[tokio::test]
async fn a_bad_environment_and_a_failed_session_have_codes_and_words_of_their_own() {
    let coordinator = Coordinator::start().await;
    let child = command(&coordinator)
        .env("RANGEFINDER_DEVICE", "tpu")
        .spawn()
        .expect("started");
    let (code, stderr) = output(child).await;
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("RANGEFINDER_DEVICE is \"tpu\""), "{stderr}");

    let child = command(&coordinator)
        .env("RANGEFINDER_TOKEN", "wrong")
        .spawn()
        .expect("started");
    let (code, stderr) = output(child).await;
    assert_eq!(code, Some(1), "{stderr}");
    assert!(
        stderr.contains("rejected this worker's credential"),
        "{stderr}"
    );
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}
