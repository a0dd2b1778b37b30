//! Commands and flags.

use super::client::args::{
    CancelArgs, DeleteArgs, DrainArgs, ListArgs, ShowArgs, SubmitArgs, SuggestArgs, WatchArgs,
    WorkersArgs,
};
use super::service::args::{ResumeArgs, ServeArgs, StoreArgs, TokenArgs};
use clap::{Args, Parser, Subcommand};
use rangefinder_proto::v1::{Reading, SweepSpec};
use rangefinder_proto::{threshold, values};
use rangefinder_sweep::state;
use std::path::PathBuf;

/// Finds a learning rate: runs a learning-rate range test on N workers and reads it off the curve.
#[derive(Debug, Parser)]
// A script that ends in "$@" is called with options that it has given itself.
#[command(
    name = "coordinator",
    version,
    args_conflicts_with_subcommands = true,
    args_override_self = true
)]
pub(super) struct Cli {
    /// Another command than to run a sweep.
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) sweep: SweepArgs,
}

/// Commands beside the default one.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show how a sweep would be split, without running it.
    Plan(Box<PlanArgs>),
    /// Read a learning rate off a curve that exists: a CSV file, JSON lines, or a sweep.json.
    Analyze(AnalyzeArgs),
    /// Draw plot.svg and plot.png again from a sweep.json.
    Plot(PlotArgs),
    /// Go on with a sweep that was interrupted, from its --data-dir.
    Resume(ResumeArgs),
    /// Run a service: sweeps of many clients on workers of many machines.
    Serve(Box<ServeArgs>),
    /// Check, export or compact the store in a --data-dir.
    Store(StoreArgs),
    /// Make, list and revoke the tokens of a service.
    Token(TokenArgs),
    /// Have a service run a sweep, and follow it to its end; Ctrl-C leaves it running.
    Submit(Box<SubmitArgs>),
    /// Follow a sweep of a service to its end; Ctrl-C leaves it running.
    Watch(WatchArgs),
    /// List the sweeps of a service.
    List(ListArgs),
    /// Show what a service knows of a sweep.
    Show(ShowArgs),
    /// End a sweep of a service.
    Cancel(CancelArgs),
    /// Let a service forget a sweep that has ended.
    Delete(DeleteArgs),
    /// Read a learning rate off a sweep of a service in another way.
    Suggest(SuggestArgs),
    /// List the workers of a service.
    Workers(WorkersArgs),
    /// Let a worker of a service take no more work, and leave.
    Drain(DrainArgs),
    /// Print what a shell needs to complete this command line.
    Completions(CompletionsArgs),
    /// Write the pages of the manual into a folder.
    #[command(hide = true)]
    Man(ManArgs),
}

/// What is asked of a sweep.
#[derive(Debug, Args)]
pub(super) struct RequestArgs {
    /// Workers to run, each with a device or a share of the CPU of its own.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        value_parser = values::whole_number::<u32>,
        allow_negative_numbers = true,
        help_heading = "Run"
    )]
    pub(super) workers: u32,
    /// Command that starts a worker of your own, split as a shell splits words, such as "python
    /// worker.py module:setup"; it brings its model, data and optimizer.
    #[arg(long, value_name = "COMMAND", help_heading = "Run")]
    pub(super) worker_command: Option<String>,
    #[command(flatten)]
    pub(super) spec: SpecArgs,
}

/// What is swept: the fields of the specification as flags, over those of a file.
#[derive(Debug, Args)]
pub(super) struct SpecArgs {
    /// Read the specification from a file (.toml, .yaml, .json); flags win over it.
    #[arg(long, value_name = "FILE", help_heading = "Run")]
    pub(super) config: Option<PathBuf>,
    #[command(flatten)]
    pub(super) spec: SweepSpec,
    /// Take the samples in file order; the same as --shuffle=false.
    #[arg(long, overrides_with = "shuffle", help_heading = "Batches")]
    pub(super) no_shuffle: bool,
}

/// The default command.
#[derive(Debug, Args)]
pub(super) struct SweepArgs {
    #[command(flatten)]
    pub(super) request: RequestArgs,
    #[command(flatten)]
    pub(super) end: EndArgs,
    /// Keep all that happens in this folder, so that `coordinator resume FOLDER` goes on with the
    /// sweep when it was interrupted; by default a temporary one.
    #[arg(long, value_name = "FOLDER", help_heading = "Run")]
    pub(super) data_dir: Option<PathBuf>,
    /// Print the whole configuration with its comments and defaults, and do nothing else.
    #[arg(long, exclusive = true, help_heading = "Run")]
    pub(super) print_config: bool,
    #[command(flatten)]
    pub(super) limits: LimitArgs,
    /// The program of the workers, instead of the one that is installed with this one.
    #[arg(
        long,
        value_name = "FILE",
        hide = true,
        conflicts_with = "worker_command"
    )]
    pub(super) worker_program: Option<PathBuf>,
}

/// What is done with what was found.
#[derive(Debug, Args)]
pub(super) struct EndArgs {
    /// Folder for sweep.json, curve.csv, losses.csv, plot.svg and plot.png; by default a new one
    /// under `sweeps`.
    #[arg(long, value_name = "FOLDER", help_heading = "Run")]
    pub(super) out: Option<PathBuf>,
    /// Hyperparameter file (.yaml, .toml, .json) to write the learning rate into, as --auto-lr-find
    /// says.
    #[arg(long, value_name = "FILE", help_heading = "Run")]
    pub(super) hparams: Option<PathBuf>,
    /// Write the learning rate into --hparams: into `lr`, else `learning_rate`, or into the dotted
    /// FIELD, such as `model.optim.lr`.
    #[arg(long, value_name = "FIELD", num_args = 0..=1, help_heading = "Run")]
    pub(super) auto_lr_find: Option<Option<String>>,
    /// Show nothing on stderr but failures.
    #[arg(long, short, help_heading = "Run")]
    pub(super) quiet: bool,
    /// Print one JSON object instead of the learning rate.
    #[arg(long, help_heading = "Run")]
    pub(super) json: bool,
}

/// What a sweep puts up with.
#[derive(Debug, Args)]
pub(super) struct LimitArgs {
    /// Seconds that loading, or a first step, may take before the worker counts as hung; later steps
    /// are measured by its own pace.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Run")]
    pub(super) stall_seconds: u32,
    /// Failed attempts after which a task, and with it the sweep, has failed.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Run")]
    pub(super) max_failed: u32,
    /// Lost attempts in a row without any progress after which a task, and with it the sweep, has failed.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Run")]
    pub(super) max_lost: u32,
}

impl LimitArgs {
    /// The state machine's options with these limits.
    pub(super) fn options(&self) -> state::Options {
        state::Options {
            stall_ms: u64::from(self.stall_seconds) * 1000,
            max_failed: self.max_failed,
            max_lost: self.max_lost,
            ..state::Options::default()
        }
    }
}

/// `coordinator plan`.
#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    pub(super) request: RequestArgs,
    /// Print the plan as one JSON object.
    #[arg(long, help_heading = "Run")]
    pub(super) json: bool,
}

/// How a curve is read in another way than its sweep said.
#[derive(Debug, Default, Args)]
pub(super) struct ReadingArgs {
    /// How the learning rate is read off the curve: auto, drop50, drop80, drop95, steepest, gmean,
    /// minimum, valley, slide; with --profile fastai one of valley, slide, minimum, steepest
    /// [default: the sweep's, else auto]
    #[arg(long, value_name = "NAME")]
    method: Option<String>,
    /// Do as another tool does: lightning, lightning-0.7.6, fastai, torch-lr-finder, ignite
    /// [default: the sweep's, else none]
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Points that are left out at the start of the curve [default: the method's or profile's own]
    #[arg(long, value_name = "N", value_parser = values::whole_number::<u32>, allow_negative_numbers = true)]
    skip_begin: Option<u32>,
    /// Points that are left out at the end of the curve [default: the method's or profile's own]
    #[arg(long, value_name = "N", value_parser = values::whole_number::<u32>, allow_negative_numbers = true)]
    skip_end: Option<u32>,
    /// Multiple of the best smoothed loss at which the curve counts as diverged, or none [default:
    /// the profile's, else 4]
    #[arg(long, value_name = "X", value_parser = threshold::parse, allow_negative_numbers = true)]
    early_stop_threshold: Option<f64>,
    /// Seed of the interval's bootstrap [default: the sweep's, else 0]
    #[arg(long, value_name = "N", value_parser = values::whole_number::<u64>, allow_negative_numbers = true)]
    seed: Option<u64>,
}

impl ReadingArgs {
    /// The same as a message.
    pub(super) fn message(&self) -> Reading {
        Reading {
            method: self.method.clone(),
            profile: self.profile.clone(),
            skip_begin: self.skip_begin,
            skip_end: self.skip_end,
            early_stop_threshold: self.early_stop_threshold,
            seed: self.seed,
        }
    }
}

/// `coordinator analyze`.
#[derive(Debug, Args)]
pub(super) struct AnalyzeArgs {
    /// A CSV file with the columns `lr` (or `learning_rate`) and `loss`, JSON lines (.jsonl) with
    /// fields of these names, or a sweep.json.
    #[arg(value_name = "CURVE")]
    pub(super) curve: PathBuf,
    #[command(flatten)]
    pub(super) reading: ReadingArgs,
    /// The losses are raw, as they are taken to be by default.
    #[arg(long, conflicts_with = "smoothed")]
    pub(super) raw: bool,
    /// The losses are smoothed already: no auto, interval or verdict, which need raw ones.
    #[arg(long)]
    pub(super) smoothed: bool,
    /// The optimizer's memory: momentum or beta1, 0 for plain SGD [default: that of a sweep.json,
    /// else 0.9]
    #[arg(long, value_name = "X", value_parser = values::number::<f64>, allow_negative_numbers = true)]
    pub(super) beta: Option<f64>,
    /// Planned steps, where the curve was stopped before its end [default: the rows of the file]
    #[arg(long, value_name = "N", value_parser = values::whole_number::<u32>, allow_negative_numbers = true)]
    pub(super) num_training: Option<u32>,
    /// Show nothing on stderr but failures.
    #[arg(long, short)]
    pub(super) quiet: bool,
    /// Print one JSON object instead of the learning rate.
    #[arg(long)]
    pub(super) json: bool,
}

/// `coordinator plot`.
#[derive(Debug, Args)]
pub(super) struct PlotArgs {
    /// A sweep.json.
    #[arg(value_name = "SWEEP")]
    pub(super) sweep: PathBuf,
    /// Folder for the pictures; by default that of the file.
    #[arg(long, value_name = "FOLDER")]
    pub(super) out: Option<PathBuf>,
}

/// `coordinator completions`.
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell.
    #[arg(value_name = "SHELL")]
    pub(super) shell: clap_complete::Shell,
}

/// `coordinator man`.
#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Folder for the pages, such as ~/.local/share/man/man1; it is made where it is missing.
    #[arg(long, value_name = "FOLDER")]
    pub(super) out: PathBuf,
}
