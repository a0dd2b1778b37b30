//! What is listed, shown and changed.

use super::fake::{DOCUMENT, Fake, Script, TOKEN, sweep};
use super::{ask, ask_in, asking};
use crate::done;
use rangefinder_proto::v1;
use rangefinder_proto::v1::SweepState::{Cancelled, Completed, Failed, Running, Waiting};
use std::collections::HashMap;

fn suggestion() -> v1::Suggestion {
    v1::Suggestion {
        lr: 0.00324,
        method: "auto".to_owned(),
        interval: Some(v1::Interval {
            low: 0.002,
            high: 0.005,
            level: 0.9,
            method: "bootstrap".to_owned(),
        }),
        step: 41,
    }
}

fn progress(steps_done: u64, workers_busy: u32) -> Option<v1::SweepProgress> {
    Some(v1::SweepProgress {
        steps_done,
        steps_planned: 900,
        workers_busy,
    })
}

fn sweeps() -> Vec<v1::Sweep> {
    vec![
        v1::Sweep {
            waiting_for: "a worker: none is connected".to_owned(),
            ..sweep("w3", Waiting, 0)
        },
        v1::Sweep {
            name: "nightly".to_owned(),
            owner: "bob".to_owned(),
            priority: 5,
            progress: progress(412, 2),
            ..sweep("r2", Running, 5)
        },
        v1::Sweep {
            name: "evil\u{1b}[31m".to_owned(),
            progress: progress(900, 0),
            end_time: sweep("", Completed, 62).create_time,
            suggestion: Some(suggestion()),
            verdict: Some(v1::Verdict {
                usable: true,
                reason: String::new(),
                message: "the loss falls from its plateau once, well above the noise".to_owned(),
            }),
            ..sweep("c1", Completed, 70)
        },
        v1::Sweep {
            failure: Some(v1::SweepFailure {
                code: "RF801".to_owned(),
                message: "a step with 64 samples does not fit into memory".to_owned(),
            }),
            ..sweep("f0", Failed, 3000)
        },
    ]
}

fn listing(pages: Vec<Vec<v1::Sweep>>) -> Fake {
    let last = pages.len() - 1;
    let list = (0..).zip(pages).map(|(number, sweeps)| {
        Ok(v1::ListSweepsResponse {
            sweeps,
            next_page_token: match number == last {
                true => String::new(),
                false => format!("page {}", number + 1),
            },
        })
    });
    Fake::start(Script {
        list: list.collect(),
        ..Script::default()
    })
}

#[test]
fn sweeps_are_listed_over_all_pages() {
    let all = sweeps();
    let fake = listing(vec![all[..2].to_vec(), all[2..].to_vec()]);
    let run = ask(
        &fake,
        &["list", "--state", "waiting,failed", "--name", "night"],
    );
    assert_eq!(run.code, 0, "{}", run.shown());
    insta::assert_snapshot!(run.shown());
    let asked = fake.seen(|seen| seen.listed.clone());
    assert_eq!(asked[0].states, [i32::from(Waiting), i32::from(Failed)]);
    assert_eq!(
        (asked[0].name_prefix.as_str(), asked[0].page_size),
        ("night", 50)
    );
    assert_eq!(
        (asked[1].page_token.as_str(), asked[1].page_size),
        ("page 1", 48)
    );
}

#[test]
fn a_limit_is_kept_and_said_and_an_only_owner_is_not() {
    let mine: Vec<_> = sweeps()
        .into_iter()
        .filter(|it| it.owner == "ann")
        .collect();
    let fake = listing(vec![mine.clone(), mine]);
    let run = ask(&fake, &["list", "--limit", "2"]);
    insta::assert_snapshot!(run.shown());
    assert_eq!(fake.seen(|seen| seen.listed.len()), 1);
    let none = ask(&listing(vec![Vec::new()]), &["list"]);
    assert_eq!(
        (none.stdout.as_str(), none.stderr.as_str()),
        ("", "There are no such sweeps.\n")
    );
}

#[test]
fn sweeps_are_data_too() {
    let run = ask(&listing(vec![sweeps()]), &["list", "--json"]);
    let all = run.json();
    assert_eq!(all[1]["state"], "running");
    assert_eq!(all[1]["progress"]["steps_done"], 412);
    assert_eq!(all[2]["suggestion"]["interval"]["method"], "bootstrap");
    assert_eq!(all[2]["verdict"]["usable"], true);
    assert_eq!(all[3]["failure"]["code"], "RF801");
    assert_eq!(all[0]["spec"]["model"], "mlp");
    assert!(all[0]["created"].as_str().unwrap().ends_with('Z'));
    assert!(all[0]["ended"].is_null());
}

#[test]
fn what_is_known_of_a_sweep_is_shown() {
    let mut all = String::new();
    for sweep in sweeps() {
        let fake = Fake::start(Script {
            get: [Ok((sweep.clone(), ""))].into(),
            ..Script::default()
        });
        let run = ask(&fake, &["show", &sweep.id]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""));
        all.push_str(&format!("{}\n", run.stdout));
    }
    insta::assert_snapshot!(all);
    let fake = Fake::start(Script {
        get: [Ok((sweeps().remove(1), ""))].into(),
        ..Script::default()
    });
    assert_eq!(
        ask(&fake, &["show", "r2", "--json"]).json()["name"],
        "nightly"
    );
}

#[test]
fn files_of_an_ended_sweep_are_written_where_they_are_wanted() {
    let ended = |document| {
        Fake::start(Script {
            get: vec![Ok((sweep("s1", Completed, 5), document)); 2].into(),
            ..Script::default()
        })
    };
    let folder = tempfile::tempdir().unwrap();
    let args = ["show", "s1", "--out", "found"];
    let run = ask_in(folder.path(), &ended(DOCUMENT), &args);
    assert_eq!(run.stdout.lines().count(), 5, "{}", run.shown());
    assert!(
        run.stdout
            .lines()
            .all(|path| folder.path().join(path).is_file())
    );
    let none = ask_in(folder.path(), &ended(""), &args);
    assert_eq!(none.code, 2);
    assert_eq!(
        none.stderr,
        "error[RF957]: sweep s1 has no result to write\n  coordinator show s1 tells its state\n"
    );
}

#[test]
fn what_is_changed_is_said_in_a_sentence() {
    let cancel = |state| {
        let fake = Fake::start(Script {
            cancel: [Ok(sweep("s1", state, 5))].into(),
            ..Script::default()
        });
        ask(&fake, &["cancel", "s1"]).stderr
    };
    assert_eq!(cancel(Cancelled), "Sweep s1 is cancelled.\n");
    assert_eq!(cancel(Running), "Sweep s1 is being cancelled.\n");
    assert_eq!(
        cancel(Completed),
        "Sweep s1 had ended already: completed.\n"
    );
    let fake = Fake::start(Script {
        delete: [Ok(())].into(),
        drain: [Ok(v1::Worker {
            id: "gpu-7".to_owned(),
            sweep_id: "s1".to_owned(),
            ..v1::Worker::default()
        })]
        .into(),
        ..Script::default()
    });
    assert_eq!(
        ask(&fake, &["delete", "s1"]).stderr,
        "Sweep s1 is deleted.\n"
    );
    assert_eq!(
        ask(&fake, &["drain", "gpu-7"]).stderr,
        "Worker gpu-7 takes no more work and leaves when it is done with sweep s1.\n"
    );
}

#[test]
fn workers_are_listed_with_what_they_do() {
    let worker = |id: &str, state: v1::WorkerState, sweep: &str, reason: &str| v1::Worker {
        id: id.to_owned(),
        state: state.into(),
        reason: reason.to_owned(),
        device: "cuda:0".to_owned(),
        versions: HashMap::from([("libtorch".to_owned(), "2.11.0".to_owned())]),
        sweep_id: sweep.to_owned(),
        completed: 12,
        failed: 0,
    };
    let all = vec![
        worker("gpu-1", v1::WorkerState::Busy, "s1", ""),
        worker("gpu-2", v1::WorkerState::Idle, "", ""),
        worker(
            "gpu-3",
            v1::WorkerState::SetAside,
            "",
            "it failed 3 tasks that others completed",
        ),
    ];
    let fake = Fake::start(Script {
        workers: [Ok(all.clone()), Ok(all), Ok(Vec::new())].into(),
        ..Script::default()
    });
    insta::assert_snapshot!(ask(&fake, &["workers"]).stdout);
    let json = ask(&fake, &["workers", "--json"]).json();
    assert_eq!(
        (&json[2]["state"], &json[0]["sweep"]),
        (&"set aside".into(), &"s1".into())
    );
    assert_eq!(json[0]["versions"]["libtorch"], "2.11.0");
    let none = ask(&fake, &["workers"]);
    assert_eq!(
        none.stderr,
        "No worker is connected, or was not long ago.\n"
    );
}

#[test]
fn another_reading_of_a_sweep_is_answered_as_a_sweep_is() {
    let answer = v1::CurveAnswer {
        suggestion: Some(v1::Suggestion {
            interval: None,
            method: "drop80".to_owned(),
            ..suggestion()
        }),
        verdict: Some(v1::Verdict {
            usable: true,
            reason: String::new(),
            message: "the loss falls from its plateau once, well above the noise".to_owned(),
        }),
        rule_value: Some(0.00324),
        methods: vec![v1::MethodValue {
            method: "steepest".to_owned(),
            lr: Some(0.001),
            why: String::new(),
        }],
    };
    let flat = v1::CurveAnswer {
        suggestion: None,
        verdict: Some(v1::Verdict {
            usable: false,
            reason: "flat".to_owned(),
            message: "the loss hardly moves".to_owned(),
        }),
        ..answer.clone()
    };
    let newer = v1::CurveAnswer {
        verdict: Some(v1::Verdict {
            reason: "no_luck".to_owned(),
            ..v1::Verdict::default()
        }),
        ..answer.clone()
    };
    let fake = Fake::start(Script {
        suggest: [Ok(answer), Ok(flat), Ok(newer)].into(),
        get: vec![Ok((sweep("s1", Completed, 5), DOCUMENT)); 6].into(),
        ..Script::default()
    });
    let run = ask(
        &fake,
        &["suggest", "s1", "--method", "drop80", "--skip-end", "3"],
    );
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (0, "0.00324\n"),
        "{}",
        run.shown()
    );
    insta::assert_snapshot!(run.stderr);
    let reading = fake.seen(|seen| seen.readings.clone()).remove(0);
    assert_eq!(
        (reading.method.as_deref(), reading.skip_end),
        (Some("drop80"), Some(3))
    );
    assert_eq!((reading.profile, reading.seed), (None, None));
    let flat = ask(&fake, &["suggest", "s1", "--json", "-q"]);
    assert_eq!(flat.code, 3, "{}", flat.shown());
    assert_eq!(flat.json()["verdict"]["reason"], "flat");
    let newer = ask(&fake, &["suggest", "s1"]);
    assert!(
        newer
            .stderr
            .starts_with("error[RF958]: verdict.reason is `no_luck`"),
        "{}",
        newer.shown()
    );
}

#[test]
fn a_token_comes_from_a_file_or_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), format!("{TOKEN}\n")).unwrap();
    let fake = listing(vec![Vec::new()]);
    let run = done(
        asking(
            folder.path(),
            &fake.url(),
            &["list", "--token-file", "token"],
        )
        .env("RANGEFINDER_TOKEN", "another")
        .output()
        .unwrap(),
    );
    assert_eq!(run.code, 0, "{}", run.shown());
    let run = done(
        asking(folder.path(), &fake.url(), &["list"])
            .env("RANGEFINDER_TOKEN", "another")
            .output()
            .unwrap(),
    );
    assert!(run.stderr.starts_with("error[RF925]: "), "{}", run.shown());
    assert!(!run.stderr.contains("another"), "{}", run.shown());
    let tokens = fake.seen(|seen| seen.tokens.clone());
    assert_eq!(
        tokens,
        [format!("Bearer {TOKEN}"), "Bearer another".to_owned()]
    );
}
