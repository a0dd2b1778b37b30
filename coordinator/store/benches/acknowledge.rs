//! How long an acknowledgement takes, and how a full store opens, lists and reads.
//!
//! `cargo bench -p rangefinder-store --bench acknowledge -- [--folder PATH] [--seconds N]
//! [--events N]`, no full store where N is 0; the folder should lie on the disk that is to be judged.
#![expect(
    clippy::cast_precision_loss,
    clippy::print_stdout,
    reason = "a bench prints its figures"
)]

use rangefinder_store::{Change, Filter, Options, Store};
use std::error::Error;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Writers, each with a sweep of its own.
const WRITERS: u64 = 1_000;

/// Bytes of a report of 100 losses.
const PAYLOAD: usize = 1_600;

/// Ended sweeps of a full store.
const ENDED: u64 = 10_000;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let seconds = option("--seconds", 5)?;
    let events = option("--events", 1_000_000)?;
    let folder = match value("--folder") {
        Some(parent) => tempfile::tempdir_in(parent)?,
        None => tempfile::tempdir()?,
    };
    let span = Duration::from_secs(seconds);
    println!("{WRITERS} writers that append once a second each:");
    let pause = Duration::from_secs(1) / u32::try_from(WRITERS)?;
    acknowledge(&folder.path().join("paced"), span, Some(pause))?;
    println!("{WRITERS} writers that append as soon as they are answered:");
    acknowledge(&folder.path().join("eager"), span, None)?;
    if events > 0 {
        full(&folder.path().join("full"), events)?;
    }
    Ok(())
}

/// What follows an option on the command line.
fn value(name: &str) -> Option<String> {
    std::env::args()
        .skip_while(|argument| argument != name)
        .nth(1)
}

fn option(name: &str, default: u64) -> Result<u64> {
    Ok(value(name).map_or(Ok(default), |text| text.parse())?)
}

fn create(index: u64) -> Change {
    Change::Create {
        id: format!("sweep-{index}"),
        owner: format!("owner-{}", index % 10),
        request_id: format!("request-{index}"),
        unix_ms: 1_700_000_000_000 + i64::try_from(index).unwrap_or(0),
        spec: vec![b'x'; 2_000],
    }
}

fn event(index: u64, number: u64, bytes: usize) -> Change {
    Change::Event {
        sweep: format!("sweep-{index}"),
        number,
        unix_ms: 1_700_000_000_000,
        payload: vec![b'x'; bytes],
    }
}

fn wait(store: &Store, changes: Vec<Change>) -> Result<()> {
    let (send, durable) = mpsc::channel();
    let on_durable = move || {
        let _ = send.send(());
    };
    store.appender().append(changes, Box::new(on_durable))?;
    Ok(durable.recv()?)
}

/// Each writer appends again as soon as it is answered (`pause` is `None`), or they take turns with
/// a pause between any two.
fn acknowledge(folder: &Path, span: Duration, pause: Option<Duration>) -> Result<()> {
    let (store, _) = Store::open(folder, Options::default())?;
    let appender = store.appender();
    wait(&store, (0..WRITERS).map(create).collect())?;
    let (send, durable) = mpsc::channel();
    let append = |writer: u64, number: u64| {
        let send = send.clone();
        let start = Instant::now();
        // The last ones come when nobody counts any longer.
        let on_durable = move || {
            let _ = send.send((writer, number, start.elapsed()));
        };
        appender.append(vec![event(writer, number, PAYLOAD)], Box::new(on_durable))
    };
    let start = Instant::now();
    let mut waits = Vec::new();
    match pause {
        None => {
            for writer in 0..WRITERS {
                append(writer, 1)?;
            }
            while start.elapsed() < span {
                let (writer, number, wait) = durable.recv()?;
                waits.push(wait);
                append(writer, number + 1)?;
            }
        }
        Some(pause) => {
            let mut due = start;
            for turn in 0.. {
                append(turn % WRITERS, turn / WRITERS + 1)?;
                due += pause;
                if due > start + span {
                    break;
                }
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            store.shutdown()?;
            waits.extend(durable.try_iter().map(|(_, _, wait)| wait));
        }
    }
    let rate = waits.len() as f64 / start.elapsed().as_secs_f64();
    waits.sort_unstable();
    println!(
        "{rate:.0} acknowledgements a second, p50 {:?}, p99 {:?}, longest {:?}",
        waits[waits.len() / 2],
        waits[waits.len() * 99 / 100],
        waits[waits.len() - 1]
    );
    Ok(())
}

fn full(folder: &Path, events: u64) -> Result<()> {
    let (store, _) = Store::open(folder, Options::default())?;
    let each = events / ENDED;
    for index in 0..ENDED {
        let mut changes = vec![create(index)];
        changes.extend((1..=each).map(|number| event(index, number, 400)));
        changes.push(Change::End {
            sweep: format!("sweep-{index}"),
            unix_ms: 1_700_000_100_000,
            status: "done".to_owned(),
            summary: vec![b'x'; 200],
        });
        changes.push(Change::Document {
            sweep: format!("sweep-{index}"),
            summary: vec![b'x'; 200],
            document: vec![b'x'; 50_000],
        });
        if index % 100 == 99 {
            wait(&store, changes)?;
        } else {
            store.appender().append(changes, Box::new(|| {}))?;
        }
    }
    store.shutdown()?;
    let start = Instant::now();
    let (store, _) = Store::open(folder, Options::default())?;
    println!(
        "opening {ENDED} ended sweeps with {} events: {:?}",
        each * ENDED,
        start.elapsed()
    );
    let reader = store.reader();
    let rare = Filter {
        owner: Some("owner-3".to_owned()),
        statuses: vec!["failed".to_owned(), "done".to_owned()],
        ..Filter::default()
    };
    time("list of 100, first time", || {
        reader.list(&Filter::default(), None, 100)
    })?;
    time("list of 100", || reader.list(&Filter::default(), None, 100))?;
    time("list of 100 of an owner and two statuses", || {
        reader.list(&rare, None, 100)
    })?;
    time("get", || reader.sweep("sweep-5000"))?;
    time("get by request", || {
        reader.by_request("owner-0", "request-5000")
    })?;
    time("document", || reader.document("sweep-5000"))?;
    time("events of a sweep", || {
        reader.events("sweep-5000", 1, 10_000)
    })?;
    time("counts", || reader.counts())?;
    let bytes = reader.counts()?.bytes;
    println!("database: {} MB", bytes / 1_000_000);
    store.shutdown()?;
    Ok(())
}

fn time<T>(
    what: &str,
    read: impl FnOnce() -> std::result::Result<T, rangefinder_store::Error>,
) -> Result<()> {
    let start = Instant::now();
    let answer = read()?;
    println!("{what}: {:?}", start.elapsed());
    drop(answer);
    Ok(())
}
