//! What the cells of one run share.

use crate::check::Reference;
use crate::cluster::{Cluster, with};
use crate::sweeps::{Shape, WORKERS};
use crate::{Result, check};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use tempfile::TempDir;

/// Where the programs are.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The coordinator.
    pub coordinator: PathBuf,
    /// The worker with the mock trainer.
    pub worker: PathBuf,
}

/// Programs, tokens, undisturbed runs, results.
#[derive(Debug)]
pub struct Bench {
    /// The programs.
    pub programs: Programs,
    folder: TempDir,
    client_token: String,
    worker_token: String,
    references: Mutex<BTreeMap<Shape, Arc<Reference>>>,
    /// By the name of the cell: how often its task was run.
    results: Mutex<BTreeMap<String, usize>>,
}

impl Bench {
    /// Makes tokens.
    ///
    /// # Errors
    /// When the coordinator's program makes none.
    pub fn new(programs: Programs) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let token = |role: &str| -> Result<String> {
            let made = Command::new(&programs.coordinator)
                .args(["token", "create", "--role", role, "--name", role, "--tokens"])
                .arg(folder.path().join(TOKENS))
                .output()?;
            let words = String::from_utf8(made.stdout)?.trim().to_owned();
            if made.status.success() {
                return Ok(words);
            }
            Err(format!("no token: {}", String::from_utf8_lossy(&made.stderr)).into())
        };
        Ok(Self {
            client_token: token("admin")?,
            worker_token: token("worker")?,
            programs,
            folder,
            references: Mutex::default(),
            results: Mutex::default(),
        })
    }

    /// The file of the tokens.
    #[must_use]
    pub fn tokens(&self) -> PathBuf {
        self.folder.path().join(TOKENS)
    }

    /// What a client is let in by.
    #[must_use]
    pub fn client_token(&self) -> &str {
        &self.client_token
    }

    /// What a worker is let in by.
    #[must_use]
    pub fn worker_token(&self) -> &str {
        &self.worker_token
    }

    /// The undisturbed run of a sweep.
    ///
    /// # Errors
    /// When it fails.
    pub fn reference(&self, shape: Shape) -> Result<Arc<Reference>> {
        // Held while it runs: every other cell of this sweep needs it, too.
        let mut references = self.references.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = references.get(&shape) {
            return Ok(Arc::clone(known));
        }
        let reference = self.run(WORKERS, async |cluster: &mut Cluster<'_>| {
            cluster.start_workers().await?;
            let (id, watching) = cluster.create(shape).await?;
            watching.until("the sweep ends", |seen| seen.ended()).await?;
            let (sweep, document) = check::ended(cluster, &id).await?;
            check::Reference::of(&sweep, &document, &watching.seen())
        })?;
        let reference = Arc::new(reference);
        references.insert(shape, Arc::clone(&reference));
        Ok(reference)
    }

    /// Runs something on a cluster of its own, whose end is checked too.
    ///
    /// # Errors
    /// As `story`, with what the processes have said last.
    pub fn run<T>(
        &self,
        workers: usize,
        story: impl AsyncFnOnce(&mut Cluster<'_>) -> Result<T>,
    ) -> Result<T> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let mut cluster = Cluster::start(self, workers).await?;
            let told = match story(&mut cluster).await {
                Ok(told) => cluster.end().await.map(|()| told),
                Err(error) => Err(error),
            };
            told.map_err(|error| with(error, &cluster.last_words()))
        })
    }

    /// Keeps how often the task of a cell was run.
    pub fn note(&self, cell: &str, attempts: usize) {
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        results.insert(cell.to_owned(), attempts);
    }

    /// How often the task of each cell was run.
    #[must_use]
    pub fn results(&self) -> BTreeMap<String, usize> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

const TOKENS: &str = "tokens.json";
