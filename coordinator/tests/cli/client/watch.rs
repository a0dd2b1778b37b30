//! `coordinator watch`: a sweep to its end, whatever becomes of connections.

use super::fake::{DOCUMENT, Fake, Script, Then, events, sweep, wait};
use super::{ask, ask_in, asking, interrupt};
use crate::done;
use rangefinder_proto::v1;
use rangefinder_proto::v1::SweepState::{Cancelled, Completed, Failed, Running};
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use tonic::Status;

/// A service whose sweep completes in these streams.
fn completing(watch: Vec<Result<(Vec<v1::SweepEvent>, Then), Status>>) -> Fake {
    let get = std::iter::once(Running)
        .chain(std::iter::repeat_n(Completed, watch.len() + 1))
        .map(|state| Ok((sweep("s1", state, 5), DOCUMENT)))
        .collect();
    Fake::start(Script {
        get,
        watch: watch.into(),
        ..Script::default()
    })
}

#[test]
fn a_watched_sweep_ends_as_one_that_runs_here() {
    let fake = completing(vec![Ok((events(), Then::End))]);
    let run = ask(&fake, &["watch", "s1"]);
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (0, "0.00040756792655948925\n")
    );
    insta::assert_snapshot!(run.stderr);
}

#[test]
fn files_are_written_only_where_a_folder_is_named() {
    let fake = completing(vec![Ok((events(), Then::End))]);
    let folder = tempfile::tempdir().unwrap();
    let run = ask_in(
        folder.path(),
        &fake,
        &["watch", "s1", "--out", "found", "--json", "-q"],
    );
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", run.shown());
    assert_eq!(run.json()["status"], "completed");
    assert!(run.json()["out"].as_str().unwrap().ends_with("found"));
    for name in [
        "sweep.json",
        "curve.csv",
        "losses.csv",
        "plot.svg",
        "plot.png",
    ] {
        assert!(folder.path().join("found").join(name).is_file(), "{name}");
    }
}

#[test]
fn a_lost_connection_is_made_again_and_nothing_is_missed_or_told_twice() {
    let all = events();
    let fake = completing(vec![
        Ok((all[..2].to_vec(), Then::Break)),
        Err(Status::unavailable("not yet back")),
        // One that was seen already comes again.
        Ok((all[1..3].to_vec(), Then::Break)),
        Ok((all[3..].to_vec(), Then::End)),
    ]);
    let run = ask(&fake, &["watch", "s1", "--json-events"]);
    assert_eq!(run.code, 0, "{}", run.shown());
    let told: Vec<_> = run.stdout.lines().collect();
    let expected: Vec<_> = all.iter().map(|event| event.json.as_str()).collect();
    assert_eq!(told, expected);
    assert_eq!(fake.seen(|seen| seen.watched_from.clone()), [1, 3, 3, 4]);
    insta::assert_snapshot!(run.stderr);
}

#[test]
fn a_service_that_is_killed_and_comes_back_is_watched_on() {
    let all = events();
    let fake = completing(vec![Ok((all[..2].to_vec(), Then::Hold))]);
    let folder = tempfile::tempdir().unwrap();
    let mut child = asking(
        folder.path(),
        &fake.url(),
        &["watch", "s1", "--json-events"],
    )
    .stdout(Stdio::piped())
    .stderr(Stdio::piped())
    .spawn()
    .unwrap();
    let mut told = BufReader::new(child.stdout.take().unwrap()).lines();
    for event in &all[..2] {
        assert_eq!(told.next().unwrap().unwrap(), event.json);
    }
    let fake = fake.restart(Script {
        get: vec![Ok((sweep("s1", Completed, 5), DOCUMENT)); 2].into(),
        watch: [Ok((all[2..].to_vec(), Then::End))].into(),
        ..Script::default()
    });
    let rest: Vec<_> = told.map(Result::unwrap).collect();
    let run = done(child.wait_with_output().unwrap());
    assert_eq!(run.code, 0, "{}", run.shown());
    assert_eq!(rest, [all[2].json.as_str(), &all[3].json]);
    assert_eq!(fake.seen(|seen| seen.watched_from.clone()), [3]);
    assert!(
        run.stderr.contains("trying again for 30 s"),
        "{}",
        run.shown()
    );
}

#[test]
fn a_service_that_stops_in_order_is_waited_for_as_well() {
    let all = events();
    let fake = Fake::start(Script {
        get: [Running, Running, Completed, Completed]
            .map(|state| Ok((sweep("s1", state, 5), DOCUMENT)))
            .into(),
        watch: [
            Ok((all[..2].to_vec(), Then::End)),
            Ok((all[2..].to_vec(), Then::End)),
        ]
        .into(),
        ..Script::default()
    });
    let run = ask(&fake, &["watch", "s1", "--json-events", "--from", "2"]);
    assert_eq!(
        (run.code, run.stdout.lines().count()),
        (0, 3),
        "{}",
        run.shown()
    );
    assert_eq!(fake.seen(|seen| seen.watched_from.clone()), [2, 3]);
}

#[test]
fn how_a_sweep_failed_is_said_with_its_code() {
    let failed = v1::Sweep {
        failure: Some(v1::SweepFailure {
            code: "RF807".to_owned(),
            message: "no worker has joined for 600 s".to_owned(),
        }),
        ..sweep("s1", Failed, 5)
    };
    for (state, code, said) in [
        (failed, 1, "error[RF807]: no worker has joined for 600 s\n"),
        (
            sweep("s1", Cancelled, 5),
            130,
            "Sweep s1 was cancelled before it had a curve.\n",
        ),
    ] {
        let fake = Fake::start(Script {
            get: vec![Ok((state, "")); 3].into(),
            watch: [Ok((events(), Then::End))].into(),
            ..Script::default()
        });
        let run = ask(&fake, &["watch", "s1", "--quiet"]);
        assert_eq!(
            (run.code, run.stdout.as_str()),
            (code, ""),
            "{}",
            run.shown()
        );
        assert_eq!(run.stderr, said);
    }
}

#[test]
fn ctrl_c_leaves_the_sweep_running_and_says_so() {
    let fake = completing(vec![Ok((events()[..2].to_vec(), Then::Hold))]);
    let folder = tempfile::tempdir().unwrap();
    let args = ["watch", "s1", "--quiet", "--json-events"];
    let mut child = asking(folder.path(), &fake.url(), &args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line.trim(), events()[0].json);
    interrupt(&child);
    let run = done(child.wait_with_output().unwrap());
    assert_eq!(run.code, 130, "{}", run.shown());
    assert_eq!(
        run.stderr.replace(&fake.url(), "SERVICE"),
        "Sweep s1 goes on at SERVICE.\n  coordinator watch s1 follows it again,\n  coordinator \
         cancel s1 ends it.\n"
    );
    assert!(fake.seen(|seen| seen.cancelled.is_empty()));
}

#[test]
fn submit_is_left_as_watch_is() {
    let fake = Fake::start(Script {
        create: [Ok(sweep("s1", Running, 0))].into(),
        watch: [Ok((events()[..2].to_vec(), Then::Hold))].into(),
        ..Script::default()
    });
    let watched = fake.watched();
    let folder = tempfile::tempdir().unwrap();
    let url = fake.url();
    let args = ["submit", "--server", &url];
    let child = asking(folder.path(), "http://127.0.0.1:1", &args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait(&watched);
    interrupt(&child);
    let run = done(child.wait_with_output().unwrap());
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (130, ""),
        "{}",
        run.shown()
    );
    let command = format!(
        "coordinator watch s1 --server {} follows it again",
        fake.url()
    );
    assert!(run.stderr.contains(&command), "{}", run.shown());
    assert!(fake.seen(|seen| seen.cancelled.is_empty()));
}
