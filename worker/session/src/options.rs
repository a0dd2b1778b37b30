//! What a worker is told at its start, and the one contract by which it is told.

use crate::error::OptionsError;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::Duration;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Uri;

/// Address of the coordinator, such as `http://127.0.0.1:4242`.
pub const COORDINATOR: &str = "RANGEFINDER_COORDINATOR";
/// The worker's credential.
pub const TOKEN: &str = "RANGEFINDER_TOKEN";
/// Path of a file that holds the worker's credential.
pub const TOKEN_FILE: &str = "RANGEFINDER_TOKEN_FILE";
/// Name of the worker, unique among the workers of a coordinator.
pub const WORKER_ID: &str = "RANGEFINDER_WORKER_ID";
/// Device to train on: `auto`, `cpu` or `cuda:i`.
pub const DEVICE: &str = "RANGEFINDER_DEVICE";
/// `1`: end when standard input reaches its end.
pub const WATCH_STDIN: &str = "RANGEFINDER_WATCH_STDIN";
/// Seconds for which a worker that holds no work looks for its coordinator.
pub const RECONNECT_SECONDS: &str = "RANGEFINDER_RECONNECT_SECONDS";
/// Seconds that a worker which was told to leave may take to finish its task.
pub const DRAIN_SECONDS: &str = "RANGEFINDER_DRAIN_SECONDS";
/// Seconds for which a worker waits for a step that it was told to stop, before its process ends.
pub const STUCK_SECONDS: &str = "RANGEFINDER_STUCK_SECONDS";

/// The longest wait that may be asked for: a year, so that no sum of times runs over.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// What a worker needs to know to join its coordinator.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address of the coordinator.
    pub coordinator: Uri,
    /// Sent with every connection.
    pub credential: Credential,
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
    /// For any word from the coordinator while no lease is held, before the session ends.
    pub reconnect: Duration,
    /// For the task at hand, once the worker was told to leave; then it is handed back.
    pub drain: Duration,
    /// For the trainer to come back from a step that it was told to stop, before the session ends
    /// and leaves it to a new process.
    pub stuck: Duration,
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
            reconnect: Duration::from_secs(60),
            drain: Duration::from_secs(20),
            stuck: Duration::from_secs(30),
        }
    }
}

/// A secret that never shows in output.
#[derive(Clone)]
pub struct Credential(MetadataValue<Ascii>);

impl Credential {
    /// A credential from its token; white space around it is left out.
    ///
    /// # Errors
    /// When it is empty or holds anything but visible ASCII.
    pub fn new(token: &str) -> Result<Self, String> {
        let token = token.trim();
        if token.is_empty() {
            return Err("it is empty".to_owned());
        }
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("it holds characters that are not visible ASCII".to_owned());
        }
        let mut value = MetadataValue::try_from(format!("Bearer {token}"))
            .map_err(|_| "it does not fit a header".to_owned())?;
        value.set_sensitive(true);
        Ok(Self(value))
    }

    /// The value of the `authorization` header.
    pub(crate) fn header(&self) -> MetadataValue<Ascii> {
        self.0.clone()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(..)")
    }
}

impl Options {
    /// Options for a coordinator, all else at its default.
    #[must_use]
    pub fn new(coordinator: Uri, credential: Credential) -> Self {
        Self {
            coordinator,
            credential,
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
    /// | `RANGEFINDER_WORKER_ID` | unique name of the worker | host name and process id |
    /// | `RANGEFINDER_DEVICE` | `auto`, `cpu`, `cuda:i` | `auto` |
    /// | `RANGEFINDER_WATCH_STDIN` | `1`: end with standard input | `0` |
    /// | `RANGEFINDER_RECONNECT_SECONDS` | how long to look for the coordinator | 60 |
    /// | `RANGEFINDER_DRAIN_SECONDS` | how long a leaving worker may finish its task | 20 |
    /// | `RANGEFINDER_STUCK_SECONDS` | how long a stopped step may take to come back | 30 |
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
            parse_coordinator(&coordinator)?,
            read_credential(lookup(TOKEN), lookup(TOKEN_FILE))?,
        );
        if let Some(id) = lookup(WORKER_ID) {
            options.worker_id = id;
        }
        if let Some(device) = lookup(DEVICE) {
            options.device = parse_device(device)?;
        }
        if let Some(flag) = lookup(WATCH_STDIN) {
            options.watch_stdin = match flag.as_str() {
                "1" | "true" => true,
                "0" | "false" => false,
                _ => return Err(invalid(WATCH_STDIN, flag, "expected 1 or 0")),
            };
        }
        if let Some(seconds) = lookup(RECONNECT_SECONDS) {
            options.timing.reconnect = parse_seconds(RECONNECT_SECONDS, seconds)?;
        }
        if let Some(seconds) = lookup(DRAIN_SECONDS) {
            options.timing.drain = parse_seconds(DRAIN_SECONDS, seconds)?;
        }
        if let Some(seconds) = lookup(STUCK_SECONDS) {
            options.timing.stuck = parse_seconds(STUCK_SECONDS, seconds)?;
        }
        Ok(options)
    }
}

fn default_worker_id() -> String {
    let host = gethostname::gethostname();
    format!("{}-{}", host.to_string_lossy(), std::process::id())
}

fn invalid(variable: &'static str, value: String, expected: &'static str) -> OptionsError {
    OptionsError::Invalid {
        variable,
        value,
        expected,
    }
}

fn parse_coordinator(value: &str) -> Result<Uri, OptionsError> {
    let expected = "expected http://HOST:PORT, such as http://127.0.0.1:4242";
    let uri: Uri = value
        .trim()
        .parse()
        .map_err(|_| invalid(COORDINATOR, value.to_owned(), expected))?;
    match (uri.scheme_str(), uri.port_u16()) {
        (Some("http"), Some(_)) => Ok(uri),
        (Some("https"), _) => Err(invalid(
            COORDINATOR,
            value.to_owned(),
            "this worker does not speak TLS: give an http:// address",
        )),
        _ => Err(invalid(COORDINATOR, value.to_owned(), expected)),
    }
}

fn read_credential(
    token: Option<String>,
    file: Option<String>,
) -> Result<Credential, OptionsError> {
    match (token, file) {
        (Some(token), None) => {
            Credential::new(&token).map_err(|problem| OptionsError::Credential {
                origin: TOKEN.to_owned(),
                problem,
            })
        }
        (None, Some(path)) => {
            let text =
                std::fs::read_to_string(&path).map_err(|source| OptionsError::TokenFile {
                    path: path.clone(),
                    source,
                })?;
            Credential::new(&text).map_err(|problem| OptionsError::Credential {
                origin: format!("{TOKEN_FILE}={path}"),
                problem,
            })
        }
        (None, None) => Err(OptionsError::Missing {
            variable: TOKEN_FILE,
            remedy: "set it to a file that holds the coordinator's worker token, or set \
                     RANGEFINDER_TOKEN to the token itself",
        }),
        (Some(_), Some(_)) => Err(OptionsError::TwoCredentials),
    }
}

fn parse_device(value: String) -> Result<String, OptionsError> {
    let index = value.strip_prefix("cuda:");
    let known = matches!(value.as_str(), "auto" | "cpu")
        || index.is_some_and(|index| index.parse::<u32>().is_ok());
    if known {
        Ok(value)
    } else {
        Err(invalid(
            DEVICE,
            value,
            "expected auto, cpu or cuda:i, such as cuda:0",
        ))
    }
}

fn parse_seconds(variable: &'static str, value: String) -> Result<Duration, OptionsError> {
    value
        .trim()
        .parse::<f64>()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|time| *time <= LONGEST)
        .ok_or_else(|| {
            invalid(
                variable,
                value,
                "expected seconds, 0 or more, such as 60, up to a year",
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rangefinder_errors::{Code, Coded as _};
    use std::io::Write as _;

    fn read(vars: &[(&str, &str)]) -> Result<Options, OptionsError> {
        Options::from_vars(|name| {
            vars.iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    const BASE: [(&str, &str); 2] = [(COORDINATOR, "http://127.0.0.1:4242"), (TOKEN, "s3cret")];

    fn message(extra: &[(&str, &str)]) -> String {
        let vars: Vec<_> = extra.iter().chain(&BASE).copied().collect();
        let error = read(&vars).expect_err("accepted");
        format!("[{}] {error}", error.code())
    }

    #[test]
    fn the_smallest_contract_is_an_address_and_a_token() {
        let options = read(&BASE).expect("valid");
        assert_eq!(options.coordinator.port_u16(), Some(4242));
        assert_eq!(
            options.credential.header().to_str().expect("text"),
            "Bearer s3cret"
        );
        assert_eq!(options.device, "auto");
        assert!(!options.watch_stdin);
        assert!(
            options
                .worker_id
                .ends_with(&format!("-{}", std::process::id()))
        );
    }

    #[test]
    fn every_process_draws_its_own_incarnation() {
        let draw = || read(&BASE).expect("valid").incarnation;
        assert_ne!(draw(), draw());
    }

    #[test]
    fn the_credential_may_come_from_a_file_with_a_final_newline() {
        let mut file = tempfile::NamedTempFile::new().expect("file");
        writeln!(file, "from-a-file").expect("written");
        let path = file.path().to_str().expect("text");
        let options = read(&[BASE[0], (TOKEN_FILE, path)]).expect("valid");
        assert_eq!(
            options.credential.header().to_str().expect("text"),
            "Bearer from-a-file"
        );
    }

    #[test]
    fn the_credential_never_shows_in_debug_output() {
        let text = format!("{:?}", read(&BASE).expect("valid"));
        assert!(!text.contains("s3cret"), "{text}");
    }

    #[test]
    fn errors_name_the_variable_the_value_and_the_remedy() {
        for (vars, expected) in [
            (
                &[(DEVICE, "gpu0")][..],
                ["RANGEFINDER_DEVICE", "gpu0", "cuda:0"],
            ),
            (
                &[(COORDINATOR, "127.0.0.1:4242")],
                [
                    "RANGEFINDER_COORDINATOR",
                    "127.0.0.1:4242",
                    "http://HOST:PORT",
                ],
            ),
            (
                &[(COORDINATOR, "https://a:1")],
                ["RANGEFINDER_COORDINATOR", "https://a:1", "TLS"],
            ),
            (
                &[(WATCH_STDIN, "maybe")],
                ["RANGEFINDER_WATCH_STDIN", "maybe", "1 or 0"],
            ),
            (
                &[(DRAIN_SECONDS, "-3")],
                ["RANGEFINDER_DRAIN_SECONDS", "-3", "0 or more"],
            ),
            (
                &[(RECONNECT_SECONDS, "1e19")],
                ["RANGEFINDER_RECONNECT_SECONDS", "1e19", "up to a year"],
            ),
            (
                &[(TOKEN_FILE, "/x")],
                ["RANGEFINDER_TOKEN", "RANGEFINDER_TOKEN_FILE", "unset one"],
            ),
        ] {
            let text = message(vars);
            let code = match vars {
                [(TOKEN_FILE, _)] => "[RF603] ",
                _ => "[RF602] ",
            };
            assert!(text.starts_with(code), "{text}");
            for part in expected {
                assert!(text.contains(part), "{text:?} lacks {part:?}");
            }
        }
    }

    #[test]
    fn missing_variables_say_what_to_set() {
        let error = read(&[]).expect_err("accepted");
        assert_eq!(error.code(), Code::VariableMissing);
        let text = error.to_string();
        assert!(
            text.contains("RANGEFINDER_COORDINATOR is not set"),
            "{text}"
        );
        let text = read(&BASE[..1]).expect_err("accepted").to_string();
        assert!(text.contains("RANGEFINDER_TOKEN_FILE is not set"), "{text}");
        let error = read(&[BASE[0], (TOKEN_FILE, "/no/such/file")]).expect_err("accepted");
        assert_eq!(error.code(), Code::TokenFile);
        let text = error.to_string();
        assert!(text.contains("/no/such/file"), "{text}");
    }

    #[test]
    fn a_bad_credential_is_refused_without_showing_it() {
        let text = read(&[BASE[0], (TOKEN, "two words")])
            .expect_err("accepted")
            .to_string();
        assert!(text.contains("RANGEFINDER_TOKEN"), "{text}");
        assert!(!text.contains("two words"), "{text}");
    }
}
