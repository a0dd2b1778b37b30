//! Where no secret may be read.

use rangefinder_service_tests::calls::{create, ended, get, named};
use rangefinder_service_tests::{ANN, BEN, RACK, ROOT, Service, eventually};
use std::path::{Path, PathBuf};

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![path],
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_in_no_log_no_argument_no_file_and_no_message() {
    let mut service = Service::builder().log("trace").start().await;
    let secrets: Vec<_> = [ANN, BEN, ROOT, RACK]
        .map(|name| {
            let token = service.token(name);
            let (shown, secret) = token.rsplit_once('_').unwrap();
            assert!(secret.len() >= 32 && shown.starts_with("rf_"));
            secret.to_owned()
        })
        .into();
    let hidden = |what: &str, text: &[u8]| {
        for secret in &secrets {
            let found = text
                .windows(secret.len())
                .any(|part| part == secret.as_bytes());
            assert!(!found, "a secret is in {what}");
        }
    };
    let worker = service.worker("w1", "{}");
    let mut ann = service.sweeps(ANN);
    let sweep = create(&mut ann, named("secret")).await;
    ended(&mut ann, &sweep.id).await;
    let (_, document) = get(&mut ann, &sweep.id).await.unwrap();
    hidden("sweep.json", document.as_bytes());
    hidden(
        "the arguments of the service",
        service.process().arguments().as_bytes(),
    );
    hidden(
        "the arguments of the worker",
        worker.0.arguments().as_bytes(),
    );

    // Commands, with a token that holds, one that no longer does, and one that is mistyped.
    let list = service.command(ANN, &["list"]);
    assert_eq!(list.code, Some(0), "{}", list.stderr);
    service.revoke(BEN);
    let refused = eventually("the revocation", async || {
        let tried = service.command(BEN, &["list"]);
        (tried.code != Some(0)).then_some(tried)
    })
    .await;
    let mistyped = service.token(ANN) + "x";
    std::fs::write(service.token_file(ROOT), &mistyped).unwrap();
    let wrong = service.command(ROOT, &["list"]);
    assert_ne!(wrong.code, Some(0));
    let data = service.data().to_str().unwrap().to_owned();
    let tokens = service.command(ANN, &["token", "list", "--data-dir", &data]);
    for ended in [list, refused, wrong, tokens] {
        hidden("what a command says", format!("{ended:?}").as_bytes());
    }
    service.end(nix::sys::signal::Signal::SIGTERM);
    drop(worker);

    // All that was written, but for the files that the tokens are handed over in.
    let mut logs = 0;
    for file in files(service.folder()) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if !name.ends_with(".token") {
            let text = std::fs::read(&file).unwrap();
            logs += usize::from(name.ends_with(".log") && text.len() > 10_000);
            hidden(&file.display().to_string(), &text);
        }
    }
    assert_eq!(logs, 2, "service and worker have logged much");
}
