//! `coordinator serve`.

use super::args::{LogFormat, ServeArgs};
use super::store::retention;
use super::token;
use crate::cli::output::Trouble;
use crate::cli::signals::Signals;
use crate::cli::{no_runtime, runtime};
use crate::observe::{Observer, Spans};
use crate::serve::{Options, Service};
use crate::{engine, exit, services};
use rangefinder_access::{Roots, ServerTls};
use rangefinder_artifacts::Limits;
use rangefinder_errors::Code;
use rangefinder_report::terminal;
use rangefinder_sweep::state;
use tokio_util::sync::CancellationToken;

/// The usual variable that names a collector of traces.
const COLLECTOR: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// Most files of artifacts.
const MAX_ARTIFACTS: usize = 100_000;

pub(in crate::cli) fn run(args: ServeArgs) -> Result<u8, Trouble> {
    let is_text = args.log_format == LogFormat::Text;
    let collector = args
        .otlp_endpoint
        .clone()
        .or_else(|| std::env::var(COLLECTOR).ok());
    let mut options = options(args)?;
    let runtime = runtime()?;
    let served = runtime.block_on(async {
        let collector = collector.filter(|endpoint| !endpoint.trim().is_empty());
        let spans = collector
            .map(|endpoint| Spans::to(endpoint.trim()))
            .transpose();
        let spans = spans.map_err(|error| Trouble::of(&error))?;
        options.engine.observer = Observer::with_spans(spans);
        let signals = Signals::install().map_err(no_runtime)?;
        let shutdown = CancellationToken::new();
        tokio::spawn(signals.watch(shutdown.clone()));
        let (service, notices) = Service::open(options)
            .await
            .map_err(|error| Trouble::of(&error))?;
        for notice in notices {
            tracing::warn!("{notice}");
        }
        let address = service.address().map_err(no_runtime)?;
        let http_address = service.http_address().map_err(no_runtime)?;
        if is_text {
            terminal::say(&format!("listening on {address}\n"));
        }
        let http_address = http_address.map(tracing::field::display);
        let version = env!("CARGO_PKG_VERSION");
        tracing::info!(%address, http_address, version, "the service is ready");
        let ending = shutdown.clone();
        tokio::spawn(async move {
            ending.cancelled().await;
            tracing::info!("the service ends: nothing more is granted");
        });
        service
            .run(shutdown)
            .await
            .map_err(|error| Trouble::of(&error))?;
        tracing::info!("the service has ended; all is stored");
        Ok(exit::OK)
    });
    // A curve that is still being read for somebody ends with the process.
    runtime.shutdown_background();
    served
}

fn options(args: ServeArgs) -> Result<Options, Trouble> {
    let (heartbeat, lease) = (args.heartbeat_seconds, args.lease_seconds);
    if heartbeat.saturating_mul(2) > lease {
        return Err(Trouble::new(
            exit::WRONG_INPUT,
            Code::OutOfRange,
            format!(
                "--heartbeat-seconds: {heartbeat} leaves no room for a lost one within a lease of \
                 {lease} s\n  take at most half of --lease-seconds"
            ),
        ));
    }
    let milliseconds = |seconds: u32| u64::from(seconds) * 1000;
    let roots =
        Roots::new(&args.model_root, &args.data_root).map_err(|error| Trouble::input(&error))?;
    let tls = args
        .tls_cert
        .zip(args.tls_key)
        .map(|(certificate, key)| ServerTls {
            certificate,
            key,
            client_ca: args.client_ca,
        });
    Ok(Options {
        tokens: args
            .tokens
            .unwrap_or_else(|| args.data_dir.join(token::FILE)),
        listen: args.listen,
        tls,
        insecure: args.insecure,
        http_listen: args.http_listen,
        roots,
        engine: engine::Options {
            state: state::Options {
                lease_ms: milliseconds(lease),
                heartbeat_ms: milliseconds(heartbeat),
                no_worker_ms: milliseconds(args.no_worker_seconds),
                max_leases_per_owner: args.max_workers_per_client,
                ..args.limits.options()
            },
            max_active: args.max_sweeps as usize,
            max_active_per_owner: args.max_sweeps_per_client as usize,
            at_end: engine::AtEnd::Park,
            ..engine::Options::default()
        },
        services: services::Options::default(),
        artifacts: Limits {
            max_artifact_bytes: args.max_artifact_bytes,
            max_total_bytes: args.max_artifacts_bytes,
            max_files: MAX_ARTIFACTS,
        },
        retention: retention(args.keep_days, args.keep_sweeps),
        data_dir: args.data_dir,
    })
}
