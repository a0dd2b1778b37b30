//! A coordinator, its workers, and a line of the network for each of them and for the client.

use crate::bench::Bench;
use crate::gates::Gates;
use crate::program::Program;
use crate::proxy::Proxy;
use crate::sweeps::{Shape, request};
use crate::watching::Watching;
use crate::{DEADLINE, Result, eventually, in_time};
use rangefinder_access::ClientTls;
use rangefinder_coordinator::client::{Client, Options, Token};
use rangefinder_proto::v1;
use rangefinder_store::{Change, Store};
use rangefinder_sweep::ids::WorkerId;
use rustix::process::Signal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::Command;
use tonic::transport::Endpoint;

/// Seconds that a lease lives. With a heartbeat a second, a worker calls a silent connection dead
/// after three, in time to save its lease.
pub const LEASE: Duration = Duration::from_secs(4);
/// Seconds that a worker which leaves may take to finish its task, unless a cell says otherwise.
const DRAIN_SECONDS: u32 = 60;

/// A worker's place: its line, and its process while it has one.
#[derive(Debug)]
pub struct Place {
    /// Its name.
    pub id: WorkerId,
    /// Its line to the coordinator.
    pub line: Proxy,
    program: Option<Program>,
}

/// All of it. Dropped, every process of it is killed.
#[derive(Debug)]
pub struct Cluster<'a> {
    bench: &'a Bench,
    folder: TempDir,
    /// What holds the workers' tasks.
    pub gates: Gates,
    coordinator: Option<Program>,
    address: Option<SocketAddr>,
    door: Proxy,
    places: Vec<Place>,
    /// How long a worker that leaves may take to finish its task.
    pub drain_seconds: u32,
}

impl<'a> Cluster<'a> {
    /// A coordinator with an empty store, and places for workers.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start(bench: &'a Bench, workers: usize) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut places = Vec::new();
        for index in 0..workers {
            places.push(Place {
                id: WorkerId(format!("worker-{index}")),
                line: Proxy::start().await?,
                program: None,
            });
        }
        let mut cluster = Self {
            bench,
            gates: Gates::new(folder.path().join("gates"))?,
            folder,
            coordinator: None,
            address: None,
            door: Proxy::start().await?,
            places,
            drain_seconds: DRAIN_SECONDS,
        };
        cluster.start_coordinator().await?;
        Ok(cluster)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Makes the coordinator that is started next find the computer's clock set back: its store was
    /// made later than it had been.
    ///
    /// # Errors
    /// When the store is in use or does not say when it was made.
    pub fn set_clock_back(&self, by: Duration) -> Result {
        const MADE: &str = "epoch_unix_ms";
        let (store, _) = Store::open(&self.data(), rangefinder_store::Options::default())?;
        let counters = store.reader().counters()?;
        let made = counters.iter().find(|counter| counter.0 == MADE);
        let (_, made) = made.ok_or("the store does not say when it was made")?;
        let later = Change::Counter {
            name: MADE.to_owned(),
            value: made + u64::try_from(by.as_millis())?,
        };
        store.appender().append(vec![later], Box::new(|| ()))?;
        Ok(store.shutdown()?)
    }

    /// Starts the coordinator on its store, and leads all lines to it.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start_coordinator(&mut self) -> Result {
        let mut command = Command::new("sh");
        // It is to hear of a full disk, not to die of it.
        command.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]);
        command.arg(&self.bench.programs.coordinator);
        command.args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--heartbeat-seconds",
            "1",
        ]);
        command.args(["--lease-seconds", &LEASE.as_secs().to_string()]);
        command.arg("--data-dir").arg(self.data());
        command.arg("--tokens").arg(self.bench.tokens());
        command.env("RANGEFINDER_LOG", "warn,rangefinder_coordinator=info");
        let program = Program::start("coordinator", &mut command)?;
        let said = program.says("listening on ").await;
        let said = said.map_err(|error| with(error, &program.last_words()))?;
        let address = said
            .split_once("listening on ")
            .and_then(|(_, rest)| rest.split_whitespace().next())
            .ok_or("it does not say where it listens")?
            .parse()?;
        self.coordinator = Some(program);
        self.address = Some(address);
        self.door.lead_to(address);
        for place in &self.places {
            place.line.lead_to(address);
        }
        Ok(())
    }

    /// The coordinator's process.
    ///
    /// # Errors
    /// When it has none.
    pub fn coordinator(&mut self) -> Result<&mut Program> {
        self.coordinator
            .as_mut()
            .ok_or_else(|| "no coordinator runs".into())
    }

    /// A worker's place.
    ///
    /// # Errors
    /// When there is none of this number.
    pub fn place(&self, index: usize) -> Result<&Place> {
        self.places
            .get(index)
            .ok_or_else(|| format!("there is no worker {index}").into())
    }

    /// The number of the place of a worker.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn index(&self, worker: &WorkerId) -> Result<usize> {
        let found = self.places.iter().position(|place| place.id == *worker);
        found.ok_or_else(|| format!("there is no worker {worker}").into())
    }

    /// A worker's process.
    ///
    /// # Errors
    /// When it has none.
    pub fn worker(&mut self, index: usize) -> Result<&mut Program> {
        let place = self.places.get_mut(index);
        let program = place.and_then(|place| place.program.as_mut());
        program.ok_or_else(|| format!("worker {index} does not run").into())
    }

    /// Starts a worker's process, in place of the one before.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_worker(&mut self, index: usize) -> Result {
        let script = serde_json::json!({"gates": self.gates.folder()});
        let cache = self.folder.path().join("cache");
        let Some(place) = self.places.get_mut(index) else {
            return Err(format!("there is no worker {index}").into());
        };
        let mut command = Command::new(&self.bench.programs.worker);
        command
            .env(
                "RANGEFINDER_COORDINATOR",
                format!("http://{}", place.line.address()),
            )
            .env("RANGEFINDER_TOKEN", self.bench.worker_token())
            .env("RANGEFINDER_WORKER_ID", &place.id.0)
            .env("RANGEFINDER_DEVICE", "cpu")
            .env("RANGEFINDER_DRAIN_SECONDS", self.drain_seconds.to_string())
            .env("RANGEFINDER_CACHE_DIR", cache)
            .env("RANGEFINDER_MOCK", script.to_string())
            .env("RUST_LOG", "rangefinder_session=debug");
        place.program = Some(Program::start(&place.id.0, &mut command)?);
        Ok(())
    }

    /// Starts all workers, and waits until they are connected.
    ///
    /// # Errors
    /// When they do not come up.
    pub async fn start_workers(&mut self) -> Result {
        for index in 0..self.places.len() {
            self.start_worker(index)?;
        }
        eventually("all workers are connected", async || {
            let idle = v1::WorkerState::Idle;
            let there = self.workers().await?;
            Ok(there.iter().filter(|it| it.state() == idle).count() == self.places.len())
        })
        .await
    }

    /// The line of the clients.
    #[must_use]
    pub fn door(&self) -> &Proxy {
        &self.door
    }

    /// A client, over the line of the clients.
    ///
    /// # Errors
    /// When its options are wrong.
    pub fn client(&self) -> Result<Client> {
        self.client_of(self.door.address())
    }

    /// A client that no fault of the network befalls.
    ///
    /// # Errors
    /// When no coordinator runs.
    pub fn client_beside(&self) -> Result<Client> {
        self.client_of(self.address.ok_or("no coordinator runs")?)
    }

    fn client_of(&self, address: SocketAddr) -> Result<Client> {
        let options = Options {
            server: format!("http://{address}"),
            token: Token::new(self.bench.client_token(), "the cell")?,
            tls: ClientTls::default(),
            timeout: DEADLINE,
        };
        Ok(Client::new(options, |_| ())?)
    }

    /// The workers, as the coordinator knows them.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn workers(&self) -> Result<Vec<v1::Worker>> {
        Ok(self.client()?.workers().await?)
    }

    /// Waits until the coordinator says that a worker is in a state.
    ///
    /// # Errors
    /// When it does not in time.
    pub async fn until_worker_is(&self, index: usize, state: v1::WorkerState) -> Result {
        let id = &self.place(index)?.id.0;
        eventually(&format!("{id} is {}", state.as_str_name()), async || {
            let there = self.workers().await?;
            Ok(there.iter().any(|it| it.id == *id && it.state() == state))
        })
        .await
    }

    /// Starts a sweep and watches it; gives its id.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn create(&self, shape: Shape) -> Result<(String, Watching)> {
        let sweep = self.client()?.create(request(shape)?).await?;
        let endpoint = Endpoint::from_shared(format!("http://{}", self.door.address()))?;
        let bearer = format!("Bearer {}", self.bench.client_token()).parse()?;
        let watching = Watching::start(endpoint, bearer, &sweep.id);
        Ok((sweep.id, watching))
    }

    /// The status line and the text of an HTTP answer of the coordinator.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn http(&self, path: &str) -> Result<String> {
        let address = self.address.ok_or("no coordinator runs")?;
        let asked = async {
            let mut stream = TcpStream::connect(address).await?;
            let text = format!("GET {path} HTTP/1.1\r\nHost: chaos\r\nConnection: close\r\n\r\n");
            stream.write_all(text.as_bytes()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            Ok(answer)
        };
        in_time(&format!("{path} is answered"), asked).await?
    }

    /// Ends everything in good order: workers that run are idle, leave when they are told to, the
    /// coordinator too, and its store is as it was written.
    ///
    /// # Errors
    /// When any of that is not so.
    pub async fn end(&mut self) -> Result {
        for index in 0..self.places.len() {
            if self.place(index)?.program.is_some() {
                self.until_worker_is(index, v1::WorkerState::Idle).await?;
                self.worker(index)?.signal(Signal::TERM);
            }
        }
        for place in &mut self.places {
            if let Some(mut program) = place.program.take() {
                program.ends_well().await?;
            }
        }
        if let Some(mut coordinator) = self.coordinator.take() {
            coordinator.signal(Signal::TERM);
            coordinator.ends_well().await?;
        }
        let checked = Command::new(&self.bench.programs.coordinator)
            .args(["store", "check"])
            .arg(self.data())
            .output()
            .await?;
        if checked.status.success() {
            return Ok(());
        }
        Err(format!("store check: {}", String::from_utf8_lossy(&checked.stderr)).into())
    }

    /// A worker has left: nothing runs in its place any more.
    ///
    /// # Errors
    /// When it has not left in good order.
    pub async fn has_left(&mut self, index: usize) -> Result {
        self.worker(index)?.ends_well().await?;
        if let Some(place) = self.places.get_mut(index) {
            place.program = None;
        }
        Ok(())
    }

    /// What the processes that run have said last.
    #[must_use]
    pub fn last_words(&self) -> String {
        let workers = self
            .places
            .iter()
            .filter_map(|place| place.program.as_ref());
        let all = self.coordinator.iter().chain(workers);
        all.map(Program::last_words).collect()
    }
}

/// An error with more to read.
#[must_use]
pub fn with(error: libtest_mimic::Failed, more: &str) -> libtest_mimic::Failed {
    format!("{}\n{more}", error.message().unwrap_or("failed")).into()
}
