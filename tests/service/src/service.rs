//! `coordinator serve`, and workers that join it.

use crate::process::{Ended, Process, eventually, program};
use crate::{ANN, BEN, RACK, ROOT};
use nix::sys::signal::Signal;
use rangefinder_access::ClientTls;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};

/// Who has a token, and for what.
const TOKENS: [(&str, &str); 4] = [
    (ANN, "client"),
    (BEN, "client"),
    (ROOT, "admin"),
    (RACK, "worker"),
];

/// A service that is to be started.
#[derive(Debug)]
pub struct Builder {
    folder: TempDir,
    arguments: Vec<String>,
    tls: Option<ClientTls>,
    log: &'static str,
}

impl Builder {
    /// A folder for what the test needs beside the service.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Adds arguments of `coordinator serve`.
    #[must_use]
    pub fn with(mut self, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|&argument| argument.to_owned());
        self.arguments.extend(arguments);
        self
    }

    /// Connections are made with TLS.
    #[must_use]
    pub fn tls(mut self, tls: ClientTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// What is logged, as in `RANGEFINDER_LOG`.
    #[must_use]
    pub fn log(mut self, log: &'static str) -> Self {
        self.log = log;
        self
    }

    /// Makes the tokens and starts the service.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(self) -> Service {
        let data = self.folder().join("data");
        for (name, role) in TOKENS {
            let made = Process::run(
                clean(&program("served-coordinator"))
                    .args(["token", "create", "--role", role, "--name", name])
                    .arg("--out")
                    .arg(self.folder().join(format!("{name}.token")))
                    .arg("--data-dir")
                    .arg(&data),
            );
            assert_eq!(made.code, Some(0), "{}", made.stderr);
        }
        let mut service = Service {
            data,
            log: self.folder().join("service.log"),
            scheme: if self.tls.is_some() { "https" } else { "http" },
            built: self,
            process: None,
            listen: "127.0.0.1:0".to_owned(),
        };
        service.resume().await;
        service
    }
}

/// A running service.
#[derive(Debug)]
pub struct Service {
    // Ends before its folder goes.
    process: Option<Process>,
    data: PathBuf,
    log: PathBuf,
    scheme: &'static str,
    listen: String,
    built: Builder,
}

impl Service {
    /// A service that is to be started.
    #[must_use]
    pub fn builder() -> Builder {
        Builder {
            folder: tempfile::tempdir().unwrap(),
            arguments: ["--heartbeat-seconds", "1", "--lease-seconds", "4"]
                .map(str::to_owned)
                .to_vec(),
            tls: None,
            log: "info",
        }
    }

    /// A service as it is by default.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// Its folder of data.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// A folder for what the test needs beside the service.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.built.folder()
    }

    /// Where it listens, `http://...` or `https://...`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.listen)
    }

    /// Its process.
    ///
    /// # Panics
    /// When it has been ended.
    #[must_use]
    pub fn process(&self) -> &Process {
        self.process.as_ref().unwrap()
    }

    /// The file of somebody's token.
    #[must_use]
    pub fn token_file(&self, name: &str) -> PathBuf {
        self.folder().join(format!("{name}.token"))
    }

    /// Somebody's token.
    #[must_use]
    pub fn token(&self, name: &str) -> String {
        let text = std::fs::read_to_string(self.token_file(name)).unwrap();
        text.trim().to_owned()
    }

    /// A connection, without any token.
    #[must_use]
    pub fn channel(&self) -> Channel {
        let endpoint = Endpoint::from_shared(self.url()).unwrap();
        let tls = self.built.tls.clone().unwrap_or_default();
        tls.endpoint(endpoint).unwrap().connect_lazy()
    }

    /// Ends it with a signal, and waits for its end.
    pub fn end(&mut self, signal: Signal) {
        if let Some(mut process) = self.process.take() {
            process.signal(signal);
            process.wait();
        }
    }

    /// Starts it again, where it has been ended: in the same folder, on the same port.
    pub async fn resume(&mut self) {
        let before = std::fs::read_to_string(&self.log).unwrap_or_default().len();
        let process = Process::logged(
            clean(&program("served-coordinator"))
                .arg("serve")
                .args(["--listen", &self.listen])
                .arg("--data-dir")
                .arg(&self.data)
                .args(&self.built.arguments)
                .env("RANGEFINDER_LOG", self.built.log),
            &self.log,
        );
        let mut process = Some(process);
        self.listen = eventually("the service to listen", async || {
            let log = process.as_ref()?.log();
            let said = log.get(before..)?.split_once("listening on ")?.1;
            let (address, _) = said.split_once('\n')?;
            Some(address.to_owned())
        })
        .await;
        self.process = process.take();
    }

    /// Starts a worker that behaves as its script says, a JSON object as of the mock trainer.
    #[must_use]
    pub fn worker(&self, name: &str, script: &str) -> Worker {
        self.worker_with(name, script, &[])
    }

    /// As [`Service::worker`], with more variables in its environment.
    #[must_use]
    pub fn worker_with(&self, name: &str, script: &str, more: &[(&str, &Path)]) -> Worker {
        let mut command = clean(&program("joined-worker"));
        command
            .env("RANGEFINDER_COORDINATOR", self.url())
            .env("RANGEFINDER_TOKEN_FILE", self.token_file(RACK))
            .env("RANGEFINDER_WORKER_ID", name)
            .env("RANGEFINDER_CACHE_DIR", self.folder().join("cache"))
            .env("RANGEFINDER_MOCK", script)
            .env("RUST_LOG", self.built.log)
            .envs(more.iter().copied());
        let log = self.folder().join(format!("{name}.log"));
        Worker(Process::logged(&mut command, &log))
    }

    /// Runs a command of the program to its end, such as `list`, as a client with a token.
    #[must_use]
    pub fn command(&self, name: &str, arguments: &[&str]) -> Ended {
        let mut command = clean(&program("served-coordinator"));
        command
            .args(arguments)
            .env("RANGEFINDER_SERVER", self.url())
            .env("RANGEFINDER_TOKEN_FILE", self.token_file(name))
            .env("RANGEFINDER_LOG", self.built.log);
        if let Some(tls) = &self.built.tls {
            let identity = tls
                .identity
                .clone()
                .map(|(certificate, key)| [("CERT_FILE", certificate), ("KEY_FILE", key)]);
            let files = tls.ca.clone().map(|ca| ("CA_FILE", ca));
            for (what, path) in identity.into_iter().flatten().chain(files) {
                command.env(format!("RANGEFINDER_{what}"), path);
            }
        }
        Process::run(&mut command)
    }

    /// Revokes all tokens of a name.
    ///
    /// # Panics
    /// When that is refused.
    pub fn revoke(&self, name: &str) {
        let revoked = Process::run(
            clean(&program("served-coordinator"))
                .args(["token", "revoke", name, "--data-dir"])
                .arg(&self.data),
        );
        assert_eq!(revoked.code, Some(0), "{}", revoked.stderr);
    }
}

/// A worker process.
#[derive(Debug)]
pub struct Worker(pub Process);

/// A command that inherits no settings of Rangefinder.
fn clean(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("RANGEFINDER_") {
            command.env_remove(name);
        }
    }
    command
}
