//! The coordinator under load: a process of its own on a folder of its own.

use crate::{Error, failed};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long it may take until it listens, and from then on until it is ready.
const START: Duration = Duration::from_secs(120);
/// How long an answer to that may take.
const ANSWER: Duration = Duration::from_secs(5);
/// How often it is asked whether it is ready.
const ASK: Duration = Duration::from_millis(5);

/// A running coordinator. Dropped, it is killed.
#[derive(Debug)]
pub struct Coordinator {
    child: Child,
    address: SocketAddr,
    tokens: Tokens,
    started_in: Duration,
}

/// What its callers show.
#[derive(Clone, Debug)]
pub struct Tokens {
    pub(crate) worker: String,
    pub(crate) client: String,
    pub(crate) admin: String,
}

impl Tokens {
    /// Makes new ones in a folder.
    ///
    /// # Errors
    /// When the program makes none.
    pub fn create(program: &Path, folder: &Path) -> Result<Self, Error> {
        let token = |role: &str| {
            let made = Command::new(program)
                .args([
                    "token",
                    "create",
                    "--role",
                    role,
                    "--name",
                    role,
                    "--data-dir",
                ])
                .arg(folder)
                .output()
                .map_err(failed("making a token"))?;
            if !made.status.success() {
                let said = String::from_utf8_lossy(&made.stderr);
                return Err(Error::new("making a token", said));
            }
            Ok(String::from_utf8_lossy(&made.stdout).trim().to_owned())
        };
        Ok(Self {
            worker: token("worker")?,
            client: token("client")?,
            admin: token("admin")?,
        })
    }
}

impl Coordinator {
    /// The program that was built beside this one.
    ///
    /// # Errors
    /// When there is none.
    pub fn program() -> Result<PathBuf, Error> {
        let own = std::env::current_exe().map_err(failed("finding this program"))?;
        let program = own.with_file_name("loaded-coordinator");
        match program.is_file() {
            true => Ok(program),
            false => Err(Error::new(
                program.display().to_string(),
                "there is no such program; build it with `cargo build --release -p rangefinder-load`",
            )),
        }
    }

    /// Starts one on a folder, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become so in time, with what it said.
    pub fn start(program: &Path, folder: &Path, tokens: Tokens) -> Result<Self, Error> {
        let address = free_port()?;
        let started = Instant::now();
        let child = Command::new(program)
            .args(["serve", "--listen", &address.to_string()])
            .args([
                "--max-sweeps",
                "100000",
                "--max-sweeps-per-client",
                "100000",
            ])
            .arg("--data-dir")
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(failed("starting the coordinator"))?;
        let mut coordinator = Self {
            child,
            address,
            tokens,
            started_in: Duration::ZERO,
        };
        while !is_ready(address) {
            if let Ok(Some(status)) = coordinator.child.try_wait() {
                return Err(Error::new("starting the coordinator", status));
            }
            if started.elapsed() > START {
                return Err(Error::new(
                    "starting the coordinator",
                    "it is not ready in time",
                ));
            }
            std::thread::sleep(ASK);
        }
        coordinator.started_in = started.elapsed();
        Ok(coordinator)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What its callers show.
    #[must_use]
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Its process.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// From its start until it was ready.
    #[must_use]
    pub fn started_in(&self) -> Duration {
        self.started_in
    }

    /// SIGKILL: it gets no word in.
    ///
    /// # Errors
    /// When it has ended before.
    pub fn kill(mut self) -> Result<(), Error> {
        if let Ok(Some(status)) = self.child.try_wait() {
            return Err(Error::new("the coordinator had ended by itself", status));
        }
        self.child
            .kill()
            .map_err(failed("killing the coordinator"))?;
        self.child
            .wait()
            .map_err(failed("killing the coordinator"))?;
        Ok(())
    }
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port of loopback that was free a moment ago.
fn free_port() -> Result<SocketAddr, Error> {
    let listener = TcpListener::bind("127.0.0.1:0");
    let address = listener.and_then(|listener| listener.local_addr());
    address.map_err(failed("finding a free port"))
}

/// What `/readyz` answers, over a connection of its own.
fn is_ready(address: SocketAddr) -> bool {
    let asked = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(ANSWER))?;
        write!(stream, "GET /readyz HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
        let mut status = String::new();
        BufReader::new(stream).read_line(&mut status)?;
        Ok(status)
    };
    asked().is_ok_and(|status| status.starts_with("HTTP/1.1 200"))
}
