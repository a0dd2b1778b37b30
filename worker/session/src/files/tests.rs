//! Which files of a specification are looked at, and how paths are confined. Downloads are tested over
//! a connection, in `tests/conformance`.

use super::*;
use crate::options::Credential;
use rangefinder_access::Roots;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A specification that names a file in every place.
fn spec(path: impl Fn(&str) -> String) -> v1::TrainerSpec {
    let data = |source, targets| v1::Data {
        source: path(source),
        targets: path(targets),
        ..v1::Data::default()
    };
    v1::TrainerSpec {
        trainer: Some(v1::trainer_spec::Trainer::Torchscript(v1::TorchScript {
            path: path("model"),
        })),
        data: Some(data("data", "targets")),
        weights: path("weights"),
        optimizer: Some(v1::Optimizer {
            state: path("optimizer_state"),
            ..v1::Optimizer::default()
        }),
        evaluation: Some(v1::Evaluation {
            data: Some(data("eval_data", "eval_targets")),
            ..v1::Evaluation::default()
        }),
        ..v1::TrainerSpec::default()
    }
}

/// A library confined to two folders, with a file of each place's name in the right one.
fn confined() -> (TempDir, Library) {
    let folder = tempfile::tempdir().expect("folder");
    let [models, data] = ["models", "data"].map(|name| {
        let path = folder.path().join(name);
        fs::create_dir(&path).expect("made");
        path
    });
    for name in ["model", "weights", "optimizer_state"] {
        fs::write(models.join(name), [0; 100]).expect("written");
    }
    for name in ["data", "targets", "eval_data", "eval_targets"] {
        fs::write(data.join(name), [0; 100]).expect("written");
    }
    fs::write(folder.path().join("secret"), "secret").expect("written");
    let root = |path: &Path| vec![format!("lab={}", path.display())];
    let mut options = Options::new(
        "http://127.0.0.1:1".parse().expect("uri"),
        Credential::new("t").expect("token"),
    );
    options.files.roots = Some(Roots::new(&root(&models), &root(&data)).expect("folders"));
    options.files.max_model_bytes = 100;
    (folder, Library::new(&options))
}

async fn prepare(library: &Library, spec: v1::TrainerSpec) -> Result<v1::TrainerSpec, Failure> {
    let job = Job::Describe(Box::new(spec));
    assert!(!library.is_ready(&job));
    let (job, pins) = library.prepare(job, Arc::new(|_| {})).await?;
    assert!(pins.is_empty());
    Ok(job.spec().clone())
}

#[tokio::test]
async fn every_file_is_looked_up_in_the_folders_of_its_kind() {
    let (folder, library) = confined();
    let found = prepare(&library, spec(|name| format!("lab:{name}"))).await;
    let canonical = folder.path().canonicalize().expect("there");
    let model = ["model", "weights", "optimizer_state"];
    let expected = spec(|name| {
        let kind = if model.contains(&name) {
            "models"
        } else {
            "data"
        };
        canonical.join(kind).join(name).display().to_string()
    });
    assert_eq!(found, Ok(expected));
}

#[tokio::test]
async fn what_leads_out_of_the_folders_is_the_mistake_of_its_field() {
    let (folder, library) = confined();
    let secret = folder.path().join("secret").display().to_string();
    for place in [
        "model",
        "weights",
        "optimizer_state",
        "data",
        "targets",
        "eval_data",
        "eval_targets",
    ] {
        for out in ["lab:../secret", &secret, "secret"] {
            let wrong = spec(|name| {
                if name == place {
                    out.to_owned()
                } else {
                    format!("lab:{name}")
                }
            });
            let failure = prepare(&library, wrong).await.expect_err("found");
            assert_eq!(failure.kind, v1::FailureKind::User);
            assert_eq!(failure.fields[0].field, place);
            assert_ne!(failure.fields[0].remedy, "");
            if out != "secret" {
                assert_eq!(failure.code, Code::PathConfined, "{failure:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_model_beyond_the_limit_is_refused() {
    let (folder, library) = confined();
    let model = folder.path().join("models/model");
    fs::write(&model, [0; 101]).expect("written");
    let spec = spec(|name| format!("lab:{name}"));
    let failure = prepare(&library, spec).await.expect_err("found");
    assert_eq!(
        (failure.code, failure.kind),
        (Code::FileTooLarge, v1::FailureKind::User)
    );
    assert_eq!(failure.fields[0].field, "model");
}

#[tokio::test]
async fn built_in_data_and_models_need_no_folder() {
    let (_folder, mut library) = confined();
    let mut options = (*library.options).clone();
    options.files.roots = Some(Roots::default());
    library = Library::new(&options);
    let spec = v1::TrainerSpec {
        trainer: Some(v1::trainer_spec::Trainer::Builtin(v1::Builtin::default())),
        data: Some(v1::Data {
            source: "digits".to_owned(),
            ..v1::Data::default()
        }),
        optimizer: Some(v1::Optimizer::default()),
        ..v1::TrainerSpec::default()
    };
    assert_eq!(prepare(&library, spec.clone()).await, Ok(spec));
}

#[test]
fn a_worker_that_is_not_confined_takes_paths_as_they_are() {
    let (_folder, library) = confined();
    let mut options = (*library.options).clone();
    options.files.roots = None;
    let library = Library::new(&options);
    assert!(
        library.is_ready(&Job::Describe(Box::new(spec(|name| format!(
            "/any/{name}"
        )))))
    );
    let place = "artifact:nonsense";
    for field in [
        "model",
        "weights",
        "optimizer_state",
        "data",
        "targets",
        "eval_data",
        "eval_targets",
    ] {
        let named = spec(|name| {
            if name == field {
                place.to_owned()
            } else {
                name.to_owned()
            }
        });
        assert!(
            !library.is_ready(&Job::Probe(Box::new(named), 2)),
            "{field}"
        );
    }
}
