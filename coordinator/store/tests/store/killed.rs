//! A coordinator that is killed at any moment has lost nothing that it acknowledged.

use crate::common::{Random, create, event, payload};
use rangefinder_store::{Change, Notice, Options, Store, check};
use std::env;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;

/// Set in the process that is killed: the folder of its store.
const FOLDER: &str = "RANGEFINDER_TEST_STORE";

/// What its lines with acknowledged numbers begin with.
const DURABLE: &str = "durable ";

/// Batches that wait for their acknowledgement at a time.
const WINDOW: u64 = 64;

#[test]
fn all_that_was_acknowledged_is_there_after_any_number_of_kills() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random(20);
    let mut acknowledged = 0;
    for round in 0..30 {
        let pid = kill_after(folder.path(), 1 + random.below(200), &mut acknowledged);

        let checked = check(folder.path()).unwrap();
        assert_eq!(checked.problems, [], "round {round}");
        let (store, notices) = Store::open(folder.path(), Options::default()).unwrap();
        let unclean =
            |notice: &Notice| matches!(notice, Notice::Unclean { holder } if holder.pid == pid);
        assert!(notices.iter().any(unclean), "{notices:?}");
        let reader = store.reader();
        let all = |sweep| reader.events(sweep, 1, usize::MAX).unwrap();
        let (a, b) = (all("a"), all("b"));
        let written = u64::try_from(a.len()).unwrap();
        assert!(
            written >= acknowledged,
            "round {round}: {acknowledged} were acknowledged, {written} are there"
        );
        assert_eq!(a.len(), b.len(), "round {round}: a batch is torn");
        assert_eq!(reader.counters().unwrap()["token"], written);
        for event in b {
            assert_eq!(event.payload, payload("b", event.number));
        }
        acknowledged = written;
    }
}

/// Starts the helper, reads that many acknowledgements and kills it; raises `acknowledged` to the
/// last one, and gives the number of the process.
fn kill_after(folder: &Path, lines: usize, acknowledged: &mut u64) -> u32 {
    let mut helper = Command::new(env::current_exe().unwrap())
        .args(["--exact", "killed::helper", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut numbers = BufReader::new(helper.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| line.strip_prefix(DURABLE)?.strip_suffix('.')?.parse().ok());
    for _ in 0..lines {
        *acknowledged = numbers
            .next()
            .expect("the helper writes until it is killed");
    }
    helper.kill().unwrap();
    // What it had acknowledged when it died.
    *acknowledged = numbers.last().unwrap_or(*acknowledged);
    let pid = helper.id();
    helper.wait().unwrap();
    pid
}

#[test]
#[ignore = "the process that is killed"]
fn helper() {
    let folder = env::var_os(FOLDER).unwrap();
    let (store, _) = Store::open(Path::new(&folder), Options::default()).unwrap();
    let appender = store.appender();
    let mut number =
        u64::try_from(store.reader().events("a", 1, usize::MAX).unwrap().len()).unwrap();
    if store.reader().sweep("a").unwrap().is_none() {
        crate::common::write(&appender, vec![create("a", 1), create("b", 1)]);
    }
    let (send, durable) = mpsc::channel();
    let mut waiting = 0;
    loop {
        number += 1;
        let send = send.clone();
        let token = Change::Counter {
            name: "token".to_owned(),
            value: number,
        };
        let acknowledge = move || {
            println!("{DURABLE}{number}.");
            send.send(()).unwrap();
        };
        appender
            .append(
                vec![event("a", number), event("b", number), token],
                Box::new(acknowledge),
            )
            .unwrap();
        waiting += 1;
        if waiting == WINDOW {
            durable.recv().unwrap();
            waiting -= 1;
        }
    }
}
