//! A disk that takes no more: told at once, nothing acknowledged, nothing lost, and it goes on by
//! itself. A limit of the size of files stands for the disk, in a process of its own.

use crate::common::{create, event, write};
use rangefinder_errors::{Code, Coded as _};
use rangefinder_store::{Appender, Health, Options, Store, check};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::env;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

/// How long to wait for the writer before a test fails.
const DEADLINE: Duration = Duration::from_secs(60);

/// Set in the process with the limit: the folder of its store.
const FOLDER: &str = "RANGEFINDER_TEST_STORE";

/// Bytes of the largest file while the disk is full.
const FULL: u64 = 256 << 10;

/// Events that are appended: more than fit.
const EVENTS: u64 = 600;

/// Runs a helper of this file in a process that outlives the signal of the limit.
fn run(helper: &str) {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"])
        .arg(env::current_exe().unwrap())
        .args(["--exact", &format!("full_disk::{helper}")])
        .args(["--ignored", "--nocapture"])
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}

#[test]
fn writing_goes_on_by_itself_once_there_is_room() {
    run("recovers_by_itself");
}

#[test]
fn writing_goes_on_at_once_when_it_is_told_that_there_is_room() {
    run("recovers_when_told");
}

#[test]
fn a_store_that_closes_on_a_full_disk_says_so_and_keeps_what_it_acknowledged() {
    run("closes_while_full");
}

fn limit(bytes: Option<u64>) {
    let maximum = getrlimit(Resource::Fsize).maximum;
    let current = bytes.or(maximum);
    setrlimit(Resource::Fsize, Rlimit { current, maximum }).unwrap();
}

/// A store on a disk that has just become full.
struct Filled {
    store: Store,
    appender: Appender,
    acknowledged: Arc<Mutex<Vec<u64>>>,
    health: mpsc::Receiver<Health>,
}

impl Filled {
    fn new(retry: Duration) -> Self {
        let folder = env::var_os(FOLDER).unwrap();
        let (send, health) = mpsc::channel();
        let options = Options {
            group_bytes: 4 << 10,
            retry_first: retry,
            retry_most: retry,
            on_health: Box::new(move |health| drop(send.send(health.clone()))),
        };
        let (store, _) = Store::open(Path::new(&folder), options).unwrap();
        let appender = store.appender();
        write(&appender, vec![create("a", 1)]);
        limit(Some(FULL));
        let filled = Self {
            store,
            appender,
            acknowledged: Arc::default(),
            health,
        };
        filled.append(1..=EVENTS);
        let told = filled.health.recv_timeout(DEADLINE).unwrap();
        let Health::Failing { error, .. } = &told else {
            panic!("{told:?}");
        };
        assert_eq!(error.code(), Code::StoreFull, "{error}");
        assert!(error.to_string().contains("File too large"), "{error}");
        // What is appended meanwhile waits behind the rest.
        filled.append(EVENTS + 1..=EVENTS + 10);
        assert!(!filled.appender.health().is_healthy());
        let acknowledged = filled.acknowledged.lock().unwrap().len();
        let waiting = filled.appender.backlog().batches;
        assert_eq!(
            acknowledged + waiting,
            usize::try_from(EVENTS).unwrap() + 10
        );
        let events = filled.store.reader().events("a", 1, usize::MAX).unwrap();
        assert_eq!(
            events.len(),
            acknowledged,
            "readers see what is acknowledged"
        );
        filled
    }

    fn append(&self, numbers: impl Iterator<Item = u64>) {
        for number in numbers {
            let acknowledged = Arc::clone(&self.acknowledged);
            let on_durable = move || acknowledged.lock().unwrap().push(number);
            self.appender
                .append(vec![event("a", number)], Box::new(on_durable))
                .unwrap();
        }
    }

    /// Waits until it writes again, and sees that all is there.
    fn recovers(self) {
        while !self.health.recv_timeout(DEADLINE).unwrap().is_healthy() {}
        let reader = self.store.reader();
        let folder = self.store.folder().to_owned();
        self.store.shutdown().unwrap();
        let all: Vec<_> = (1..=EVENTS + 10).collect();
        assert_eq!(*self.acknowledged.lock().unwrap(), all);
        assert_eq!(reader.events("a", 1, usize::MAX).unwrap().len(), all.len());
        assert_eq!(check(&folder).unwrap().problems, []);
    }
}

#[test]
#[ignore = "runs in a process of its own"]
fn recovers_by_itself() {
    let filled = Filled::new(Duration::from_millis(1));
    // Several attempts fail.
    for _ in 0..3 {
        assert!(!filled.health.recv_timeout(DEADLINE).unwrap().is_healthy());
    }
    limit(None);
    filled.recovers();
}

#[test]
#[ignore = "runs in a process of its own"]
fn recovers_when_told() {
    let filled = Filled::new(Duration::from_secs(86_400));
    limit(None);
    filled.store.retry();
    filled.recovers();
}

#[test]
#[ignore = "runs in a process of its own"]
fn closes_while_full() {
    let filled = Filled::new(Duration::from_secs(86_400));
    let folder = filled.store.folder().to_owned();
    let error = filled.store.shutdown().unwrap_err();
    assert_eq!(error.code(), Code::StoreFull);
    let acknowledged = filled.acknowledged.lock().unwrap().len();
    assert!(acknowledged < usize::try_from(EVENTS).unwrap());
    limit(None);
    assert_eq!(check(&folder).unwrap().problems, []);
    let store = crate::common::open(&folder);
    let events = store.reader().events("a", 1, usize::MAX).unwrap();
    assert_eq!(events.len(), acknowledged);
}
