//! The worker under test, as a process.

use crate::Subject;
use crate::coordinator::{TOKEN, soon};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};

/// Lines of the worker's last words that are kept.
const TAIL: usize = 12;

/// A running worker program; killed when dropped.
pub(crate) struct Worker {
    child: Child,
    stdin: Option<ChildStdin>,
    words: Arc<Mutex<Vec<String>>>,
}

impl Worker {
    /// Starts the program with the environment of the contract, and `extra` above it.
    pub(crate) fn start(
        subject: &Subject,
        coordinator: SocketAddr,
        extra: &[(&str, &str)],
    ) -> Result<Self, String> {
        let (program, arguments) = subject
            .command
            .split_first()
            .ok_or("no command was given")?;
        let mut child = Command::new(program)
            .args(arguments)
            .env("RANGEFINDER_COORDINATOR", format!("http://{coordinator}"))
            .env("RANGEFINDER_TOKEN", TOKEN)
            .env_remove("RANGEFINDER_TOKEN_FILE")
            .env("RANGEFINDER_WORKER_ID", "w0")
            .env("RANGEFINDER_DEVICE", "cpu")
            .env("RANGEFINDER_WATCH_STDIN", "1")
            .envs(extra.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{} does not start: {error}", program.display()))?;
        let words = Arc::new(Mutex::new(Vec::new()));
        if let Some(stderr) = child.stderr.take() {
            let words = Arc::clone(&words);
            tokio::spawn(async move {
                let mut lines = BufReader::new(stderr).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    let mut words = words.lock().unwrap_or_else(PoisonError::into_inner);
                    if words.len() == TAIL {
                        words.remove(0);
                    }
                    words.push(line);
                }
            });
        }
        Ok(Self {
            stdin: child.stdin.take(),
            child,
            words,
        })
    }

    /// Its last words on standard error.
    pub(crate) fn words(&self) -> String {
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        words.join("\n")
    }

    /// Closes its standard input.
    pub(crate) fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) -> Result<(), String> {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok());
        let pid = pid.ok_or("the worker is gone already")?;
        kill(Pid::from_raw(pid), Signal::SIGTERM).map_err(|error| error.to_string())
    }

    /// Waits for its end; its exit code, none when a signal ended it.
    pub(crate) async fn end(&mut self) -> Result<Option<i32>, String> {
        let status = soon("the worker to exit", self.child.wait()).await?;
        status
            .map(|status| status.code())
            .map_err(|error| error.to_string())
    }

    /// Waits for its end, in good order.
    pub(crate) async fn end_well(&mut self) -> Result<(), String> {
        match self.end().await? {
            Some(0) => Ok(()),
            code => Err(format!("exit code {code:?}, expected 0")),
        }
    }
}
