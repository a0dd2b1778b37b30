//! What a collector is sent.

use super::service::{DEADLINE, Running, client, end_of, request, tokens, work};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use rangefinder_coordinator::observe::{Observer, Spans, TraceParent};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

/// A collector that keeps what it is sent.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Span>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let resources = request.into_inner().resource_spans.into_iter();
        let scopes = resources.flat_map(|resource| resource.scope_spans);
        self.0
            .lock()
            .unwrap()
            .extend(scopes.flat_map(|scope| scope.spans));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    /// Starts it; its address.
    async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let serving = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(self.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(serving);
        address
    }

    fn spans(&self) -> Vec<Span> {
        self.0.lock().unwrap().clone()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn start(folder: &Path, collector: &str) -> Running {
    let observer = Observer::with_spans(Some(Spans::to(collector).unwrap()));
    Running::start(folder, observer).await
}

/// What there should be of a sweep that two workers have run.
fn assert_whole(spans: &[Span], client: TraceParent, sweep: &str) {
    assert!(!spans.is_empty());
    for span in spans {
        assert_eq!(hex(&span.trace_id), client.trace_id(), "{}", span.name);
        assert!(
            span.end_time_unix_nano >= span.start_time_unix_nano,
            "{}",
            span.name
        );
    }
    let of_sweep: Vec<_> = spans.iter().filter(|span| span.name == "sweep").collect();
    let [whole] = of_sweep[..] else {
        panic!("{} spans of the sweep", of_sweep.len());
    };
    assert_eq!(hex(&whole.parent_span_id), client.span_id());
    assert!(format!("{:?}", whole.attributes).contains(sweep));
    let attempts = spans.iter().filter(|span| span.name != "sweep");
    for attempt in attempts.clone() {
        assert_eq!(attempt.parent_span_id, whole.span_id, "{}", attempt.name);
        assert!(whole.start_time_unix_nano <= attempt.start_time_unix_nano);
        assert!(attempt.end_time_unix_nano <= whole.end_time_unix_nano);
        assert!(format!("{:?}", attempt.attributes).contains("worker-"));
    }
    let names: Vec<_> = attempts.map(|span| span.name.as_str()).collect();
    assert!(names.contains(&"describe"), "{names:?}");
    assert!(names.contains(&"task 0"), "{names:?}");
}

#[tokio::test]
async fn the_spans_of_a_sweep_are_of_its_clients_trace() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = tokens(folder.path());
    let collector = Collector::default();
    let service = start(folder.path(), &collector.start().await).await;
    let client = client(service.address, &tokens);
    let _workers = ["worker-1", "worker-2"].map(|id| work(service.address, &tokens, id));
    let trace = TraceParent::random().unwrap();
    let created = client.create_within(request(), Some(trace)).await.unwrap();
    end_of(&client, &created.id).await;
    // What has not been sent yet is sent at the end.
    service.stop().await;
    assert_whole(&collector.spans(), trace, &created.id);
}

/// Lines of a log, kept.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The worker runs on the thread of the test, whose log is kept.
#[tokio::test]
async fn a_worker_logs_the_spans_that_the_coordinator_sends() {
    let kept = Lines::default();
    let writer = kept.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_writer(move || writer.clone())
        .finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    let folder = tempfile::tempdir().unwrap();
    let tokens = tokens(folder.path());
    let collector = Collector::default();
    let service = start(folder.path(), &collector.start().await).await;
    let client = client(service.address, &tokens);
    let _worker = work(service.address, &tokens, "worker-1");
    let trace = TraceParent::random().unwrap();
    let created = client.create_within(request(), Some(trace)).await.unwrap();
    end_of(&client, &created.id).await;
    service.stop().await;

    let log = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    let lines = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let spans: Vec<Value> = lines
        .filter(|line| line["span"]["name"] == "work")
        .map(|line| line["span"].clone())
        .collect();
    let tasks: Vec<_> = spans.iter().filter(|span| span["task"].is_u64()).collect();
    assert!(!tasks.is_empty(), "{log}");
    assert!(
        tasks.iter().all(|span| span["sweep"] == created.id),
        "{tasks:?}"
    );
    assert!(
        spans
            .iter()
            .all(|span| span["trace_id"] == trace.trace_id()),
        "{spans:?}"
    );
    let logged: BTreeSet<_> = spans
        .iter()
        .filter_map(|span| span["span_id"].as_str())
        .collect();
    let sent = collector.spans();
    let attempts = sent.iter().filter(|span| span.name != "sweep");
    let sent: BTreeSet<_> = attempts.map(|span| hex(&span.span_id)).collect();
    assert_eq!(logged, sent.iter().map(String::as_str).collect());
}

#[tokio::test]
async fn a_trace_goes_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = tokens(folder.path());
    let collector = Collector::default();
    let address = collector.start().await;
    let trace = TraceParent::random().unwrap();
    let service = start(folder.path(), &address).await;
    let before = client(service.address, &tokens);
    let created = before.create_within(request(), Some(trace)).await.unwrap();
    service.stop().await;
    let service = start(folder.path(), &address).await;
    let _workers = ["worker-1", "worker-2"].map(|id| work(service.address, &tokens, id));
    end_of(&client(service.address, &tokens), &created.id).await;
    service.stop().await;
    assert_whole(&collector.spans(), trace, &created.id);
}

#[tokio::test]
async fn a_trace_that_is_not_recorded_is_not_sent() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = tokens(folder.path());
    let collector = Collector::default();
    let service = start(folder.path(), &collector.start().await).await;
    let client = client(service.address, &tokens);
    let _workers = ["worker-1", "worker-2"].map(|id| work(service.address, &tokens, id));
    let unrecorded = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    let created = client
        .create_within(request(), TraceParent::parse(unrecorded))
        .await
        .unwrap();
    end_of(&client, &created.id).await;
    service.stop().await;
    assert_eq!(collector.spans(), []);
}

#[tokio::test]
async fn a_collector_that_is_away_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = tokens(folder.path());
    // A port on which nobody listens.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let away = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let service = start(folder.path(), &away).await;
    let client = client(service.address, &tokens);
    let _workers = ["worker-1", "worker-2"].map(|id| work(service.address, &tokens, id));
    let created = client.create(request()).await.unwrap();
    end_of(&client, &created.id).await;
    tokio::time::timeout(DEADLINE, service.stop())
        .await
        .unwrap();
}
