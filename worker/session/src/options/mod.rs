//! What a worker is told at its start, and the one contract by which it is told.

mod credential;
mod files;
mod parse;

pub use credential::Credential;
pub use files::Files;

use crate::error::OptionsError;
use rangefinder_access::ClientTls;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::Duration;
use tonic::transport::{Endpoint, Uri};

/// Address of the coordinator, such as `http://127.0.0.1:4242` or `https://sweeps.example:4242`.
pub const COORDINATOR: &str = "RANGEFINDER_COORDINATOR";
/// The worker's credential.
pub const TOKEN: &str = "RANGEFINDER_TOKEN";
/// Path of a file that holds the worker's credential; read again for every connection.
pub const TOKEN_FILE: &str = "RANGEFINDER_TOKEN_FILE";
/// Name of the worker, unique among the workers of a coordinator.
pub const WORKER_ID: &str = "RANGEFINDER_WORKER_ID";
/// Device to train on: `auto`, `cpu` or `cuda:i`.
pub const DEVICE: &str = "RANGEFINDER_DEVICE";
/// `1`: end when standard input reaches its end.
pub const WATCH_STDIN: &str = "RANGEFINDER_WATCH_STDIN";
/// Path of the certificates of the authorities that may sign the coordinator's; as the other files of
/// certificates, read again for every connection.
pub const CA_FILE: &str = "RANGEFINDER_CA_FILE";
/// Path of the worker's own certificate, for a coordinator that demands one.
pub const CERT_FILE: &str = "RANGEFINDER_CERT_FILE";
/// Path of the key of that certificate.
pub const KEY_FILE: &str = "RANGEFINDER_KEY_FILE";
/// Name that the coordinator's certificate must be for, when it is not the host of its address.
pub const SERVER_NAME: &str = "RANGEFINDER_SERVER_NAME";
/// Folder of downloaded artifacts.
pub const CACHE_DIR: &str = "RANGEFINDER_CACHE_DIR";
/// Most bytes in that folder.
pub const CACHE_BYTES: &str = "RANGEFINDER_CACHE_BYTES";
/// Folders of models, as `NAME=PATH`, several separated by `:`.
pub const MODEL_ROOT: &str = "RANGEFINDER_MODEL_ROOT";
/// Folders of data, in the same form.
pub const DATA_ROOT: &str = "RANGEFINDER_DATA_ROOT";
/// `1`: paths in orders must lie within those folders, also when none is named.
pub const CONFINED: &str = "RANGEFINDER_CONFINED";
/// Most bytes of a model or checkpoint that comes from the coordinator or lies in such a folder.
pub const MAX_MODEL_BYTES: &str = "RANGEFINDER_MAX_MODEL_BYTES";
/// Seconds for which a worker that holds no work looks for its coordinator, or `forever`.
pub const RECONNECT_SECONDS: &str = "RANGEFINDER_RECONNECT_SECONDS";
/// Seconds that a worker which was told to leave may take to finish its task.
pub const DRAIN_SECONDS: &str = "RANGEFINDER_DRAIN_SECONDS";
/// Seconds for which a worker waits for a step that it was told to stop, before its process ends.
pub const STUCK_SECONDS: &str = "RANGEFINDER_STUCK_SECONDS";

/// How long a worker looks for a coordinator that has started it, and that it ends with.
const RECONNECT_WATCHED: Duration = Duration::from_secs(60);

/// What a worker needs to know to join its coordinator.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address of the coordinator.
    pub coordinator: Uri,
    /// Sent with every connection.
    pub credential: Credential,
    /// How an `https://` coordinator is known, and knows the worker.
    pub tls: ClientTls,
    /// Name of the worker, unique among the workers of a coordinator.
    pub worker_id: String,
    /// Drawn anew by every process.
    pub incarnation: u64,
    /// Device to train on, `auto`, `cpu` or `cuda:i`: a worker replaces `auto` by what it picked.
    pub device: String,
    /// Memory of the device in bytes; 0 when unknown.
    pub memory_bytes: u64,
    /// Versions of the worker's parts.
    pub versions: HashMap<String, String>,
    /// Whether the session ends when standard input reaches its end: a worker whose coordinator
    /// holds the other end of that pipe ends with it, however the coordinator ended.
    pub watch_stdin: bool,
    /// Which files orders may name.
    pub files: Files,
    /// How long it waits for what.
    pub timing: Timing,
}

/// How long a session waits for what.
#[derive(Clone, Debug, PartialEq)]
pub struct Timing {
    /// For a TCP connection.
    pub connect: Duration,
    /// For Welcome, from the start of the connection.
    pub welcome: Duration,
    /// Between HTTP/2 pings, also on an idle connection.
    pub keepalive_interval: Duration,
    /// For the answer to a ping, before the connection counts as lost.
    pub keepalive: Duration,
    /// Before the first attempt to reconnect; doubles with each failure, jittered down to a half.
    pub backoff_min: Duration,
    /// The longest pause between two attempts to reconnect.
    pub backoff_max: Duration,
    /// For any word from the coordinator while no lease is held, before the session ends;
    /// [`Timing::FOREVER`] for a worker of a service, which outlives many restarts of it.
    pub reconnect: Duration,
    /// For the task at hand, once the worker was told to leave; then it is handed back.
    pub drain: Duration,
    /// For the next bytes of an artifact, before the order that needs it is given up.
    pub download: Duration,
    /// For the trainer to come back from a step that it was told to stop, before the session ends
    /// and leaves it to a new process.
    pub stuck: Duration,
}

impl Timing {
    /// As [`Timing::reconnect`]: the session never gives up.
    pub const FOREVER: Duration = Duration::MAX;
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            welcome: Duration::from_secs(10),
            keepalive_interval: Duration::from_secs(5),
            keepalive: Duration::from_secs(5),
            backoff_min: Duration::from_millis(50),
            backoff_max: Duration::from_secs(2),
            reconnect: Self::FOREVER,
            drain: Duration::from_secs(60),
            download: Duration::from_secs(60),
            stuck: Duration::from_secs(30),
        }
    }
}

impl Options {
    /// Options for a coordinator, all else at its default.
    #[must_use]
    pub fn new(coordinator: Uri, credential: Credential) -> Self {
        Self {
            coordinator,
            credential,
            tls: ClientTls::default(),
            worker_id: default_worker_id(),
            // A hasher of the standard library is keyed from the system's random source.
            incarnation: std::hash::RandomState::new().build_hasher().finish(),
            device: "auto".to_owned(),
            memory_bytes: 0,
            versions: HashMap::from([(
                "rangefinder".to_owned(),
                env!("CARGO_PKG_VERSION").to_owned(),
            )]),
            watch_stdin: false,
            files: Files::default(),
            timing: Timing::default(),
        }
    }

    /// Reads the contract of joining from the environment: the same variables for local
    /// processes, Slurm, Kubernetes and Python.
    ///
    /// | variable | meaning | default |
    /// |---|---|---|
    /// | `RANGEFINDER_COORDINATOR` | address of the coordinator | required |
    /// | `RANGEFINDER_TOKEN` | the credential | one of these two |
    /// | `RANGEFINDER_TOKEN_FILE` | path of a file with the credential | is required |
    /// | `RANGEFINDER_CA_FILE` | authorities of an `https://` coordinator | those of the system |
    /// | `RANGEFINDER_CERT_FILE` | the worker's own certificate | none |
    /// | `RANGEFINDER_KEY_FILE` | the key of it | none |
    /// | `RANGEFINDER_SERVER_NAME` | name in the coordinator's certificate | host of the address |
    /// | `RANGEFINDER_WORKER_ID` | unique name of the worker | host name and process id |
    /// | `RANGEFINDER_DEVICE` | `auto`, `cpu`, `cuda:i` | `auto` |
    /// | `RANGEFINDER_WATCH_STDIN` | `1`: end with standard input | `0` |
    /// | `RANGEFINDER_RECONNECT_SECONDS` | how long to look for the coordinator | `forever`; 60 when it watches standard input |
    /// | `RANGEFINDER_DRAIN_SECONDS` | how long a leaving worker may finish its task | 60 |
    /// | `RANGEFINDER_STUCK_SECONDS` | how long a stopped step may take to come back | 30 |
    /// | `RANGEFINDER_CACHE_DIR` | folder of downloaded artifacts | `$CACHE_DIRECTORY`, else `rangefinder` in the user's cache |
    /// | `RANGEFINDER_CACHE_BYTES` | most bytes in it | `20G` |
    /// | `RANGEFINDER_MODEL_ROOT` | folders within which models must lie, `NAME=PATH:...` | any place |
    /// | `RANGEFINDER_DATA_ROOT` | folders within which data must lie | any place |
    /// | `RANGEFINDER_CONFINED` | `1`: no paths outside of those folders | `1` when one is named |
    /// | `RANGEFINDER_MAX_MODEL_BYTES` | most bytes of a model from the coordinator or a root | `16G` |
    ///
    /// The credential is never an argument: arguments are visible to every user of a machine.
    ///
    /// # Errors
    /// [`OptionsError`] names the variable, its value (never the credential) and the remedy.
    pub fn from_env() -> Result<Self, OptionsError> {
        Self::from_vars(|name| std::env::var(name).ok())
    }

    /// As [`Options::from_env`], from any source of variables. An empty value counts as absent.
    ///
    /// # Errors
    /// As [`Options::from_env`].
    pub fn from_vars(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, OptionsError> {
        let lookup = |name: &str| lookup(name).filter(|value| !value.trim().is_empty());
        let coordinator = lookup(COORDINATOR).ok_or(OptionsError::Missing {
            variable: COORDINATOR,
            remedy: "set it to the coordinator's address, such as http://127.0.0.1:4242",
        })?;
        let mut options = Self::new(
            parse::coordinator(&coordinator)?,
            credential::read(lookup(TOKEN), lookup(TOKEN_FILE))?,
        );
        if let Some(id) = lookup(WORKER_ID) {
            options.worker_id = id;
        }
        if let Some(device) = lookup(DEVICE) {
            options.device = parse::device(device)?;
        }
        if let Some(value) = lookup(WATCH_STDIN) {
            options.watch_stdin = parse::flag(WATCH_STDIN, &value)?;
        }
        if options.watch_stdin {
            options.timing.reconnect = RECONNECT_WATCHED;
        }
        if let Some(value) = lookup(RECONNECT_SECONDS) {
            options.timing.reconnect = parse::seconds_or_forever(RECONNECT_SECONDS, &value)?;
        }
        if let Some(value) = lookup(DRAIN_SECONDS) {
            options.timing.drain = parse::seconds(DRAIN_SECONDS, &value)?;
        }
        if let Some(value) = lookup(STUCK_SECONDS) {
            options.timing.stuck = parse::seconds(STUCK_SECONDS, &value)?;
        }
        options.files = files::read(lookup)?;
        options.tls = tls(lookup)?;
        // Files that do not fit are found now, and not when the coordinator is first called.
        let endpoint = Endpoint::from(options.coordinator.clone());
        options
            .tls
            .endpoint(endpoint)
            .map_err(OptionsError::Access)?;
        Ok(options)
    }
}

/// The client's side of TLS as the environment has it.
fn tls(lookup: impl Fn(&str) -> Option<String>) -> Result<ClientTls, OptionsError> {
    let identity = match (lookup(CERT_FILE), lookup(KEY_FILE)) {
        (Some(certificate), Some(key)) => Some((certificate.into(), key.into())),
        (None, None) => None,
        (Some(_), None) => {
            return Err(OptionsError::Missing {
                variable: KEY_FILE,
                remedy: "set it to the key of the certificate in RANGEFINDER_CERT_FILE",
            });
        }
        (None, Some(_)) => {
            return Err(OptionsError::Missing {
                variable: CERT_FILE,
                remedy: "set it to the certificate of the key in RANGEFINDER_KEY_FILE",
            });
        }
    };
    Ok(ClientTls {
        ca: lookup(CA_FILE).map(Into::into),
        identity,
        server_name: lookup(SERVER_NAME),
    })
}

fn default_worker_id() -> String {
    let host = gethostname::gethostname();
    format!("{}-{}", host.to_string_lossy(), std::process::id())
}

#[cfg(test)]
mod tests;
