//! Flags of the commands that run a service and look after it.

use super::super::args::LimitArgs;
use crate::observe::logging::Format;
use clap::{Args, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;

/// `coordinator resume`.
#[derive(Debug, Args)]
pub(in crate::cli) struct ResumeArgs {
    /// The folder that was the --data-dir of the sweep.
    #[arg(value_name = "FOLDER")]
    pub(in crate::cli) folder: PathBuf,
    /// Folder for the files; by default that of the command that began the sweep, or a new one under
    /// `sweeps`.
    #[arg(long, value_name = "FOLDER", help_heading = "Run")]
    pub(in crate::cli) out: Option<PathBuf>,
    /// Show nothing on stderr but failures.
    #[arg(long, short, help_heading = "Run")]
    pub(in crate::cli) quiet: bool,
    /// Print one JSON object instead of the learning rate.
    #[arg(long, help_heading = "Run")]
    pub(in crate::cli) json: bool,
    #[command(flatten)]
    pub(in crate::cli) limits: LimitArgs,
}

/// `coordinator serve`.
#[derive(Debug, Args)]
pub(in crate::cli) struct ServeArgs {
    /// Folder that keeps everything: sweeps, tokens, artifacts. One coordinator at a time.
    #[arg(long, value_name = "FOLDER")]
    pub(in crate::cli) data_dir: PathBuf,
    /// Address and port to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4750")]
    pub(in crate::cli) listen: SocketAddr,

    /// File of the tokens; by default `tokens.json` in --data-dir. It is read again when it changes.
    #[arg(long, value_name = "FILE", help_heading = "Security")]
    pub(in crate::cli) tokens: Option<PathBuf>,
    /// Certificate chain of the server, PEM. It is read again when it changes, as all of these.
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_key",
        help_heading = "Security"
    )]
    pub(in crate::cli) tls_cert: Option<PathBuf>,
    /// Its private key, PEM, readable by its owner alone.
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_cert",
        help_heading = "Security"
    )]
    pub(in crate::cli) tls_key: Option<PathBuf>,
    /// Authority of the certificates that callers must have (mutual TLS), PEM.
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_cert",
        help_heading = "Security"
    )]
    pub(in crate::cli) client_ca: Option<PathBuf>,
    /// Listen off loopback without TLS: for networks that are safe by other means.
    #[arg(long, help_heading = "Security")]
    pub(in crate::cli) insecure: bool,
    /// Folder below which models may be named by their path, as NAME=PATH or PATH; repeat for
    /// several. Without one, models are uploaded.
    #[arg(long, value_name = "NAME=PATH", help_heading = "Security")]
    pub(in crate::cli) model_root: Vec<String>,
    /// The same for data.
    #[arg(long, value_name = "NAME=PATH", help_heading = "Security")]
    pub(in crate::cli) data_root: Vec<String>,

    #[command(flatten)]
    pub(in crate::cli) limits: LimitArgs,
    /// Seconds that a lease lives after the last message of its worker.
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u32).range(2..=3600), help_heading = "Workers")]
    pub(in crate::cli) lease_seconds: u32,
    /// Seconds between the heartbeats of a worker; less than half a lease.
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=600), help_heading = "Workers")]
    pub(in crate::cli) heartbeat_seconds: u32,
    /// Seconds that a sweep may wait without any worker that may take its work, before it fails.
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Workers")]
    pub(in crate::cli) no_worker_seconds: u32,

    /// Most sweeps that may be active at a time.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Limits")]
    pub(in crate::cli) max_sweeps: u32,
    /// Most active sweeps of one client.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Limits")]
    pub(in crate::cli) max_sweeps_per_client: u32,
    /// Most workers that sweeps of one client may hold at a time; by default no limit.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Limits")]
    pub(in crate::cli) max_workers_per_client: Option<u32>,
    /// Most bytes of an uploaded artifact.
    #[arg(long, value_name = "BYTES", default_value_t = 20 << 30, help_heading = "Limits")]
    pub(in crate::cli) max_artifact_bytes: u64,
    /// Most bytes of all artifacts; those not used for longest give way.
    #[arg(long, value_name = "BYTES", default_value_t = 100 << 30, help_heading = "Limits")]
    pub(in crate::cli) max_artifacts_bytes: u64,
    /// Days that ended sweeps are kept; by default for ever.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Limits")]
    pub(in crate::cli) keep_days: Option<u32>,
    /// Most ended sweeps that are kept, the last ones; by default all.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Limits")]
    pub(in crate::cli) keep_sweeps: Option<u64>,

    /// How log lines on stderr look. RANGEFINDER_LOG says what is logged: `info` by default.
    #[arg(long, value_enum, default_value_t = LogFormat::Text, help_heading = "Operation")]
    pub(in crate::cli) log_format: LogFormat,
    /// Another address and port for /healthz, /readyz and /metrics, without TLS and tokens: for probes
    /// that have no certificate.
    #[arg(long, value_name = "ADDR", help_heading = "Operation")]
    pub(in crate::cli) http_listen: Option<SocketAddr>,
    /// Collector that is sent a trace of each sweep, by OTLP over gRPC, such as http://127.0.0.1:4317;
    /// by default OTEL_EXPORTER_OTLP_ENDPOINT, and no traces without.
    #[arg(long, value_name = "URL", help_heading = "Operation")]
    pub(in crate::cli) otlp_endpoint: Option<String>,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl From<LogFormat> for Format {
    fn from(format: LogFormat) -> Self {
        match format {
            LogFormat::Text => Self::Text,
            LogFormat::Json => Self::Json,
        }
    }
}

/// `coordinator store`.
#[derive(Debug, Args)]
pub(in crate::cli) struct StoreArgs {
    #[command(subcommand)]
    pub(in crate::cli) command: StoreCommand,
}

/// What is done with a store.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum StoreCommand {
    /// Look for damage, without changing anything.
    Check {
        /// The --data-dir.
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
    /// Print all that can be read, also out of a damaged store, as JSON lines.
    Export {
        /// The --data-dir.
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
    /// Forget ended sweeps that are not to be kept, and give their room back. No coordinator may be
    /// running on it.
    Compact {
        /// The --data-dir.
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
        /// Keep those that ended in the last so many days.
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..))]
        keep_days: Option<u32>,
        /// Keep the last so many.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        keep_sweeps: Option<u64>,
    },
}

/// `coordinator token`.
#[derive(Debug, Args)]
pub(in crate::cli) struct TokenArgs {
    #[command(subcommand)]
    pub(in crate::cli) command: TokenCommand,
}

/// Where the tokens are.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(in crate::cli) struct TokenPlace {
    /// The --data-dir of the service, which has them in `tokens.json`.
    #[arg(long, value_name = "FOLDER")]
    pub(in crate::cli) data_dir: Option<PathBuf>,
    /// The file of the tokens.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) tokens: Option<PathBuf>,
}

/// What is done with tokens.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum TokenCommand {
    /// Make a token and print it, or write it into a file. It is shown this once.
    Create {
        #[command(flatten)]
        place: TokenPlace,
        /// What it is for.
        #[arg(long, value_name = "ROLE", value_parser = ["client", "worker", "admin"])]
        role: String,
        /// Whose it is: sweeps belong to this name.
        #[arg(long, value_name = "NAME")]
        name: String,
        /// Days after which it expires; by default never.
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..))]
        expires_days: Option<u32>,
        /// Write it into a new file that only its owner can read, instead of printing it.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// List all tokens, without their secrets.
    List {
        #[command(flatten)]
        place: TokenPlace,
        /// Print one JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Revoke the token of an id, or all of a name.
    Revoke {
        #[command(flatten)]
        place: TokenPlace,
        /// Id or name, as the list shows it; not the token itself.
        #[arg(value_name = "ID|NAME")]
        which: String,
    },
}
