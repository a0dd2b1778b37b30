//! Artifacts that orders name: downloaded into the cache before the trainer hears of them.

use crate::shelf::CHUNK;
use crate::support::*;
use rangefinder_artifacts::Digest;
use rangefinder_errors::Code;
use rangefinder_proto::v1;
use rangefinder_proto::v1::FailureKind;
use rangefinder_proto::v1::connect_request::Message as FromWorker;
use rangefinder_proto::v1::connect_response::Message as ToWorker;
use rangefinder_session::mock::MockTrainer;
use rangefinder_session::trainer::{Failure, StepError, StepLoss, TaskStart, Trainer};
use rangefinder_session::{End, Options};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

/// What each file of an order was when the trainer heard of it: the end of its path, and the digest
/// of its content.
type Seen = Arc<Mutex<Vec<(String, Digest)>>>;

/// The mock trainer, which reads the files that it is told of.
#[derive(Default)]
struct Reader {
    mock: MockTrainer,
    seen: Seen,
}

impl Reader {
    fn read(&self, spec: &v1::TrainerSpec) {
        let mut paths = Vec::new();
        if let Some(v1::trainer_spec::Trainer::Torchscript(model)) = &spec.trainer {
            paths.push(&model.path);
        }
        paths.push(&spec.weights);
        paths.extend(spec.optimizer.as_ref().map(|optimizer| &optimizer.state));
        let evaluation = spec.evaluation.as_ref().and_then(|e| e.data.as_ref());
        for data in [spec.data.as_ref(), evaluation].into_iter().flatten() {
            paths.extend([&data.source, &data.targets]);
        }
        let mut seen = self.seen.lock().expect("not poisoned");
        for path in paths.into_iter().filter(|path| !path.is_empty()) {
            let name = path.rsplit('/').next().expect("a name").to_owned();
            seen.push((name, Digest::of(&std::fs::read(path).expect(path))));
        }
    }
}

impl Trainer for Reader {
    fn describe(&mut self, spec: &v1::TrainerSpec) -> Result<v1::Described, Failure> {
        self.read(spec);
        self.mock.describe(spec)
    }

    fn probe(&mut self, spec: &v1::TrainerSpec, steps: u32) -> Result<v1::Probed, Failure> {
        self.read(spec);
        self.mock.probe(spec, steps)
    }

    fn start(&mut self, task: &TaskStart) -> Result<(), Failure> {
        self.read(&task.spec);
        self.mock.start(task)
    }

    fn step(&mut self, step: u64, lr: f64, losses: &mut Vec<StepLoss>) -> Result<(), StepError> {
        self.mock.step(step, lr, losses)
    }

    fn flush(&mut self, losses: &mut Vec<StepLoss>) -> Result<(), StepError> {
        self.mock.flush(losses)
    }

    fn stop(&mut self) {
        self.mock.stop();
    }
}

/// A worker with a cache of its own, joined.
struct Joined {
    coordinator: Coordinator,
    connection: Connection,
    worker: Worker,
    seen: Seen,
    cache: TempDir,
}

async fn joined(adjust: impl FnOnce(&mut Options)) -> Joined {
    let coordinator = Coordinator::start().await;
    let cache = tempfile::tempdir().expect("a folder");
    join(coordinator, cache, "w1", adjust).await
}

async fn join(
    mut coordinator: Coordinator,
    cache: TempDir,
    name: &str,
    adjust: impl FnOnce(&mut Options),
) -> Joined {
    let mut options = coordinator.options();
    options.worker_id = name.to_owned();
    options.files.cache = Some(cache.path().to_owned());
    adjust(&mut options);
    let trainer = Reader::default();
    let seen = Arc::clone(&trainer.seen);
    let worker = Worker::with(options, trainer);
    let (connection, _) = coordinator.greet(20, 10_000).await;
    Joined {
        coordinator,
        connection,
        worker,
        seen,
        cache,
    }
}

impl Joined {
    fn seen(&self) -> Vec<(String, Digest)> {
        std::mem::take(&mut self.seen.lock().expect("not poisoned"))
    }

    async fn describe(&mut self, lease_token: u64, weights: &str) -> FromWorker {
        self.send(lease_token, weights).await;
        self.connection.report().await
    }

    /// Orders a description that needs a file.
    async fn send(&self, lease_token: u64, weights: &str) {
        let trainer = Some(v1::TrainerSpec {
            weights: weights.to_owned(),
            ..spec("{}")
        });
        let describe = v1::Describe {
            lease_token,
            trainer,
            traceparent: String::new(),
        };
        self.connection.send(ToWorker::Describe(describe)).await;
    }
}

fn content(number: u8, bytes: usize) -> Vec<u8> {
    (0..bytes)
        .map(|place| number.wrapping_add(u8::try_from(place % 251).expect("small")))
        .collect()
}

#[tokio::test]
async fn every_file_of_an_order_may_be_an_artifact() {
    let mut joined = joined(|_| {}).await;
    let names = [
        "m.pt",
        "w.safetensors",
        "o.pt",
        "x.npy",
        "y.npy",
        "ex.npy",
        "ey.npy",
    ];
    let files: Vec<_> = (0..)
        .zip(names)
        .map(|(n, name)| (name, content(n, 1000)))
        .collect();
    let put: Vec<_> = files
        .iter()
        .map(|(name, content)| joined.coordinator.shelf.put(content, name))
        .collect();
    let data = |source: &String, targets: &String| v1::Data {
        source: source.clone(),
        targets: targets.clone(),
        ..v1::Data::default()
    };
    let trainer = v1::TrainerSpec {
        trainer: Some(v1::trainer_spec::Trainer::Torchscript(v1::TorchScript {
            path: put[0].clone(),
        })),
        weights: put[1].clone(),
        optimizer: Some(v1::Optimizer {
            state: put[2].clone(),
            ..v1::Optimizer::default()
        }),
        data: Some(data(&put[3], &put[4])),
        evaluation: Some(v1::Evaluation {
            data: Some(data(&put[5], &put[6])),
            batches: 1,
            every: 1,
        }),
        ..v1::TrainerSpec::default()
    };
    let expected: Vec<_> = files
        .into_iter()
        .map(|(name, content)| (name.to_owned(), Digest::of(&content)))
        .collect();
    let orders = [
        ToWorker::Describe(v1::Describe {
            lease_token: 1,
            trainer: Some(trainer.clone()),
            traceparent: String::new(),
        }),
        ToWorker::Probe(v1::Probe {
            lease_token: 2,
            trainer: Some(trainer.clone()),
            steps: 2,
            traceparent: String::new(),
        }),
        ToWorker::Assign(v1::Assign {
            trainer: Some(trainer),
            ..task(3, 0, 10, "{}")
        }),
    ];
    for (token, order) in (1..).zip(orders) {
        joined.connection.send(order).await;
        let (_, end) = joined.connection.until_end().await;
        assert!(!matches!(end, FromWorker::Failed(_)), "{end:?}");
        assert_eq!(joined.seen(), expected);
        joined.connection.ack(token, 0, true).await;
    }
    assert_eq!(joined.coordinator.shelf.downloads(), [0; 7], "once each");
}

#[tokio::test]
async fn a_download_that_is_cut_off_goes_on_where_it_was() {
    let mut joined = joined(|_| {}).await;
    let content = content(1, 10 * CHUNK);
    let name = joined.coordinator.shelf.put(&content, "w.pt");
    joined.coordinator.shelf.cut(&[3, 4]);
    let answer = joined.describe(1, &name).await;
    assert!(matches!(answer, FromWorker::Described(_)), "{answer:?}");
    let offsets = [0, 3 * CHUNK as u64, 7 * CHUNK as u64];
    assert_eq!(joined.coordinator.shelf.downloads(), offsets);
    assert_eq!(joined.seen(), [("w.pt".to_owned(), Digest::of(&content))]);
}

#[tokio::test]
async fn a_download_goes_on_in_the_next_process() {
    let first = joined(|options| options.timing.drain = Duration::ZERO).await;
    let content = content(1, 10 * CHUNK);
    let name = first.coordinator.shelf.put(&content, "w.pt");
    first.coordinator.shelf.hold(4);
    first.send(1, &name).await;
    let mut connection = first.connection;
    until_fetched(&mut connection, 4 * CHUNK as u64).await;
    first.worker.shutdown.cancel();
    assert_eq!(first.worker.end().await.expect("ended"), End::ShutDown);
    first.coordinator.shelf.release(100);
    let mut second = join(first.coordinator, first.cache, "w2", |_| {}).await;
    let answer = second.describe(2, &name).await;
    assert!(matches!(answer, FromWorker::Described(_)), "{answer:?}");
    assert_eq!(second.coordinator.shelf.downloads()[1], 4 * CHUNK as u64);
    assert_eq!(second.seen(), [("w.pt".to_owned(), Digest::of(&content))]);
}

/// Waits for a heartbeat that says so many bytes; answers with the steps that it says.
async fn until_fetched(connection: &mut Connection, bytes: u64) -> u64 {
    loop {
        let held = connection.heartbeat().await;
        if let [lease] = &held[..]
            && lease.fetched_bytes >= bytes
        {
            assert_eq!(lease.fetched_bytes, bytes);
            assert!(!lease.done);
            return lease.progress;
        }
    }
}

#[tokio::test]
async fn heartbeats_go_on_during_a_download_and_tell_how_far_it_is() {
    let mut joined = joined(|_| {}).await;
    let name = joined.coordinator.shelf.put(&content(1, 5 * CHUNK), "w.pt");
    joined.coordinator.shelf.hold(0);
    joined.send(1, &name).await;
    for chunks in 1..5 {
        joined.coordinator.shelf.release(1);
        let bytes = chunks * CHUNK as u64;
        assert_eq!(until_fetched(&mut joined.connection, bytes).await, 0);
    }
    joined.coordinator.shelf.release(1);
    let answer = joined.connection.report().await;
    assert!(matches!(answer, FromWorker::Described(_)), "{answer:?}");
}

#[tokio::test]
async fn a_stopped_order_ends_its_download_and_the_next_one_runs() {
    let mut joined = joined(|_| {}).await;
    let name = joined.coordinator.shelf.put(&content(1, 5 * CHUNK), "w.pt");
    joined.coordinator.shelf.hold(1);
    joined.send(1, &name).await;
    until_fetched(&mut joined.connection, CHUNK as u64).await;
    joined
        .connection
        .send(ToWorker::Stop(v1::Stop {
            lease_token: 1,
            reason: v1::StopReason::Cancelled.into(),
        }))
        .await;
    let answer = joined.describe(2, "").await;
    let FromWorker::Described(described) = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(described.lease_token, 2);
}

#[tokio::test]
async fn workers_of_one_machine_share_what_was_downloaded() {
    let mut first = joined(|_| {}).await;
    let content = content(1, 5 * CHUNK);
    let name = first.coordinator.shelf.put(&content, "w.pt");
    first.coordinator.shelf.hold(2);
    first.send(1, &name).await;
    until_fetched(&mut first.connection, 2 * CHUNK as u64).await;
    // The second one comes while the first is at it.
    let cache = first.cache.path().to_owned();
    let shelf = first.coordinator.shelf.clone();
    let other = Coordinator::start().await;
    other.shelf.put(&content, "w.pt");
    let mut second = join(
        other,
        tempfile::tempdir().expect("a folder"),
        "w2",
        |options| {
            options.files.cache = Some(cache);
        },
    )
    .await;
    second.send(2, &name).await;
    until_fetched(&mut second.connection, 2 * CHUNK as u64).await;
    shelf.release(100);
    for joined in [&mut first, &mut second] {
        let answer = joined.connection.report().await;
        assert!(matches!(answer, FromWorker::Described(_)), "{answer:?}");
        assert_eq!(joined.seen(), [("w.pt".to_owned(), Digest::of(&content))]);
    }
    assert_eq!(shelf.downloads(), [0]);
    assert_eq!(second.coordinator.shelf.downloads(), Vec::<u64>::new());
}

#[tokio::test]
async fn what_an_order_needs_stays_and_what_none_needs_makes_room() {
    let mut joined = joined(|options| options.files.cache_bytes = 1000).await;
    let names: Vec<_> = (0..3)
        .map(|number| joined.coordinator.shelf.put(&content(number, 500), "w.pt"))
        .collect();
    for (token, number) in [(1, 0), (2, 1), (3, 1), (4, 2), (5, 1), (6, 0)] {
        let answer = joined.describe(token, &names[number]).await;
        assert!(matches!(answer, FromWorker::Described(_)), "{answer:?}");
        joined.connection.ack(token, 0, true).await;
    }
    // The third took the place of the first, which came again.
    assert_eq!(joined.coordinator.shelf.downloads().len(), 4);
}

#[tokio::test]
async fn what_is_in_use_never_makes_room() {
    let mut first = joined(|options| options.files.cache_bytes = 1000).await;
    let [one, two] =
        [1, 2].map(|number| first.coordinator.shelf.put(&content(number, 600), "f.pt"));
    // Not for another file of the same order.
    let mut both = task(1, 0, 10, "{}");
    both.trainer = Some(v1::TrainerSpec {
        weights: one.clone(),
        data: Some(v1::Data {
            source: two,
            ..v1::Data::default()
        }),
        ..spec("{}")
    });
    first.connection.send(ToWorker::Assign(both)).await;
    let failed_order = failed(first.connection.report().await);
    assert_eq!(failed_order.code().parse(), Ok(Code::WorkerCache));
    first.connection.ack(1, 0, true).await;
    // Not for another worker, while a task is trained.
    let mut slow = task(2, 0, 10, r#"{"faults": [{"step": 4, "what": "hang"}]}"#);
    if let Some(trainer) = &mut slow.trainer {
        trainer.weights = one;
    }
    first.connection.send(ToWorker::Assign(slow)).await;
    let _training = first.connection.report().await;
    let mut second = join(
        Coordinator::start().await,
        tempfile::tempdir().expect("a folder"),
        "w2",
        |options| {
            options.files.cache = Some(first.cache.path().to_owned());
            options.files.cache_bytes = 1000;
        },
    )
    .await;
    let three = second.coordinator.shelf.put(&content(3, 600), "f.pt");
    let (kind, code, _, message) = failure(&mut second, &three).await;
    assert_eq!((kind, code), (FailureKind::Worker, Code::WorkerCache));
    assert!(message.contains("600 are in use"), "{message}");
}

/// What an order that needs a file fails with: kind, code, field and message.
async fn failure(joined: &mut Joined, weights: &str) -> (FailureKind, Code, String, String) {
    let failed = failed(joined.describe(1, weights).await);
    let code = failed.code().parse().expect("a code");
    let field = failed.fields.first().map(|field| field.field.clone());
    (
        failed.kind(),
        code,
        field.unwrap_or_default(),
        failed.message,
    )
}

#[tokio::test]
async fn an_artifact_that_is_not_there_is_the_users_mistake() {
    let mut joined = joined(|_| {}).await;
    let digest = Digest::of(b"never uploaded");
    let (kind, code, field, message) =
        failure(&mut joined, &format!("artifact:{digest}/w.pt")).await;
    assert_eq!((kind, code), (FailureKind::User, Code::NoSuchArtifact));
    assert_eq!(field, "weights");
    assert!(message.contains(&digest.to_string()), "{message}");
}

#[tokio::test]
async fn a_reference_that_is_none_is_the_users_mistake() {
    let mut joined = joined(|_| {}).await;
    let digest = Digest::of(b"x");
    for (token, wrong) in [
        (1, "artifact:w.pt".to_owned()),
        (2, format!("artifact:{digest}/part-*.npz")),
    ] {
        let failed = failed(joined.describe(token, &wrong).await);
        assert_eq!(failed.kind(), FailureKind::User);
        assert_eq!(failed.code().parse(), Ok(Code::ArtifactReference));
        assert_eq!(failed.fields[0].field, "weights");
        assert!(failed.message.contains(&wrong), "{}", failed.message);
        joined.connection.ack(token, 0, true).await;
    }
}

#[tokio::test]
async fn a_model_beyond_the_workers_limit_is_not_downloaded() {
    let mut joined = joined(|options| options.files.max_model_bytes = 99).await;
    let name = joined.coordinator.shelf.put(&content(1, 100), "w.pt");
    let (kind, code, field, message) = failure(&mut joined, &name).await;
    assert_eq!((kind, code), (FailureKind::User, Code::FileTooLarge));
    assert_eq!(field, "weights");
    assert!(message.contains("limit of 99"), "{message}");
    assert_eq!(joined.coordinator.shelf.downloads(), Vec::<u64>::new());
}

#[tokio::test]
async fn a_cache_that_does_not_do_is_the_workers_failure() {
    let mut small = joined(|options| options.files.cache_bytes = 99).await;
    let name = small.coordinator.shelf.put(&content(1, 100), "w.pt");
    let (kind, code, _, message) = failure(&mut small, &name).await;
    assert_eq!((kind, code), (FailureKind::Worker, Code::WorkerCache));
    assert!(message.contains("RANGEFINDER_CACHE_BYTES"), "{message}");

    let mut nowhere = joined(|options| options.files.cache = None).await;
    let (kind, code, _, message) = failure(&mut nowhere, &name).await;
    assert_eq!((kind, code), (FailureKind::Worker, Code::WorkerCache));
    assert!(message.contains("RANGEFINDER_CACHE_DIR"), "{message}");

    let mut unwritable = joined(|options| options.files.cache = Some("/proc/none".into())).await;
    let (kind, code, _, message) = failure(&mut unwritable, &name).await;
    assert_eq!((kind, code), (FailureKind::Worker, Code::WorkerCache));
    assert!(message.contains("/proc/none"), "{message}");
}

#[tokio::test]
async fn content_that_is_not_what_it_should_be_never_reaches_the_trainer() {
    let mut joined = joined(|_| {}).await;
    let right = content(1, 100);
    let digest = Digest::of(&right);
    joined.coordinator.shelf.put_as(digest, &content(2, 100));
    let (kind, code, _, message) = failure(&mut joined, &format!("artifact:{digest}/w.pt")).await;
    assert_eq!((kind, code), (FailureKind::Worker, Code::Download));
    assert!(
        message.contains("weights") && message.contains("is not artifact"),
        "{message}"
    );
    assert_eq!(
        joined.coordinator.shelf.downloads(),
        [0, 0],
        "tried again once"
    );
    assert_eq!(joined.seen(), []);
}

#[tokio::test]
async fn a_download_that_brings_nothing_is_given_up() {
    let mut joined = joined(|options| options.timing.download = Duration::from_millis(300)).await;
    let name = joined.coordinator.shelf.put(&content(1, 5 * CHUNK), "w.pt");
    joined.coordinator.shelf.hold(2);
    let (kind, code, _, message) = failure(&mut joined, &name).await;
    assert_eq!((kind, code), (FailureKind::Worker, Code::Download));
    assert!(message.contains("for 0.3 s"), "{message}");
}
