//! What a service writes to stderr.

use super::service::{DEADLINE, client, end_of, request, tokens, work};
use rangefinder_coordinator::observe::TraceParent;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::timeout;

struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStderr>>,
}

impl Process {
    fn start(folder: &Path, level: Option<&str>, args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coordinator"));
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder)
            .args(args)
            .env_remove("OTEL_EXPORTER_OTLP_ENDPOINT")
            .env_remove("RANGEFINDER_LOG")
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if let Some(level) = level {
            command.env("RANGEFINDER_LOG", level);
        }
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, lines }
    }

    async fn line(&mut self) -> Option<String> {
        timeout(DEADLINE, self.lines.next_line())
            .await
            .unwrap()
            .unwrap()
    }

    /// Ends it as systemd does, and gives the lines that are left.
    async fn end(mut self) -> Vec<String> {
        let id = self.child.id().unwrap().to_string();
        let told = std::process::Command::new("kill").arg(id).status().unwrap();
        assert!(told.success());
        let mut rest = Vec::new();
        while let Some(line) = self.line().await {
            rest.push(line);
        }
        assert!(
            timeout(DEADLINE, self.child.wait())
                .await
                .unwrap()
                .unwrap()
                .success()
        );
        rest
    }
}

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[tokio::test]
async fn every_event_of_a_sweep_is_a_line_of_json_without_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = tokens(folder.path());
    let level = Some("info,rangefinder::events=debug");
    let mut process = Process::start(folder.path(), level, &["--log-format", "json"]);
    let ready = json(&process.line().await.unwrap());
    assert_eq!(ready["message"], "the service is ready");
    let address: SocketAddr = ready["address"].as_str().unwrap().parse().unwrap();
    let client = client(address, &tokens);
    let _workers = ["worker-1", "worker-2"].map(|id| work(address, &tokens, id));
    let trace = TraceParent::random().unwrap();
    let created = client.create_within(request(), Some(trace)).await.unwrap();
    let ended = end_of(&client, &created.id).await;
    let lines = process.end().await;

    let all: Vec<Value> = lines.iter().map(|line| json(line)).collect();
    let events: Vec<&Value> = all
        .iter()
        .filter(|line| line["sweep"] == created.id)
        .collect();
    let numbers: Vec<_> = events
        .iter()
        .filter_map(|line| line["number"].as_u64())
        .collect();
    assert_eq!(numbers, (1..=ended.last_event_number).collect::<Vec<_>>());
    for event in &events {
        assert_eq!(event["owner"], "ann");
        assert_eq!(event["trace_id"], trace.trace_id());
        assert_eq!(
            event["level"] == "DEBUG",
            event["event"] == "observed",
            "{event}"
        );
    }
    let of = |kind: &'static str| events.iter().filter(move |line| line["event"] == kind);
    for granted in of("granted") {
        assert!(
            granted["worker"].as_str().unwrap().starts_with("worker-"),
            "{granted}"
        );
        assert_eq!(granted["attempt"], 1);
        assert!(granted["lease"].as_u64().is_some() && granted["work"].as_str().is_some());
    }
    assert_eq!(of("granted").count(), of("attempt_ended").count());
    assert_eq!(of("ended").next().unwrap()["outcome"], "completed");
    assert!(of("observed").all(|line| line["observations"].as_u64() > Some(0)));
    for secret in [&tokens.client, &tokens.worker] {
        assert!(lines.iter().all(|line| !line.contains(secret.as_str())));
    }
    assert_eq!(
        all.last().unwrap()["message"],
        "the service has ended; all is stored"
    );
}

#[tokio::test]
async fn failures_are_warned_of_with_code_and_reason() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = tokens(folder.path());
    let args = ["--log-format", "json", "--no-worker-seconds", "1"];
    let mut process = Process::start(folder.path(), None, &args);
    let ready = json(&process.line().await.unwrap());
    let address: SocketAddr = ready["address"].as_str().unwrap().parse().unwrap();
    let client = client(address, &tokens);
    let created = client.create(request()).await.unwrap();
    end_of(&client, &created.id).await;
    let lines = process.end().await;
    let all: Vec<Value> = lines.iter().map(|line| json(line)).collect();
    let ended = all.iter().find(|line| line["event"] == "ended").unwrap();
    assert_eq!(ended["level"], "WARN");
    assert_eq!(ended["outcome"], "failed");
    assert_eq!(ended["code"], "RF807");
    assert!(
        ended["reason"].as_str().unwrap().contains("worker"),
        "{ended}"
    );
    assert_eq!(ended["trace_id"].as_str().unwrap().len(), 32);
}

#[tokio::test]
async fn without_json_people_are_told_where_it_listens() {
    let folder = tempfile::tempdir().unwrap();
    tokens(folder.path());
    let mut process = Process::start(folder.path(), Some("off"), &[]);
    let line = process.line().await.unwrap();
    assert!(line.starts_with("listening on 127.0.0.1:"), "{line}");
    assert_eq!(process.end().await, Vec::<String>::new());
}
