//! One worker process and its process group.

use super::tail::Tail;
use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::BufReader;
use tokio::process::{Child, ChildStdin, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long the outputs of a process that has exited may stay open, held by a child of its own.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// A running worker: leader of a process group of its own, so that a Ctrl-C in the terminal does
/// not reach it, and a signal reaches its children too. Killed when dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    group: Group,
    /// The worker reads this to its end, which comes when the coordinator is gone, however that
    /// happened.
    lifeline: Option<ChildStdin>,
    tail: Tail,
    outputs: JoinSet<()>,
}

/// A process group, killed when dropped.
#[derive(Debug)]
struct Group(Option<Pid>);

impl Process {
    /// Starts a process.
    pub(super) fn spawn(name: &str, mut command: Command) -> io::Result<Self> {
        let mut child = command
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok());
        let tail = Tail::default();
        let mut outputs = JoinSet::new();
        if let Some(output) = child.stdout.take() {
            let (tail, name) = (tail.clone(), name.to_owned());
            outputs.spawn(async move { tail.follow(&name, BufReader::new(output)).await });
        }
        if let Some(output) = child.stderr.take() {
            let (tail, name) = (tail.clone(), name.to_owned());
            outputs.spawn(async move { tail.follow(&name, BufReader::new(output)).await });
        }
        Ok(Self {
            group: Group(pid.map(Pid::from_raw)),
            lifeline: child.stdin.take(),
            child,
            tail,
            outputs,
        })
    }

    /// Waits for the process to exit and says how it did, in words, with its last lines. What is
    /// left of its group is killed. Cancel-safe.
    pub(super) async fn exited(&mut self) -> String {
        let how = match self.child.wait().await {
            Ok(status) => in_words(status),
            Err(error) => format!("cannot be waited for: {error}"),
        };
        self.group.kill();
        let outputs = &mut self.outputs;
        let _ = timeout(LAST_WORDS, async {
            while outputs.join_next().await.is_some() {}
        })
        .await;
        match self.tail.text() {
            lines if lines.is_empty() => how,
            lines => format!("{how}; its last words:\n{lines}"),
        }
    }

    /// Ends the process: closes its lifeline, after `patience` asks its group to terminate, after
    /// as long again kills it.
    pub(super) async fn stop(mut self, patience: Duration) {
        drop(self.lifeline.take());
        if timeout(patience, self.child.wait()).await.is_err() {
            self.group.signal(Signal::SIGTERM);
            if timeout(patience, self.child.wait()).await.is_err() {
                self.group.kill();
                // SIGKILL cannot be refused; only a process that hangs inside the kernel, in a
                // broken driver say, stays, and nothing can be done about that one.
                let _ = timeout(patience, self.child.wait()).await;
            }
        }
        self.group.kill();
    }
}

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(group) = self.0
            && let Err(error) = killpg(group, signal)
            && error != Errno::ESRCH
        {
            tracing::warn!(%group, %signal, %error, "a process group cannot be signalled");
        }
    }

    /// Kills all that is left of it, once: afterwards the system may give its number to others.
    fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

fn in_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with code {code}"),
        (None, Some(number)) => match Signal::try_from(number) {
            Ok(signal) => format!("was killed by {signal}"),
            Err(_) => format!("was killed by signal {number}"),
        },
        (None, None) => status.to_string(),
    }
}
