//! Everything that a service and the way to it can refuse, each with its code and what to do.

use super::fake::{Fake, Script, TOKEN};
use super::{ask, asking};
use crate::{Run, command, done, run_in};
use rangefinder_coordinator::wire::fields;
use rangefinder_proto::v1::SweepSpec;
use std::collections::HashMap;
use std::fmt::Write as _;
use tonic::{Code, Status};
use tonic_types::{BadRequest, ErrorDetails, StatusExt as _};

fn listing(status: Status) -> Fake {
    Fake::start(Script {
        list: [Err(status)].into(),
        ..Script::default()
    })
}

#[test]
fn every_refusal_is_said_with_its_code_and_what_to_do() {
    let details = ErrorDetails::with_error_info(
        "FORBIDDEN",
        "rangefinder",
        HashMap::from([("code".to_owned(), "RF936".to_owned())]),
    );
    let mut all = String::new();
    for (status, code, exit) in [
        (Status::unauthenticated("the token was revoked"), "RF925", 1),
        (Status::permission_denied("a worker's token"), "RF926", 1),
        (Status::not_found("there is no sweep `s9`"), "RF956", 2),
        (
            Status::failed_precondition("sweep `s1` still runs"),
            "RF957",
            2,
        ),
        (Status::unimplemented(""), "RF958", 1),
        (
            Status::resource_exhausted("100 sweeps are active, the limit"),
            "RF959",
            1,
        ),
        (Status::internal("the disk \u{1b}[31mis full"), "RF960", 1),
        (
            Status::invalid_argument("`page_token` is none of mine"),
            "RF962",
            2,
        ),
        (
            Status::with_error_details(Code::InvalidArgument, "`../x` leads out", details),
            "RF936",
            2,
        ),
    ] {
        let fake = listing(status.clone());
        let run = ask(&fake, &["list"]);
        let begins = format!("error[{code}]: ");
        assert!(run.stderr.starts_with(&begins), "{code}: {}", run.shown());
        assert_eq!(
            (run.code, run.stdout.as_str()),
            (exit, ""),
            "{}",
            run.shown()
        );
        writeln!(all, "{:?}\n{}", status.code(), run.stderr).unwrap();
    }
    insta::assert_snapshot!(all);
}

#[test]
fn refused_fields_are_said_as_those_that_are_found_here() {
    let args = ["--num-training", "3", "--min-lr", "1", "--max-lr", "0.1"];
    let folder = tempfile::tempdir().unwrap();
    let here = run_in(folder.path(), &args);
    // The service is told something that this release finds nothing wrong with.
    let spec = SweepSpec {
        num_training: Some(3),
        min_lr: Some(1.0),
        max_lr: Some(0.1),
        ..SweepSpec::default()
    };
    let mistakes = rangefinder_config::resolve(spec, 1, 1).unwrap_err();
    let violations: Vec<_> = mistakes.iter().map(fields::in_spec).collect();
    let mut details = ErrorDetails::new();
    details.set_bad_request(violations);
    let refused = Status::with_error_details(Code::InvalidArgument, "2 fields", details);
    let fake = Fake::start(Script {
        create: [Err(refused)].into(),
        ..Script::default()
    });
    let there = ask(&fake, &["submit", "--detach"]);
    assert_eq!(there.shown(), here.shown());
    assert!(
        there.stderr.contains("[RF205] --min-lr: "),
        "{}",
        there.shown()
    );

    let wrong =
        BadRequest::with_violation("priority", "700 is \u{1b}too high\nexpected -100 to 100");
    let mut details = ErrorDetails::new();
    details.set_bad_request(wrong.field_violations);
    let fake = Fake::start(Script {
        create: [Err(Status::with_error_details(
            Code::InvalidArgument,
            "1 field",
            details,
        ))]
        .into(),
        ..Script::default()
    });
    let run = ask(&fake, &["submit", "--detach", "--priority", "700"]);
    assert_eq!(
        run.stderr,
        "error[RF804]: --priority: 700 is  too high\n  expected -100 to 100\n"
    );
}

#[test]
fn what_is_wrong_here_is_said_before_the_service_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in [("x.npz", "x"), ("empty", " \n"), ("no.pem", "x")] {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let mut all = String::new();
    for (args, code) in [
        (&["list", "--state", "runing"][..], "RF201"),
        (&["list", "--server", "localhost:7070"], "RF952"),
        (&["list", "--server", "ftp://host"], "RF952"),
        (&["list", "--token-file", "empty"], "RF953"),
        (&["list", "--token-file", "missing"], "RF953"),
        (&["list", "--cert-file", "no.pem"], "RF103"),
        (
            &["list", "--server", "https://host", "--ca-file", "missing"],
            "RF701",
        ),
        (
            &["list", "--server", "https://host", "--ca-file", "no.pem"],
            "RF927",
        ),
        (&["list", "--ca-file", "no.pem"], "RF952"),
        (&["submit", "--data", "train-*.npz"], "RF961"),
        (&["submit", "--data", "missing.npz"], "RF701"),
        (&["submit", "--workers", "5000"], "RF202"),
        (
            &["submit", "--momentum", "2", "--optimizer", "sgd"],
            "RF202",
        ),
        (&["submit", "--detach", "--out", "found"], "RF104"),
        (&["show"], "RF103"),
    ] {
        // Nothing listens at that address, and nobody asks.
        let run = done(
            asking(folder.path(), "http://127.0.0.1:1", args)
                .output()
                .unwrap(),
        );
        let begins = format!("error[{code}]: ");
        assert!(run.stderr.starts_with(&begins), "{args:?}: {}", run.shown());
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{}", run.shown());
        writeln!(all, "$ coordinator {}\n{}", args.join(" "), run.stderr).unwrap();
    }
    let without = done(command(folder.path(), &["list"]).output().unwrap());
    writeln!(all, "$ coordinator list\n{}", without.stderr).unwrap();
    let url = ["list", "--server", "http://127.0.0.1:1"];
    let without = done(command(folder.path(), &url).output().unwrap());
    writeln!(all, "$ coordinator {}\n{}", url.join(" "), without.stderr).unwrap();
    insta::assert_snapshot!(all);
}

/// Runs `list`, with one second of patience.
fn impatient(url: &str) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let run = done(
        asking(folder.path(), url, &["list", "--timeout", "1"])
            .output()
            .unwrap(),
    );
    assert!(!run.shown().contains(TOKEN), "{}", run.shown());
    Run {
        stderr: run.stderr.replace(url, "SERVICE"),
        ..run
    }
}

#[test]
fn a_service_that_is_away_is_tried_again_and_then_named() {
    // A port that was free a moment ago.
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let run = impatient(&format!("http://127.0.0.1:{port}"));
    assert_eq!((run.code, run.stdout.as_str()), (1, ""));
    insta::assert_snapshot!(run.stderr);
}

#[test]
fn a_service_that_does_not_answer_is_not_waited_for_for_ever() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let run = impatient(&format!("http://{}", listener.local_addr().unwrap()));
    assert_eq!((run.code, run.stdout.as_str()), (1, ""));
    insta::assert_snapshot!(run.stderr);
}

#[test]
fn tls_with_a_service_without_it_is_said_as_such() {
    let fake = listing(Status::internal("nobody comes so far"));
    let url = format!("https://{}", fake.address);
    let run = impatient(&url);
    assert!(run.stderr.starts_with("error[RF933]: "), "{}", run.shown());
    assert!(fake.seen(|seen| seen.tokens.is_empty()));
}
