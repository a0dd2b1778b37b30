//! What roles may do, call by call; and where may be listened.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

use prost::Message as _;
use rangefinder_access::{
    Denied, DeniedKind, Grant, Operation, Principal, Role, Tokens, check_listen,
};
use rangefinder_errors::{Code, Coded as _};

/// All calls of `rangefinder.v1`, and which roles may make them on what is their own and on what is
/// another's: client, worker, admin.
const CALLS: [(&str, [Grant; 3]); 14] = [
    (
        "SweepService/CreateSweep",
        [Grant::Any, Grant::Never, Grant::Any],
    ),
    (
        "SweepService/GetSweep",
        [Grant::Own, Grant::Never, Grant::Any],
    ),
    (
        "SweepService/ListSweeps",
        [Grant::Any, Grant::Never, Grant::Any],
    ),
    (
        "SweepService/WatchSweep",
        [Grant::Own, Grant::Never, Grant::Any],
    ),
    (
        "SweepService/CancelSweep",
        [Grant::Own, Grant::Never, Grant::Any],
    ),
    (
        "SweepService/DeleteSweep",
        [Grant::Own, Grant::Never, Grant::Any],
    ),
    (
        "SweepService/Suggest",
        [Grant::Own, Grant::Never, Grant::Any],
    ),
    (
        "SweepService/AnalyzeCurve",
        [Grant::Any, Grant::Never, Grant::Any],
    ),
    (
        "SweepService/ListWorkers",
        [Grant::Any, Grant::Never, Grant::Any],
    ),
    (
        "SweepService/DrainWorker",
        [Grant::Never, Grant::Never, Grant::Any],
    ),
    (
        "ArtifactService/UploadArtifact",
        [Grant::Any, Grant::Never, Grant::Any],
    ),
    (
        "ArtifactService/GetArtifact",
        [Grant::Own, Grant::Any, Grant::Any],
    ),
    (
        "ArtifactService/DownloadArtifact",
        [Grant::Own, Grant::Any, Grant::Any],
    ),
    (
        "WorkerService/Connect",
        [Grant::Never, Grant::Any, Grant::Never],
    ),
];

fn principal(role: Role, name: &str) -> Principal {
    let now = jiff::Timestamp::UNIX_EPOCH;
    let mut tokens = Tokens::default();
    let (_, secret) = tokens.create(role, name, None, now).unwrap();
    tokens.authenticate(secret.reveal(), now).unwrap()
}

fn of(call: &str) -> Operation {
    Operation::of_rpc(&format!("/rangefinder.v1.{call}")).unwrap()
}

#[test]
fn each_role_may_make_the_calls_of_the_table_and_no_others() {
    for (call, grants) in CALLS {
        let operation = of(call);
        for (role, grant) in Role::ALL.into_iter().zip(grants) {
            let caller = principal(role, "alice");
            let own = caller.allowed(operation, Some("alice"));
            let others = caller.allowed(operation, Some("bob"));
            let nobodys = caller.allowed(operation, None);
            let never = Err(Denied::Role { role, operation });
            let hidden = Err(Denied::NotYours);
            let expected = match grant {
                Grant::Never => [never.clone(), never.clone(), never],
                Grant::Own => [Ok(()), hidden.clone(), hidden],
                Grant::Any => [Ok(()), Ok(()), Ok(())],
            };
            assert_eq!([own, others, nobodys], expected, "{role} {call}");
            assert_eq!(caller.may_ever(operation).is_ok(), grant != Grant::Never);
        }
    }
}

/// Each call once, so that none needs two operations.
fn known() -> Vec<&'static str> {
    let calls = Operation::ALL.iter().flat_map(|operation| operation.rpcs());
    let mut calls: Vec<_> = calls.copied().collect();
    calls.sort_unstable();
    calls
}

#[test]
fn every_call_of_the_table_here_is_one_of_the_code() {
    let mut calls = CALLS.map(|(call, _)| call);
    calls.sort_unstable();
    assert_eq!(known(), calls);
}

#[test]
fn every_call_of_the_wire_is_known() {
    let files = prost_types::FileDescriptorSet::decode(rangefinder_proto::DESCRIPTORS).unwrap();
    let mut calls = Vec::new();
    for file in &files.file {
        for service in &file.service {
            let methods = service.method.iter();
            calls.extend(methods.map(|method| format!("{}/{}", service.name(), method.name())));
        }
    }
    calls.sort_unstable();
    assert_eq!(calls, known());
}

#[test]
fn a_call_that_is_not_known_is_nobodys() {
    for path in [
        "",
        "SweepService/GetSweep",
        "/rangefinder.v1.SweepService/Reboot",
        "/rangefinder.v1.SweepService/GetSweep/",
        "/rangefinder.v2.SweepService/GetSweep",
        "/rangefinder.v1.sweepservice/getsweep",
    ] {
        assert_eq!(Operation::of_rpc(path), None, "{path}");
    }
}

#[test]
fn a_worker_neither_creates_nor_reads_sweeps() {
    let worker = principal(Role::Worker, "node7");
    for call in CALLS.map(|(call, _)| call) {
        if call.starts_with("SweepService/") {
            let denied = worker.allowed(of(call), Some("node7")).unwrap_err();
            assert_eq!(denied.kind(), DeniedKind::Forbidden, "{call}");
            assert_eq!(denied.code(), Code::Forbidden);
        }
    }
    worker.allowed(Operation::ConnectWorker, None).unwrap();
    assert!(!worker.sees("node7"));
}

#[test]
fn a_client_does_not_act_as_a_worker_nor_drains_one() {
    let client = principal(Role::Client, "alice");
    for operation in [Operation::ConnectWorker, Operation::DrainWorker] {
        let denied = client.allowed(operation, None).unwrap_err();
        assert_eq!(denied.kind(), DeniedKind::Forbidden);
        let said = format!(
            "a token of the role client may not {}",
            operation.describe()
        );
        assert_eq!(denied.to_string(), said);
    }
}

#[test]
fn a_client_sees_its_own_sweeps_only_and_an_admin_all() {
    let (client, admin) = (
        principal(Role::Client, "alice"),
        principal(Role::Admin, "root"),
    );
    assert!(client.sees("alice") && !client.sees("bob"));
    assert!(admin.sees("alice") && admin.sees("bob"));
    let denied = client
        .allowed(Operation::ReadSweep, Some("bob"))
        .unwrap_err();
    assert_eq!(denied.kind(), DeniedKind::NotFound);
    assert!(!denied.to_string().contains("bob"));
}

#[test]
fn sweeps_stay_with_a_name_whose_token_is_new() {
    let (old, new) = (
        principal(Role::Client, "alice"),
        principal(Role::Client, "alice"),
    );
    assert_ne!(old.id, new.id);
    new.allowed(Operation::DeleteSweep, Some(&old.name))
        .unwrap();
}

#[test]
fn off_loopback_needs_tls_or_the_operators_word() {
    for (address, loopback) in [
        ("127.0.0.1:1", true),
        ("127.8.9.10:1", true),
        ("[::1]:1", true),
        ("[::ffff:127.0.0.1]:1", true),
        ("0.0.0.0:1", false),
        ("[::]:1", false),
        ("10.0.0.1:1", false),
        ("[::ffff:10.0.0.1]:1", false),
        ("[fe80::1]:1", false),
    ] {
        let address = address.parse().unwrap();
        check_listen(address, true, false).unwrap();
        check_listen(address, false, true).unwrap();
        let plain = check_listen(address, false, false);
        assert_eq!(plain.is_ok(), loopback, "{address}");
        if let Err(error) = plain {
            assert_eq!(error.code, Code::ListenInsecure);
            assert!(error.message.contains(&address.to_string()));
        }
    }
}
