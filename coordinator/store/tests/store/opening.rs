//! Who may open a folder, and which.

use crate::common::{create, event, open, payload, write};
use rangefinder_errors::{Code, Coded as _};
use rangefinder_store::{
    Holder, Notice, Options, Reader, Retention, Store, check, compact, export,
};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

fn refusal(folder: &Path) -> rangefinder_store::Error {
    Store::open(folder, Options::default())
        .map(|_| ())
        .unwrap_err()
}

#[test]
fn a_second_coordinator_is_refused_until_the_first_has_closed() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for error in [
        refusal(folder.path()),
        compact(folder.path(), &Retention::default(), 0).unwrap_err(),
    ] {
        assert_eq!(error.code(), Code::StoreInUse);
        let process = format!("in use by process {} on ", std::process::id());
        assert!(error.to_string().contains(&process), "{error}");
    }
    store.shutdown().unwrap();
    open(folder.path());
}

#[test]
fn the_lock_of_a_dead_coordinator_is_taken_over_and_told() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).shutdown().unwrap();
    fs::write(folder.path().join("lock"), "4194000 node-7\n").unwrap();
    let (_store, notices) = Store::open(folder.path(), Options::default()).unwrap();
    let holder = Holder {
        pid: 4_194_000,
        host: "node-7".to_owned(),
    };
    assert!(notices.contains(&Notice::Unclean { holder }), "{notices:?}");
}

#[test]
fn a_new_store_is_for_its_user_alone() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("new/store");
    let store = open(&folder);
    write(&store.appender(), vec![create("a", 1)]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for file in ["lock", "store.db", "store.db-wal", "store.db-shm"] {
        assert_eq!(mode(&folder.join(file)), 0o600, "{file}");
    }
}

#[test]
fn what_is_no_store_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let read = |folder: &Path| Reader::open(folder).unwrap_err();
    assert_eq!(read(folder.path()).code(), Code::StoreMissing);
    assert_eq!(check(folder.path()).unwrap_err().code(), Code::StoreMissing);
    let exported = export(folder.path(), &mut Vec::new());
    assert_eq!(exported.unwrap_err().code(), Code::StoreMissing);
    let compacted = compact(folder.path(), &Retention::default(), 0);
    assert_eq!(compacted.unwrap_err().code(), Code::StoreMissing);

    fs::write(
        folder.path().join("store.db"),
        "no database at all, but a text",
    )
    .unwrap();
    for error in [refusal(folder.path()), read(folder.path())] {
        assert_eq!(error.code(), Code::StoreForeign, "{error}");
    }

    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert_eq!(refusal(&file).code(), Code::StoreFailing);
}

#[test]
fn a_newer_store_is_refused_with_its_version() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).shutdown().unwrap();
    // The version stands in bytes 60 to 63 of SQLite's header.
    let path = folder.path().join("store.db");
    let mut bytes = fs::read(&path).unwrap();
    bytes[60..64].copy_from_slice(&77_u32.to_be_bytes());
    fs::write(&path, bytes).unwrap();
    let errors = [
        refusal(folder.path()),
        Reader::open(folder.path()).unwrap_err(),
        check(folder.path()).unwrap_err(),
        export(folder.path(), &mut Vec::new()).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.code(), Code::StoreNewer);
        assert!(error.to_string().contains("is of version 77"), "{error}");
    }
}

/// `fixtures/v1.db` was written by the first release of version 1 and is never changed.
#[test]
fn a_store_of_version_1_is_read_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1.db"),
        folder.path().join("store.db"),
    )
    .unwrap();
    assert_eq!(check(folder.path()).unwrap().problems, []);
    let store = open(folder.path());
    let reader = store.reader();
    let events = reader.events("s-1", 1, 10).unwrap();
    let seen: Vec<_> = events
        .iter()
        .map(|event| (event.number, event.unix_ms, event.payload.clone()))
        .collect();
    assert_eq!(
        seen,
        [(1, 1_000, payload("s-1", 1)), (2, 1_000, payload("s-1", 2))]
    );
    let ended = reader.sweep("s-1").unwrap().unwrap();
    assert_eq!((ended.key, ended.owner.as_str()), (1, "ann"));
    assert_eq!(ended.request_id, "r-1");
    assert_eq!((ended.created_ms, ended.ended_ms), (10, Some(20)));
    assert_eq!((ended.status.as_str(), ended.documented), ("done", true));
    assert_eq!(ended.summary, Some(b"{\"lr\":0.1}".to_vec()));
    assert_eq!(
        reader.spec("s-1").unwrap(),
        Some(b"{\"steps\":100}".to_vec())
    );
    assert_eq!(reader.document("s-1").unwrap(), Some(vec![0, 159, 255]));
    assert_eq!(reader.active().unwrap()[0].id, "s-2");
    assert_eq!(reader.counters().unwrap()["token"], 41);
    write(&store.appender(), vec![event("s-1", 3)]);
    assert_eq!(reader.events("s-1", 3, 1).unwrap().len(), 1);
}

/// Writes the fixture; run once for each version, before its first release.
#[test]
#[ignore = "writes the frozen file"]
fn write_the_fixture() {
    use rangefinder_store::Change;
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let sweep = "s-1".to_owned();
    let changes = vec![
        Change::Create {
            id: sweep.clone(),
            owner: "ann".to_owned(),
            request_id: "r-1".to_owned(),
            unix_ms: 10,
            spec: b"{\"steps\":100}".to_vec(),
        },
        event("s-1", 1),
        event("s-1", 2),
        crate::common::end("s-1", 20, "done"),
        Change::Document {
            sweep,
            summary: b"{\"lr\":0.1}".to_vec(),
            document: vec![0, 159, 255],
        },
        create("s-2", 30),
        Change::Counter {
            name: "token".to_owned(),
            value: 41,
        },
    ];
    write(&store.appender(), changes);
    store.shutdown().unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1.db");
    let bytes = fs::read(folder.path().join("store.db")).unwrap();
    // Frozen is what is there.
    let mut file = fs::File::create_new(fixture).unwrap();
    file.write_all(&bytes).unwrap();
}
