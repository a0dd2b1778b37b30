//! What the workers are as processes.

use super::*;
use nix::sys::signal::Signal;
use rangefinder_tests::processes::{self, lives};

#[tokio::test]
async fn workers_lead_groups_of_their_own_and_their_arguments_hold_no_credential() {
    let _alone = ALONE.lock().await;
    let mut seen = Vec::new();
    run(
        Split::Replicas,
        2,
        &slow(2.0),
        &options(WORKER),
        CancellationToken::new(),
        &mut |event| {
            if let Happening::Observed { .. } = event.happening
                && seen.is_empty()
            {
                seen = own_workers();
            }
        },
    )
    .await
    .unwrap();
    assert_eq!(seen.len(), 2, "{seen:?}");
    for worker in seen {
        assert_eq!(worker.group, worker.pid);
        assert_eq!(worker.command_line.trim_end(), WORKER);
    }
}

#[tokio::test]
async fn what_a_worker_started_itself_ends_with_it() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let script = format!("sleep 600 &\necho $! > {}\nexec {{worker}}", pid.display());
    let worker = program(folder.path(), &script);
    let result = run(
        Split::None,
        1,
        &Config::default(),
        &options(&worker),
        CancellationToken::new(),
        &mut |_| {},
    )
    .await
    .unwrap();
    assert_eq!(result.status, Status::Completed);
    let pid: i32 = fs::read_to_string(pid).unwrap().trim().parse().unwrap();
    let gone = processes::eventually(|| !lives(pid));
    processes::signal(pid, Signal::SIGKILL);
    assert!(gone);
}
