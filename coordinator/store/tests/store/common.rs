//! What the tests of the store share.

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

/// Numbers that look random and are the same for the same seed (SplitMix64).
pub struct Random(pub u64);

impl Random {
    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(end).unwrap()).unwrap()
    }
}
