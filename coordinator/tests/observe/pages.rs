//! Health, readiness and metrics.

use super::service::{DEADLINE, Running, client, page, sweep, tokens, work};
use rangefinder_coordinator::observe::{Metrics, Observer, Sampled};
use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::time::SystemTime;
use tokio::process::Command;
use tokio::time::timeout;

const DOCUMENT: &str = include_str!("../../../docs/operations.md");

/// Name, kind, labels and meaning of a metric.
type Metric = (String, String, BTreeSet<String>, String);

/// The metrics of a text, by what it says of them and the samples that follow.
fn exposed(text: &str) -> BTreeSet<Metric> {
    let said = |line: &str, what: &str| {
        let (name, rest) = line.strip_prefix(what)?.split_once(' ')?;
        Some((name.to_owned(), rest.to_owned()))
    };
    let helps: BTreeMap<_, _> = text
        .lines()
        .filter_map(|line| said(line, "# HELP "))
        .collect();
    let kinds: BTreeMap<_, _> = text
        .lines()
        .filter_map(|line| said(line, "# TYPE "))
        .collect();
    let mut labels: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for sample in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, labelled) = sample.split_once(['{', ' ']).unwrap();
        let found = labels.entry(name).or_default();
        let pairs = labelled.split_once('}').map_or("", |(pairs, _)| pairs);
        found.extend(
            pairs
                .split("\",")
                .filter_map(|pair| Some(pair.split_once('=')?.0.to_owned())),
        );
    }
    let metric = |(name, kind): (&String, &String)| {
        let (shown, samples) = match kind.as_str() {
            "counter" => (format!("{name}_total"), format!("{name}_total")),
            "histogram" => (name.clone(), format!("{name}_bucket")),
            _ => (name.clone(), name.clone()),
        };
        let labels = labels.get(samples.as_str()).cloned().unwrap_or_default();
        let meaning = helps[name].trim_end_matches('.').to_owned();
        (shown, kind.clone(), labels, meaning)
    };
    kinds.iter().map(metric).collect()
}

/// The metrics of the table in docs/operations.md.
fn documented() -> BTreeSet<Metric> {
    let rows = DOCUMENT.lines().filter_map(|line| {
        let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
        let (name, kind, labels, meaning) =
            (cells.next()?, cells.next()?, cells.next()?, cells.next()?);
        let name = name.trim_matches('`');
        let labels = labels
            .split(',')
            .map(|label| label.trim().trim_matches('`').to_owned());
        ["counter", "gauge", "histogram"].contains(&kind).then(|| {
            (
                name.to_owned(),
                kind.to_owned(),
                labels.filter(|label| !label.is_empty()).collect(),
                meaning.trim_end_matches('.').to_owned(),
            )
        })
    });
    rows.collect()
}

/// The value of a sample.
fn value(text: &str, sample: &str) -> f64 {
    let found = text
        .lines()
        .find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    let found = found.unwrap_or_else(|| panic!("no {sample} in:\n{text}"));
    found.parse().unwrap()
}

#[tokio::test]
async fn the_document_lists_all_metrics_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = tokens(folder.path());
    let service = Running::start(folder.path(), Observer::default()).await;
    let client = client(service.address, &tokens);
    client.workers().await.unwrap();
    let (_, text) = page(service.http, "/metrics", None).await;
    service.stop().await;
    let mut exposed = exposed(&text);
    // Only TLS has certificates that end.
    let secured = Sampled {
        certificate_expires: Some(SystemTime::now()),
        ..Sampled::default()
    };
    let secured = Metrics::default().text(&secured).unwrap();
    assert!(secured.contains("\nrangefinder_certificate_expiry_timestamp_seconds 1"));
    exposed.retain(|metric| !metric.0.contains("certificate"));
    exposed.extend(
        self::exposed(&secured)
            .into_iter()
            .filter(|m| m.0.contains("certificate")),
    );
    assert_eq!(exposed, documented());
}

#[tokio::test]
async fn metrics_count_what_a_sweep_does_and_name_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = tokens(folder.path());
    let service = Running::start(folder.path(), Observer::default()).await;
    let client = client(service.address, &tokens);
    let workers = ["worker-one", "worker-two"].map(|id| work(service.address, &tokens, id));
    let ended = sweep(&client, None).await;
    let (status, text) = page(service.http, "/metrics", None).await;
    assert_eq!(status, 200);
    drop(workers);
    service.stop().await;

    let events = u32::try_from(ended.last_event_number).unwrap();
    assert_eq!(value(&text, "rangefinder_events_total"), f64::from(events));
    assert_eq!(
        value(
            &text,
            "rangefinder_sweeps_ended_total{outcome=\"completed\"}"
        ),
        1.0
    );
    assert_eq!(
        value(
            &text,
            "rangefinder_attempts_started_total{work=\"describe\"}"
        ),
        1.0
    );
    let tasks = value(&text, "rangefinder_attempts_started_total{work=\"task\"}");
    let completed = value(
        &text,
        "rangefinder_attempts_ended_total{outcome=\"completed\"}",
    );
    let diverged = value(
        &text,
        "rangefinder_attempts_ended_total{outcome=\"diverged\"}",
    );
    let cancelled = value(
        &text,
        "rangefinder_attempts_ended_total{outcome=\"cancelled\"}",
    );
    let probes = value(&text, "rangefinder_attempts_started_total{work=\"probe\"}");
    assert_eq!(
        completed + diverged + cancelled,
        tasks + probes + 1.0,
        "{text}"
    );
    assert!(
        value(&text, "rangefinder_observations_total") >= 8.0,
        "{text}"
    );
    assert!(value(&text, "rangefinder_worker_messages_total") > tasks);
    assert!(value(&text, "rangefinder_acknowledgement_seconds_count") >= tasks);
    let batches = value(&text, "rangefinder_store_batches_total");
    assert!(batches > 0.0 && batches >= value(&text, "rangefinder_acknowledgement_seconds_count"));
    let created = "rangefinder_grpc_calls_total{method=\"SweepService/CreateSweep\",code=\"OK\"}";
    assert_eq!(value(&text, created), 1.0);
    assert!(value(&text, "rangefinder_store_database_bytes") > 0.0);
    assert_eq!(value(&text, "rangefinder_workers{state=\"idle\"}"), 2.0);
    assert_eq!(value(&text, "rangefinder_leases"), 0.0);
    for name in [ended.id.as_str(), "worker-one", "ann"] {
        assert!(!text.contains(name), "{name} in:\n{text}");
    }
}

#[tokio::test]
async fn probes_need_no_token_and_metrics_beside_grpc_do() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = tokens(folder.path());
    let service = Running::start(folder.path(), Observer::default()).await;
    for address in [service.address, service.http] {
        for path in ["/healthz", "/readyz"] {
            assert_eq!(
                page(address, path, None).await,
                (200, "ok\n".to_owned()),
                "{path}"
            );
        }
    }
    assert_eq!(page(service.http, "/metrics", None).await.0, 200);
    assert_eq!(page(service.address, "/metrics", None).await.0, 401);
    for token in [&tokens.client, &tokens.worker] {
        assert_eq!(page(service.address, "/metrics", Some(token)).await.0, 200);
    }
    // The port of its own has nothing else.
    let rpc = "/rangefinder.v1.SweepService/ListWorkers";
    assert_eq!(page(service.http, rpc, Some(&tokens.client)).await.0, 404);
    service.stop().await;
}

#[tokio::test]
async fn what_cannot_be_served_is_refused_at_the_start() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    for (flag, value, code) in [
        ("--http-listen", taken.as_str(), "RF911"),
        ("--http-listen", "0.0.0.0:0", "RF934"),
        ("--otlp-endpoint", "localhost:4317", "RF971"),
        ("--otlp-endpoint", "http://", "RF971"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        tokens(folder.path());
        let refused = Command::new(env!("CARGO_BIN_EXE_coordinator"))
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                flag,
                value,
                "--data-dir",
            ])
            .arg(folder.path())
            .kill_on_drop(true)
            .output();
        // One that is not refused would serve for ever.
        let done = timeout(DEADLINE, refused).await.unwrap().unwrap();
        let stderr = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(&format!("error[{code}]: ")), "{stderr}");
        assert!(stderr.contains(value), "{stderr}");
    }
}
