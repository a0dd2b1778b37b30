//! The commands that run a service and look after it, as far as they need no worker.

use super::{Run, command, done, run_in};
use rangefinder_config::resolve;
use rangefinder_coordinator::record::Creation;
use rangefinder_proto::v1::SweepSpec;
use rangefinder_store::{Change, Options, Store};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;

/// A closed store with these changes.
fn store(folder: &Path, changes: Vec<Change>) {
    let (store, _) = Store::open(folder, Options::default()).unwrap();
    let (told, durable) = mpsc::channel();
    let on_durable = Box::new(move || told.send(()).unwrap());
    store.appender().append(changes, on_durable).unwrap();
    durable.recv().unwrap();
    store.shutdown().unwrap();
}

/// A sweep that a service has run, as far as its first event.
fn of_a_service() -> Vec<Change> {
    let resolved = resolve(SweepSpec::default(), 1, 1).unwrap();
    let creation = Creation::new(&resolved, "", None);
    vec![
        Change::Create {
            id: "s1".to_owned(),
            owner: "ann".to_owned(),
            request_id: String::new(),
            unix_ms: 1,
            spec: creation.to_json().unwrap(),
        },
        Change::Event {
            sweep: "s1".to_owned(),
            number: 1,
            unix_ms: 1,
            payload: b"what had happened".to_vec(),
        },
    ]
}

#[track_caller]
fn refused(run: &Run, code: &str, words: &[&str]) {
    let start = format!("error[{code}]: ");
    assert!(run.stderr.starts_with(&start), "{}", run.shown());
    for word in words {
        assert!(run.stderr.contains(word), "{word}: {}", run.shown());
    }
}

#[test]
fn a_folder_without_a_sweep_of_this_machine_cannot_be_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let resumed = |name: &str| run_in(folder.path(), &["resume", name]);
    refused(&resumed("nowhere"), "RF904", &["nowhere", "--data-dir"]);
    store(&folder.path().join("empty"), Vec::new());
    refused(&resumed("empty"), "RF909", &["empty", "--data-dir"]);
    store(&folder.path().join("service"), of_a_service());
    refused(&resumed("service"), "RF909", &["`coordinator serve`"]);
    assert!(!folder.path().join("nowhere").exists());
}

#[test]
fn a_store_of_another_kind_or_time_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).join("store.db");
    fs::create_dir(folder.path().join("other")).unwrap();
    fs::write(path("other"), "my notes").unwrap();
    store(&folder.path().join("newer"), of_a_service());
    // Where SQLite keeps the version of what it holds.
    let mut bytes = fs::read(path("newer")).unwrap();
    bytes[60..64].copy_from_slice(&99u32.to_be_bytes());
    fs::write(path("newer"), bytes).unwrap();
    fs::create_dir_all(path("unreadable")).unwrap();
    for (name, code, word) in [
        ("other", "RF903", "no store of Rangefinder"),
        ("newer", "RF902", "version 99"),
        ("unreadable", "RF907", "check the rights"),
    ] {
        let before = fs::read(path(name)).ok();
        for args in [
            &["resume", name][..],
            &["store", "check", name],
            &["--worker-command", "true", "--data-dir", name],
        ] {
            refused(&run_in(folder.path(), args), code, &[word]);
        }
        assert_eq!(fs::read(path(name)).ok(), before);
    }
}

#[test]
fn damage_is_found_and_what_is_left_is_exported() {
    let folder = tempfile::tempdir().unwrap();
    store(&folder.path().join("D"), of_a_service());
    let sound = run_in(folder.path(), &["store", "check", "D"]);
    assert_eq!(sound.stdout, "1 sweep, 1 event: all as it was written\n");
    let path = folder.path().join("D/store.db");
    let mut bytes = fs::read(&path).unwrap();
    let text = b"what had happened";
    let at = bytes.windows(text.len()).position(|window| window == text);
    bytes[at.unwrap()] ^= 1;
    fs::write(&path, bytes).unwrap();

    let checked = run_in(folder.path(), &["store", "check", "D"]);
    assert_eq!(
        (checked.code, checked.stdout.as_str()),
        (1, "1 sweep, 1 event\n")
    );
    let words = [
        "D is damaged in 1 place\n",
        "s1",
        "coordinator store export",
    ];
    refused(&checked, "RF905", &words);
    let exported = run_in(folder.path(), &["store", "export", "D"]);
    assert_eq!(exported.code, 1);
    assert!(
        exported.stdout.contains("\"id\":\"s1\""),
        "{}",
        exported.shown()
    );
    assert!(
        exported.stderr.contains("error[RF905]: "),
        "{}",
        exported.shown()
    );
}

#[test]
fn a_disk_without_room_for_a_store_is_said_to_be_full() {
    let folder = tempfile::tempdir().unwrap();
    // A limit of the size of files stands for the disk.
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$@\"", "sh"])
        .arg(env!("CARGO_BIN_EXE_coordinator"))
        .args(["--worker-command", "true", "--device", "cpu"])
        .args(["--data-dir", "D", "--out", "out"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    refused(&done(output), "RF906", &["make room"]);
}

#[test]
fn tokens_are_made_listed_and_revoked_and_a_secret_is_shown_to_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let token = |args: &[&str]| run_in(folder.path(), &[&["token"], args].concat());
    let none = token(&["list", "--data-dir", "D"]);
    refused(&none, "RF701", &["D/tokens.json"]);
    let of = |role, name| ["create", "--data-dir", "D", "--role", role, "--name", name];
    let made = token(&of("client", "ann"));
    assert_eq!(made.code, 0, "{}", made.shown());
    let secret = made.stdout.trim_end();
    assert!(secret.len() > 20, "{}", made.shown());
    let made = token(&[&of("worker", "gpu-1")[..], &["--out", "w.token"]].concat());
    assert_eq!(
        (made.code, made.stdout.as_str()),
        (0, ""),
        "{}",
        made.shown()
    );
    for file in ["w.token", "D/tokens.json"] {
        let mode = fs::metadata(folder.path().join(file))
            .unwrap()
            .permissions();
        assert_eq!(mode.mode() & 0o077, 0, "{file}");
    }
    let listed = token(&["list", "--data-dir", "D"]);
    for word in ["ann", "client", "gpu-1", "worker"] {
        assert!(listed.stdout.contains(word), "{}", listed.shown());
    }
    let kept = fs::read_to_string(folder.path().join("D/tokens.json")).unwrap();
    assert!(!kept.contains(secret) && !listed.stdout.contains(secret));

    assert_eq!(token(&["revoke", "--data-dir", "D", "ann"]).code, 0);
    let again = token(&["revoke", "--data-dir", "D", "bob"]);
    refused(&again, "RF923", &["of the list"]);
    // A file that is there is somebody's token.
    let over = token(&[&of("worker", "gpu-2")[..], &["--out", "w.token"]].concat());
    assert_eq!(
        (over.code, over.stdout.as_str()),
        (2, ""),
        "{}",
        over.shown()
    );
}

#[test]
fn a_service_without_tokens_or_without_a_port_of_its_own_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let serve = |address: &str| {
        let args = ["serve", "--data-dir", "D", "--listen", address];
        done(command(folder.path(), &args).output().unwrap())
    };
    let bare = serve("127.0.0.1:0");
    refused(&bare, "RF912", &["coordinator token create"]);
    let create = ["token", "create", "--data-dir", "D", "--role", "client"];
    let created = run_in(folder.path(), &[&create[..], &["--name", "ann"]].concat());
    assert_eq!(created.code, 0, "{}", created.shown());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    refused(&serve(&address), "RF911", &[&address, "--listen"]);
    // Off loopback it wants a certificate.
    let open = serve("0.0.0.0:0");
    assert_eq!(open.code, 2, "{}", open.shown());
    assert!(open.stderr.contains("--tls-cert"), "{}", open.shown());
}
