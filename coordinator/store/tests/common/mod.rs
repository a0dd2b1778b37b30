//! What the tests of the store share.
#![expect(clippy::unwrap_used, reason = "tests stop where a step fails")]

use rangefinder_store::{Appender, Change, Notice, Options, Store};
use std::path::Path;
use std::sync::mpsc;

/// Opens a store that should have no notices but those of its file system.
pub fn open(folder: &Path) -> Store {
    let (store, notices) = Store::open(folder, Options::default()).unwrap();
    assert!(
        notices
            .iter()
            .all(|notice| matches!(notice, Notice::Network { .. })),
        "{notices:?}"
    );
    store
}

/// Appends a batch and waits until it is on disk.
pub fn write(appender: &Appender, changes: Vec<Change>) {
    let (send, durable) = mpsc::channel();
    let on_durable = move || send.send(()).unwrap();
    appender.append(changes, Box::new(on_durable)).unwrap();
    durable.recv().unwrap();
}

/// A sweep of Ann's, without a request.
pub fn create(id: &str, unix_ms: i64) -> Change {
    Change::Create {
        id: id.to_owned(),
        owner: "ann".to_owned(),
        request_id: String::new(),
        unix_ms,
        spec: format!("{{\"sweep\":\"{id}\"}}").into_bytes(),
    }
}

/// An event with a payload of its own, in JSON.
pub fn event(sweep: &str, number: u64) -> Change {
    Change::Event {
        sweep: sweep.to_owned(),
        number,
        unix_ms: 1_000,
        payload: payload(sweep, number),
    }
}

/// The payload of [`event`]: as large as a report of some dozen losses.
pub fn payload(sweep: &str, number: u64) -> Vec<u8> {
    let text = "0.125,".repeat(100);
    format!("{{\"of\":\"{sweep}\",\"number\":{number},\"text\":\"{text}\"}}").into_bytes()
}

/// The end of a sweep.
pub fn end(sweep: &str, unix_ms: i64, status: &str) -> Change {
    Change::End {
        sweep: sweep.to_owned(),
        unix_ms,
        status: status.to_owned(),
        summary: b"{}".to_vec(),
    }
}
