//! Holds tasks at chosen steps, through the gates of the mock trainer.

use crate::{Result, eventually};
use rangefinder_session::mock::gates;
use rangefinder_sweep::plan::Task;
use std::fs;
use std::path::{Path, PathBuf};

/// The gates of all workers of a cluster.
#[derive(Debug)]
pub struct Gates {
    folder: PathBuf,
}

impl Gates {
    /// Gates in a folder, which is made.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(folder: PathBuf) -> Result<Self> {
        fs::create_dir(&folder)?;
        Ok(Self { folder })
    }

    /// Where they are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Holds a task before a step.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn hold(&self, task: &Task, step: u32) -> Result {
        Ok(fs::write(self.gate(task, step), [])?)
    }

    /// Lets a task go on.
    ///
    /// # Errors
    /// When it was not held.
    pub fn release(&self, task: &Task, step: u32) -> Result {
        Ok(fs::remove_file(self.gate(task, step))?)
    }

    /// Waits until the trainer has given all losses of a task.
    ///
    /// # Errors
    /// When that does not come in time.
    pub async fn over(&self, task: &Task) -> Result {
        let mark = gates::over(&self.folder, task.replica, task.warm_up_start.into());
        eventually(&format!("the trainer is done with task {:?}", task.id), async || {
            Ok(mark.exists())
        })
        .await
    }

    fn gate(&self, task: &Task, step: u32) -> PathBuf {
        let (first, step) = (task.warm_up_start.into(), step.into());
        gates::gate(&self.folder, task.replica, first, step)
    }
}
