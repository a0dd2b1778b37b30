//! Flags of the commands that ask a service.

use crate::cli::args::{EndArgs, ReadingArgs, SpecArgs};
use clap::Args;
use rangefinder_proto::values;
use std::path::PathBuf;

/// Where the service is, and who asks.
#[derive(Debug, Args)]
pub(in crate::cli) struct ServiceArgs {
    /// Address of the service, http://HOST:PORT or https://HOST:PORT [default: RANGEFINDER_SERVER]
    #[arg(long, value_name = "URL", help_heading = "Service")]
    pub(super) server: Option<String>,
    /// File that holds the token for the service, alone [default: RANGEFINDER_TOKEN_FILE, else the
    /// token itself in RANGEFINDER_TOKEN]
    #[arg(long, value_name = "FILE", help_heading = "Service")]
    pub(super) token_file: Option<PathBuf>,
    /// Certificates of the authorities that may sign the service's [default: RANGEFINDER_CA_FILE,
    /// else those that the system trusts]
    #[arg(long, value_name = "FILE", help_heading = "Service")]
    pub(super) ca_file: Option<PathBuf>,
    /// Certificate of your own, for a service that asks for one [default: RANGEFINDER_CERT_FILE]
    #[arg(long, value_name = "FILE", help_heading = "Service")]
    pub(super) cert_file: Option<PathBuf>,
    /// Key of that certificate [default: RANGEFINDER_KEY_FILE]
    #[arg(long, value_name = "FILE", help_heading = "Service")]
    pub(super) key_file: Option<PathBuf>,
    /// Name that the service's certificate is for, where it is not the host of the address
    /// [default: RANGEFINDER_SERVER_NAME]
    #[arg(long, value_name = "HOST", help_heading = "Service")]
    pub(super) server_name: Option<String>,
    /// Seconds for which the service may be away or silent before the command gives up.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Service")]
    pub(super) timeout: u32,
}

/// `coordinator submit`.
#[derive(Debug, Args)]
pub(in crate::cli) struct SubmitArgs {
    /// Workers that the plan counts on; more or fewer may run it [default: as many as are connected
    /// to the service]
    #[arg(
        long,
        value_name = "N",
        value_parser = values::whole_number::<u32>,
        allow_negative_numbers = true,
        help_heading = "Run"
    )]
    pub(super) workers: Option<u32>,
    /// Sweeps of a higher priority get workers first, -100 to 100.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        value_parser = values::integer::<i32>,
        allow_negative_numbers = true,
        help_heading = "Run"
    )]
    pub(super) priority: i32,
    /// A name for people; need not be unique [default: none]
    #[arg(long, value_name = "NAME", help_heading = "Run")]
    pub(super) name: Option<String>,
    /// Makes the command safe to repeat: the same id again follows the sweep of the first time,
    /// instead of starting another [default: a new one]
    #[arg(long, value_name = "ID", help_heading = "Run")]
    pub(super) request_id: Option<String>,
    /// Files in the specification lie with the service, below folders that its operator named;
    /// without, they lie here and are uploaded.
    #[arg(long, help_heading = "Run")]
    pub(super) on_server: bool,
    /// Print the id of the sweep and leave; `coordinator watch` follows it.
    #[arg(
        long,
        conflicts_with_all = ["out", "hparams", "auto_lr_find", "json"],
        help_heading = "Run"
    )]
    pub(super) detach: bool,
    #[command(flatten)]
    pub(super) end: EndArgs,
    #[command(flatten)]
    pub(super) spec: SpecArgs,
    #[command(flatten)]
    pub(super) service: ServiceArgs,
}

/// `coordinator watch`.
#[derive(Debug, Args)]
pub(in crate::cli) struct WatchArgs {
    /// The sweep.
    #[arg(value_name = "ID")]
    pub(super) id: String,
    /// Number of the first event that is wanted.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = values::whole_number::<u64>)]
    pub(super) from: u64,
    /// Print the events, one JSON object a line, and no answer.
    #[arg(long, conflicts_with = "json")]
    pub(super) json_events: bool,
    /// Folder for sweep.json, curve.csv, losses.csv, plot.svg and plot.png [default: none are
    /// written]
    #[arg(long, value_name = "FOLDER")]
    pub(super) out: Option<PathBuf>,
    /// Show nothing on stderr but failures.
    #[arg(long, short)]
    pub(super) quiet: bool,
    /// Print one JSON object instead of the learning rate.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) service: ServiceArgs,
}

/// `coordinator list`.
#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    /// Only sweeps in these states: waiting, running, completed, cancelled, failed [default: all]
    #[arg(long, value_name = "STATE,...", value_delimiter = ',')]
    pub(super) state: Vec<String>,
    /// Only sweeps whose name begins so [default: all]
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<String>,
    /// Most sweeps that are listed, newest first.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) limit: u32,
    /// Print a JSON list of objects.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) service: ServiceArgs,
}

/// `coordinator show`.
#[derive(Debug, Args)]
pub(in crate::cli) struct ShowArgs {
    /// The sweep.
    #[arg(value_name = "ID")]
    pub(super) id: String,
    /// Write the files of a sweep that has ended into this folder, and print their paths [default:
    /// none are written]
    #[arg(long, value_name = "FOLDER", conflicts_with = "json")]
    pub(super) out: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) service: ServiceArgs,
}

/// `coordinator cancel`.
#[derive(Debug, Args)]
pub(in crate::cli) struct CancelArgs {
    /// The sweep.
    #[arg(value_name = "ID")]
    pub(super) id: String,
    #[command(flatten)]
    pub(super) service: ServiceArgs,
}

/// `coordinator delete`.
#[derive(Debug, Args)]
pub(in crate::cli) struct DeleteArgs {
    /// The sweep; it must have ended.
    #[arg(value_name = "ID")]
    pub(super) id: String,
    #[command(flatten)]
    pub(super) service: ServiceArgs,
}

/// `coordinator suggest`.
#[derive(Debug, Args)]
pub(in crate::cli) struct SuggestArgs {
    /// The sweep; it must have completed.
    #[arg(value_name = "ID")]
    pub(super) id: String,
    #[command(flatten)]
    pub(super) reading: ReadingArgs,
    /// Show nothing on stderr but failures.
    #[arg(long, short)]
    pub(super) quiet: bool,
    /// Print one JSON object instead of the learning rate.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) service: ServiceArgs,
}

/// `coordinator workers`.
#[derive(Debug, Args)]
pub(in crate::cli) struct WorkersArgs {
    /// Print a JSON list of objects.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) service: ServiceArgs,
}

/// `coordinator drain`.
#[derive(Debug, Args)]
pub(in crate::cli) struct DrainArgs {
    /// The worker.
    #[arg(value_name = "WORKER")]
    pub(super) worker: String,
    #[command(flatten)]
    pub(super) service: ServiceArgs,
}
