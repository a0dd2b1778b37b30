//! One process: started, signalled, listened to. None outlives its cell.

use crate::{Result, in_time};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use std::process::{ExitStatus, Stdio};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

/// A process and what it has said on standard error.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    pid: Pid,
    said: watch::Receiver<String>,
}

impl Program {
    /// Starts a program.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: &str, command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{name} cannot be started: {error}"))?;
        let raw = child.id().and_then(|id| i32::try_from(id).ok());
        let pid = raw.and_then(Pid::from_raw).ok_or("it has no process id")?;
        let (say, said) = watch::channel(String::new());
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(async move {
                let mut lines = BufReader::new(stderr).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    say.send_modify(|said| {
                        said.push_str(&line);
                        said.push('\n');
                    });
                }
            });
        }
        Ok(Self {
            name: name.to_owned(),
            child,
            pid,
            said,
        })
    }

    /// Waits until it has said something.
    ///
    /// # Errors
    /// When it does not in time, or has ended before; with all that it said.
    pub async fn says(&self, words: &str) -> Result<String> {
        let mut said = self.said.clone();
        let what = format!("{} says `{words}`", self.name);
        let heard = in_time(&what, async {
            said.wait_for(|said| said.contains(words))
                .await
                .map(|said| said.clone())
        });
        match heard.await {
            Ok(Ok(said)) => Ok(said),
            Ok(Err(_)) => Err(format!("{} ended before it said `{words}`", self.name).into()),
            Err(late) => Err(late),
        }
    }

    /// The last lines that it said.
    #[must_use]
    pub fn last_words(&self) -> String {
        let said = self.said.borrow();
        let lines: Vec<_> = said.lines().collect();
        let last = &lines[lines.len().saturating_sub(30)..];
        format!("--- {}:\n{}\n", self.name, last.join("\n"))
    }

    /// Sends a signal; one that has ended already is fine.
    pub fn signal(&self, signal: Signal) {
        let _gone = kill_process(self.pid, signal);
    }

    /// Kills it, and waits until it is gone.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub async fn kill(&mut self) -> Result {
        self.signal(Signal::KILL);
        self.ends().await?;
        Ok(())
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// When it does not in time.
    pub async fn ends(&mut self) -> Result<ExitStatus> {
        let ended = in_time(&format!("{} ends", self.name), self.child.wait()).await;
        match ended {
            Ok(status) => Ok(status?),
            Err(_) => {
                let words = self.last_words();
                Err(format!("{} does not end\n{words}", self.name).into())
            }
        }
    }

    /// Waits until it has ended, in good order.
    ///
    /// # Errors
    /// When it does not, or not with exit code 0.
    pub async fn ends_well(&mut self) -> Result {
        let status = self.ends().await?;
        if status.success() {
            return Ok(());
        }
        Err(format!("{} ended with {status}\n{}", self.name, self.last_words()).into())
    }

    /// Limits the size of the files that it may write, as a full disk does; `None` lifts the limit.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn limit_files(&self, bytes: Option<u64>) -> Result {
        let limit = Rlimit {
            current: bytes,
            maximum: None,
        };
        prlimit(Some(self.pid), Resource::Fsize, limit)?;
        Ok(())
    }
}
