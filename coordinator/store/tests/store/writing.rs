//! What is appended is durable before it is acknowledged, in order, and read back as it was.

use crate::common::{create, end, event, open, payload, write};
use rangefinder_store::{ACTIVE, Backlog, Change, Error, Event, Health, Options, Refused, Store};
use std::sync::{Arc, Mutex, mpsc};

#[test]
fn a_batch_can_be_read_when_it_is_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let appender = store.appender();
    write(&appender, vec![create("a", 1)]);
    for number in 1..=20 {
        let reader = store.reader();
        let (send, seen) = mpsc::channel();
        let on_durable = move || send.send(reader.events("a", number, 10)).unwrap();
        appender
            .append(vec![event("a", number)], Box::new(on_durable))
            .unwrap();
        let events = seen.recv().unwrap().unwrap();
        assert_eq!(
            events,
            [Event {
                number,
                unix_ms: 1_000,
                payload: payload("a", number)
            }]
        );
    }
}

#[test]
fn batches_are_acknowledged_in_order_also_when_many_are_committed_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        group_bytes: 8 << 10,
        ..Options::default()
    };
    let (store, _) = Store::open(folder.path(), options).unwrap();
    let appender = store.appender();
    let order = Arc::new(Mutex::new(Vec::new()));
    // The writer is held in the first callback until all are queued.
    let (enter, entered) = mpsc::channel();
    let (release, held) = mpsc::channel::<()>();
    let hold = move || {
        enter.send(()).unwrap();
        held.recv().unwrap();
    };
    appender
        .append(vec![create("a", 1)], Box::new(hold))
        .unwrap();
    entered.recv().unwrap();
    // What is written together with the first event.
    let (send, first_group) = mpsc::channel();
    let reader = store.reader();
    let look = move || {
        send.send(reader.events("a", 1, 1000).unwrap().len())
            .unwrap()
    };
    let mut look = Some(look);
    for number in 1..=100 {
        let order = Arc::clone(&order);
        let look = look.take();
        let on_durable = move || {
            order.lock().unwrap().push(number);
            look.into_iter().for_each(|look| look());
        };
        appender
            .append(vec![event("a", number)], Box::new(on_durable))
            .unwrap();
    }
    assert!(appender.backlog().batches >= 100);
    assert!(appender.backlog().bytes >= 100 * payload("a", 1).len());
    assert_eq!(store.reader().events("a", 1, 10).unwrap(), []);
    release.send(()).unwrap();
    let together = first_group.recv().unwrap();
    assert!(
        (2..20).contains(&together),
        "a group has a bound: {together}"
    );
    let reader = store.reader();
    store.shutdown().unwrap();
    assert_eq!(appender.backlog(), Backlog::default());
    assert_eq!(*order.lock().unwrap(), (1..=100).collect::<Vec<_>>());
    assert_eq!(reader.events("a", 1, 1000).unwrap().len(), 100);
}

#[test]
fn a_sweep_is_read_back_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let reader = store.reader();
    let create = Change::Create {
        id: "s-1".to_owned(),
        owner: "ann".to_owned(),
        request_id: "r-1".to_owned(),
        unix_ms: 5,
        spec: vec![0, 255, 1],
    };
    let counter = |value| Change::Counter {
        name: "token".to_owned(),
        value,
    };
    write(&store.appender(), vec![create, event("s-1", 1), counter(7)]);
    let sweep = reader.sweep("s-1").unwrap().unwrap();
    assert_eq!((sweep.id.as_str(), sweep.status.as_str()), ("s-1", ACTIVE));
    assert_eq!((sweep.created_ms, sweep.ended_ms), (5, None));
    assert_eq!(sweep.summary, None);
    assert_eq!(
        reader.by_request("ann", "r-1").unwrap(),
        Some(sweep.clone())
    );
    assert_eq!(reader.by_request("bob", "r-1").unwrap(), None);
    assert_eq!(reader.spec("s-1").unwrap(), Some(vec![0, 255, 1]));
    assert_eq!(reader.document("s-1").unwrap(), None);
    assert_eq!(reader.active().unwrap(), [sweep]);

    write(&store.appender(), vec![end("s-1", 9, "failed"), counter(3)]);
    assert_eq!(reader.active().unwrap(), []);
    let ended = reader.ended_without_document().unwrap();
    assert_eq!(ended.len(), 1);
    assert_eq!(
        (ended[0].ended_ms, ended[0].status.as_str()),
        (Some(9), "failed")
    );
    assert_eq!(reader.counters().unwrap()["token"], 7, "counters only grow");

    let document = |text: &str| Change::Document {
        sweep: "s-1".to_owned(),
        summary: b"short".to_vec(),
        document: text.as_bytes().to_vec(),
    };
    write(
        &store.appender(),
        vec![document("first"), document("second")],
    );
    assert_eq!(reader.ended_without_document().unwrap(), []);
    assert_eq!(reader.document("s-1").unwrap(), Some(b"second".to_vec()));
    let sweep = reader.sweep("s-1").unwrap().unwrap();
    assert_eq!(sweep.summary, Some(b"short".to_vec()));
    assert_eq!(reader.counts().unwrap().sweeps["failed"], 1);

    let sweep = "s-1".to_owned();
    write(&store.appender(), vec![Change::Delete { sweep }]);
    assert_eq!(reader.sweep("s-1").unwrap(), None);
    assert_eq!(reader.spec("s-1").unwrap(), None);
    assert_eq!(reader.document("s-1").unwrap(), None);
    assert_eq!(reader.events("s-1", 1, 10).unwrap(), []);
}

#[test]
fn a_batch_that_does_not_fit_is_refused_and_nothing_of_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let appender = store.appender();
    write(
        &appender,
        vec![create("a", 1), event("a", 1), event("a", 2)],
    );
    let refused = appender.append(
        vec![create("b", 2), event("a", 3), event("a", 5)],
        Box::new(|| unreachable!("it is not written")),
    );
    let (sweep, expected, given) = ("a".to_owned(), 4, 5);
    assert_eq!(
        refused,
        Err(Refused::WrongNumber {
            sweep,
            expected,
            given
        })
    );
    let reader = store.reader();
    store.shutdown().unwrap();
    assert_eq!(reader.sweep("b").unwrap(), None);
    assert_eq!(reader.events("a", 1, 10).unwrap().len(), 2);
    assert_eq!(
        appender.append(Vec::new(), Box::new(|| {})),
        Err(Refused::Closed)
    );
}

#[test]
fn numbering_goes_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let request = Change::Create {
        id: "b".to_owned(),
        owner: "ann".to_owned(),
        request_id: "r".to_owned(),
        unix_ms: 1,
        spec: Vec::new(),
    };
    let store = open(folder.path());
    let changes = vec![
        create("a", 1),
        event("a", 1),
        event("a", 2),
        end("a", 3, "done"),
    ];
    write(&store.appender(), changes);
    write(&store.appender(), vec![request.clone()]);
    store.shutdown().unwrap();
    let store = open(folder.path());
    let append = |change| store.appender().append(vec![change], Box::new(|| {}));
    assert!(matches!(
        append(event("a", 2)),
        Err(Refused::WrongNumber { expected: 3, .. })
    ));
    assert!(matches!(
        append(end("a", 4, "done")),
        Err(Refused::AlreadyEnded { .. })
    ));
    assert!(matches!(
        append(create("a", 1)),
        Err(Refused::SweepTaken { .. })
    ));
    let Change::Create { id, .. } = &request else {
        unreachable!("it is made above");
    };
    let again = Change::Create {
        id: "c".to_owned(),
        owner: "ann".to_owned(),
        request_id: "r".to_owned(),
        unix_ms: 2,
        spec: Vec::new(),
    };
    let taken = append(again);
    assert!(matches!(taken, Err(Refused::RequestTaken { sweep, .. }) if sweep == *id));
    append(event("a", 3)).unwrap();
    append(event("b", 1)).unwrap();
    let reader = store.reader();
    drop(store);
    assert_eq!(reader.events("a", 2, 1).unwrap()[0].number, 2);
    assert_eq!(reader.events("a", 2, 10).unwrap().len(), 2);
    assert_eq!(reader.events("b", 1, 10).unwrap().len(), 1);
}

#[test]
fn a_panic_of_the_writer_is_told_and_closes_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let appender = store.appender();
    let changes = vec![create("a", 1)];
    appender
        .append(changes, Box::new(|| panic!("a callback fails")))
        .unwrap();
    // Dropped, and never called.
    let (send, durable) = mpsc::channel::<()>();
    let _ = appender.append(vec![event("a", 1)], Box::new(move || drop(send)));
    let error = store.shutdown().unwrap_err();
    assert!(matches!(error, Error::Defect { .. }), "{error}");
    assert!(durable.try_recv().is_err());
    assert!(matches!(appender.health(), Health::Failing { .. }));
    assert_eq!(
        appender.append(Vec::new(), Box::new(|| {})),
        Err(Refused::Closed)
    );
}
