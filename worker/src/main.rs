//! The worker process: joins its coordinator and trains what it is told to.
//!
//! Exit codes: 0 it was told to leave, 1 it cannot go on, 2 its arguments or environment are wrong.

use rangefinder_errors::{Code, Coded as _};
use rangefinder_session::{End, Options, Session, shutdown};
use rangefinder_worker::{TorchTrainer, device, keep_freed_memory, leave};
use std::io::Write as _;
use tracing_subscriber::EnvFilter;

/// It was told to leave.
const EXIT_DONE: u8 = 0;
/// What it cannot go on without is missing or wrong.
const EXIT_FAILED: u8 = 1;
/// Arguments or environment are wrong.
const EXIT_USAGE: u8 = 2;

/// Version of the libtorch that it was built with.
const LIBTORCH_VERSION: &str = env!("RANGEFINDER_LIBTORCH_VERSION");

const HELP: &str = "\
The worker of Rangefinder: joins a coordinator and trains what it is told to.
A coordinator that runs one sweep starts its own workers, on its own machine: there is no need to start
one by hand. A coordinator that is a service is joined by workers that are started like this:

  RANGEFINDER_COORDINATOR=https://HOST:PORT RANGEFINDER_TOKEN_FILE=FILE worker

Usage: worker [--help | --version]

All else is told by the environment:
  RANGEFINDER_COORDINATOR        address of the coordinator, such as http://127.0.0.1:4242
  RANGEFINDER_TOKEN_FILE         file with the credential (or RANGEFINDER_TOKEN, the credential itself)
  RANGEFINDER_WORKER_ID          unique name of the worker [default: host name and process id]
  RANGEFINDER_DEVICE             auto, cpu or cuda:i [default: auto]
  RANGEFINDER_WATCH_STDIN        1: end with standard input [default: 0]
  RANGEFINDER_RECONNECT_SECONDS  how long to look for the coordinator, or forever
                                 [default: forever; 60 with RANGEFINDER_WATCH_STDIN=1]
  RANGEFINDER_DRAIN_SECONDS      how long a leaving worker may finish its task [default: 60]
  RANGEFINDER_STUCK_SECONDS      how long a stopped step may take to come back [default: 30]
  RUST_LOG                       what to log to standard error [default: warn]

For a coordinator with https:// (files are read again for every connection):
  RANGEFINDER_CA_FILE            certificates of its authorities [default: those of the system]
  RANGEFINDER_CERT_FILE          the worker's own certificate, where the coordinator demands one
  RANGEFINDER_KEY_FILE           the key of that certificate
  RANGEFINDER_SERVER_NAME        name in its certificate [default: host of the address]

Files that sweeps name:
  RANGEFINDER_CACHE_DIR          folder of files downloaded from the coordinator; workers may share it
                                 [default: $CACHE_DIRECTORY, else rangefinder in the user's cache]
  RANGEFINDER_CACHE_BYTES        most bytes in it [default: 20G]
  RANGEFINDER_MODEL_ROOT         folders within which models must lie, as NAME=PATH:NAME=PATH
  RANGEFINDER_DATA_ROOT          folders within which data must lie
  RANGEFINDER_CONFINED           1: no files outside of these folders [default: 1 when one is named]
  RANGEFINDER_MAX_MODEL_BYTES    most bytes of a model from the coordinator or such a folder
                                 [default: 16G]

SIGTERM lets it finish its task or hand it back, and leave; a second one ends it at once.
Exit codes: 0 told to leave, 1 cannot go on, 2 wrong arguments or environment.
";

fn main() {
    keep_freed_memory();
    let code = run();
    // Nothing can be done about a standard output that is gone.
    let _ = std::io::stdout().flush();
    leave(code);
}

fn run() -> u8 {
    let mut arguments = std::env::args_os().skip(1);
    match arguments
        .next()
        .as_deref()
        .map(std::ffi::OsStr::to_string_lossy)
    {
        None => {}
        Some(argument) if argument == "--help" || argument == "-h" => {
            say(HELP);
            return EXIT_DONE;
        }
        Some(argument) if argument == "--version" || argument == "-V" => {
            say(&format!(
                "worker {} (libtorch {LIBTORCH_VERSION})\n",
                env!("CARGO_PKG_VERSION")
            ));
            return EXIT_DONE;
        }
        Some(argument) => {
            return fail(
                EXIT_USAGE,
                Code::UnknownOption,
                &format!(
                    "unknown argument `{argument}`: the worker is told all by its environment, see worker --help"
                ),
            );
        }
    }
    tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn")),
        )
        .with_writer(std::io::stderr)
        .init();
    match Options::from_env() {
        Ok(options) => join(options),
        Err(error) => fail(EXIT_USAGE, error.code(), &error),
    }
}

fn join(mut options: Options) -> u8 {
    let device = match device::resolve(&options.device) {
        Ok(device) => device,
        Err(error) => return fail(EXIT_USAGE, error.code(), &error),
    };
    options.device = device::name(device);
    options.memory_bytes = device::memory_bytes(device);
    options
        .versions
        .insert("libtorch".to_owned(), LIBTORCH_VERSION.to_owned());
    // One thread is enough for the session; the trainer has one of its own.
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            return fail(
                EXIT_FAILED,
                Code::System,
                &format!("failed to start: {error}"),
            );
        }
    };
    let ended = runtime.block_on(async {
        let signals = shutdown::on_signals().map_err(|error| (Code::System, error.to_string()))?;
        let session = Session::run(options, TorchTrainer::new(device), signals.leave);
        tokio::select! {
            ended = session => ended
                .map(Some)
                .map_err(|error| (error.code(), error.to_string())),
            () = signals.at_once.cancelled() => Ok(None),
        }
    });
    // File work that is under way ends with the process.
    runtime.shutdown_background();
    match ended {
        Ok(None) => {
            eprintln!("worker: told twice to end: ended at once");
            EXIT_FAILED
        }
        Ok(Some(End::Drained | End::ShutDown | End::CoordinatorGone)) => EXIT_DONE,
        Err((code, message)) => fail(EXIT_FAILED, code, &message),
    }
}

/// Prints to standard output; a reader that has gone away is not an error.
fn say(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn fail(exit: u8, code: Code, message: &dyn std::fmt::Display) -> u8 {
    eprintln!("worker: error[{code}]: {message}");
    exit
}
