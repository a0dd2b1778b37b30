//! What is not as it was written is never given out as if it were, is found by `check`, and does not
//! keep `export` from the rest.

use crate::common::{Random, create, end, event, open, payload, write};
use rangefinder_errors::{Code, Coded as _};
use rangefinder_store::{
    Change, Error, Event, Exported, Filter, Problem, Reader, Sweep, check, export,
};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

/// Events of the first sweep.
const EVENTS: u64 = 200;

/// A closed store with two sweeps.
fn store() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut changes = vec![create("first", 1), create("second", 2)];
    changes.extend((1..=EVENTS).map(|number| event("first", number)));
    changes.push(event("second", 1));
    changes.push(end("first", 3, "done"));
    changes.push(Change::Document {
        sweep: "first".to_owned(),
        summary: b"{\"shown in lists\":1}".to_vec(),
        document: b"not JSON: the document".to_vec(),
    });
    changes.push(Change::Counter {
        name: "token".to_owned(),
        value: 12_345,
    });
    write(&store.appender(), changes);
    store.shutdown().unwrap();
    folder
}

/// Where a text stands in the database.
fn find(bytes: &[u8], text: &[u8]) -> usize {
    bytes
        .windows(text.len())
        .position(|window| window == text)
        .unwrap()
}

/// Flips a bit in a text that stands once in the database.
fn flip(folder: &Path, text: &[u8]) {
    let path = folder.join("store.db");
    let mut bytes = fs::read(&path).unwrap();
    let at = find(&bytes, text) + text.len() - 1;
    bytes[at] ^= 4;
    fs::write(path, bytes).unwrap();
}

fn problem(sweep: &str, number: Option<u64>, what: &str) -> Problem {
    Problem {
        sweep: Some(sweep.to_owned()),
        number,
        what: what.to_owned(),
    }
}

fn exported(folder: &Path) -> (Exported, Vec<serde_json::Value>) {
    let mut lines = Vec::new();
    let done = export(folder, &mut lines).unwrap();
    let lines = String::from_utf8(lines).unwrap();
    let lines = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    (done, lines)
}

#[test]
fn a_flipped_bit_of_an_event_is_named_with_sweep_and_number() {
    let folder = store();
    flip(folder.path(), b"\"of\":\"first\",\"number\":7,");
    let reader = Reader::open(folder.path()).unwrap();
    assert_eq!(reader.events("first", 1, 6).unwrap().len(), 6);
    assert_eq!(reader.events("first", 8, 1000).unwrap().len(), 193);
    let error = reader.events("first", 1, 7).unwrap_err();
    assert_eq!(error.code(), Code::StoreDamaged);
    let text = error.to_string();
    assert!(text.contains("event 7 of sweep first"), "{text}");
    assert!(text.contains("coordinator store check"), "{text}");
    let checked = check(folder.path()).unwrap();
    assert_eq!((checked.sweeps, checked.events), (2, EVENTS + 1));
    assert_eq!(
        checked.problems,
        [problem("first", Some(7), "it is not as it was written")]
    );
    assert_eq!(
        checked.problems[0].to_string(),
        "sweep first: event 7: it is not as it was written"
    );
    let (done, lines) = exported(folder.path());
    assert_eq!((done.sweeps, done.events), (2, EVENTS + 1));
    assert_eq!(done.problems.len(), 1);
    let damaged: Vec<_> = lines
        .iter()
        .filter(|line| line["damaged"] == true)
        .collect();
    assert_eq!(damaged.len(), 1);
    assert_eq!(damaged[0]["number"], 7);
}

#[test]
fn flipped_bits_of_records_specifications_and_documents_are_named() {
    let folder = store();
    flip(folder.path(), b"{\"sweep\":\"second\"");
    flip(folder.path(), b"{\"shown in lists\"");
    flip(folder.path(), b"not JSON");
    flip(folder.path(), b"token\x30\x39");
    let reader = Reader::open(folder.path()).unwrap();
    for (error, what) in [
        (
            reader.spec("second").unwrap_err(),
            "the specification of sweep second",
        ),
        (
            reader.sweep("first").unwrap_err(),
            "the record of sweep first",
        ),
        (
            reader.document("first").unwrap_err(),
            "the document of sweep first",
        ),
        (
            reader.list(&Filter::default(), None, 10).unwrap_err(),
            "the record of sweep first",
        ),
        (reader.counters().unwrap_err(), "the counter token"),
    ] {
        assert!(error.to_string().contains(what), "{error}");
    }
    assert_eq!(
        check(folder.path()).unwrap().problems,
        [
            Problem {
                sweep: None,
                number: None,
                what: "the counter token is not as it was written".to_owned(),
            },
            problem("first", None, "its record is not as it was written"),
            problem("second", None, "its row of specs is not as it was written"),
            problem(
                "first",
                None,
                "its row of documents is not as it was written"
            ),
        ]
    );
}

#[test]
fn a_damaged_record_is_not_given_a_new_checksum() {
    let folder = store();
    flip(folder.path(), b"{\"shown in lists\"");
    let problems = check(folder.path()).unwrap().problems;
    let store = open(folder.path());
    let document = Change::Document {
        sweep: "first".to_owned(),
        summary: Vec::new(),
        document: Vec::new(),
    };
    let never = || unreachable!("it cannot be written");
    store
        .appender()
        .append(vec![document], Box::new(never))
        .unwrap();
    let error = store.shutdown().unwrap_err();
    assert_eq!(error.code(), Code::StoreDamaged);
    assert!(
        error.to_string().contains("the record of sweep first"),
        "{error}"
    );
    assert_eq!(check(folder.path()).unwrap().problems, problems);
}

#[test]
fn rows_that_are_missing_or_too_many_are_found() {
    let folder = store();
    let database = rusqlite::Connection::open(folder.path().join("store.db")).unwrap();
    database
        .execute_batch(
            "DELETE FROM events WHERE place % 4294967296 IN (3, 4, 9);
             DELETE FROM specs WHERE sweep_key = 2;
             DELETE FROM documents;
             INSERT INTO events VALUES (8 * 4294967296 + 1, 0, x'00', 0);",
        )
        .unwrap();
    drop(database);
    let reader = Reader::open(folder.path()).unwrap();
    let error = reader.events("first", 1, 10).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("event 3 of sweep first is missing"),
        "{error}"
    );
    assert!(
        reader.events("first", 9, 10).is_err(),
        "also when it is the first"
    );
    assert_eq!(
        check(folder.path()).unwrap().problems,
        [
            problem("first", Some(3), "the events 3 to 4 are missing"),
            problem("first", Some(9), "the events 9 to 9 are missing"),
            problem("key 8", Some(1), "it is not as it was written"),
            problem("key 8", Some(1), "it belongs to no sweep"),
            problem("first", None, "its document is missing"),
            problem("second", None, "its specification is missing"),
        ]
    );
}

#[test]
fn an_export_has_all_that_was_written_digit_for_digit() {
    let folder = store();
    let (done, lines) = exported(folder.path());
    assert_eq!(
        (done.sweeps, done.events, done.problems),
        (2, EVENTS + 1, Vec::new())
    );
    let of = |kind: &str| -> Vec<_> { lines.iter().filter(|line| line["kind"] == kind).collect() };
    assert_eq!(of("counter")[0]["value"], 12_345);
    assert_eq!(of("sweep")[0]["id"], "first");
    assert_eq!(of("sweep")[0]["summary"]["json"]["shown in lists"], 1);
    assert_eq!(of("spec")[1]["value"]["json"]["sweep"], "second");
    let hex = of("document")[0]["value"]["hex"].as_str().unwrap();
    assert!(hex.starts_with("6e6f74204a534f4e"), "{hex}");
    let events = of("event");
    assert_eq!(events[6]["sweep"], "first");
    assert_eq!(events[6]["number"], 7);
    let text: serde_json::Value = serde_json::from_slice(&payload("first", 7)).unwrap();
    assert_eq!(events[6]["payload"]["json"], text);
}

#[test]
fn an_export_of_a_broken_table_has_both_ends_of_it() {
    let folder = store();
    let path = folder.path().join("store.db");
    let mut bytes = fs::read(&path).unwrap();
    let page = find(&bytes, b"\"of\":\"first\",\"number\":100,") / 4096 * 4096;
    bytes[page..page + 4096].fill(0);
    fs::write(path, bytes).unwrap();
    assert!(!check(folder.path()).unwrap().problems.is_empty());
    let reader = Reader::open(folder.path()).unwrap();
    let error = reader.events("first", 1, 1000).unwrap_err();
    assert_eq!(error.code(), Code::StoreDamaged, "{error}");
    let (done, lines) = exported(folder.path());
    assert_eq!(done.problems.len(), 1, "{:?}", done.problems);
    assert!(
        (EVENTS - 10..EVENTS).contains(&done.events),
        "{}",
        done.events
    );
    let has = |number: u64| {
        lines
            .iter()
            .any(|line| line["kind"] == "event" && line["number"] == number)
    };
    assert!(has(1) && has(90) && !has(100) && has(110) && has(EVENTS));
}

#[test]
fn an_export_that_finds_no_room_says_so() {
    struct Full;
    impl io::Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let error = export(store().path(), &mut Full).unwrap_err();
    assert_eq!(error.code(), Code::Unwritable);
}

/// All that a store gives out.
type Read = (
    Vec<Sweep>,
    Vec<Option<Vec<u8>>>,
    Vec<Event>,
    BTreeMap<String, u64>,
);

fn read(folder: &Path) -> Result<Read, Error> {
    let reader = Reader::open(folder)?;
    let mut sweeps = reader.list(&Filter::default(), None, 100)?;
    sweeps.extend(reader.active()?);
    let mut values = Vec::new();
    let mut events = Vec::new();
    for id in ["first", "second"] {
        sweeps.extend(reader.sweep(id)?);
        values.push(reader.spec(id)?);
        values.push(reader.document(id)?);
        events.extend(reader.events(id, 1, 1000)?);
    }
    Ok((sweeps, values, events, reader.counters()?))
}

#[test]
fn whatever_bit_flips_nothing_false_is_read_that_a_check_does_not_find() {
    let folder = store();
    let path = folder.path().join("store.db");
    let sound = fs::read(&path).unwrap();
    let expected = read(folder.path()).unwrap();
    let mut random = Random(7);
    let mut found = 0;
    for _ in 0..150 {
        let mut bytes = sound.clone();
        // Half of them where little stands that holds all the rest together.
        let end = if random.below(2) == 0 {
            bytes.len()
        } else {
            4096 * 4
        };
        let at = random.below(end);
        bytes[at] ^= 1 << random.below(8);
        fs::write(&path, bytes).unwrap();
        let read = read(folder.path());
        let sound = check(folder.path()).is_ok_and(|checked| checked.problems.is_empty());
        if sound {
            assert!(
                read.as_ref().is_ok_and(|read| *read == expected),
                "byte {at}: {:?}",
                read.map(|_| "something else")
            );
        } else {
            found += 1;
        }
        // Never a panic, and never without end.
        drop(export(folder.path(), &mut io::sink()));
    }
    assert!(found > 50, "most bytes matter: {found}");
}
