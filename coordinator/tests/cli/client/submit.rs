//! `coordinator submit`: from a specification to the files and the answer.

use super::fake::{DOCUMENT, Fake, Script, Then, events, sweep};
use super::{ask, ask_in, asking, interrupt};
use crate::done;
use rangefinder_proto::v1::SweepState::{Completed, Running};
use std::fs;
use std::net::TcpListener;
use std::process::Stdio;
use tonic::Status;

/// `abcdefgh`, by `sha256sum`.
const DIGEST: &str = "sha256-9c56cc51b374c3ba189210d5b6d4bf57790d351c96c47c02190ecf1e430635ab";

/// A service whose sweep completes, after some answers to its creation.
fn completing(create: Vec<Result<rangefinder_proto::v1::Sweep, Status>>) -> Script {
    Script {
        create: create.into(),
        get: vec![Ok((sweep("s1", Completed, 1), DOCUMENT)); 2].into(),
        watch: [Ok((events(), Then::End))].into(),
        ..Script::default()
    }
}

#[test]
fn a_submitted_sweep_ends_as_one_that_runs_here() {
    let fake = Fake::start(completing(vec![Ok(sweep("s1", Running, 0))]));
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("hparams.yaml"),
        "lr: 0.1 # to be found\n",
    )
    .unwrap();
    fs::write(
        folder.path().join("sweep.toml"),
        "num_training = 60\nseed = 3\n",
    )
    .unwrap();
    let args = [
        "submit",
        "--config",
        "sweep.toml",
        "--seed",
        "4",
        "--workers",
        "2",
        "--priority",
        "-5",
        "--name",
        "nightly",
        "--out",
        "found",
        "--hparams",
        "hparams.yaml",
        "--auto-lr-find",
    ];
    let run = ask_in(folder.path(), &fake, &args);
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (0, "0.00040756792655948925\n"),
        "{}",
        run.shown()
    );
    assert!(
        run.stderr.starts_with("Sweep s1 at SERVICE\n"),
        "{}",
        run.shown()
    );
    let hparams = fs::read_to_string(folder.path().join("hparams.yaml")).unwrap();
    assert_eq!(hparams, "lr: 0.00040756792655948925 # to be found\n");
    for name in [
        "sweep.json",
        "curve.csv",
        "losses.csv",
        "plot.svg",
        "plot.png",
    ] {
        assert!(folder.path().join("found").join(name).is_file(), "{name}");
    }
    let asked = fake.seen(|seen| seen.created.clone()).remove(0);
    let spec = asked.spec.unwrap();
    // What is left out is left to the service.
    assert_eq!(
        (spec.num_training, spec.seed, spec.threads_per_worker),
        (Some(60), Some(4), None)
    );
    assert_eq!(
        (asked.workers, asked.priority, asked.name.as_str()),
        (2, -5, "nightly")
    );
    assert!(!asked.validate_only);
}

#[test]
fn a_lost_answer_never_starts_a_second_sweep() {
    let fake = Fake::start(completing(vec![
        Err(Status::unavailable("gone after it was written down")),
        Err(Status::unavailable("not yet back")),
        Ok(sweep("s1", Running, 0)),
    ]));
    let run = ask(&fake, &["submit", "--detach"]);
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (0, "s1\n"),
        "{}",
        run.shown()
    );
    insta::assert_snapshot!(run.stderr);
    let ids = fake.seen(|seen| {
        seen.created
            .iter()
            .map(|it| it.request_id.clone())
            .collect::<Vec<_>>()
    });
    assert_eq!(ids.len(), 3);
    assert!(
        ids[0].len() == 32 && ids.iter().all(|id| *id == ids[0]),
        "{ids:?}"
    );
    // Another run is another request, unless its id is given.
    let fake = Fake::start(completing(vec![
        Ok(sweep("s1", Running, 0)),
        Ok(sweep("s1", Running, 0)),
    ]));
    ask(&fake, &["submit", "--detach"]);
    ask(&fake, &["submit", "--detach", "--request-id", "mine"]);
    let others = fake.seen(|seen| {
        seen.created
            .iter()
            .map(|it| it.request_id.clone())
            .collect::<Vec<_>>()
    });
    assert!(others[0].len() == 32 && others[0] != ids[0]);
    assert_eq!(others[1], "mine");
}

#[test]
fn who_gets_no_answer_is_told_how_to_ask_again() {
    let fake = Fake::start(completing(vec![Err(Status::unavailable("gone")); 100]));
    let args = [
        "submit",
        "--detach",
        "--request-id",
        "mine",
        "--timeout",
        "1",
    ];
    let run = ask(&fake, &args);
    assert_eq!((run.code, run.stdout.as_str()), (1, ""));
    insta::assert_snapshot!(run.stderr);
}

#[test]
fn files_are_uploaded_once_and_named_by_their_content() {
    let fake = Fake::start(completing(vec![Ok(sweep("s1", Running, 0))]));
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    fs::write(folder.path().join("data/train.npz"), "abcdefgh").unwrap();
    let args = [
        "submit",
        "--detach",
        "--data",
        "data/train.npz",
        "--eval-data",
        "data/train.npz",
        "--model",
        "mlp",
    ];
    let run = ask_in(folder.path(), &fake, &args);
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (0, "s1\n"),
        "{}",
        run.shown()
    );
    let spec = fake.seen(|seen| seen.created[0].spec.clone()).unwrap();
    let named = format!("artifact:{DIGEST}/train.npz");
    assert_eq!(
        (spec.data.as_ref(), spec.eval_data.as_ref()),
        (Some(&named), Some(&named))
    );
    assert_eq!(spec.model.as_deref(), Some("mlp"));
    assert_eq!(fake.seen(|seen| seen.uploads.len()), 1);
    assert_eq!(
        fake.seen(|seen| seen.artifacts[DIGEST].clone()),
        b"abcdefgh"
    );
    insta::assert_snapshot!(run.stderr);
}

#[test]
fn an_upload_goes_on_from_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("train.npz"), "abcdefgh").unwrap();
    let args = ["submit", "--detach", "--data", "train.npz"];
    let there = |bytes: &[u8]| [(DIGEST.to_owned(), bytes.to_vec())].into();

    // Of an earlier run; and this one is cut off too.
    let fake = Fake::start(Script {
        artifacts: there(b"abc"),
        break_upload_at: Some(5),
        ..completing(vec![Ok(sweep("s1", Running, 0))])
    });
    let run = ask_in(folder.path(), &fake, &args);
    assert_eq!(run.code, 0, "{}", run.shown());
    let uploads = fake.seen(|seen| seen.uploads.clone());
    assert_eq!(
        uploads.iter().map(|it| it.offset).collect::<Vec<_>>(),
        [3, 5]
    );
    assert!(
        uploads
            .iter()
            .all(|it| it.size_bytes == 8 && it.digest == DIGEST)
    );
    assert_eq!(
        fake.seen(|seen| seen.artifacts[DIGEST].clone()),
        b"abcdefgh"
    );

    // All of it is there.
    let fake = Fake::start(Script {
        artifacts: there(b"abcdefgh"),
        ..completing(vec![Ok(sweep("s1", Running, 0))])
    });
    let run = ask_in(folder.path(), &fake, &args);
    assert_eq!(run.code, 0, "{}", run.shown());
    assert!(fake.seen(|seen| seen.uploads.is_empty()));
}

#[test]
fn files_of_the_service_are_named_as_they_are() {
    let fake = Fake::start(completing(vec![Ok(sweep("s1", Running, 0))]));
    let args = [
        "submit",
        "--detach",
        "--on-server",
        "--data",
        "images/train-*.npz",
        "--model",
        "nets/net.pt",
        "--loss",
        "cross_entropy",
    ];
    // What is here by the same names does not matter.
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("nets/net.pt")).unwrap();
    let run = ask_in(folder.path(), &fake, &args);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", run.shown());
    let spec = fake.seen(|seen| seen.created[0].spec.clone()).unwrap();
    assert_eq!(spec.data.as_deref(), Some("images/train-*.npz"));
    assert_eq!(spec.model.as_deref(), Some("nets/net.pt"));
    assert!(fake.seen(|seen| seen.uploads.is_empty()));
}

#[test]
fn ctrl_c_before_there_is_a_sweep_says_whether_there_may_be_one() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("train.npz"), "abcdefgh").unwrap();
    for (args, said) in [
        (&["--data", "train.npz"][..], "Nothing was submitted."),
        (
            &["--request-id", "mine"],
            "The service may have started the sweep or not",
        ),
    ] {
        // It takes calls and answers none.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", silent.local_addr().unwrap());
        let child = asking(
            folder.path(),
            &url,
            &[&["submit", "--quiet"], args].concat(),
        )
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
        let _called = silent.accept().unwrap();
        interrupt(&child);
        let run = done(child.wait_with_output().unwrap());
        assert_eq!(
            (run.code, run.stdout.as_str()),
            (130, ""),
            "{}",
            run.shown()
        );
        assert!(run.stderr.starts_with(said), "{}", run.shown());
    }
}
